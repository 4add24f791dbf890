//! A faulty network: a TCP proxy before any server, whose behaviour a test changes while it runs.
//!
//! Bytes pass as they are, whatever the protocol, so it stands before gRPC, TLS and plain HTTP alike.
//! What it does to them is one [`Fault`] at a time, for connections that are open and for new ones.
//! In plain HTTP/1 it finds requests, and can answer some itself ([`Answer`]). It counts what it did
//! ([`Counts`]), so that a test can claim that its fault struck.

mod connection;
mod requests;
#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};

use connection::Connection;

/// How long counts are waited for, and how often they are looked at meanwhile.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;

/// What is done to connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: everything passes.
    Pass,
    /// Every chunk of the answers comes so much later.
    Delay(Duration),
    /// Answers come at so many bytes a second, for each connection; 0 counts as 1.
    Throttle(u64),
    /// A connection is closed once so many bytes of answers passed it, counted from now on: a
    /// truncated answer. With 0 the server has done its work and nobody hears of it.
    Cut {
        /// Bytes of answers that pass.
        after: u64,
        /// How many connections that happens to; then everything passes. [`ALWAYS`] for all.
        times: u64,
    },
    /// New connections are refused and open ones closed, as if no server ran. The refusals cannot be
    /// counted: nobody listens.
    Refuse,
    /// Connections are accepted and stand still: nothing passes in either direction. What stood
    /// passes once the fault is over.
    Hang,
    /// Requests pass, answers stand still: the server has done its work and nobody hears of it yet.
    Mute,
    /// Some HTTP/1 requests are answered without the server.
    Answer(Answer),
}

/// For as long as the fault is set.
pub const ALWAYS: u64 = u64::MAX;

/// How requests are answered without the server, which never sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status, such as 503.
    pub status: u16,
    /// What the header `Retry-After` says, in seconds; none for no header.
    pub retry_after: Option<u64>,
    /// The body; a HEAD request gets none.
    pub body: String,
    /// Only requests whose first line (`POST /upload/… HTTP/1.1`) contains this; empty for all.
    pub to: String,
    /// But none whose first line or headers contain this; empty for no exception.
    pub unless: String,
    /// How many requests; then everything passes. [`ALWAYS`] for all.
    pub times: u64,
}

impl Answer {
    /// So many requests get that status, with an error of the form that Google's services use.
    pub fn next(times: u64, status: u16) -> Self {
        let body = format!(r#"{{"error":{{"code":{status},"message":"injected by the proxy"}}}}"#);
        Self { status, retry_after: None, body, to: String::new(), unless: String::new(), times }
    }

    /// And when to come again, in seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// Only requests whose first line contains the text.
    #[must_use]
    pub fn to(self, text: impl Into<String>) -> Self {
        Self { to: text.into(), ..self }
    }

    /// But none whose first line or headers contain the text, such as a token that is still good.
    #[must_use]
    pub fn unless(self, text: impl Into<String>) -> Self {
        Self { unless: text.into(), ..self }
    }

    /// Whether a request with that first line and that head gets it.
    fn is_for(&self, first_line: &str, head: &[u8]) -> bool {
        let excepted = !self.unless.is_empty() && memchr::memmem::find(head, self.unless.as_bytes()).is_some();
        first_line.contains(&self.to) && !excepted
    }
}

/// What a proxy did since it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Connections accepted.
    pub connections: u64,
    /// Connections that could not be passed on, since the server refused them.
    pub unreachable: u64,
    /// HTTP/1 requests passed on.
    pub requests: u64,
    /// HTTP/1 requests answered by [`Fault::Answer`].
    pub answered: u64,
    /// Chunks of answers delayed by [`Fault::Delay`].
    pub delayed: u64,
    /// Pieces of answers slowed down by [`Fault::Throttle`].
    pub throttled: u64,
    /// Connections closed by [`Fault::Cut`], [`Fault::Refuse`] or [`Proxy::cut_now`].
    pub cut: u64,
    /// Times that bytes or a new connection stood still under [`Fault::Hang`] or [`Fault::Mute`].
    pub stood_still: u64,
    /// Bytes passed from clients to the server.
    pub bytes_up: u64,
    /// Bytes passed from the server to clients.
    pub bytes_down: u64,
}

/// Counts while they are counted.
#[derive(Debug, Default)]
struct Counters {
    connections: AtomicU64,
    unreachable: AtomicU64,
    requests: AtomicU64,
    answered: AtomicU64,
    delayed: AtomicU64,
    throttled: AtomicU64,
    cut: AtomicU64,
    stood_still: AtomicU64,
    bytes_up: AtomicU64,
    bytes_down: AtomicU64,
}

/// The fault in force, as connections see it.
#[derive(Debug, Clone)]
struct Weather {
    fault: Fault,
    /// Differs each time a fault is set.
    since: u64,
    /// How often the fault may still strike.
    left: Arc<AtomicU64>,
    /// Connections from before this many cuts of everything are to end.
    cuts: u64,
}

/// A running proxy; it and its connections end when this goes.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    /// Tells the acceptor to look at the weather, and hears when it has.
    looks: mpsc::UnboundedSender<oneshot::Sender<()>>,
    counters: Arc<Counters>,
}

impl Proxy {
    /// Starts one on a free loopback port before the server at `HOST:PORT`. It may be stopped and
    /// started again meanwhile.
    pub async fn start(server: &str) -> Self {
        // Holds the port without listening, so that nobody else gets it while connections are refused.
        let holder = socket(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let address = holder.local_addr().expect("a bound socket has an address");
        let left = Arc::new(AtomicU64::new(ALWAYS));
        let (weather, seen) = watch::channel(Weather { fault: Fault::Pass, since: 0, left, cuts: 0 });
        let (looks, asked) = mpsc::unbounded_channel();
        let counters = Arc::new(Counters::default());
        let acceptor = Acceptor {
            listener: Some(listen(address)),
            _holder: holder,
            address,
            server: server.into(),
            weather: seen,
            counters: Arc::clone(&counters),
        };
        tokio::spawn(acceptor.run(asked));
        Self { address, weather, looks, counters }
    }

    /// Where it listens, as `HOST:PORT`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Where it listens, as `http://HOST:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sets the fault, in place of the one before. On return it is in force for whatever comes.
    pub async fn set(&self, fault: Fault) {
        let left = match &fault {
            Fault::Cut { times, .. } | Fault::Answer(Answer { times, .. }) => *times,
            _ => ALWAYS,
        };
        self.weather.send_modify(|weather| {
            weather.since += 1;
            weather.left = Arc::new(AtomicU64::new(left));
            weather.fault = fault;
        });
        let (done, seen) = oneshot::channel();
        self.looks.send(done).expect("the acceptor runs as long as this");
        seen.await.expect("the acceptor answers");
    }

    /// Closes every open connection, once.
    pub fn cut_now(&self) {
        self.weather.send_modify(|weather| weather.cuts += 1);
    }

    /// Waits until the counts are such, for a fault that has to have struck.
    ///
    /// # Panics
    /// Where they are not within 30 s.
    pub async fn until(&self, such: impl Fn(&Counts) -> bool) {
        let waiting = async {
            while !such(&self.counts()) {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        waited.unwrap_or_else(|_| panic!("the counts are still {:?}", self.counts()));
    }

    /// What it did so far.
    pub fn counts(&self) -> Counts {
        let of = |counter: &AtomicU64| counter.load(Ordering::Acquire);
        let Counters { connections, unreachable, requests, answered, delayed, .. } = &*self.counters;
        let Counters { throttled, cut, stood_still, bytes_up, bytes_down, .. } = &*self.counters;
        Counts {
            connections: of(connections),
            unreachable: of(unreachable),
            requests: of(requests),
            answered: of(answered),
            delayed: of(delayed),
            throttled: of(throttled),
            cut: of(cut),
            stood_still: of(stood_still),
            bytes_up: of(bytes_up),
            bytes_down: of(bytes_down),
        }
    }
}

impl Weather {
    /// Whether the fault strikes once more; counts it if so.
    fn strikes(&self) -> bool {
        let one_less = |left: u64| if left == ALWAYS { Some(ALWAYS) } else { left.checked_sub(1) };
        self.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_less).is_ok()
    }

    /// Whether it has struck as often as it may.
    fn is_over(&self) -> bool {
        self.left.load(Ordering::Acquire) == 0
    }
}

/// Takes connections while it may.
struct Acceptor {
    listener: Option<TcpListener>,
    _holder: TcpSocket,
    address: SocketAddr,
    server: Arc<str>,
    weather: watch::Receiver<Weather>,
    counters: Arc<Counters>,
}

impl Acceptor {
    /// Until nobody can ask for anything any more.
    async fn run(mut self, mut asked: mpsc::UnboundedReceiver<oneshot::Sender<()>>) {
        loop {
            tokio::select! {
                biased;
                asked = asked.recv() => {
                    let Some(done) = asked else { return };
                    self.listener = match self.weather.borrow().fault {
                        Fault::Refuse => None,
                        _ => Some(self.listener.take().unwrap_or_else(|| listen(self.address))),
                    };
                    done.send(()).ok(); // who asked may have stopped waiting
                }
                client = accept(self.listener.as_ref()) => self.take(client),
            }
        }
    }

    fn take(&self, client: TcpStream) {
        count(&self.counters.connections, 1);
        let connection = Connection::new(Arc::clone(&self.server), self.weather.clone(), Arc::clone(&self.counters));
        tokio::spawn(connection.run(client));
    }
}

/// The next connection; none ever without a listener.
async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    let Some(listener) = listener else { return std::future::pending().await };
    loop {
        // An error is of a connection that went before it was taken.
        if let Ok((client, _)) = listener.accept().await {
            return client;
        }
    }
}

fn socket(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("a socket can be made");
    socket.set_reuseaddr(true).expect("before it is bound");
    socket.set_reuseport(true).expect("before it is bound");
    socket.bind(address).expect("the port is free or ours");
    socket
}

fn listen(address: SocketAddr) -> TcpListener {
    socket(address).listen(BACKLOG).expect("a bound socket can listen")
}

fn count(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::AcqRel);
}
