//! Publishing, delivering, settling.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use schemas::Topic;

use super::{LONG_LEASE, ORDERED, ORDERED_TWIN, PLAIN, Subject, attributes, message, text_of};
use crate::ports::{Flow, MAX_PAYLOAD_BYTES, Outgoing, PortError};

/// Bytes, attributes, key and id arrive as they were published, once at each subscription.
pub async fn what_is_published_is_delivered_whole_to_every_subscription(subject: &Subject) {
    let broker = subject.open().await;
    let every_byte = Outgoing {
        payload: (0..=255).cycle().take(100_000).collect(),
        attributes: attributes(&[("a", ""), ("ünïcode 猫", "\"quotes\", 'ticks', \n newline, \\ and \u{1F600}")]),
        ordering_key: Some("k/'\";--".to_owned()),
    };
    let no_payload = Outgoing { attributes: attributes(&[("only", "attributes")]), ..Outgoing::default() };
    let published = [every_byte, no_payload];
    let ids = broker.publish(Topic::Violations, published.to_vec()).await.unwrap();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), published.len(), "ids differ: {ids:?}");
    for subscription in [ORDERED, ORDERED_TWIN] {
        let mut receiver = subject.receiver(&broker, subscription).await;
        for _ in &published {
            let delivery = receiver.next().await;
            let index = ids.iter().position(|id| *id == delivery.message.message_id).expect("its id is known");
            let (sent, came) = (&published[index], &delivery.message);
            assert!(came.payload == sent.payload, "the payload of message {index} changed");
            assert_eq!((&came.attributes, &came.ordering_key), (&sent.attributes, &sent.ordering_key));
            assert_eq!(came.delivery_attempt, 1);
            assert!(delivery.ack().await.unwrap());
        }
    }
    assert_eq!(broker.publish(Topic::Violations, Vec::new()).await.unwrap(), Vec::<String>::new());
}

/// What was published is there after everything was closed.
pub async fn a_published_message_outlives_who_published_it(subject: &Subject) {
    let broker = subject.open().await;
    broker.publish(PLAIN.topic, vec![message("kept")]).await.unwrap();
    drop(broker);
    let broker = subject.open().await;
    assert_eq!(subject.receiver(&broker, PLAIN).await.next_text().await, "kept");
}

/// Neither to who acknowledged it nor to anybody later.
pub async fn an_acknowledged_message_does_not_come_again(subject: &Subject) {
    let broker = subject.open().await;
    broker.publish(PLAIN.topic, vec![message("done")]).await.unwrap();
    assert_eq!(subject.receiver(&broker, PLAIN).await.next_text().await, "done");
    drop(broker);
    let broker = subject.open().await;
    broker.publish(PLAIN.topic, vec![message("marker")]).await.unwrap();
    assert_eq!(subject.receiver(&broker, PLAIN).await.next_text().await, "marker");
}

/// The attempt counts from 1 and rises.
pub async fn a_nacked_message_comes_again_with_a_higher_attempt(subject: &Subject) {
    let broker = subject.open().await;
    let ids = broker.publish(PLAIN.topic, vec![message("again")]).await.unwrap();
    let mut receiver = subject.receiver(&broker, PLAIN).await;
    for attempt in 1..subject.abilities.max_delivery_attempts {
        let delivery = receiver.next().await;
        assert_eq!((&delivery.message.message_id, delivery.message.delivery_attempt), (&ids[0], attempt));
        delivery.nack(Duration::ZERO).await.unwrap();
    }
    assert_eq!(receiver.next_text().await, "again");
}

/// Not before the delay, where the adapter keeps delays.
pub async fn a_nack_delay_is_kept(subject: &Subject) {
    if !subject.abilities.keeps_nack_delay {
        return;
    }
    let delay = Duration::from_millis(150);
    let broker = subject.open().await;
    broker.publish(PLAIN.topic, vec![message("later")]).await.unwrap();
    let mut receiver = subject.receiver(&broker, PLAIN).await;
    let delivery = receiver.next().await;
    let nacked_at = Instant::now();
    delivery.nack(delay).await.unwrap();
    assert_eq!(receiver.next_text().await, "later");
    assert!(nacked_at.elapsed() >= delay, "it came after {:?}, before {delay:?}", nacked_at.elapsed());
}

/// Dropping a delivery gives it back at once.
pub async fn a_dropped_delivery_comes_again(subject: &Subject) {
    let broker = subject.open().await;
    broker.publish(PLAIN.topic, vec![message("dropped")]).await.unwrap();
    let mut receiver = subject.receiver(&broker, PLAIN).await;
    drop(receiver.next().await);
    let delivery = receiver.next().await;
    assert_eq!((text_of(&delivery).as_str(), delivery.message.delivery_attempt), ("dropped", 2));
    assert!(delivery.ack().await.unwrap());
}

/// Somebody else gets it, and who had it can do nothing more with it.
pub async fn a_message_comes_again_when_its_lease_runs_out(subject: &Subject) {
    if subject.abilities.extends_leases_itself {
        return;
    }
    let broker = subject.open().await;
    let ids = broker.publish(PLAIN.topic, vec![message("leased")]).await.unwrap();
    let flow = Flow { max_outstanding: 1, lease: subject.abilities.shortest_lease };
    let mut slow = subject.receiver_of(&broker, PLAIN, flow).await;
    let held = slow.next().await;
    let mut other = subject.receiver(&broker, PLAIN).await;
    let delivery = other.next().await;
    assert_eq!((&delivery.message.message_id, delivery.message.delivery_attempt), (&ids[0], 2));
    if subject.abilities.knows_lost_leases {
        assert!(!held.extend().await.unwrap(), "a lost lease cannot be extended");
        assert!(!held.ack().await.unwrap(), "nor acknowledged");
        assert!(delivery.extend().await.unwrap(), "the new one is not touched by that");
        assert!(delivery.ack().await.unwrap());
    } else {
        held.ack().await.unwrap();
        delivery.ack().await.unwrap();
    }
}

/// What it had fetched ahead goes to others, long before its lease ends; what it had delivered
/// stays with who holds it.
pub async fn a_dropped_receiver_gives_back_what_it_had_not_delivered(subject: &Subject) {
    let broker = subject.open().await;
    let texts: BTreeSet<String> = (0..20).map(|n| format!("m{n}")).collect();
    broker.publish(PLAIN.topic, texts.iter().map(|text| message(text)).collect()).await.unwrap();
    let mut first = subject.receiver(&broker, PLAIN).await;
    let held = first.next().await;
    drop(first);
    let mut second = subject.receiver(&broker, PLAIN).await;
    let mut came = BTreeSet::from([text_of(&held)]);
    while came.len() < texts.len() {
        assert!(came.insert(second.next_text().await), "each comes once");
    }
    assert_eq!(came, texts);
    assert!(held.ack().await.unwrap(), "who holds one can still acknowledge it");
}

/// Each message comes, and for the first time, although most waits for it were given up.
pub async fn a_cancelled_wait_loses_nothing(subject: &Subject) {
    const MESSAGES: usize = 50;
    let broker = subject.open().await;
    let flow = Flow { max_outstanding: 3, lease: LONG_LEASE };
    let mut receiver = subject.receiver_of(&broker, PLAIN, flow).await;
    let mut came = BTreeSet::new();
    let gives_up_at = Instant::now() + subject.abilities.patience;
    for n in 0..MESSAGES {
        broker.publish(PLAIN.topic, vec![message(&format!("m{n}"))]).await.unwrap();
    }
    while came.len() < MESSAGES {
        assert!(Instant::now() < gives_up_at, "only {} of {MESSAGES} came", came.len());
        tokio::select! {
            biased;
            delivery = receiver.receiver.next() => {
                let delivery = delivery.unwrap();
                assert_eq!(delivery.message.delivery_attempt, 1, "none had to be given out twice");
                assert!(came.insert(text_of(&delivery)));
                assert!(delivery.ack().await.unwrap());
            }
            () = tokio::task::yield_now() => {}
        }
    }
}

/// Each gets some, none gets another's.
pub async fn receivers_of_one_subscription_share_its_messages(subject: &Subject) {
    let (here, there) = (subject.open().await, subject.open().await);
    let flow = Flow { max_outstanding: 1, lease: LONG_LEASE };
    let mut receivers = [
        subject.receiver_of(&here, PLAIN, flow).await,
        subject.receiver_of(&here, PLAIN, flow).await,
        subject.receiver_of(&there, PLAIN, flow).await,
    ];
    here.publish(PLAIN.topic, (0..3).map(|n| message(&format!("m{n}"))).collect()).await.unwrap();
    let mut held = Vec::new();
    for receiver in &mut receivers {
        held.push(receiver.next().await);
    }
    let came: BTreeSet<String> = held.iter().map(text_of).collect();
    assert_eq!(came.len(), 3, "each receiver has one of its own: {came:?}");
    for delivery in held {
        assert!(delivery.ack().await.unwrap());
    }
}

/// At its bound it waits, and goes on when one is settled.
pub async fn a_receiver_hands_out_no_more_than_its_bound(subject: &Subject) {
    let broker = subject.open().await;
    let flow = Flow { max_outstanding: 2, lease: LONG_LEASE };
    let mut bounded = subject.receiver_of(&broker, PLAIN, flow).await;
    broker.publish(PLAIN.topic, (0..3).map(|n| message(&format!("m{n}"))).collect()).await.unwrap();
    let held = [bounded.next().await, bounded.next().await];
    let third = {
        let mut other = subject.receiver(&broker, PLAIN).await;
        let beyond = tokio::select! {
            biased;
            _ = bounded.receiver.next() => panic!("a third was handed out"),
            third = other.next() => third,
        };
        beyond.nack(Duration::ZERO).await.unwrap();
        drop(other);
        let [first, second] = held;
        assert!(first.ack().await.unwrap());
        let third = bounded.next().await;
        assert!(second.ack().await.unwrap());
        third
    };
    assert!(third.ack().await.unwrap());
}

/// Pub/Sub's bounds hold everywhere, and nothing of a refused call is published.
pub async fn what_pubsub_refuses_is_refused_whole(subject: &Subject) {
    let broker = subject.open().await;
    let with = |name: &str, value: &str| Outgoing { attributes: attributes(&[(name, value)]), ..message("x") };
    let many = (0..101).map(|n| (format!("a{n}"), String::new())).collect();
    let refused = [
        ("too large", Outgoing { payload: vec![0; MAX_PAYLOAD_BYTES + 1], ..Outgoing::default() }),
        ("empty", Outgoing::default()),
        ("reserved name", with("googclient_x", "1")),
        ("no name", with("", "1")),
        ("long name", with(&"n".repeat(257), "1")),
        ("long value", with("n", &"v".repeat(1025))),
        ("many attributes", Outgoing { attributes: many, ..message("x") }),
        ("long key", Outgoing { ordering_key: Some("k".repeat(1025)), ..message("x") }),
    ];
    for (what, bad) in refused {
        let outcome = broker.publish(PLAIN.topic, vec![message("neighbour"), bad]).await;
        assert!(matches!(outcome, Err(PortError::NeverWill { .. })), "{what}: {outcome:?}");
    }
    let largest = Outgoing { payload: vec![7; subject.abilities.largest_payload], ..Outgoing::default() };
    broker.publish(PLAIN.topic, vec![largest]).await.unwrap();
    let delivery = subject.receiver(&broker, PLAIN).await.next().await;
    assert_eq!(
        delivery.message.payload.len(),
        subject.abilities.largest_payload,
        "the first that comes is the allowed one"
    );
    assert!(delivery.ack().await.unwrap());
}

/// Readiness: an open broker answers; what does not exist is an error.
pub async fn the_broker_answers(subject: &Subject) {
    let broker = subject.open().await;
    broker.ping().await.unwrap();
    let nobody = schemas::Subscription::new(Topic::RawBatches, "nobody");
    let flow = Flow { max_outstanding: 1, lease: LONG_LEASE };
    let error = broker.subscribe(nobody, flow).await.err().expect("a subscription that does not exist is an error");
    assert!(error.to_string().contains("raw-batches--nobody"), "it is named: {error}");
}
