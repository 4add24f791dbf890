//! A gate in front of a real API server: it ends TLS under the server's own certificate, counts what
//! comes, decides which tokens still count, and answers otherwise where a test wants that.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::api_server::{ok, status};
use super::fault::{Fault, Planned};
use crate::testkit::kubernetes::ControlPlane;

/// Connections whose handshake is done and that nobody serves yet.
const WAITING_CONNECTIONS: usize = 64;

/// A gate; it closes when it is dropped.
pub struct Gate {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

struct Shared {
    upstream: String,
    client: reqwest::Client,
    /// What every path begins with and the API server does not know.
    prefix: String,
    state: Mutex<Shut>,
}

/// What the gate knows and counts.
#[derive(Default)]
struct Shut {
    faults: Vec<Planned>,
    slow: Option<Slow>,
    seen: Vec<String>,
    /// The only tokens let through, if any are named.
    admitted: Option<BTreeMap<String, Admission>>,
    turned_away: u64,
    /// Connections outlive the gate; from then on nothing is answered on them.
    closed: bool,
}

/// A way to answer slowly.
#[derive(Clone, Copy)]
struct Slow {
    piece_bytes: usize,
    pause: Duration,
}

struct Admission {
    uses_left: u64,
    /// The API server's own token that stands for it.
    upstream: String,
}

impl Gate {
    /// Opens a gate with TLS, as the API server has it.
    pub async fn open(control_plane: &ControlPlane) -> Self {
        let certificate = CertificateDer::from_pem_file(control_plane.file("server.crt")).expect("the server's own");
        let key = PrivateKeyDer::from_pem_file(control_plane.file("server.key")).expect("the server's own");
        let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key);
        let acceptor = TlsAcceptor::from(Arc::new(config.expect("the key is the certificate's")));
        let (listener, address) = bind().await;
        let (connections, handed) = tokio::sync::mpsc::channel(WAITING_CONNECTIONS);
        let handshakes = tokio::spawn(async move {
            while let Ok((stream, peer)) = listener.accept().await {
                let (acceptor, connections) = (acceptor.clone(), connections.clone());
                tokio::spawn(async move {
                    // A client that does not like the certificate ends here.
                    if let Ok(stream) = acceptor.accept(stream).await {
                        connections.send((stream, peer)).await.ok();
                    }
                });
            }
        });
        let mut gate = Self::new(control_plane, "https", address, String::new());
        gate.tasks.push(handshakes);
        gate.serve(Handshaken { address, handed });
        gate
    }

    /// Opens a gate without TLS that serves the API under a prefix of all paths, as a gateway does.
    pub async fn open_plain(control_plane: &ControlPlane, prefix: &str) -> Self {
        let (listener, address) = bind().await;
        let mut gate = Self::new(control_plane, "http", address, prefix.to_owned());
        gate.serve(listener);
        gate
    }

    fn new(control_plane: &ControlPlane, scheme: &'static str, address: SocketAddr, prefix: String) -> Self {
        let authority = reqwest::Certificate::from_pem(&control_plane.authority()).expect("it is PEM");
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([authority]).build();
        let client = client.expect("a client with one authority");
        let shared = Shared { upstream: control_plane.url(), client, prefix, state: Mutex::default() };
        Self { address, scheme, shared: Arc::new(shared), tasks: Vec::new() }
    }

    fn serve<L: axum::serve::Listener<Addr = SocketAddr>>(&mut self, listener: L) {
        let router = axum::Router::new().fallback(pass).with_state(Arc::clone(&self.shared));
        self.tasks.push(tokio::spawn(async move {
            axum::serve(listener, router).await.expect("serving on a bound socket goes on until it is stopped");
        }));
    }

    /// Where it is, as `HOST:PORT`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Where it is, with its scheme.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Answers some requests of one path (counted from 1, repetitions included) with a fault. Of
    /// bodies the half is sent as the API server compressed them.
    pub fn fault(&self, path: &str, requests: std::ops::RangeInclusive<u64>, fault: Fault) {
        self.shared.lock().faults.push(Planned { path: path.to_owned(), requests, fault });
    }

    /// Hands out bodies in pieces with a pause after each.
    pub fn slow_down(&self, piece_bytes: usize, pause: Duration) {
        self.shared.lock().slow = Some(Slow { piece_bytes, pause });
    }

    /// Lets that token through so many times, as another of the API server's own. With the first one
    /// admitted every other token is turned away (401).
    pub fn admit(&self, token: &str, uses: u64, upstream: &str) {
        let admission = Admission { uses_left: uses, upstream: upstream.to_owned() };
        self.shared.lock().admitted.get_or_insert_default().insert(token.to_owned(), admission);
    }

    /// Requests of one path so far, those answered otherwise included.
    pub fn requests(&self, path: &str) -> u64 {
        let state = self.shared.lock();
        state.seen.iter().filter(|uri| uri.split('?').next() == Some(path)).count() as u64
    }

    /// Path and query of every request so far.
    pub fn seen(&self) -> Vec<String> {
        self.shared.lock().seen.clone()
    }

    /// How many requests had a token that no longer counts.
    pub fn turned_away(&self) -> u64 {
        self.shared.lock().turned_away
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Shut> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn bind() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port on loopback");
    let address = listener.local_addr().expect("a bound socket has an address");
    (listener, address)
}

/// Connections after their handshake.
struct Handshaken {
    address: SocketAddr,
    handed: tokio::sync::mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
}

impl axum::serve::Listener for Handshaken {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.handed.recv().await {
            Some(connection) => connection,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// What a request gets.
enum Verdict {
    /// The API server's answer, asked for with these headers.
    Pass(HeaderMap, Option<Fault>, Option<Slow>),
    /// This one.
    Answer(Response),
    /// None.
    Nothing,
}

async fn pass(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let uri = request.uri();
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let Some(path) = path.strip_prefix(&shared.prefix).map(str::to_owned) else {
        return status(404, None);
    };
    let verdict = judge(&mut shared.lock(), &path, request.headers());
    let (headers, fault, slow) = match verdict {
        Verdict::Pass(headers, fault, slow) => (headers, fault, slow),
        Verdict::Answer(response) => return response,
        Verdict::Nothing => std::future::pending().await,
    };
    let url = format!("{}{path}", shared.upstream);
    let asked = shared.client.request(request.method().clone(), url).headers(headers).send().await;
    let Ok(answer) = asked else { return status(502, None) };
    let (code, headers) = (answer.status(), answer.headers().clone());
    let Ok(body) = answer.bytes().await else { return status(502, None) };
    let mut response = Response::new(body_of(body, fault.as_ref(), slow));
    *response.status_mut() = code;
    for name in [header::CONTENT_TYPE, header::CONTENT_ENCODING] {
        if let Some(value) = headers.get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}

fn judge(state: &mut Shut, path: &str, headers: &HeaderMap) -> Verdict {
    if state.closed {
        return Verdict::Nothing;
    }
    state.seen.push(path.to_owned());
    let path = path.split('?').next().unwrap_or_default();
    let nth = state.seen.iter().filter(|uri| uri.split('?').next() == Some(path)).count() as u64;
    let planned = state.faults.iter().find(|fault| fault.path == path && fault.requests.contains(&nth));
    let fault = planned.map(|planned| planned.fault.clone());
    match &fault {
        Some(Fault::Status(code)) => return Verdict::Answer(status(*code, None)),
        Some(Fault::RetryAfter(code, seconds)) => return Verdict::Answer(status(*code, Some(*seconds))),
        Some(Fault::Body(body)) => return Verdict::Answer(ok(Body::from(body.clone()))),
        Some(Fault::NoAnswer) => return Verdict::Nothing,
        _ => {}
    }
    let mut passed = HeaderMap::new();
    for name in [header::ACCEPT, header::ACCEPT_ENCODING, header::AUTHORIZATION] {
        if let Some(value) = headers.get(&name) {
            passed.insert(name, value.clone());
        }
    }
    let Some(admitted) = &mut state.admitted else { return Verdict::Pass(passed, fault, state.slow) };
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = shown.and_then(|value| value.strip_prefix("Bearer "));
    match token.and_then(|token| admitted.get_mut(token)).filter(|admission| admission.uses_left > 0) {
        Some(admission) => {
            admission.uses_left -= 1;
            let own = format!("Bearer {}", admission.upstream).parse().expect("a token is plain text");
            passed.insert(header::AUTHORIZATION, own);
            Verdict::Pass(passed, fault, state.slow)
        }
        None => {
            state.turned_away += 1;
            Verdict::Answer(status(StatusCode::UNAUTHORIZED.as_u16(), None))
        }
    }
}

/// The API server's body, or what is wrong with it.
fn body_of(body: Bytes, fault: Option<&Fault>, slow: Option<Slow>) -> Body {
    let kept = if fault.is_some_and(Fault::stops_half_way) { body.slice(..body.len() / 2) } else { body };
    let slow = slow.unwrap_or(Slow { piece_bytes: usize::MAX, pause: Duration::ZERO });
    let pieces = stream::unfold(kept, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        let piece = rest.split_to(slow.piece_bytes.min(rest.len()));
        if !slow.pause.is_zero() {
            tokio::time::sleep(slow.pause).await; // the fault itself: a slow server
        }
        Some((Ok(piece), rest))
    });
    match fault {
        Some(Fault::Aborted) => {
            let broken = stream::once(async { Err(std::io::Error::other("told to break the connection")) });
            Body::from_stream(pieces.chain(broken))
        }
        Some(Fault::StandStill) => Body::from_stream(pieces.chain(stream::pending())),
        _ => Body::from_stream(pieces),
    }
}
