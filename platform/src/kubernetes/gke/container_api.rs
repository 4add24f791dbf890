//! Google's Container API: what it says of a cluster.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use reqwest::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::endpoint::{Description, FIELDS};
use super::tokens::{Token, Tokens};
use super::{GkeName, GkeSettings};
use crate::nearest::nearest;

/// Largest answer that is read, in bytes.
const ANSWER_BOUND_BYTES: usize = 4 * 1024 * 1024;
/// Longest text of Google's own that is passed on, in characters.
const MESSAGE_BOUND_CHARS: usize = 500;
/// In a location's place: all of them.
const EVERY_LOCATION: &str = "-";

/// Why a cluster could not be looked up.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Trying again will not help; one sentence.
    Refused(String),
    /// Trying again may help.
    Unavailable(anyhow::Error),
}

/// A client of the Container API.
pub(super) struct ContainerApi {
    base: String,
    http: reqwest::Client,
    tokens: Tokens,
    timeout: Duration,
}

/// An answer, whatever its status.
struct Answer {
    status: StatusCode,
    body: Vec<u8>,
}

/// How Google's APIs word a failure.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Failure {
    error: FailureBody,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct FailureBody {
    message: String,
}

/// The clusters of a project.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Clusters {
    clusters: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    name: String,
    location: String,
}

impl ContainerApi {
    pub(super) fn new(settings: &GkeSettings, tokens: Tokens) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().build().context("make an HTTP client")?;
        Ok(Self { base: settings.container_api.clone(), http, tokens, timeout: settings.lookup_timeout })
    }

    /// What is said of one cluster.
    pub(super) async fn describe(&self, name: &GkeName) -> Result<Description, Trouble> {
        let GkeName { project, location, cluster } = name;
        let path = format!("/v1/projects/{project}/locations/{location}/clusters/{cluster}");
        let answer = self.get(&path, FIELDS).await.map_err(|error| unavailable(name, error))?;
        match answer.status {
            StatusCode::OK => {
                read(&answer).map_err(|error| Trouble::Refused(format!("{name}: what Google says of it: {error:#}")))
            }
            StatusCode::NOT_FOUND => Err(Trouble::Refused(self.not_found(name, &answer).await)),
            StatusCode::FORBIDDEN => Err(Trouble::Refused(format!(
                "{name}: permission container.clusters.get on project {project} is missing; the role \
                 roles/container.clusterViewer gives it (403{})",
                said(&answer)
            ))),
            // Google renews what it accepts within minutes, and asks for patience by the others.
            StatusCode::UNAUTHORIZED | StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
                Err(unavailable(name, answered(&answer)))
            }
            status if status.is_client_error() => Err(Trouble::Refused(format!("{name}: {:#}", answered(&answer)))),
            _ => Err(unavailable(name, answered(&answer))),
        }
    }

    /// The sentence for a cluster that is not there, with the nearest one that is.
    async fn not_found(&self, name: &GkeName, answer: &Answer) -> String {
        let GkeName { project, location, cluster } = name;
        let hint = self.nearest_to(name).await.map(|near| format!(", did you mean {near}?")).unwrap_or_default();
        format!("{name}: project {project} has no cluster {cluster} in {location}{hint} (404{})", said(answer))
    }

    /// A cluster of the project with a like name or in a like place; none where that cannot be told.
    async fn nearest_to(&self, name: &GkeName) -> Option<String> {
        let path = format!("/v1/projects/{}/locations/{EVERY_LOCATION}/clusters", name.project);
        let answer = self.get(&path, "clusters(name,location)").await.ok()?;
        let known: Clusters = (answer.status == StatusCode::OK).then(|| read(&answer).ok())??;
        let known: Vec<_> =
            known.clusters.into_iter().map(|listed| format!("{}/{}", listed.location, listed.name)).collect();
        let wanted = format!("{}/{}", name.location, name.cluster);
        let near = nearest(&wanted, known.iter().map(String::as_str))?;
        Some(format!("gke:{}/{near}", name.project))
    }

    /// Sends a GET; where the token is not accepted, once more with a new one. All of it is bounded in
    /// time: lists of the cluster wait for it.
    async fn get(&self, path: &str, fields: &str) -> anyhow::Result<Answer> {
        let answered = tokio::time::timeout(self.timeout, self.get_renewing(path, fields)).await;
        answered.map_err(|_| anyhow!("no answer within {:?}", self.timeout))?
    }

    async fn get_renewing(&self, path: &str, fields: &str) -> anyhow::Result<Answer> {
        let token = self.tokens.token().await?;
        let answer = self.get_with(path, fields, &token).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        self.tokens.reject(&token);
        self.get_with(path, fields, &self.tokens.token().await?).await
    }

    async fn get_with(&self, path: &str, fields: &str, token: &Token) -> anyhow::Result<Answer> {
        let mut url: reqwest::Url = format!("{}{path}", self.base).parse().context("the Container API's address")?;
        url.query_pairs_mut().append_pair("fields", fields);
        let mut request = self.http.get(url);
        let mut headers = http::HeaderMap::new();
        token.put_all(&mut headers);
        request = request.headers(headers);
        let mut response = request.send().await.context("ask the Container API")?;
        let (status, mut body) = (response.status(), Vec::new());
        while let Some(chunk) = response.chunk().await.context("read the Container API's answer")? {
            if body.len().saturating_add(chunk.len()) > ANSWER_BOUND_BYTES {
                return Err(anyhow!("the Container API's answer is larger than {ANSWER_BOUND_BYTES} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, body })
    }
}

fn read<T: DeserializeOwned>(answer: &Answer) -> anyhow::Result<T> {
    serde_json::from_slice(&answer.body).context("it is not of the form expected")
}

fn unavailable(name: &GkeName, error: anyhow::Error) -> Trouble {
    Trouble::Unavailable(error.context(format!("look up {name}")))
}

fn answered(answer: &Answer) -> anyhow::Error {
    anyhow!("the Container API answered {}{}", answer.status, said(answer))
}

/// What Google said, on one line, to append; empty if nothing.
fn said(answer: &Answer) -> String {
    let failure: Failure = serde_json::from_slice(&answer.body).unwrap_or_default();
    let words: Vec<_> = failure.error.message.split_whitespace().collect();
    let line: String = words.join(" ").chars().filter(|c| !c.is_control()).take(MESSAGE_BOUND_CHARS).collect();
    if line.is_empty() { line } else { format!("; it says: {line}") }
}
