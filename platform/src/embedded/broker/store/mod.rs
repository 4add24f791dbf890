//! What happens to messages, as statements in one transaction at one moment. No thread, no clock.

mod lease;
mod maintain;
#[cfg(test)]
mod tests;

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};
use schemas::Timestamp;

pub(super) use lease::{LeaseId, Leased, Wanted};
pub(super) use maintain::Maintained;

use crate::ports::{Backlog, Outgoing, SubscriptionCounts};

/// `visible_at` of a message that waits for an earlier one of its key.
const BLOCKED: i64 = i64::MAX;

/// Row of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TopicId(pub(super) i64);

/// Row of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct SubscriptionId(pub(super) i64);

/// What holds for the whole file.
#[derive(Debug, Clone)]
pub(super) struct Policy {
    /// Random name of the file, part of message ids.
    pub(super) store: String,
    /// Where dead letters go.
    pub(super) dead_letters: TopicId,
    /// Deliveries before a message becomes one.
    pub(super) max_delivery_attempts: u32,
    /// How long messages are kept.
    pub(super) retention: Duration,
}

/// The file within one transaction.
pub(super) struct Store<'t> {
    connection: &'t Connection,
    policy: &'t Policy,
    now: Timestamp,
}

/// A message that is taken out of a subscription: where it stands in it.
struct Settled {
    subscription: SubscriptionId,
    ordering_key: Option<String>,
}

impl<'t> Store<'t> {
    pub(super) fn new(connection: &'t Connection, policy: &'t Policy, now: Timestamp) -> Self {
        Self { connection, policy, now }
    }

    /// Stores messages and puts them before every subscription of the topic.
    pub(super) fn publish(&self, topic: TopicId, messages: &[Outgoing]) -> rusqlite::Result<Vec<String>> {
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO messages (topic, published_at, ordering_key, attributes, payload) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        let subscriptions = self.subscriptions_of(topic)?;
        let mut ids = Vec::with_capacity(messages.len());
        for message in messages {
            let key = message.ordering_key.as_deref().filter(|key| !key.is_empty());
            let attributes = serde_json::to_string(&message.attributes)
                .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
            insert.execute(params![topic.0, self.now.micros(), key, attributes, message.payload])?;
            let seq = self.connection.last_insert_rowid();
            self.fan_out(&subscriptions, seq, key)?;
            ids.push(self.message_id(seq));
        }
        self.count_published(topic, messages.len())?;
        Ok(ids)
    }

    /// Acknowledges; false when the lease was lost.
    pub(super) fn ack(&self, lease: LeaseId) -> rusqlite::Result<bool> {
        let ordering_key = self
            .connection
            .prepare_cached(
                "DELETE FROM deliveries WHERE subscription = ?1 AND seq = ?2 AND lease = ?3 RETURNING ordering_key",
            )?
            .query_row(params![lease.subscription.0, lease.seq, lease.token], |row| row.get(0))
            .optional()?;
        let Some(ordering_key) = ordering_key else { return Ok(false) };
        self.connection
            .prepare_cached("UPDATE subscriptions SET acked = acked + 1 WHERE id = ?1")?
            .execute([lease.subscription.0])?;
        self.unblock(&Settled { subscription: lease.subscription, ordering_key })?;
        Ok(true)
    }

    /// Gives back after a delay, or, where the attempts are used up, makes a dead letter. A lost
    /// lease is fine: then it was given back already.
    pub(super) fn nack(&self, lease: LeaseId, delay: Duration) -> rusqlite::Result<()> {
        let attempt = self
            .connection
            .prepare_cached(
                "UPDATE deliveries SET visible_at = ?4, lease = NULL
                 WHERE subscription = ?1 AND seq = ?2 AND lease = ?3 RETURNING attempt",
            )?
            .query_row(params![lease.subscription.0, lease.seq, lease.token, self.now.plus(delay).micros()], |row| {
                row.get::<_, u32>(0)
            })
            .optional()?;
        match attempt {
            Some(attempt) if attempt >= self.policy.max_delivery_attempts => {
                self.dead_letter(lease.subscription, lease.seq, &self.too_many_deliveries(attempt)).map(drop)
            }
            _ => Ok(()),
        }
    }

    /// Gives back what was leased but never delivered: it does not count as an attempt.
    pub(super) fn release(&self, leases: &[LeaseId]) -> rusqlite::Result<()> {
        let mut update = self.connection.prepare_cached(
            "UPDATE deliveries SET visible_at = ?4, lease = NULL, attempt = attempt - 1
             WHERE subscription = ?1 AND seq = ?2 AND lease = ?3",
        )?;
        for lease in leases {
            update.execute(params![lease.subscription.0, lease.seq, lease.token, self.now.micros()])?;
        }
        Ok(())
    }

    /// Extends a lease; false when it was lost.
    pub(super) fn extend(&self, lease: LeaseId, by: Duration) -> rusqlite::Result<bool> {
        let changed = self
            .connection
            .prepare_cached(
                "UPDATE deliveries SET visible_at = ?4 WHERE subscription = ?1 AND seq = ?2 AND lease = ?3",
            )?
            .execute(params![lease.subscription.0, lease.seq, lease.token, self.now.plus(by).micros()])?;
        Ok(changed == 1)
    }

    /// What waits at a subscription.
    pub(super) fn backlog(&self, subscription: SubscriptionId) -> rusqlite::Result<Backlog> {
        let (unacked, oldest): (u64, Option<i64>) = self
            .connection
            .prepare_cached(
                "SELECT count(*), (SELECT published_at FROM messages
                     WHERE seq = (SELECT min(seq) FROM deliveries WHERE subscription = ?1))
                 FROM deliveries WHERE subscription = ?1",
            )?
            .query_row([subscription.0], |row| Ok((count(row, 0)?, row.get(1)?)))?;
        let oldest_unacked = oldest.map(|micros| self.now.since(Timestamp::from_micros(micros)));
        Ok(Backlog { unacked, oldest_unacked })
    }

    /// What is not acknowledged at any subscription.
    pub(super) fn pending(&self) -> rusqlite::Result<u64> {
        self.connection.prepare_cached("SELECT count(*) FROM deliveries")?.query_row([], |row| count(row, 0))
    }

    /// Counts of every subscription, by name. What waits is counted, not derived from the rest.
    pub(super) fn counts(&self) -> rusqlite::Result<Vec<SubscriptionCounts>> {
        self.connection
            .prepare_cached(
                "SELECT name, published, acked, dead_lettered,
                        (SELECT count(*) FROM deliveries WHERE subscription = subscriptions.id)
                 FROM subscriptions ORDER BY name",
            )?
            .query_map([], |row| {
                Ok(SubscriptionCounts {
                    subscription: row.get(0)?,
                    published: count(row, 1)?,
                    acked: count(row, 2)?,
                    dead_lettered: count(row, 3)?,
                    unacked: count(row, 4)?,
                })
            })?
            .collect()
    }

    /// Moves a message to the dead letters. False for one that is a dead letter already: there is
    /// nowhere left to go, it stays where it is.
    fn dead_letter(&self, subscription: SubscriptionId, seq: i64, reason: &str) -> rusqlite::Result<bool> {
        let (topic, topic_name, name): (i64, String, String) = self
            .connection
            .prepare_cached(
                "SELECT t.id, t.name, s.name FROM subscriptions s JOIN topics t ON t.id = s.topic WHERE s.id = ?1",
            )?
            .query_row([subscription.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let dead_letters = self.policy.dead_letters;
        if topic == dead_letters.0 {
            return Ok(false);
        }
        let key: Option<String> = self
            .connection
            .prepare_cached(
                "INSERT INTO messages (topic, published_at, ordering_key, attributes, payload)
                 SELECT ?1, ?2, ordering_key,
                        json_set(attributes, '$.podledger_topic', ?3, '$.podledger_subscription', ?4,
                                 '$.podledger_message_id', ?5, '$.podledger_reason', ?6), payload
                 FROM messages WHERE seq = ?7 RETURNING ordering_key",
            )?
            .query_row(
                params![dead_letters.0, self.now.micros(), topic_name, name, self.message_id(seq), reason, seq],
                |row| row.get(0),
            )?;
        let letter = self.connection.last_insert_rowid();
        self.fan_out(&self.subscriptions_of(dead_letters)?, letter, key.as_deref())?;
        self.count_published(dead_letters, 1)?;
        let ordering_key = self
            .connection
            .prepare_cached("DELETE FROM deliveries WHERE subscription = ?1 AND seq = ?2 RETURNING ordering_key")?
            .query_row(params![subscription.0, seq], |row| row.get(0))?;
        self.connection
            .prepare_cached("INSERT INTO dead_lettered (subscription, seq) VALUES (?1, ?2)")?
            .execute(params![subscription.0, seq])?;
        self.connection
            .prepare_cached("UPDATE subscriptions SET dead_lettered = dead_lettered + 1 WHERE id = ?1")?
            .execute([subscription.0])?;
        self.unblock(&Settled { subscription, ordering_key })?;
        tracing::warn!(subscription = name, message_id = self.message_id(seq), reason, "message dead-lettered");
        Ok(true)
    }

    fn too_many_deliveries(&self, attempt: u32) -> String {
        let most = self.policy.max_delivery_attempts;
        format!("delivered {attempt} times without being acknowledged, {most} are allowed")
    }

    /// Puts a message before subscriptions; where they order, behind what waits of its key.
    fn fan_out(&self, subscriptions: &[(SubscriptionId, bool)], seq: i64, key: Option<&str>) -> rusqlite::Result<()> {
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO deliveries (subscription, seq, visible_at, ordering_key) VALUES (?1, ?2, ?3, ?4)",
        )?;
        for (subscription, ordered) in subscriptions {
            let key = key.filter(|_| *ordered);
            let blocked = match key {
                Some(key) => self
                    .connection
                    .prepare_cached("SELECT 1 FROM deliveries WHERE subscription = ?1 AND ordering_key = ?2")?
                    .exists(params![subscription.0, key])?,
                None => false,
            };
            let visible_at = if blocked { BLOCKED } else { self.now.micros() };
            insert.execute(params![subscription.0, seq, visible_at, key])?;
        }
        Ok(())
    }

    /// Lets the next message of a key be delivered once the one before is out of the way.
    fn unblock(&self, settled: &Settled) -> rusqlite::Result<()> {
        let Some(key) = &settled.ordering_key else { return Ok(()) };
        self.connection
            .prepare_cached(
                "UPDATE deliveries SET visible_at = ?3 WHERE subscription = ?1 AND visible_at = ?4 AND seq =
                     (SELECT min(seq) FROM deliveries WHERE subscription = ?1 AND ordering_key = ?2)",
            )?
            .execute(params![settled.subscription.0, key, self.now.micros(), BLOCKED])?;
        Ok(())
    }

    fn subscriptions_of(&self, topic: TopicId) -> rusqlite::Result<Vec<(SubscriptionId, bool)>> {
        self.connection
            .prepare_cached("SELECT id, ordered FROM subscriptions WHERE topic = ?1")?
            .query_map([topic.0], |row| Ok((SubscriptionId(row.get(0)?), row.get(1)?)))?
            .collect()
    }

    fn count_published(&self, topic: TopicId, messages: usize) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached("UPDATE subscriptions SET published = published + ?2 WHERE topic = ?1")?
            .execute(params![topic.0, i64::try_from(messages).unwrap_or(i64::MAX)])?;
        Ok(())
    }

    /// Unique over all files: the file's random name and the message's number in it.
    fn message_id(&self, seq: i64) -> String {
        format!("{}-{seq}", self.policy.store)
    }
}

/// A count; a negative one means the file is damaged.
fn count(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, number))
}
