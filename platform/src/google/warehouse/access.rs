//! The client of BigQuery, and on whose behalf it calls.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gcp_bigquery_client::Client;
use gcp_bigquery_client::auth::Authenticator;
use gcp_bigquery_client::client_builder::ClientBuilder;
use gcp_bigquery_client::error::BQError;
use google_cloud_auth::credentials::{AccessTokenCredentials, Builder};

use super::BigQuerySettings;
use super::failure::port_error;
use crate::google::failure::Effect;
use crate::ports::{PortError, PortResult};

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for one answer. Calls that take longer are asked about again: see [`super::query`].
const ANSWER_TIMEOUT: Duration = Duration::from_secs(90);

/// A client that calls the service, or a stand-in, with the credentials that are chosen. Without a
/// choice they are the application's default ones; towards a stand-in a token that means nothing.
pub(super) async fn client(settings: &BigQuerySettings, attempted: &str) -> PortResult<Client> {
    let never = |error: anyhow::Error| PortError::never_will(attempted, error);
    let http = reqwest_of_bigquery::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(ANSWER_TIMEOUT)
        .build()
        .map_err(|error| never(error.into()))?;
    let mut builder = ClientBuilder::new();
    builder.with_client(http);
    if let Some(endpoint) = &settings.emulator {
        builder.with_v2_base_url(format!("{endpoint}/bigquery/v2"));
    }
    let authenticator: Arc<dyn Authenticator> = match (&settings.credentials, &settings.emulator) {
        (Some(chosen), _) => Arc::new(Renewed(chosen.clone())),
        (None, Some(_)) => Arc::new(Anonymous),
        (None, None) => {
            let credentials = Builder::default().build_access_token_credentials();
            Arc::new(Renewed(credentials.map_err(|error| never(error.into()))?))
        }
    };
    let built = builder.build_from_authenticator(authenticator).await;
    built.map_err(|error| port_error(attempted, Effect::None, error))
}

/// Nobody: for stand-ins only.
#[derive(Clone)]
struct Anonymous;

#[async_trait]
impl Authenticator for Anonymous {
    async fn access_token(&self) -> Result<String, BQError> {
        Ok("anonymous".to_owned())
    }
}

/// Credentials that keep their token and renew it before it expires.
#[derive(Clone)]
struct Renewed(AccessTokenCredentials);

#[async_trait]
impl Authenticator for Renewed {
    async fn access_token(&self) -> Result<String, BQError> {
        let token = self.0.access_token().await.map_err(std::io::Error::other);
        Ok(token.map_err(BQError::InvalidApplicationDefaultCredentialsAuthenticator)?.token)
    }
}
