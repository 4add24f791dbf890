//! The broker port's promises.

mod delivery;
mod order;
mod policy;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use schemas::{Subscription, Topic};

use crate::ports::{Broker, Delivery, Flow, Outgoing, Receiver};

pub use delivery::*;
pub use order::*;
pub use policy::*;

/// A topic with one subscription, which does not order.
pub const PLAIN: Subscription = Subscription::new(Topic::RawBatches, "normalizer");
/// A subscription that orders; [`ORDERED_TWIN`] is another one of its topic.
pub const ORDERED: Subscription = Subscription::new(Topic::Violations, "notifier");
/// See [`ORDERED`].
pub const ORDERED_TWIN: Subscription = Subscription::new(Topic::Violations, "loader");
/// The subscription to the dead letters.
pub const DEAD: Subscription = Subscription::new(Topic::DeadLetters, "loader");
/// A lease that no promise outlasts.
const LONG_LEASE: Duration = Duration::from_secs(600);

/// What may differ between adapters that keep the promises.
#[derive(Debug, Clone, Copy)]
pub struct Abilities {
    /// The shortest lease it keeps.
    pub shortest_lease: Duration,
    /// The dead-letter policy that the constructor sets up.
    pub max_delivery_attempts: u32,
    /// Whether a nack's delay is kept.
    pub keeps_nack_delay: bool,
    /// Whether an acknowledgement or extension under a lost lease says that it was lost.
    pub knows_lost_leases: bool,
    /// Whether it counts, and the backlog is exact at once.
    pub counts: bool,
    /// Whether publish times tell messages apart that were published one after the other, and a
    /// seek is in effect on return.
    pub seeks_exactly: bool,
    /// Whether a lease ends only with its holder's process, since the adapter extends it by itself.
    /// Then what a lost lease means is shown by killing a process.
    pub extends_leases_itself: bool,
    /// Whether a seek forward takes away what receivers hold and have fetched ahead.
    pub seek_reaches_receivers: bool,
    /// Whether attempts are counted on the dead letters' subscription, which has no policy.
    pub counts_attempts_without_policy: bool,
    /// Whether a dead letter that the policy made names the message it was.
    pub dead_letters_name_their_message: bool,
    /// Largest payload of a message with nothing else, in bytes.
    pub largest_payload: usize,
    /// How long to wait for something that must come.
    pub patience: Duration,
}

impl Abilities {
    /// The attempt to expect at a subscription.
    fn attempt_at(&self, subscription: Subscription, attempt: u32) -> u32 {
        if self.counts_attempts_without_policy || subscription != DEAD { attempt } else { 1 }
    }
}

/// One broker, fresh, and the way to open it (again): each call is like another process's.
pub struct Subject {
    abilities: Abilities,
    open: Box<dyn Fn() -> BoxFuture<'static, Arc<dyn Broker>> + Send + Sync>,
}

impl Subject {
    /// A broker that `open` opens.
    pub fn new<F, Opening>(abilities: Abilities, open: F) -> Self
    where
        F: Fn() -> Opening + Send + Sync + 'static,
        Opening: Future<Output = Arc<dyn Broker>> + Send + 'static,
    {
        Self { abilities, open: Box::new(move || Box::pin(open())) }
    }

    /// Opens it.
    pub async fn open(&self) -> Arc<dyn Broker> {
        (self.open)().await
    }

    async fn receiver(&self, broker: &Arc<dyn Broker>, subscription: Subscription) -> Patient {
        self.receiver_of(broker, subscription, Flow { max_outstanding: 100, lease: LONG_LEASE }).await
    }

    async fn receiver_of(&self, broker: &Arc<dyn Broker>, subscription: Subscription, flow: Flow) -> Patient {
        let receiver = broker.subscribe(subscription, flow).await.unwrap();
        Patient { receiver, patience: self.abilities.patience }
    }
}

/// A receiver that does not wait for ever.
struct Patient {
    receiver: Box<dyn Receiver>,
    patience: Duration,
}

impl Patient {
    async fn next(&mut self) -> Delivery {
        tokio::time::timeout(self.patience, self.receiver.next()).await.expect("a message comes").unwrap()
    }

    async fn next_text(&mut self) -> String {
        let delivery = self.next().await;
        let text = text_of(&delivery);
        assert!(delivery.ack().await.unwrap(), "{text} is acknowledged");
        text
    }
}

fn text_of(delivery: &Delivery) -> String {
    String::from_utf8(delivery.message.payload.clone()).unwrap()
}

fn message(text: &str) -> Outgoing {
    Outgoing { payload: text.as_bytes().to_vec(), ..Outgoing::default() }
}

fn keyed(key: &str, text: &str) -> Outgoing {
    Outgoing { ordering_key: Some(key.to_owned()), ..message(text) }
}

fn attributes(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Holds an adapter to every promise, each on a broker of its own.
pub async fn contract(make: impl AsyncFn() -> Subject) {
    what_is_published_is_delivered_whole_to_every_subscription(&make().await).await;
    a_published_message_outlives_who_published_it(&make().await).await;
    an_acknowledged_message_does_not_come_again(&make().await).await;
    a_nacked_message_comes_again_with_a_higher_attempt(&make().await).await;
    a_nack_delay_is_kept(&make().await).await;
    a_dropped_delivery_comes_again(&make().await).await;
    a_message_comes_again_when_its_lease_runs_out(&make().await).await;
    a_dropped_receiver_gives_back_what_it_had_not_delivered(&make().await).await;
    a_cancelled_wait_loses_nothing(&make().await).await;
    receivers_of_one_subscription_share_its_messages(&make().await).await;
    a_receiver_hands_out_no_more_than_its_bound(&make().await).await;
    what_pubsub_refuses_is_refused_whole(&make().await).await;
    the_broker_answers(&make().await).await;
    messages_of_a_key_come_in_order_over_redelivery(&make().await).await;
    keys_do_not_hold_each_other_up(&make().await).await;
    each_subscription_keeps_the_order_for_itself(&make().await).await;
    racing_publishers_keep_the_order_of_their_keys(&make().await).await;
    a_message_delivered_too_often_becomes_a_dead_letter(&make().await).await;
    a_dead_letter_lets_the_next_of_its_key_through(&make().await).await;
    a_dead_letter_is_never_moved_again(&make().await).await;
    a_seek_back_delivers_again(&make().await).await;
    a_seek_forward_acknowledges(&make().await).await;
    counts_add_up(&make().await).await;
}
