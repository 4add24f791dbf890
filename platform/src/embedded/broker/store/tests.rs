//! Random sequences of operations, against a model that knows only the promises.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use rusqlite::{Connection, TransactionBehavior};
use schemas::{Subscription, Timestamp, Topic};

use super::*;
use crate::embedded::broker::schema;

const MAX_ATTEMPTS: u32 = 3;
const RETENTION: Duration = Duration::from_secs(2);
const LEASE: Duration = Duration::from_millis(300);
const TOPICS: [Topic; 3] = [Topic::RawBatches, Topic::Violations, Topic::DeadLetters];
const NO_LIMIT: usize = 10_000;

#[derive(Debug, Clone)]
enum Step {
    Publish { topic: usize, key: Option<u8> },
    Lease { subscription: usize, limit: Option<usize> },
    Settle { lease: prop::sample::Index, how: How },
    Advance { millis: u64 },
    Seek { subscription: usize, back_millis: u64 },
    Retain,
}

#[derive(Debug, Clone, Copy)]
enum How {
    Ack,
    Nack { delay_millis: u64 },
    Extend,
    Release,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let how = prop_oneof![
        4 => Just(How::Ack),
        4 => prop_oneof![Just(0), 0..500_u64].prop_map(|delay_millis| How::Nack { delay_millis }),
        1 => Just(How::Extend),
        1 => Just(How::Release),
    ];
    let step = prop_oneof![
        6 => (0..TOPICS.len(), prop::option::of(0..2_u8)).prop_map(|(topic, key)| Step::Publish { topic, key }),
        8 => (0..4_usize, prop::option::of(1..3_usize))
            .prop_map(|(subscription, limit)| Step::Lease { subscription, limit }),
        8 => (any::<prop::sample::Index>(), how).prop_map(|(lease, how)| Step::Settle { lease, how }),
        4 => (0..400_u64).prop_map(|millis| Step::Advance { millis }),
        1 => (0..4_usize, 0..1_500_u64).prop_map(|(subscription, back_millis)| Step::Seek { subscription, back_millis }),
        1 => Just(Step::Retain),
    ];
    prop::collection::vec(step, 1..80)
}

/// One message at one subscription, as the port promises it.
#[derive(Debug, Clone, PartialEq)]
struct Waits {
    message: usize,
    not_before: Timestamp,
    attempts: u32,
    lease: Option<LeaseId>,
}

#[derive(Debug)]
struct Message {
    topic: Topic,
    payload: Vec<u8>,
    key: Option<String>,
    published_at: Timestamp,
    kept: bool,
}

#[derive(Debug)]
struct At {
    subscription: Subscription,
    id: SubscriptionId,
    waits: Vec<Waits>,
    dead: Vec<usize>,
    published: u64,
    acked: u64,
    dead_lettered: u64,
}

#[derive(Debug)]
struct Model {
    now: Timestamp,
    messages: Vec<Message>,
    at: Vec<At>,
}

impl Model {
    fn publish(&mut self, topic: Topic, payload: Vec<u8>, key: Option<String>) {
        let message = self.messages.len();
        self.messages.push(Message { topic, payload, key, published_at: self.now, kept: true });
        for at in self.at.iter_mut().filter(|at| at.subscription.topic == topic) {
            at.published += 1;
            at.waits.push(Waits { message, not_before: self.now, attempts: 0, lease: None });
        }
    }

    /// Whether the port allows a delivery now: due, and first of its key where the order is kept.
    fn deliverable(&self, at: usize) -> Vec<usize> {
        let at = &self.at[at];
        let key = |waits: &Waits| self.messages[waits.message].key.clone().filter(|_| at.subscription.ordered());
        (0..at.waits.len())
            .filter(|n| at.waits[*n].not_before <= self.now)
            .filter(|n| {
                let key_of = key(&at.waits[*n]);
                let earlier = |other: &Waits| other.message < at.waits[*n].message && key(other) == key_of;
                key_of.is_none() || !at.waits.iter().any(earlier)
            })
            .collect()
    }

    /// False where it is a dead letter already.
    fn dead_letter(&mut self, at: usize, message: usize) -> bool {
        if self.at[at].subscription.topic == Topic::DeadLetters {
            return false;
        }
        self.at[at].waits.retain(|waits| waits.message != message);
        self.at[at].dead_lettered += 1;
        self.at[at].dead.push(message);
        let (payload, key) = (self.messages[message].payload.clone(), self.messages[message].key.clone());
        self.publish(Topic::DeadLetters, payload, key);
        true
    }

    fn holder(&self, lease: LeaseId) -> Option<(usize, usize)> {
        let place = |at: &At| at.waits.iter().position(|waits| waits.lease == Some(lease));
        self.at.iter().enumerate().find_map(|(n, at)| place(at).map(|waits| (n, waits)))
    }

    fn lease(&mut self, at: usize, leased: &[Leased], whole: bool) {
        let due = self.deliverable(at);
        let (spent, due): (Vec<usize>, Vec<usize>) = due.into_iter().partition(|n| {
            self.at[at].waits[*n].attempts >= MAX_ATTEMPTS && self.at[at].subscription.topic != Topic::DeadLetters
        });
        if whole {
            assert_eq!(leased.len(), due.len(), "everything that is due is handed out");
        }
        let mut taken = Vec::new();
        for message in leased {
            let same = |n: &&usize| {
                let waits = &self.at[at].waits[**n];
                let published = &self.messages[waits.message];
                published.payload == message.incoming.payload
                    && published.published_at == message.incoming.published_at
                    && published.key == message.incoming.ordering_key
                    && waits.attempts + 1 == message.incoming.delivery_attempt
                    && !taken.contains(*n)
            };
            let n = *due.iter().find(same).unwrap_or_else(|| panic!("{message:?} is not due"));
            taken.push(n);
            let waits = &mut self.at[at].waits[n];
            waits.attempts += 1;
            waits.not_before = self.now.plus(LEASE);
            waits.lease = Some(message.id);
        }
        let spent: Vec<usize> = spent.into_iter().map(|n| self.at[at].waits[n].message).collect();
        for message in spent {
            self.dead_letter(at, message);
        }
    }

    /// What settling under a lease answers.
    fn settle(&mut self, lease: LeaseId, how: How) -> bool {
        let Some((at, n)) = self.holder(lease) else { return false };
        let now = self.now;
        let waits = &mut self.at[at].waits[n];
        match how {
            How::Ack => {
                self.at[at].waits.remove(n);
                self.at[at].acked += 1;
            }
            How::Nack { delay_millis } => {
                waits.lease = None;
                waits.not_before = now.plus(Duration::from_millis(delay_millis));
                let (message, spent) = (waits.message, waits.attempts >= MAX_ATTEMPTS);
                if spent {
                    self.dead_letter(at, message);
                }
            }
            How::Extend => waits.not_before = now.plus(LEASE),
            How::Release => {
                waits.lease = None;
                waits.attempts -= 1;
                waits.not_before = now;
            }
        }
        true
    }

    fn seek(&mut self, at: usize, to: Timestamp) {
        let (now, messages) = (self.now, &self.messages);
        let at = &mut self.at[at];
        let before = at.waits.len();
        at.waits.retain(|waits| messages[waits.message].published_at >= to);
        at.acked += (before - at.waits.len()) as u64;
        for (message, published) in messages.iter().enumerate() {
            let again = published.kept && published.topic == at.subscription.topic && published.published_at >= to;
            if !again || at.waits.iter().any(|waits| waits.message == message) {
                continue;
            }
            at.waits.push(Waits { message, not_before: now, attempts: 0, lease: None });
            match at.dead.iter().position(|dead| *dead == message) {
                Some(dead) => {
                    at.dead.remove(dead);
                    at.dead_lettered -= 1;
                }
                None => at.acked -= 1,
            }
        }
        for waits in &mut at.waits {
            (waits.lease, waits.not_before) = (None, now);
        }
    }

    fn retain(&mut self) {
        let (now, cutoff) = (self.now, self.now.minus(RETENTION));
        for at in 0..self.at.len() {
            let held = |waits: &Waits| waits.lease.is_some() && waits.not_before > now;
            let old = |waits: &&Waits| self.messages[waits.message].published_at < cutoff && !held(waits);
            let expired: Vec<usize> = self.at[at].waits.iter().filter(old).map(|waits| waits.message).collect();
            for message in expired {
                self.dead_letter(at, message);
            }
        }
        for (n, message) in self.messages.iter_mut().enumerate() {
            let waits = self.at.iter().any(|at| at.waits.iter().any(|waits| waits.message == n));
            if message.published_at < cutoff && !waits {
                message.kept = false;
            }
        }
    }
}

struct Rig {
    connection: Connection,
    policy: Policy,
    topics: std::collections::HashMap<Topic, TopicId>,
    model: Model,
    given: Vec<LeaseId>,
}

impl Rig {
    fn new() -> Self {
        let mut connection = Connection::open_in_memory().unwrap();
        let transaction = connection.transaction().unwrap();
        schema::check_format(&transaction).unwrap().unwrap();
        let (topics, ids) = schema::provision(&transaction).unwrap();
        transaction.commit().unwrap();
        let at = Subscription::ALL.iter().filter(|subscription| TOPICS.contains(&subscription.topic));
        let at = at.map(|subscription| At {
            subscription: *subscription,
            id: ids[&subscription.name()],
            waits: Vec::new(),
            dead: Vec::new(),
            published: 0,
            acked: 0,
            dead_lettered: 0,
        });
        let policy = Policy {
            store: "test".to_owned(),
            dead_letters: topics[&Topic::DeadLetters],
            max_delivery_attempts: MAX_ATTEMPTS,
            retention: RETENTION,
        };
        let model = Model { now: Timestamp::from_seconds(1_000_000), messages: Vec::new(), at: at.collect() };
        assert_eq!(model.at.len(), 4);
        Self { connection, policy, topics, model, given: Vec::new() }
    }

    fn with<T>(&mut self, work: impl FnOnce(&Store<'_>) -> rusqlite::Result<T>) -> T {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        let result = work(&Store::new(&transaction, &self.policy, self.model.now)).unwrap();
        transaction.commit().unwrap();
        result
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Publish { topic, key } => {
                let (topic, payload) = (TOPICS[*topic], self.model.messages.len().to_string().into_bytes());
                let key = key.map(|key| key.to_string());
                let outgoing = Outgoing { payload: payload.clone(), ordering_key: key.clone(), ..Outgoing::default() };
                let id = self.topics[&topic];
                self.with(|store| store.publish(id, &[outgoing]));
                self.model.publish(topic, payload, key);
            }
            Step::Lease { subscription, limit } => {
                let spent = self.model.deliverable(*subscription).into_iter();
                let spent = spent.map(|n| self.model.at[*subscription].waits[n].attempts).any(|n| n >= MAX_ATTEMPTS);
                let limit = limit.filter(|_| !spent);
                let wanted = Wanted {
                    subscription: self.model.at[*subscription].id,
                    messages: limit.unwrap_or(NO_LIMIT),
                    lease: LEASE,
                };
                let leased = self.with(|store| store.lease(&wanted));
                let due = self.model.deliverable(*subscription).len();
                if let Some(limit) = limit {
                    assert_eq!(leased.len(), limit.min(due));
                }
                self.model.lease(*subscription, &leased, limit.is_none());
                self.given.extend(leased.iter().map(|message| message.id));
            }
            Step::Settle { lease, how } if !self.given.is_empty() => {
                let lease = *lease.get(&self.given);
                let done = match *how {
                    How::Ack => Some(self.with(|store| store.ack(lease))),
                    How::Extend => Some(self.with(|store| store.extend(lease, LEASE))),
                    How::Release => {
                        self.with(|store| store.release(&[lease]));
                        None
                    }
                    How::Nack { delay_millis } => {
                        self.with(|store| store.nack(lease, Duration::from_millis(delay_millis)));
                        None
                    }
                };
                let expected = self.model.settle(lease, *how);
                assert!(done.is_none_or(|done| done == expected), "{how:?} under {lease:?} answers {expected}");
            }
            Step::Settle { .. } => {}
            Step::Advance { millis } => self.model.now = self.model.now.plus(Duration::from_millis(*millis)),
            Step::Seek { subscription, back_millis } => {
                let to = self.model.now.minus(Duration::from_millis(*back_millis));
                let id = self.model.at[*subscription].id;
                self.with(|store| store.seek(id, to));
                self.model.seek(*subscription, to);
            }
            Step::Retain => {
                self.with(|store| store.retain(NO_LIMIT));
                self.model.retain();
            }
        }
    }

    /// The counts are the model's, and add up.
    fn check(&mut self) {
        let counts = self.with(|store| store.counts());
        let counts: BTreeMap<&str, &SubscriptionCounts> =
            counts.iter().map(|count| (count.subscription.as_str(), count)).collect();
        for at in &self.model.at {
            let count = counts[at.subscription.name().as_str()];
            let expected = (at.published, at.acked, at.dead_lettered, at.waits.len() as u64);
            assert_eq!((count.published, count.acked, count.dead_lettered, count.unacked), expected, "{count:?}");
            assert_eq!(count.published, count.acked + count.dead_lettered + count.unacked, "{count:?}");
        }
        let kept: i64 = self.connection.query_row("SELECT count(*) FROM messages", [], |row| row.get(0)).unwrap();
        assert_eq!(kept, self.model.messages.iter().filter(|message| message.kept).count() as i64);
        let pending = self.model.at.iter().map(|at| at.waits.len() as u64).sum::<u64>();
        assert_eq!(self.with(|store| store.pending()), pending);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn any_sequence_of_operations_does_what_the_port_promises(steps in steps()) {
        let mut rig = Rig::new();
        for step in &steps {
            rig.step(step);
            rig.check();
        }
    }
}

#[test]
fn a_clock_that_was_set_back_holds_nothing_up() {
    let mut rig = Rig::new();
    rig.step(&Step::Publish { topic: 0, key: None });
    rig.model.now = rig.model.now.minus(Duration::from_secs(24 * 60 * 60));
    let wanted = Wanted { subscription: rig.model.at[0].id, messages: 1, lease: LEASE };
    assert_eq!(rig.with(|store| store.lease(&wanted)).len(), 0);
    assert_eq!(rig.with(|store| store.repair_after_clock_step()), 1);
    assert_eq!(rig.with(|store| store.lease(&wanted)).len(), 1);
}

#[test]
fn a_round_of_retention_is_bounded() {
    let mut rig = Rig::new();
    (0..5).for_each(|_| rig.step(&Step::Publish { topic: 0, key: None }));
    rig.model.now = rig.model.now.plus(RETENTION * 2);
    let first = rig.with(|store| store.retain(3));
    assert_eq!((first.expired, first.removed), (3, 3));
    let second = rig.with(|store| store.retain(3));
    assert_eq!((second.expired, second.removed), (2, 2));
}
