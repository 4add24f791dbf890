//! Keys of objects: where a snapshot's parts, rows and states lie.

use crate::{ClusterName, EventId, SnapshotId, Table, Timestamp};

/// Where everything of one snapshot lies. The day is that of the *request*, so that a request
/// handled again after midnight finds what was there before.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SnapshotKeys {
    cluster: ClusterName,
    day: String,
    snapshot_id: SnapshotId,
}

/// A key that does not lead to a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key:?} is not the key of a snapshot's object")]
pub struct NotASnapshotKey {
    /// The key.
    pub key: String,
}

impl SnapshotKeys {
    /// The keys of a snapshot asked for at that time.
    pub fn new(cluster: ClusterName, requested_at: Timestamp, snapshot_id: SnapshotId) -> Self {
        Self { cluster, day: requested_at.day(), snapshot_id }
    }

    /// The snapshot that a `raw/…` or `rows/…` key belongs to.
    pub fn of(key: &str) -> Result<Self, NotASnapshotKey> {
        let error = || NotASnapshotKey { key: key.chars().take(200).collect() };
        let mut parts = key.split('/');
        let (root, cluster, day, id, rest) = (parts.next(), parts.next(), parts.next(), parts.next(), parts.next());
        match (root, cluster, day, id, rest) {
            (Some("raw" | "rows"), Some(cluster), Some(day), Some(id), Some(_))
                if !id.is_empty() && day.len() == 10 =>
            {
                Ok(Self {
                    cluster: ClusterName::parse(cluster).map_err(|_| error())?,
                    day: day.to_owned(),
                    snapshot_id: id.into(),
                })
            }
            _ => Err(error()),
        }
    }

    /// The snapshot.
    pub fn snapshot_id(&self) -> &SnapshotId {
        &self.snapshot_id
    }

    /// The cluster.
    pub fn cluster(&self) -> &ClusterName {
        &self.cluster
    }

    /// Prefix of everything raw.
    pub fn raw_prefix(&self) -> String {
        format!("raw/{}/{}/{}/", self.cluster, self.day, self.snapshot_id)
    }

    /// One raw part: NDJSON, gzip.
    pub fn raw_part(&self, attempt: i64, kind: &str, part: i64) -> String {
        format!("{}{attempt}/{kind}-{part}.ndjson.gz", self.raw_prefix())
    }

    /// The manifest: one per snapshot, whichever attempt it is of, created once.
    pub fn manifest(&self) -> String {
        format!("{}manifest.json", self.raw_prefix())
    }

    /// Prefix of one revision's rows.
    pub fn rows_prefix(&self, revision: i64) -> String {
        format!("rows/{}/{}/{}/r{revision}/", self.cluster, self.day, self.snapshot_id)
    }

    /// Rows of one part: an Avro container file.
    pub fn rows_part(&self, revision: i64, table: Table, part: i64) -> String {
        format!("{}{table}-{part}.avro", self.rows_prefix(revision))
    }

    /// Rejected rows of one part: NDJSON, one `rejected_rows` row a line. Named by kind, since a
    /// kind without a table can have rejects too.
    pub fn rejects_part(&self, revision: i64, kind: &str, part: i64) -> String {
        format!("{}{kind}-{part}.rejects.ndjson", self.rows_prefix(revision))
    }

    /// The note that a part was normalized: the `RowBatch` that was published for it, as JSON.
    /// Listing these is the barrier of who needs the whole snapshot.
    pub fn done_part(&self, revision: i64, kind: &str, part: i64) -> String {
        format!("{}done/{kind}-{part}.json", self.rows_prefix(revision))
    }
}

/// The evaluator's state of one cluster.
pub fn evaluator_state(cluster: &ClusterName) -> String {
    format!("state/evaluator/{cluster}.json")
}

/// The notifier's state of one event and receiver.
pub fn notifier_state(receiver: &str, event: &EventId) -> String {
    format!("state/notifier/{receiver}/{event}")
}

/// A load plan: which snapshots of a table share a job.
pub fn load_plan(table: Table, plan: &str) -> String {
    format!("state/loader/plans/{table}/{plan}.json")
}

/// What the entries for a load plan start with that is not made yet.
pub fn load_entries(table: Table, plan: &str) -> String {
    format!("state/loader/entries/{table}/{plan}/")
}

/// One snapshot's entry for a load plan that is not made yet.
pub fn load_entry(table: Table, plan: &str, snapshot: &SnapshotId, revision: i64) -> String {
    format!("{}{snapshot}-r{revision}", load_entries(table, plan))
}

/// The claim of one snapshot of a table by one plan.
pub fn load_claim(table: Table, snapshot: &SnapshotId, revision: i64) -> String {
    format!("state/loader/claims/{table}/{snapshot}-r{revision}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_leads_back_to_its_snapshot() {
        let at = Timestamp::parse("2026-10-01T23:59:59Z").unwrap();
        let keys = SnapshotKeys::new(ClusterName::parse("prod-uk").unwrap(), at, "s1".into());
        assert_eq!(keys.raw_part(1, "pods", 0), "raw/prod-uk/2026-10-01/s1/1/pods-0.ndjson.gz");
        for key in [
            keys.raw_part(2, "pods", 7),
            keys.manifest(),
            keys.rows_part(0, Table::GkePods, 7),
            keys.done_part(0, "pods", 7),
        ] {
            assert_eq!(SnapshotKeys::of(&key), Ok(keys.clone()), "{key}");
        }
        for key in ["", "raw/a/b", "state/evaluator/x.json", "raw/UPPER/2026-10-01/s/x", "raw/a/2026-10-01//x"] {
            assert!(SnapshotKeys::of(key).is_err(), "{key}");
        }
    }
}
