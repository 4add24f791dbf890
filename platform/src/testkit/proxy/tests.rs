//! Each fault does what it says, and is counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::Router;
use axum::extract::State;
use axum::routing::any;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// How long something that must not happen is waited for.
const A_WHILE: Duration = Duration::from_millis(100);

/// A server that sends back what it gets, and the proxy before it.
async fn echo() -> Proxy {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let (mut from, mut to) = stream.into_split();
                tokio::io::copy(&mut from, &mut to).await
            });
        }
    });
    Proxy::start(&address).await
}

async fn connect(proxy: &Proxy) -> TcpStream {
    TcpStream::connect(proxy.address()).await.unwrap()
}

async fn say(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
}

async fn hear(stream: &mut TcpStream, bytes: usize) -> String {
    let mut heard = vec![0; bytes];
    tokio::time::timeout(PATIENCE, stream.read_exact(&mut heard)).await.expect("it comes").unwrap();
    String::from_utf8(heard).unwrap()
}

/// What comes until the end, proper or not.
async fn hear_all(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    // A reset is an end as well; what came before it counts.
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut heard)).await.expect("it ends").ok();
    String::from_utf8(heard).unwrap()
}

async fn nothing_comes(stream: &mut TcpStream) {
    let mut byte = [0];
    assert!(tokio::time::timeout(A_WHILE, stream.read(&mut byte)).await.is_err(), "{byte:?} came");
}

#[tokio::test]
async fn without_a_fault_bytes_pass_both_ways_to_their_end() {
    let proxy = echo().await;
    let mut stream = connect(&proxy).await;
    say(&mut stream, "there and back").await;
    stream.shutdown().await.unwrap();
    assert_eq!(hear_all(&mut stream).await, "there and back");
    let expected = Counts { connections: 1, bytes_up: 14, bytes_down: 14, ..Counts::default() };
    assert_eq!(proxy.counts(), expected);
}

#[tokio::test]
async fn a_cut_answer_ends_at_its_byte_as_often_as_asked() {
    let proxy = echo().await;
    let mut open = connect(&proxy).await;
    say(&mut open, "before").await;
    assert_eq!(hear(&mut open, 6).await, "before");
    proxy.set(Fault::Cut { after: 4, times: 2 }).await;
    say(&mut open, "truncated").await;
    assert_eq!(hear_all(&mut open).await, "trun", "counted from when it was set");
    let mut second = connect(&proxy).await;
    say(&mut second, "truncated").await;
    assert_eq!(hear_all(&mut second).await, "trun");
    let mut third = connect(&proxy).await;
    say(&mut third, "whole").await;
    assert_eq!(hear(&mut third, 5).await, "whole");
    assert_eq!(proxy.counts().cut, 2);
}

#[tokio::test]
async fn delayed_and_throttled_answers_come_late_and_whole() {
    const DELAY: Duration = Duration::from_millis(80);
    let proxy = echo().await;
    let mut stream = connect(&proxy).await;
    proxy.set(Fault::Delay(DELAY)).await;
    let started = Instant::now();
    say(&mut stream, "late").await;
    assert_eq!(hear(&mut stream, 4).await, "late");
    assert!(started.elapsed() >= DELAY);
    proxy.set(Fault::Throttle(400)).await;
    let (started, text) = (Instant::now(), "x".repeat(100));
    say(&mut stream, &text).await;
    assert_eq!(hear(&mut stream, 100).await, text);
    assert!(started.elapsed() >= Duration::from_millis(240), "100 of 400 bytes a second");
    let counts = proxy.counts();
    assert_eq!((counts.delayed, counts.throttled >= 5), (1, true), "{counts:?}");
}

#[tokio::test]
async fn refused_connections_are_refused_at_once_and_the_port_stays_ours() {
    let proxy = echo().await;
    let mut open = connect(&proxy).await;
    say(&mut open, "x").await;
    assert_eq!(hear(&mut open, 1).await, "x");
    for _ in 0..3 {
        proxy.set(Fault::Refuse).await;
        let refused = TcpStream::connect(proxy.address()).await.unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
        proxy.set(Fault::Pass).await;
        let mut new = connect(&proxy).await;
        say(&mut new, "back").await;
        assert_eq!(hear(&mut new, 4).await, "back");
    }
    assert_eq!(hear_all(&mut open).await, "", "open ones are closed");
    assert!(proxy.counts().cut >= 1);
}

#[tokio::test]
async fn what_stands_still_passes_once_the_fault_is_over() {
    let proxy = echo().await;
    proxy.set(Fault::Hang).await;
    let mut hung = connect(&proxy).await;
    say(&mut hung, "later").await;
    nothing_comes(&mut hung).await;
    assert_eq!(proxy.counts().bytes_up, 0, "the server never saw it");
    proxy.set(Fault::Mute).await;
    proxy.until(|counts| counts.bytes_up == 5).await;
    nothing_comes(&mut hung).await;
    proxy.set(Fault::Pass).await;
    assert_eq!(hear(&mut hung, 5).await, "later");
    assert!(proxy.counts().stood_still >= 2);
}

#[tokio::test]
async fn cutting_now_ends_open_connections_only() {
    let proxy = echo().await;
    let mut open = connect(&proxy).await;
    say(&mut open, "x").await;
    assert_eq!(hear(&mut open, 1).await, "x");
    proxy.cut_now();
    assert_eq!(hear_all(&mut open).await, "");
    let mut new = connect(&proxy).await;
    say(&mut new, "new").await;
    assert_eq!(hear(&mut new, 3).await, "new");
    assert_eq!(proxy.counts().cut, 1);
}

#[tokio::test]
async fn connections_end_with_their_proxy() {
    let proxy = echo().await;
    proxy.set(Fault::Hang).await;
    let mut hung = connect(&proxy).await;
    drop(proxy);
    assert_eq!(hear_all(&mut hung).await, "");
}

/// An HTTP server that counts what reaches it.
async fn counting() -> (Proxy, Arc<AtomicU64>) {
    let reached = Arc::new(AtomicU64::new(0));
    async fn count(State(reached): State<Arc<AtomicU64>>, body: String) -> String {
        reached.fetch_add(1, Ordering::SeqCst);
        format!("got {}", body.len())
    }
    let router = Router::new().fallback(any(count)).with_state(Arc::clone(&reached));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (Proxy::start(&address).await, reached)
}

#[tokio::test]
async fn so_many_requests_are_answered_without_the_server_over_one_connection() {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok(); // another test may have
    let (proxy, reached) = counting().await;
    let client = reqwest::Client::builder().pool_max_idle_per_host(1).build().unwrap();
    let post = async |path: &str, bytes: usize| {
        let answer = client.post(format!("{}{path}", proxy.url())).body("x".repeat(bytes)).send().await.unwrap();
        let retry_after = answer.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        (answer.status().as_u16(), retry_after, answer.text().await.unwrap())
    };
    assert_eq!(post("/", 3).await, (200, None, "got 3".to_owned()));
    proxy.set(Fault::Answer(Answer::next(2, 429).retry_after(7).to("POST /upload"))).await;
    assert_eq!(post("/other", 4).await.0, 200, "of other requests nothing is wanted");
    for bytes in [0, 200_000] {
        let (status, retry_after, body) = post("/upload?x=y", bytes).await;
        assert_eq!((status, retry_after.as_deref()), (429, Some("7")));
        assert!(body.contains("injected"), "{body}");
    }
    assert_eq!(post("/upload", 200_000).await, (200, None, "got 200000".to_owned()));
    let counts = proxy.counts();
    assert_eq!((counts.answered, counts.requests, counts.connections), (2, 3, 1));
    assert_eq!(reached.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn requests_that_show_what_is_good_are_passed() {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok(); // another test may have
    let (proxy, reached) = counting().await;
    proxy.set(Fault::Answer(Answer::next(ALWAYS, 401).unless("Bearer new"))).await;
    let client = reqwest::Client::new();
    for (token, expected) in [("old", 401), ("new", 200), ("old", 401)] {
        let answer = client.get(proxy.url()).bearer_auth(token).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), expected, "{token}");
    }
    assert_eq!((proxy.counts().answered, reached.load(Ordering::SeqCst)), (2, 1));
}

#[tokio::test]
async fn a_cut_before_the_first_byte_loses_the_answer_and_not_the_effect() {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok(); // another test may have
    let (proxy, reached) = counting().await;
    proxy.set(Fault::Cut { after: 0, times: 1 }).await;
    let client = reqwest::Client::new();
    assert!(client.post(proxy.url()).body("x").send().await.is_err());
    assert_eq!((proxy.counts().cut, reached.load(Ordering::SeqCst)), (1, 1));
    assert_eq!(client.get(proxy.url()).send().await.unwrap().status(), 200);
}
