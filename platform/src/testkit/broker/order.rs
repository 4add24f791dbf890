//! Ordering keys.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;

use super::{ORDERED, ORDERED_TWIN, Subject, keyed, message, text_of};

/// A nacked or dropped message holds back those after it, each time.
pub async fn messages_of_a_key_come_in_order_over_redelivery(subject: &Subject) {
    let broker = subject.open().await;
    broker.publish(ORDERED.topic, (1..=4).map(|n| keyed("k", &n.to_string())).collect()).await.unwrap();
    let mut receiver = subject.receiver(&broker, ORDERED).await;
    let mut settled = Vec::new();
    for turn in 0.. {
        let delivery = receiver.next().await;
        let text = text_of(&delivery);
        match turn % 3 {
            0 => delivery.nack(Duration::ZERO).await.unwrap(),
            1 => drop(delivery),
            _ => {
                assert!(delivery.ack().await.unwrap());
                settled.push(text.clone());
            }
        }
        let expected = (settled.len().max(1)).to_string();
        let next_up = (settled.len() + 1).to_string();
        assert!(text == expected || text == next_up, "{text} came while {next_up} was due, after {settled:?}");
        if settled.len() == 4 {
            break;
        }
    }
    assert_eq!(settled, ["1", "2", "3", "4"]);
}

/// While one key's message is held, its next is not delivered, and others' are.
pub async fn keys_do_not_hold_each_other_up(subject: &Subject) {
    let broker = subject.open().await;
    let messages = vec![keyed("a", "a1"), keyed("a", "a2"), keyed("b", "b1"), message("no key"), message("marker")];
    broker.publish(ORDERED.topic, messages).await.unwrap();
    let mut receiver = subject.receiver(&broker, ORDERED).await;
    let mut held = Vec::new();
    while held.len() < 4 {
        held.push(receiver.next().await);
    }
    let mut texts: Vec<String> = held.iter().map(text_of).collect();
    texts.sort();
    assert_eq!(texts, ["a1", "b1", "marker", "no key"], "a2 waits for a1");
    for delivery in held {
        assert!(delivery.ack().await.unwrap());
    }
    assert_eq!(receiver.next_text().await, "a2");
}

/// A message held at one subscription holds nothing up at another.
pub async fn each_subscription_keeps_the_order_for_itself(subject: &Subject) {
    let broker = subject.open().await;
    broker.publish(ORDERED.topic, vec![keyed("k", "1"), keyed("k", "2")]).await.unwrap();
    let mut here = subject.receiver(&broker, ORDERED).await;
    let mut there = subject.receiver(&broker, ORDERED_TWIN).await;
    let held = here.next().await;
    assert_eq!((there.next_text().await, there.next_text().await), ("1".to_owned(), "2".to_owned()));
    assert_eq!(text_of(&held), "1");
    assert!(held.ack().await.unwrap());
    assert_eq!(here.next_text().await, "2");
}

/// Publishers race, each awaiting its own calls; each key comes in its own order.
pub async fn racing_publishers_keep_the_order_of_their_keys(subject: &Subject) {
    const KEYS: usize = 8;
    const MESSAGES: usize = 25;
    let broker = subject.open().await;
    let publishers = (0..KEYS).map(|key| {
        let broker = broker.clone();
        async move {
            for n in 0..MESSAGES {
                broker.publish(ORDERED.topic, vec![keyed(&key.to_string(), &n.to_string())]).await.unwrap();
            }
        }
    });
    let consume = async {
        let mut receiver = subject.receiver(&broker, ORDERED).await;
        let mut next: BTreeMap<String, usize> = BTreeMap::new();
        for _ in 0..KEYS * MESSAGES {
            let delivery = receiver.next().await;
            let expected = next.entry(delivery.message.ordering_key.clone().unwrap()).or_default();
            assert_eq!(text_of(&delivery), expected.to_string(), "of key {:?}", delivery.message.ordering_key);
            *expected += 1;
            assert!(delivery.ack().await.unwrap());
        }
        next
    };
    let (_, next) = futures::join!(join_all(publishers), consume);
    assert!(next.len() == KEYS && next.values().all(|count| *count == MESSAGES), "{next:?}");
}
