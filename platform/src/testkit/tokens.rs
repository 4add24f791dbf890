//! A token server, so that the credentials of Google's clients can expire in a test.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use google_cloud_auth::credentials::{AccessTokenCredentials, Credentials, user_account};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long a token is waited for. Credentials ask for the next one every 10 s at the soonest.
const PATIENCE: Duration = Duration::from_secs(60);

/// Gives out `token-1`, `token-2` and so on; ends when it goes.
#[derive(Debug)]
pub struct TokenServer {
    url: String,
    issued: watch::Receiver<u64>,
    task: JoinHandle<()>,
}

#[derive(Debug, Clone)]
struct Issuer {
    lifetime: Duration,
    issued: Arc<watch::Sender<u64>>,
}

impl TokenServer {
    /// Starts one on a free loopback port. Its tokens say that they live for so long, to the second.
    pub async fn start(lifetime: Duration) -> Self {
        let (sender, issued) = watch::channel(0);
        let issuer = Issuer { lifetime, issued: Arc::new(sender) };
        let router = Router::new().route("/token", post(issue)).with_state(issuer);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port is free");
        let url = format!("http://{}/token", listener.local_addr().expect("a bound socket has an address"));
        let task =
            tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves until it is ended") });
        Self { url, issued, task }
    }

    /// Credentials that get their tokens here, and renew them before they expire.
    pub fn credentials(&self) -> Credentials {
        self.user().build().expect("they have all fields")
    }

    /// Credentials of a server that has gone before it gave out any token.
    pub async fn gone() -> Credentials {
        let mut server = Self::start(Duration::from_secs(1)).await;
        server.task.abort();
        // It was ended, and says so.
        (&mut server.task).await.ok();
        server.credentials()
    }

    /// [`Self::credentials`], for a client that wants the token itself.
    pub fn access_token_credentials(&self) -> AccessTokenCredentials {
        self.user().build_access_token_credentials().expect("they have all fields")
    }

    fn user(&self) -> user_account::Builder {
        let user = json!({
            "type": "authorized_user",
            "client_id": "test",
            "client_secret": "test",
            "refresh_token": "test",
        });
        user_account::Builder::new(user).with_token_uri(&self.url)
    }

    /// The n-th token it gives out, from 1.
    pub fn token(number: u64) -> String {
        format!("token-{number}")
    }

    /// How many tokens it gave out.
    pub fn issued(&self) -> u64 {
        *self.issued.borrow()
    }

    /// Waits until it has given out so many.
    pub async fn until_issued(&self, count: u64) {
        let mut issued = self.issued.clone();
        let enough = issued.wait_for(|issued| *issued >= count);
        tokio::time::timeout(PATIENCE, enough).await.expect("tokens are renewed").expect("the server runs");
    }
}

impl Drop for TokenServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn issue(State(issuer): State<Issuer>) -> Json<Value> {
    let mut number = 0;
    issuer.issued.send_modify(|issued| {
        *issued += 1;
        number = *issued;
    });
    let token = TokenServer::token(number);
    Json(json!({"access_token": token, "expires_in": issuer.lifetime.as_secs(), "token_type": "Bearer"}))
}
