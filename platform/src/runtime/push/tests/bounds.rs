//! Bounds of number, time and size, and the end.

use super::super::envelope::LARGEST_BODY;
use super::*;

fn head(more: &str) -> String {
    format!("POST /push/{LOADER} HTTP/1.1\r\nHost: test\r\n{more}\r\n\r\n")
}

#[tokio::test]
async fn beyond_the_bound_nothing_is_read() {
    let served = serve(&[("PODLEDGER_MAX_OUTSTANDING", "2")]).await;
    let in_hand = [served.pushing("wait-1").await, served.pushing("wait-2").await];
    // A body is announced and never sent: whoever waited for it would never answer.
    assert_eq!(served.raw(head("Content-Length: 1000000").as_bytes()).await, Some(429));
    assert_eq!(served.push("ok").await, 429);
    served.until_refused("busy", 2).await;
    served.handler.released.0.add_permits(2);
    for pushing in in_hand {
        assert_eq!(pushing.await.unwrap(), 204);
    }
    served.until_metric(r#"podledger_messages_in_hand{stage="loader",subscription="row-batches--loader"} 0.0"#).await;
    let answered = async { while served.push("ok").await != 204 {} };
    tokio::time::timeout(PATIENCE, answered).await.expect("there is room again");
    assert_eq!(served.handled().iter().filter(|id| *id == "ok").count(), 1, "what got 429 was not handled");
}

#[tokio::test]
async fn work_that_outlasts_the_deadline_is_answered_before_the_platform_gives_up() {
    let served = serve_within(Duration::from_millis(100), LOADER, &[]).await;
    assert_eq!(served.push("wait").await, 503);
    served.until_outcome("deadline").await;
    assert_eq!(served.push("ok").await, 204, "its place is free again");
    assert_eq!(served.handled(), ["ok"]);
}

#[tokio::test]
async fn a_body_that_does_not_come_in_time_is_given_up() {
    let served = serve_within(Duration::from_millis(100), LOADER, &[]).await;
    let begun = head("Content-Length: 1000") + "{";
    assert_eq!(served.raw(begun.as_bytes()).await, Some(408));
    served.until_refused("too-slow", 1).await;
}

#[tokio::test]
async fn a_body_larger_than_a_message_can_be_is_not_read_to_its_end() {
    let served = serve(&[]).await;
    let announced = head(&format!("Content-Length: {}", LARGEST_BODY + 1));
    assert_eq!(served.raw(announced.as_bytes()).await, Some(413));
    let endless = head("Content-Length: 99999999999999999999999");
    assert_eq!(served.raw(endless.as_bytes()).await, Some(400));
    // Unannounced, in one piece that is one byte too long and not ended.
    let mut chunked = head("Transfer-Encoding: chunked").into_bytes();
    chunked.extend(format!("{:x}\r\n", LARGEST_BODY + 1).bytes());
    chunked.resize(chunked.len() + LARGEST_BODY + 1, b' ');
    assert_eq!(served.raw(&chunked).await, Some(413));
    served.until_refused("too-large", 2).await;
    assert_eq!(served.push("ok").await, 204);
    assert_eq!(served.handled(), ["ok"]);
}

#[tokio::test]
async fn a_body_that_breaks_off_reaches_no_handler() {
    let served = serve(&[]).await;
    let whole = envelope("ok");
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    let begun = head(&format!("Content-Length: {}", whole.len())) + &whole[..whole.len() - 1];
    stream.write_all(begun.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert_eq!(served.push("after").await, 204);
    assert_eq!(served.handled(), ["after"]);
}

#[tokio::test]
async fn a_drain_finishes_what_is_in_hand_and_takes_nothing_new() {
    let served = serve(&[("PODLEDGER_DRAIN", "1h")]).await;
    assert_eq!((served.status("/readyz").await, served.status("/healthz").await), (200, 200));
    let in_hand = served.pushing("wait").await;
    served.shutdown.trigger();
    assert_eq!((served.status("/readyz").await, served.status("/healthz").await), (503, 200));
    assert_eq!(served.push("late").await, 503);
    served.until_refused("draining", 1).await;
    assert!(!served.running.is_finished());
    served.handler.released.0.add_permits(1);
    assert_eq!(in_hand.await.unwrap(), 204);
    let handler = Arc::clone(&served.handler);
    served.stop().await;
    assert_eq!(*handler.handled.lock().unwrap(), ["wait"]);
}

#[tokio::test]
async fn what_outlasts_the_drain_is_given_back() {
    let served = serve(&[("PODLEDGER_DRAIN", "50ms")]).await;
    let in_hand = served.pushing("wait").await;
    served.shutdown.trigger();
    assert_eq!(in_hand.await.unwrap(), 503);
    served.until_outcome("given-back").await;
    served.stop().await;
}

#[tokio::test]
async fn who_hangs_up_breaks_no_work_off() {
    let served = serve(&[]).await;
    let in_hand = served.pushing("wait").await;
    in_hand.abort();
    assert!(in_hand.await.unwrap_err().is_cancelled());
    served.handler.released.0.add_permits(1);
    let handled = async {
        while served.handled().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, handled).await.expect("it goes on to its end");
}
