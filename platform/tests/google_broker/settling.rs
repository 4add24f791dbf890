//! What becomes of acknowledgements: sent before a flush returns, counted where nobody confirms them.

use podledger_platform::testkit::broker::{ORDERED, PLAIN};
use podledger_platform::testkit::pubsub::{Provision, provision};

use super::world::{
    FLOW, PROVISION, came_to, expire_leases, fault, keyed, message, next, open, open_new, slow_down_acknowledgements,
    start, text, unacknowledged,
};

const PERMISSION_DENIED: i32 = 7;
const UNAVAILABLE: i32 = 14;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_has_arrived_when_a_flush_returns() {
    const MESSAGES: usize = 50;
    let Some((server, settings)) = start(&[]) else { return };
    let broker = open_new("flushed", &server, &settings).await;
    broker.publish(PLAIN.topic, (0..MESSAGES).map(message).collect()).await.unwrap();
    let mut receiver = broker.subscribe(PLAIN, FLOW).await.unwrap();
    slow_down_acknowledgements(&server).await;
    for _ in 0..MESSAGES {
        assert!(next(&mut receiver).await.ack().await.unwrap());
    }
    drop(receiver);
    broker.flush().await.unwrap();
    assert_eq!(unacknowledged(&server, "flushed").await, 0);
}

/// As a decorator does that fails before the call, or a runtime that waits no longer for one.
#[tokio::test(flavor = "multi_thread")]
async fn a_settlement_that_is_broken_off_holds_up_no_ordering_key() {
    let Some((server, settings)) = start(&[]) else { return };
    let broker = open_new("broken-off", &server, &settings).await;
    broker.publish(ORDERED.topic, vec![keyed("episode", "one"), keyed("episode", "two")]).await.unwrap();
    let mut receiver = broker.subscribe(ORDERED, FLOW).await.unwrap();
    let (first, settle) = next(&mut receiver).await.into_parts();
    assert_eq!((&*first.payload, first.delivery_attempt), (&b"one"[..], 1));
    drop(settle);
    for (expected, attempt) in [("one", 2), ("two", 1)] {
        let again = next(&mut receiver).await;
        assert_eq!(text(&again), expected);
        assert!(again.message.delivery_attempt >= attempt);
        assert!(again.ack().await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flush_waits_for_what_is_given_back_late_and_for_no_open_receiver() {
    let Some((server, settings)) = start(&[]) else { return };
    let broker = open_new("waits", &server, &settings).await;
    let mut other = broker.subscribe(PLAIN, FLOW).await.unwrap();
    broker.publish(PLAIN.topic, vec![message("late")]).await.unwrap();
    let delivery = next(&mut other).await;
    broker.flush().await.unwrap(); // a receiver is open and a message in hand
    delivery.nack(std::time::Duration::from_secs(600)).await.unwrap();
    drop(other);
    broker.flush().await.unwrap();
    let mut receiver = broker.subscribe(PLAIN, FLOW).await.unwrap();
    let again = next(&mut receiver).await; // its delay ended with the receiver
    assert_eq!((text(&again).as_str(), again.message.delivery_attempt), ("late", 2));
    assert!(again.ack().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_that_the_service_refused_unheard_comes_again() {
    let Some((server, settings)) = start(&[]) else { return };
    let broker = open_new("unheard", &server, &settings).await;
    broker.publish(PLAIN.topic, vec![message("once more")]).await.unwrap();
    let mut receiver = broker.subscribe(PLAIN, FLOW).await.unwrap();
    let delivery = next(&mut receiver).await;
    fault(&server, serde_json::json!({"method": "Acknowledge", "code": UNAVAILABLE, "times": 1})).await;
    assert!(delivery.ack().await.unwrap(), "where delivery is at least once nobody tells");
    drop(receiver);
    broker.flush().await.unwrap();
    assert_eq!(unacknowledged(&server, "unheard").await, 1);
    expire_leases(&server, "unheard").await;
    let mut receiver = broker.subscribe(PLAIN, FLOW).await.unwrap();
    let again = next(&mut receiver).await;
    assert_eq!((text(&again).as_str(), again.message.delivery_attempt), ("once more", 2));
    assert!(again.ack().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_that_is_not_confirmed_is_an_error_where_delivery_is_exactly_once() {
    let Some((server, settings)) = start(&[]) else { return };
    provision(&server.url("rest"), "unconfirmed", Provision { exactly_once: true, ..PROVISION }).await;
    let broker = open("unconfirmed", &settings).await;
    broker.publish(PLAIN.topic, vec![message("a"), message("b")]).await.unwrap();
    let mut receiver = broker.subscribe(PLAIN, FLOW).await.unwrap();
    let (first, second) = (next(&mut receiver).await, next(&mut receiver).await);
    fault(&server, serde_json::json!({"method": "Acknowledge", "code": UNAVAILABLE, "times": 1})).await;
    assert!(first.ack().await.unwrap(), "a hiccup is tried again until it is confirmed");
    fault(&server, serde_json::json!({"method": "Acknowledge", "code": PERMISSION_DENIED, "times": 1})).await;
    let error = second.ack().await.unwrap_err();
    assert_eq!(came_to(&error), "not set up", "{error}");
    assert_eq!(unacknowledged(&server, "unconfirmed").await, 1);
}
