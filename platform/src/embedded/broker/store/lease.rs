//! Handing messages out.

use std::time::Duration;

use rusqlite::{Row, params};
use schemas::Timestamp;

use super::{BLOCKED, Store, SubscriptionId};
use crate::ports::Incoming;

/// Bytes of payload after which a batch ends, so that large messages do not pile up in memory.
const MAX_LEASED_BYTES: usize = 16 * 1024 * 1024;

/// Who holds one message. The token is random: a holder that lost it cannot settle any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::embedded::broker) struct LeaseId {
    pub(in crate::embedded::broker) subscription: SubscriptionId,
    pub(in crate::embedded::broker) seq: i64,
    pub(in crate::embedded::broker) token: i64,
}

/// A message handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::embedded::broker) struct Leased {
    pub(in crate::embedded::broker) id: LeaseId,
    pub(in crate::embedded::broker) incoming: Incoming,
}

/// How much a receiver wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::embedded::broker) struct Wanted {
    pub(in crate::embedded::broker) subscription: SubscriptionId,
    /// Messages at most.
    pub(in crate::embedded::broker) messages: usize,
    /// For how long.
    pub(in crate::embedded::broker) lease: Duration,
}

impl Store<'_> {
    /// When the next message of a subscription may be delivered; none while there is none, or each
    /// waits for an earlier one of its key.
    pub(in crate::embedded::broker) fn next_due(
        &self,
        subscription: SubscriptionId,
    ) -> rusqlite::Result<Option<Timestamp>> {
        let soonest: Option<i64> = self
            .connection
            .prepare_cached("SELECT min(visible_at) FROM deliveries WHERE subscription = ?1")?
            .query_row([subscription.0], |row| row.get(0))?;
        Ok(soonest.filter(|micros| *micros != BLOCKED).map(Timestamp::from_micros))
    }

    /// Hands out messages that are due, those longest due first. What was delivered too often goes
    /// to the dead letters instead, so the answer may be empty although something was due.
    pub(in crate::embedded::broker) fn lease(&self, wanted: &Wanted) -> rusqlite::Result<Vec<Leased>> {
        let mut exhausted = Vec::new();
        let mut leased = Vec::new();
        {
            let mut select = self.connection.prepare_cached(
                "SELECT d.seq, d.attempt, m.published_at, m.ordering_key, m.attributes, m.payload
                 FROM deliveries d CROSS JOIN messages m ON m.seq = d.seq
                 WHERE d.subscription = ?1 AND d.visible_at <= ?2 ORDER BY d.visible_at, d.seq LIMIT ?3",
            )?;
            let limit = i64::try_from(wanted.messages).unwrap_or(i64::MAX);
            let mut rows = select.query(params![wanted.subscription.0, self.now.micros(), limit])?;
            let mut bytes = 0_usize;
            while let Some(row) = rows.next()? {
                let attempts: u32 = row.get(1)?;
                if attempts >= self.policy.max_delivery_attempts {
                    exhausted.push((row.get(0)?, attempts));
                }
                let message = self.read(wanted.subscription, attempts, row)?;
                bytes = bytes.saturating_add(message.incoming.payload.len());
                leased.push(message);
                if bytes >= MAX_LEASED_BYTES {
                    break;
                }
            }
        }
        for (seq, attempts) in exhausted {
            if self.dead_letter(wanted.subscription, seq, &self.too_many_deliveries(attempts))? {
                leased.retain(|message| message.id.seq != seq);
            }
        }
        self.mark(&leased, wanted.lease)?;
        Ok(leased)
    }

    fn mark(&self, leased: &[Leased], lease: Duration) -> rusqlite::Result<()> {
        let mut update = self.connection.prepare_cached(
            "UPDATE deliveries SET visible_at = ?3, attempt = ?4, lease = ?5 WHERE subscription = ?1 AND seq = ?2",
        )?;
        let until = self.now.plus(lease).micros();
        for Leased { id, incoming } in leased {
            update.execute(params![id.subscription.0, id.seq, until, incoming.delivery_attempt, id.token])?;
        }
        Ok(())
    }

    fn read(&self, subscription: SubscriptionId, attempts: u32, row: &Row<'_>) -> rusqlite::Result<Leased> {
        let seq = row.get(0)?;
        let attributes = serde_json::from_str(row.get_ref(4)?.as_str()?)
            .map_err(|error| rusqlite::Error::FromSqlConversionFailure(4, rusqlite::types::Type::Text, error.into()))?;
        Ok(Leased {
            id: LeaseId { subscription, seq, token: rand::random() },
            incoming: Incoming {
                message_id: self.message_id(seq),
                payload: row.get(5)?,
                attributes,
                ordering_key: row.get(3)?,
                published_at: Timestamp::from_micros(row.get(2)?),
                delivery_attempt: attempts.saturating_add(1),
            },
        })
    }
}
