//! A stand-in for the two services of Google that a GKE cluster needs: the one that gives tokens for
//! a refresh token (RFC 6749, section 6) and the Container API's clusters.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use google_cloud_auth::credentials::user_account;
use podledger_platform::kubernetes::{GkeCluster, GkeName, GkeRoute, GkeSettings, Tokens};
use serde_json::{Value, json};

use crate::settings;

/// How long a token is said to be valid, in seconds: longer than a test.
const VALID_SECONDS: u32 = 3600;

pub(crate) struct Google {
    address: SocketAddr,
    told: Arc<Mutex<Told>>,
    task: tokio::task::JoinHandle<()>,
}

/// What the services were told to do, and what they were asked.
#[derive(Default)]
struct Told {
    clusters: BTreeMap<String, Value>,
    /// What the token service gives, in order; the last one again and again.
    tokens: VecDeque<(u16, Value)>,
    tokens_given: u64,
    /// Whether whoever asks for a token waits for ever.
    silent: bool,
    /// What the Container API answers first, in order.
    answers: VecDeque<(u16, Value)>,
    /// Tokens the Container API does not accept.
    unknown: Vec<String>,
    lookups: Vec<String>,
}

impl Google {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let told = Arc::<Mutex<Told>>::default();
        let router = axum::Router::new().fallback(answer).with_state(Arc::clone(&told));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, told, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Has a cluster at `LOCATION/NAME`.
    pub(crate) fn has(&self, cluster: &str, description: Value) {
        self.told().clusters.insert(cluster.to_owned(), description);
    }

    /// Gives these tokens, one after the other.
    pub(crate) fn gives<const N: usize>(&self, tokens: [&str; N]) {
        let tokens = tokens
            .map(|token| (200, json!({"access_token": token, "expires_in": VALID_SECONDS, "token_type": "Bearer"})));
        self.told().tokens.extend(tokens);
    }

    /// Answers the next request for a token with a failure.
    pub(crate) fn gives_no_token(&self, status: u16, error: &str) {
        self.told().tokens.push_back((status, json!({"error": error, "error_description": "told so"})));
    }

    /// Does not answer any request for a token until told otherwise.
    pub(crate) fn is_silent(&self, silent: bool) {
        self.told().silent = silent;
    }

    /// Answers the next lookup so.
    pub(crate) fn answers(&self, status: u16, body: Value) {
        self.told().answers.push_back((status, body));
    }

    /// Does not accept that token for lookups.
    pub(crate) fn does_not_know(&self, token: &str) {
        self.told().unknown.push(token.to_owned());
    }

    pub(crate) fn tokens_given(&self) -> u64 {
        self.told().tokens_given
    }

    /// Paths of the clusters looked up so far.
    pub(crate) fn lookups(&self) -> Vec<String> {
        self.told().lookups.clone()
    }

    /// A person's credentials as `gcloud auth application-default login` writes them.
    pub(crate) fn credentials(&self) -> Value {
        json!({"type": "authorized_user", "client_id": "id", "client_secret": "s", "refresh_token": "r",
            "token_uri": format!("{}/token", self.url())})
    }

    pub(crate) fn tokens(&self) -> Tokens {
        let credentials = self.credentials();
        Tokens::made_by(Arc::new(move || Ok(user_account::Builder::new(credentials.clone()).build()?)))
    }

    /// `gke:p/LOCATION/NAME` by one of its routes.
    pub(crate) fn cluster(&self, at: &str, route: GkeRoute) -> GkeCluster {
        self.cluster_with(at, route, GkeSettings { kube: settings(), ..GkeSettings::default() })
    }

    pub(crate) fn cluster_with(&self, at: &str, route: GkeRoute, settings: GkeSettings) -> GkeCluster {
        self.cluster_by(at, route, settings, self.tokens())
    }

    pub(crate) fn cluster_by(&self, at: &str, route: GkeRoute, settings: GkeSettings, tokens: Tokens) -> GkeCluster {
        let (location, cluster) = at.split_once('/').unwrap();
        let name = GkeName { project: "p".to_owned(), location: location.to_owned(), cluster: cluster.to_owned() };
        let settings = GkeSettings { container_api: self.url(), ..settings };
        GkeCluster::with_tokens(name, route, settings, tokens).unwrap()
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap()
    }
}

impl Drop for Google {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// How the Container API describes a cluster at an address.
pub(crate) fn described(endpoint: &str, authority: &[u8]) -> Value {
    json!({"endpoint": endpoint, "status": "RUNNING", "masterAuth": {"clusterCaCertificate": STANDARD.encode(authority)}})
}

/// A failure as Google's APIs word it.
pub(crate) fn failure(code: u16, message: &str) -> Value {
    json!({"error": {"code": code, "message": message, "status": "FAILED"}})
}

async fn answer(State(told): State<Arc<Mutex<Told>>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let silent = path == "/token" && told.lock().unwrap().silent;
    if silent {
        std::future::pending::<()>().await;
    }
    let mut told = told.lock().unwrap();
    if path == "/token" {
        told.tokens_given += 1;
        let next = if told.tokens.len() > 1 { told.tokens.pop_front() } else { told.tokens.front().cloned() };
        let (status, body) = next.unwrap_or((500, json!({"error": "no token was put in"})));
        return respond(status, &body);
    }
    told.lookups.push(path.clone());
    let shown = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = shown.and_then(|value| value.strip_prefix("Bearer "));
    if token.is_none_or(|token| told.unknown.iter().any(|unknown| unknown == token)) {
        return respond(401, &failure(401, "Request had invalid authentication credentials."));
    }
    if let Some((status, body)) = told.answers.pop_front() {
        return respond(status, &body);
    }
    let parts: Vec<_> = path.split('/').skip(1).collect();
    match parts[..] {
        ["v1", "projects", "p", "locations", "-", "clusters"] => {
            let listed = told.clusters.keys().filter_map(|at| at.split_once('/'));
            let clusters: Vec<_> = listed.map(|(location, name)| json!({"location": location, "name": name})).collect();
            respond(200, &json!({ "clusters": clusters }))
        }
        ["v1", "projects", "p", "locations", location, "clusters", name] => {
            match told.clusters.get(&format!("{location}/{name}")) {
                Some(description) => respond(200, description),
                None => respond(404, &failure(404, &format!("Not found: {}.", &path[4..]))),
            }
        }
        _ => respond(404, &failure(404, "Method not found.")),
    }
}

fn respond(status: u16, body: &Value) -> Response {
    let response = Response::builder().status(status).header(header::CONTENT_TYPE, "application/json");
    response.body(Body::from(body.to_string())).unwrap()
}
