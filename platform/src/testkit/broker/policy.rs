//! Dead letters, seeking, counting.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use schemas::{Subscription, Timestamp};

use super::{DEAD, ORDERED, PLAIN, Patient, Subject, attributes, keyed, message, text_of};
use crate::ports::{Broker, Outgoing, SeekTo};

/// Nacks the next message as often as the policy allows.
async fn use_up(subject: &Subject, subscription: Subscription, receiver: &mut Patient) {
    for attempt in 1..=subject.abilities.max_delivery_attempts {
        let delivery = receiver.next().await;
        assert_eq!(delivery.message.delivery_attempt, subject.abilities.attempt_at(subscription, attempt));
        delivery.nack(Duration::ZERO).await.unwrap();
    }
}

/// With its bytes, its attributes, and where it is from and why; it does not come again itself.
pub async fn a_message_delivered_too_often_becomes_a_dead_letter(subject: &Subject) {
    let broker = subject.open().await;
    let poison = Outgoing { attributes: attributes(&[("own", "kept")]), payload: vec![0, 255], ordering_key: None };
    let ids = broker.publish(PLAIN.topic, vec![poison.clone()]).await.unwrap();
    let mut receiver = subject.receiver(&broker, PLAIN).await;
    use_up(subject, PLAIN, &mut receiver).await;
    let letter = subject.receiver(&broker, DEAD).await.next().await;
    assert_eq!(letter.message.payload, poison.payload);
    let told = |name: &str| letter.message.attributes.get(name).map(String::as_str);
    assert_eq!(told("own"), Some("kept"));
    assert_eq!(told("podledger_topic"), Some(PLAIN.topic.name()));
    assert_eq!(told("podledger_subscription"), Some(PLAIN.name().as_str()));
    if subject.abilities.dead_letters_name_their_message {
        assert_eq!(told("podledger_message_id"), Some(ids[0].as_str()));
    }
    assert!(told("podledger_reason").is_some_and(|reason| !reason.is_empty()));
    assert!(letter.ack().await.unwrap());
    broker.publish(PLAIN.topic, vec![message("marker")]).await.unwrap();
    assert_eq!(receiver.next_text().await, "marker");
}

/// An ordering key is not blocked for ever.
pub async fn a_dead_letter_lets_the_next_of_its_key_through(subject: &Subject) {
    let broker = subject.open().await;
    broker.publish(ORDERED.topic, vec![keyed("k", "poison"), keyed("k", "next")]).await.unwrap();
    let mut receiver = subject.receiver(&broker, ORDERED).await;
    use_up(subject, ORDERED, &mut receiver).await;
    assert_eq!(receiver.next_text().await, "next");
}

/// On the dead-letters topic a message is tried for ever.
pub async fn a_dead_letter_is_never_moved_again(subject: &Subject) {
    let broker = subject.open().await;
    broker.publish(DEAD.topic, vec![message("letter")]).await.unwrap();
    let mut receiver = subject.receiver(&broker, DEAD).await;
    use_up(subject, DEAD, &mut receiver).await;
    let delivery = receiver.next().await;
    assert_eq!(text_of(&delivery), "letter");
    assert!(delivery.message.attributes.is_empty(), "it is the same message: {:?}", delivery.message.attributes);
    assert!(delivery.ack().await.unwrap());
}

/// Publishes until the time has moved on, receives and acknowledges; the texts of the last
/// moment's messages, and that moment.
async fn two_moments(
    subject: &Subject,
    broker: &Arc<dyn Broker>,
    subscription: Subscription,
) -> (BTreeSet<String>, Timestamp) {
    let mut receiver = subject.receiver(broker, subscription).await;
    let gives_up_at = Instant::now() + subject.abilities.patience;
    broker.publish(subscription.topic, vec![message("first")]).await.unwrap();
    let delivery = receiver.next().await;
    let first = delivery.message.published_at;
    assert!(delivery.ack().await.unwrap());
    loop {
        assert!(Instant::now() < gives_up_at, "publish times do not move on");
        broker.publish(subscription.topic, vec![message("later 1"), message("later 2")]).await.unwrap();
        let later = [receiver.next().await, receiver.next().await];
        let at = later.iter().map(|delivery| delivery.message.published_at).min().unwrap();
        let texts = later.iter().map(text_of).collect();
        for delivery in later {
            assert!(delivery.ack().await.unwrap());
        }
        if at > first {
            return (texts, at);
        }
    }
}

/// What was published since is delivered again, also when it was acknowledged; nothing else is.
pub async fn a_seek_back_delivers_again(subject: &Subject) {
    if !subject.abilities.seeks_exactly {
        return;
    }
    for subscription in [PLAIN, ORDERED] {
        let broker = subject.open().await;
        let (texts, at) = two_moments(subject, &broker, subscription).await;
        broker.seek(subscription, SeekTo::Time(at)).await.unwrap();
        let mut receiver = subject.receiver(&broker, subscription).await;
        let again = BTreeSet::from([receiver.next_text().await, receiver.next_text().await]);
        assert_eq!(again, texts);
        broker.publish(subscription.topic, vec![message("marker")]).await.unwrap();
        assert_eq!(receiver.next_text().await, "marker", "nothing older came");
    }
}

/// What was published before counts as acknowledged, also what somebody holds; a key that was held
/// up by it goes on.
pub async fn a_seek_forward_acknowledges(subject: &Subject) {
    if !subject.abilities.seeks_exactly {
        return;
    }
    let broker = subject.open().await;
    broker.publish(ORDERED.topic, vec![keyed("k", "old 1"), keyed("k", "old 2")]).await.unwrap();
    if !subject.abilities.seek_reaches_receivers {
        broker.seek(ORDERED, SeekTo::Time(Timestamp::MAX)).await.unwrap();
        broker.publish(ORDERED.topic, vec![keyed("k", "new")]).await.unwrap();
        assert_eq!(subject.receiver(&broker, ORDERED).await.next_text().await, "new");
        return;
    }
    let mut receiver = subject.receiver(&broker, ORDERED).await;
    let held = receiver.next().await;
    broker.seek(ORDERED, SeekTo::Time(Timestamp::MAX)).await.unwrap();
    broker.publish(ORDERED.topic, vec![keyed("k", "new")]).await.unwrap();
    assert_eq!(receiver.next_text().await, "new");
    if subject.abilities.knows_lost_leases {
        assert!(!held.ack().await.unwrap(), "it was acknowledged by the seek");
    } else {
        held.ack().await.unwrap();
    }
}

/// published = acked + dead-lettered + unacked, at every step and after opening again; the backlog
/// is what waits.
pub async fn counts_add_up(subject: &Subject) {
    if !subject.abilities.counts {
        return;
    }
    let broker = subject.open().await;
    let check = async |broker: &Arc<dyn Broker>, step: &str, expected: (u64, u64, u64, u64)| {
        let counts = broker.counts().await.unwrap().expect("it counts");
        for count in &counts {
            let settled = count.acked + count.dead_lettered + count.unacked;
            assert_eq!(count.published, settled, "{step}: {count:?}");
        }
        let plain = counts.iter().find(|count| count.subscription == PLAIN.name()).expect("each is listed");
        assert_eq!((plain.published, plain.acked, plain.dead_lettered, plain.unacked), expected, "{step}");
        let backlog = broker.backlog(PLAIN).await.unwrap();
        assert_eq!((backlog.unacked, backlog.oldest_unacked.is_some()), (expected.3, expected.3 > 0), "{step}");
    };
    check(&broker, "empty", (0, 0, 0, 0)).await;
    broker.publish(PLAIN.topic, ["a", "b", "c"].map(message).to_vec()).await.unwrap();
    check(&broker, "published", (3, 0, 0, 3)).await;
    let mut receiver = subject.receiver(&broker, PLAIN).await;
    let held = [receiver.next().await, receiver.next().await, receiver.next().await];
    check(&broker, "leased", (3, 0, 0, 3)).await;
    let [first, second, third] = held;
    assert!(first.ack().await.unwrap());
    assert!(third.ack().await.unwrap());
    second.nack(Duration::ZERO).await.unwrap();
    check(&broker, "one nacked", (3, 2, 0, 1)).await;
    for attempt in 2..=subject.abilities.max_delivery_attempts {
        let delivery = receiver.next().await;
        assert_eq!(delivery.message.delivery_attempt, attempt);
        delivery.nack(Duration::ZERO).await.unwrap();
    }
    let letter = subject.receiver(&broker, DEAD).await.next().await; // once it is here it was moved
    check(&broker, "one dead-lettered", (3, 2, 1, 0)).await;
    assert!(letter.ack().await.unwrap());
    drop((receiver, broker));
    let broker = subject.open().await;
    check(&broker, "opened again", (3, 2, 1, 0)).await;
    broker.seek(PLAIN, SeekTo::Time(Timestamp::MIN)).await.unwrap();
    check(&broker, "sought back", (3, 0, 0, 3)).await;
    broker.seek(PLAIN, SeekTo::Time(Timestamp::MAX)).await.unwrap();
    check(&broker, "sought forward", (3, 3, 0, 0)).await;
}
