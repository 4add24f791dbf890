//! Seeking, retention, and what a clock that was set back leaves behind.

use rusqlite::params;
use schemas::Timestamp;

use super::{BLOCKED, Store, SubscriptionId, TopicId};
use crate::embedded::broker::settings::MAX_DELAY;

/// What one round of maintenance did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::embedded::broker) struct Maintained {
    /// Unacknowledged messages that became dead letters.
    pub(in crate::embedded::broker) expired: usize,
    /// Messages removed.
    pub(in crate::embedded::broker) removed: usize,
}

impl Store<'_> {
    /// Seeks: what was published before counts as acknowledged, what was published since is
    /// delivered again, with a new count of attempts where it was settled. Every lease of the
    /// subscription ends.
    pub(in crate::embedded::broker) fn seek(
        &self,
        subscription: SubscriptionId,
        to: Timestamp,
    ) -> rusqlite::Result<()> {
        let (topic, ordered, created_after): (i64, bool, i64) = self
            .connection
            .prepare_cached("SELECT topic, ordered, created_after FROM subscriptions WHERE id = ?1")?
            .query_row([subscription.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let (at, now) = (to.micros(), self.now.micros());
        let settled = self.connection.execute(
            "DELETE FROM deliveries WHERE subscription = ?1
             AND (SELECT published_at FROM messages WHERE seq = deliveries.seq) < ?2",
            params![subscription.0, at],
        )?;
        let again = self.connection.execute(
            "INSERT INTO deliveries (subscription, seq, visible_at, ordering_key)
             SELECT ?1, seq, ?2, CASE WHEN ?3 THEN ordering_key END FROM messages
             WHERE topic = ?4 AND published_at >= ?5 AND seq > ?6 ON CONFLICT DO NOTHING",
            params![subscription.0, now, ordered, topic, at, created_after],
        )?;
        let revived = self.connection.execute(
            "DELETE FROM dead_lettered WHERE subscription = ?1 AND seq IN
                 (SELECT seq FROM messages WHERE topic = ?2 AND published_at >= ?3)",
            params![subscription.0, topic, at],
        )?;
        self.connection.execute(
            "UPDATE subscriptions SET acked = acked + ?2 - (?3 - ?4), dead_lettered = dead_lettered - ?4 WHERE id = ?1",
            params![subscription.0, signed(settled), signed(again), signed(revived)],
        )?;
        self.connection.execute(
            "UPDATE deliveries SET lease = NULL, visible_at = CASE
                 WHEN ordering_key IS NOT NULL AND EXISTS
                     (SELECT 1 FROM deliveries earlier WHERE earlier.subscription = ?1
                      AND earlier.ordering_key = deliveries.ordering_key AND earlier.seq < deliveries.seq)
                 THEN ?3 ELSE ?2 END
             WHERE subscription = ?1",
            params![subscription.0, now, BLOCKED],
        )?;
        Ok(())
    }

    /// One bounded round of retention: unacknowledged messages past their time become dead letters
    /// (unless somebody holds them just now, or they are dead letters), settled ones are removed.
    pub(in crate::embedded::broker) fn retain(&self, batch: usize) -> rusqlite::Result<Maintained> {
        let cutoff = self.now.minus(self.policy.retention);
        let mut done = Maintained::default();
        for topic in self.topics()? {
            let expired = self.expired(topic, cutoff, batch.saturating_sub(done.expired))?;
            for (subscription, seq) in expired {
                let kept_for = self.policy.retention.as_secs();
                let reason = format!("not acknowledged within the retention time of {kept_for} s");
                done.expired += usize::from(self.dead_letter(subscription, seq, &reason)?);
            }
            for seq in self.removable(topic, cutoff, batch.saturating_sub(done.removed))? {
                for (subscription, _) in self.subscriptions_of(topic)? {
                    self.connection
                        .prepare_cached("DELETE FROM dead_lettered WHERE subscription = ?1 AND seq = ?2")?
                        .execute(params![subscription.0, seq])?;
                }
                done.removed +=
                    self.connection.prepare_cached("DELETE FROM messages WHERE seq = ?1")?.execute([seq])?;
            }
        }
        Ok(done)
    }

    /// Makes due what waits for longer than any lease or delay can last: the clock was set back.
    pub(in crate::embedded::broker) fn repair_after_clock_step(&self) -> rusqlite::Result<usize> {
        self.connection
            .prepare_cached(
                "UPDATE deliveries SET visible_at = ?1 WHERE subscription IN (SELECT id FROM subscriptions)
                 AND visible_at > ?2 AND visible_at < ?3",
            )?
            .execute(params![self.now.micros(), self.now.plus(MAX_DELAY).micros(), BLOCKED])
    }

    fn topics(&self) -> rusqlite::Result<Vec<TopicId>> {
        self.connection.prepare_cached("SELECT id FROM topics")?.query_map([], |row| row.get(0).map(TopicId))?.collect()
    }

    fn expired(&self, topic: TopicId, cutoff: Timestamp, batch: usize) -> rusqlite::Result<Vec<(SubscriptionId, i64)>> {
        if topic == self.policy.dead_letters {
            return Ok(Vec::new());
        }
        // In the order published, so that the next of a key is let through before it goes itself.
        self.connection
            .prepare_cached(
                "SELECT d.subscription, d.seq FROM messages m CROSS JOIN subscriptions s ON s.topic = m.topic
                 CROSS JOIN deliveries d ON d.subscription = s.id AND d.seq = m.seq
                 WHERE m.topic = ?1 AND m.published_at < ?2 AND (d.lease IS NULL OR d.visible_at <= ?3)
                 ORDER BY m.published_at, m.seq LIMIT ?4",
            )?
            .query_map(params![topic.0, cutoff.micros(), self.now.micros(), signed(batch)], |row| {
                Ok((SubscriptionId(row.get(0)?), row.get(1)?))
            })?
            .collect()
    }

    fn removable(&self, topic: TopicId, cutoff: Timestamp, batch: usize) -> rusqlite::Result<Vec<i64>> {
        self.connection
            .prepare_cached(
                "SELECT m.seq FROM messages m WHERE m.topic = ?1 AND m.published_at < ?2 AND NOT EXISTS
                     (SELECT 1 FROM subscriptions s CROSS JOIN deliveries d ON d.subscription = s.id AND d.seq = m.seq
                      WHERE s.topic = m.topic)
                 LIMIT ?3",
            )?
            .query_map(params![topic.0, cutoff.micros(), signed(batch)], |row| row.get(0))?
            .collect()
    }
}

/// A count as SQLite takes it.
fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
