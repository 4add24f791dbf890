//! An API server that counts: lists in the real wire format over loopback.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _, stream};

use super::fault::{Fault, Planned};
use super::served::{List, Served, Source};

/// Bytes of a response that are handed to the socket at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// What an API server puts on a page when it is not told; it would put everything.
const UNLIMITED: u64 = u64::MAX;

/// An API server of the tests. It stops when it is dropped.
pub struct ApiServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

struct Shared {
    served: Mutex<Served>,
    faults: Mutex<Vec<Planned>>,
    seen: Mutex<Vec<String>>,
    resource_version: AtomicU64,
    /// Continue tokens of versions before this one have expired.
    oldest_version: AtomicU64,
}

impl ApiServer {
    /// Starts on a free port of the loopback interface.
    pub async fn start(served: Served) -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port on loopback");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            served: Mutex::new(served),
            faults: Mutex::default(),
            seen: Mutex::default(),
            resource_version: AtomicU64::new(1000),
            oldest_version: AtomicU64::new(0),
        });
        let router = axum::Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("serving on a bound socket goes on until it is stopped");
        });
        Self { address, shared, task }
    }

    /// Where it listens, such as `http://127.0.0.1:40000`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A client configuration for it, without authentication.
    pub fn config(&self) -> kube::Config {
        kube::Config::new(self.url().parse().expect("a socket address makes a URL"))
    }

    /// Answers the n-th request of a path (from 1) with a fault.
    pub fn fault(&self, path: &str, nth: u64, fault: Fault) {
        lock(&self.shared.faults).push(Planned { path: path.to_owned(), requests: nth..=nth, fault });
    }

    /// Answers every request of a path from the n-th on (from 1) with a fault.
    pub fn fault_from(&self, path: &str, nth: u64, fault: Fault) {
        lock(&self.shared.faults).push(Planned { path: path.to_owned(), requests: nth..=u64::MAX, fault });
    }

    /// Serves something else from now on, under a newer resource version.
    pub fn replace(&self, served: Served) {
        *lock(&self.shared.served) = served;
        self.shared.resource_version.fetch_add(1, Ordering::SeqCst);
    }

    /// Answers 410 to every continue token given out so far.
    pub fn expire_tokens(&self) {
        let next = self.shared.resource_version.fetch_add(1, Ordering::SeqCst) + 1;
        self.shared.oldest_version.store(next, Ordering::SeqCst);
    }

    /// Path and query of every request so far.
    pub fn seen(&self) -> Vec<String> {
        lock(&self.shared.seen).clone()
    }

    /// Requests of one path so far.
    pub fn requests(&self, path: &str) -> u64 {
        count(&lock(&self.shared.seen), path)
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn count(seen: &[String], path: &str) -> u64 {
    seen.iter().filter(|uri| uri.split('?').next() == Some(path)).count() as u64
}

async fn answer(State(shared): State<Arc<Shared>>, uri: Uri) -> Response {
    let fault = {
        let mut seen = lock(&shared.seen);
        seen.push(uri.to_string());
        let nth = count(&seen, uri.path());
        let faults = lock(&shared.faults);
        faults.iter().find(|fault| fault.path == uri.path() && fault.requests.contains(&nth)).map(|f| f.fault.clone())
    };
    match &fault {
        Some(Fault::Status(code)) => return status(*code, None),
        Some(Fault::RetryAfter(code, seconds)) => return status(*code, Some(*seconds)),
        Some(Fault::Body(body)) => return ok(Body::from(body.clone())),
        Some(Fault::NoAnswer) => std::future::pending().await,
        _ => {}
    }
    if uri.path() == "/version" {
        let version = lock(&shared.served).version.clone();
        return ok(Body::from(version));
    }
    let list = lock(&shared.served).lists.get(uri.path()).cloned();
    let query = Query::read(uri.query().unwrap_or_default());
    match (list, query) {
        (None, _) => plain(StatusCode::NOT_FOUND, "404 page not found\n"),
        (_, Err(reason)) => plain(StatusCode::BAD_REQUEST, &reason),
        (Some(list), Ok(query)) => page(&shared, &list, &query, fault),
    }
}

/// What a list request asks for.
#[derive(Debug)]
struct Query {
    limit: u64,
    /// Version and position of the continue token.
    from: Option<(u64, u64)>,
    excluded: Vec<String>,
}

impl Query {
    /// Reads the parameters the adapters use; any other is refused, so that a test notices.
    fn read(query: &str) -> Result<Self, String> {
        let mut read = Self { limit: UNLIMITED, from: None, excluded: Vec::new() };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode(value);
            match name {
                "limit" => read.limit = value.parse().map_err(|_| format!("limit {value:?}"))?,
                "continue" => read.from = Some(read_token(&value).ok_or_else(|| format!("continue {value:?}"))?),
                "fieldSelector" => {
                    for term in value.split(',') {
                        let namespace = term.strip_prefix("metadata.namespace!=");
                        read.excluded.push(namespace.ok_or_else(|| format!("field selector {term:?}"))?.to_owned());
                    }
                }
                _ => return Err(format!("unexpected parameter {name:?}")),
            }
        }
        Ok(read)
    }
}

fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = tail.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match (first, code) {
            (b'%', Some(code)) => {
                bytes.push(code);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn token(version: u64, position: u64) -> String {
    URL_SAFE_NO_PAD.encode(format!(r#"{{"v":"meta.k8s.io/v1","rv":{version},"start":{position}}}"#))
}

fn read_token(token: &str) -> Option<(u64, u64)> {
    let value: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    Some((value["rv"].as_u64()?, value["start"].as_u64()?))
}

fn page(shared: &Shared, list: &List, query: &Query, fault: Option<Fault>) -> Response {
    let excluded: Vec<&str> = query.excluded.iter().map(String::as_str).collect();
    let source = list.source.without_namespaces(&excluded);
    let newest = shared.resource_version.load(Ordering::SeqCst);
    let (version, start) = query.from.unwrap_or((newest, 0));
    if version < shared.oldest_version.load(Ordering::SeqCst) {
        return status(410, None);
    }
    let end = start.saturating_add(query.limit).min(source.len());
    let shown = if fault == Some(Fault::OtherVersion) { version + 1 } else { version };
    let mut metadata = format!(r#"{{"resourceVersion":"{shown}""#);
    if end < source.len() {
        let rest = source.len() - end;
        metadata.push_str(&format!(r#","continue":"{}","remainingItemCount":{rest}"#, token(version, end)));
    }
    let head =
        format!(r#"{{"kind":"{}","apiVersion":"{}","metadata":{metadata}}},"items":["#, list.kind, list.api_version);
    let half = start + (end - start) / 2;
    let stop = if fault.as_ref().is_some_and(Fault::stops_half_way) { half } else { end };
    let begun = stream::once(async move { Bytes::from(head) }).chain(items(source, start, stop)).map(Ok);
    match fault {
        Some(Fault::Aborted) => {
            let broken = stream::once(async { Err(std::io::Error::other("told to break the connection")) });
            ok(Body::from_stream(begun.chain(broken)))
        }
        Some(Fault::CutOff) => ok(Body::from_stream(begun)),
        Some(Fault::StandStill) => ok(Body::from_stream(begun.chain(stream::pending()))),
        _ => ok(Body::from_stream(begun.chain(stream::once(async { Ok(Bytes::from_static(b"]}\n")) })))),
    }
}

/// The items from `start` to before `stop`, in chunks, made as they are asked for.
fn items(source: Source, start: u64, stop: u64) -> impl Stream<Item = Bytes> + Send {
    stream::unfold(start, move |mut next| {
        let mut chunk = BytesMut::with_capacity(CHUNK_BYTES + CHUNK_BYTES / 4);
        while next < stop && chunk.len() < CHUNK_BYTES {
            if next > start {
                chunk.extend_from_slice(b",");
            }
            chunk.extend_from_slice(&source.object(next));
            next += 1;
        }
        futures::future::ready((!chunk.is_empty()).then(|| (chunk.freeze(), next)))
    })
}

pub(super) fn ok(body: Body) -> Response {
    response(StatusCode::OK, "application/json", None, body)
}

fn plain(status: StatusCode, text: &str) -> Response {
    response(status, "text/plain", None, Body::from(text.to_owned()))
}

/// A failure as the API server words it.
pub(super) fn status(code: u16, retry_after_seconds: Option<u64>) -> Response {
    let status = StatusCode::from_u16(code).expect("tests ask for real status codes");
    let body = format!(
        r#"{{"kind":"Status","apiVersion":"v1","metadata":{{}},"status":"Failure","message":"told to answer {code}","code":{code}}}"#
    );
    response(status, "application/json", retry_after_seconds, Body::from(body))
}

fn response(status: StatusCode, content_type: &str, retry_after_seconds: Option<u64>, body: Body) -> Response {
    let mut response = Response::builder().status(status).header(header::CONTENT_TYPE, content_type);
    if let Some(seconds) = retry_after_seconds {
        response = response.header(header::RETRY_AFTER, seconds);
    }
    response.body(body).expect("a status and plain headers make a response")
}
