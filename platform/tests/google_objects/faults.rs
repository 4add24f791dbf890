//! What the network and the service do wrong: no object is short or doubled, and errors say what
//! became of a call.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use podledger_platform::layers::{TimeoutObjects, Timeouts};
use podledger_platform::ports::{ByteStream, Created, Objects, Replaced};
use podledger_platform::testkit::proxy::{ALWAYS, Answer, Fault};
use tokio::sync::oneshot;

use super::world::{PATIENCE, behind_a_proxy, bytes, came_to, content, retried, start};

/// Largest object of these tests, in bytes.
const MOST: u64 = 1 << 24;
/// More than the answer's headers have, less than the bodies here.
const WITHIN_THE_BODY: u64 = 60_000;

#[tokio::test(flavor = "multi_thread")]
async fn late_and_slow_answers_come_whole() {
    let Some(server) = start() else { return };
    let (proxy, objects) = behind_a_proxy(&server, "slow").await;
    let body = bytes(100_000);
    for fault in [Fault::Delay(Duration::from_millis(50)), Fault::Throttle(200_000)] {
        proxy.set(fault.clone()).await;
        let key = format!("{fault:?}").chars().filter(char::is_ascii_alphanumeric).collect::<String>();
        assert!(matches!(objects.create_bytes(&key, body.clone()).await.unwrap(), Created::New(_)));
        assert_eq!(objects.read_bytes(&key, MOST).await.unwrap().unwrap().1, body, "{fault:?}");
        assert_eq!(objects.list("").await.unwrap().iter().filter(|object| object.key == key).count(), 1);
    }
    let counts = proxy.counts();
    assert!(counts.delayed > 0 && counts.throttled > 0, "the faults struck: {counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_body_is_read_on_from_where_it_broke_off() {
    let Some(server) = start() else { return };
    let (proxy, objects) = behind_a_proxy(&server, "truncated").await;
    let body = bytes(500_000);
    objects.create_bytes("k", body.clone()).await.unwrap();
    proxy.set(Fault::Cut { after: WITHIN_THE_BODY, times: 3 }).await;
    assert_eq!(objects.read_bytes("k", MOST).await.unwrap().unwrap().1, body);
    assert_eq!(proxy.counts().cut, 3, "the fault struck");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_breaks_off_again_and_again_is_an_error_and_never_a_short_object() {
    let Some(server) = start() else { return };
    let (proxy, objects) = behind_a_proxy(&server, "short").await;
    objects.create_bytes("k", bytes(5_000_000)).await.unwrap();
    proxy.set(Fault::Cut { after: WITHIN_THE_BODY, times: ALWAYS }).await;
    let error = objects.read_bytes("k", MOST).await.unwrap_err();
    assert_eq!(came_to(&error), "not", "{error}");
    assert!(proxy.counts().cut > 1, "the fault struck");
}

#[tokio::test(flavor = "multi_thread")]
async fn bursts_of_429_and_503_are_ridden_out() {
    let Some(server) = start() else { return };
    let (proxy, objects) = behind_a_proxy(&server, "bursts").await;
    let retried = retried(&objects);
    for (number, status) in [429, 503, 500, 408].into_iter().enumerate() {
        let answered = proxy.counts().answered;
        let (created, swapped) = (format!("created-{status}"), format!("swapped-{status}"));
        proxy.set(Fault::Answer(Answer::next(3, status).retry_after(0).to("POST /upload"))).await;
        assert!(matches!(retried.create_bytes(&created, "x").await.unwrap(), Created::New(_)), "{status}");
        assert_eq!(proxy.counts().answered, answered + 3, "the fault struck");
        proxy.set(Fault::Answer(Answer::next(3, status).to("GET /"))).await;
        assert_eq!(retried.read_bytes(&created, MOST).await.unwrap().unwrap().1, "x", "{status}");
        proxy.set(Fault::Answer(Answer::next(1, status).to("POST /upload"))).await;
        let first = retried.replace_if(&swapped, None, Bytes::from_static(b"y")).await;
        // Only of 429 is it certain that nothing was done: the others are told, since a second try
        // could lose the race against the first.
        match (number, first) {
            (0, Ok(Replaced::Done(_))) => {}
            (1.., Err(error)) if came_to(&error) == "perhaps" => {
                assert_eq!(content(&server, "bursts", &swapped).await, None);
            }
            (_, other) => panic!("{status}: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_call_says_that_something_is_not_set_up_and_not_that_nothing_is_there() {
    let Some(server) = start() else { return };
    let (proxy, objects) = behind_a_proxy(&server, "denied").await;
    let retried = retried(&objects);
    retried.create_bytes("k", "x").await.unwrap();
    proxy.set(Fault::Answer(Answer::next(ALWAYS, 403))).await;
    for outcome in [
        retried.create_bytes("new", "x").await.map(drop),
        retried.replace_if("k", None, Bytes::new()).await.map(drop),
        retried.read("k").await.map(drop),
    ] {
        assert_eq!(came_to(&outcome.unwrap_err()), "not set up");
    }
    assert_eq!(proxy.counts().answered, 3, "nothing was tried again");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_policy_forbids_is_not_taken_for_an_object_that_is_there() {
    let Some(server) = start() else { return };
    let (proxy, objects) = behind_a_proxy(&server, "forbidden").await;
    let refused =
        |body: &str| Fault::Answer(Answer { body: body.to_owned(), ..Answer::next(ALWAYS, 412).to("POST /upload") });
    for body in [
        r#"{"error":{"code":412,"message":"'us' violates constraint 'constraints/gcp.resourceLocations'"}}"#,
        "<Code>orgPolicyConstraintFailed</Code>",
    ] {
        proxy.set(refused(body)).await;
        let created = objects.create_bytes("k", "x").await.unwrap_err();
        let swapped = objects.replace_if("k", None, Bytes::from_static(b"x")).await.unwrap_err();
        assert_eq!((came_to(&created), came_to(&swapped)), ("not set up", "not set up"), "{created}; {swapped}");
    }
    proxy.set(refused(r#"{"error":{"code":412,"message":"At least one of the pre-conditions did not hold."}}"#)).await;
    assert_eq!(objects.create_bytes("k", "x").await.unwrap(), Created::Existed);
    assert_eq!(objects.replace_if("k", None, Bytes::new()).await.unwrap(), Replaced::LostRace);
    assert_eq!(proxy.counts().answered, 6, "the fault struck");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_is_a_doubt_and_the_object_is_there() {
    let Some(server) = start() else { return };
    let (proxy, objects) = behind_a_proxy(&server, "lost").await;
    let lost = Fault::Cut { after: 0, times: 1 };
    proxy.set(lost.clone()).await;
    let error = objects.replace_if("swapped", None, Bytes::from_static(b"x")).await.unwrap_err();
    assert_eq!(came_to(&error), "perhaps", "{error}");
    assert_eq!(content(&server, "lost", "swapped").await.as_deref(), Some(&b"x"[..]));
    proxy.set(lost).await;
    // Tried again by the client, who finds its own: the same bytes, so it is as if it existed.
    assert_eq!(objects.create_bytes("created", "y").await.unwrap(), Created::Existed);
    assert_eq!(content(&server, "lost", "created").await.as_deref(), Some(&b"y"[..]));
    assert_eq!(proxy.counts().cut, 2, "the fault struck");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_refuses_or_hangs_is_an_outage_that_says_what_may_have_happened() {
    let Some(server) = start() else { return };
    let (proxy, objects) = behind_a_proxy(&server, "away").await;
    objects.create_bytes("k", "x").await.unwrap();
    let limit = Duration::from_millis(500);
    let objects: Arc<dyn Objects> = Arc::new(TimeoutObjects::new(objects, Timeouts { call: limit, transfer: limit }));
    proxy.set(Fault::Refuse).await;
    let error = objects.replace_if("new", None, Bytes::from_static(b"x")).await.unwrap_err();
    assert_eq!(came_to(&error), "not", "nobody heard it: {error}");
    assert_eq!(came_to(&objects.read("k").await.map(drop).unwrap_err()), "not");
    for fault in [Fault::Hang, Fault::Mute] {
        proxy.set(fault.clone()).await;
        assert_eq!(came_to(&objects.create_bytes("c", "x").await.unwrap_err()), "perhaps", "{fault:?}");
        assert_eq!(came_to(&objects.read("k").await.map(drop).unwrap_err()), "not", "{fault:?}");
        assert_eq!(came_to(&objects.list("").await.unwrap_err()), "not", "{fault:?}");
        assert_eq!(came_to(&objects.ping().await.unwrap_err()), "not", "{fault:?}");
    }
    proxy.set(Fault::Pass).await;
    let back = retried(&objects); // on a busy machine an answer may take longer than the limit
    assert_eq!(back.read_bytes("k", MOST).await.unwrap().unwrap().1, "x");
    back.list("").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_cut_in_its_middle_is_whole_or_not_there() {
    const PIECES: usize = 12;
    let Some(server) = start() else { return };
    let (proxy, objects) = behind_a_proxy(&server, "middle").await;
    let body = bytes(6_000_000);
    for round in 0..3 {
        let key = format!("k{round}");
        let (half, reached) = oneshot::channel();
        let (go_on, told) = oneshot::channel::<()>();
        let mut signals = Some((half, told));
        let pieces: Vec<Bytes> = body.chunks(body.len() / PIECES).map(Bytes::copy_from_slice).collect();
        let stream: ByteStream = futures::stream::iter(pieces)
            .enumerate()
            .then(move |(place, piece)| {
                let signals = if place == PIECES / 2 { signals.take() } else { None };
                async move {
                    if let Some((half, told)) = signals {
                        half.send(()).unwrap();
                        told.await.unwrap();
                    }
                    Ok(piece)
                }
            })
            .boxed();
        let (uploading, uploaded) = (Arc::clone(&objects), key.clone());
        let upload = tokio::spawn(async move { uploading.create(&uploaded, stream).await });
        reached.await.unwrap();
        proxy.cut_now();
        assert_eq!(content(&server, "middle", &key).await, None, "half of it is nothing");
        go_on.send(()).unwrap();
        let outcome = tokio::time::timeout(PATIENCE, upload).await.expect("it ends").unwrap();
        let there = content(&server, "middle", &key).await;
        match outcome {
            Ok(_) => assert!(there.as_ref() == Some(&body), "round {round}: whole"),
            Err(error) => {
                assert!(error.is_outage(), "{error}");
                assert!(there.is_none_or(|there| there == body), "round {round}: whole or not there");
            }
        }
    }
    let counts = proxy.counts();
    assert!(counts.cut > 0 && counts.bytes_up > body.len() as u64, "the fault struck an upload: {counts:?}");
}
