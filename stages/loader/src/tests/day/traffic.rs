//! The messages of some hours: parts of snapshots of twenty clusters, and some of them twice.

use std::collections::BTreeMap;
use std::time::Duration;

use platform::ports::SnapshotPart;
use platform::testkit::memory::MemoryObjects;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use schemas::keys::SnapshotKeys;
use schemas::manifest::{KindManifest, Manifest, PartManifest};
use schemas::{ClusterName, Purpose, RowBatch, SnapshotId, Table, Timestamp};

/// Clusters that are watched.
pub(super) const CLUSTERS: usize = 20;
/// Time between two snapshots of one cluster.
const EVERY: Duration = Duration::from_secs(300);
/// Snapshots of one cluster in an hour.
pub(super) const AN_HOUR: u32 = 12;
/// How late a snapshot may be taken.
const JITTER_MS: u64 = 20_000;
/// One in so many messages comes again while it is in hand, and one long after it was handled.
const AGAIN: u32 = 25;
/// What a file of rows holds here: the warehouse of these tests does not read rows.
pub(super) const ROWS: &[u8] = b"rows";

/// The kinds of a snapshot: table, parts, and how long after the snapshot a part is normalized.
pub(super) const KINDS: [(&str, Table, i64, u64); 2] =
    [("pods", Table::GkePods, 2, 25_000), ("nodes", Table::GkeNodes, 1, 40_000)];

/// When the day begins: a moment at which no minute does.
pub(super) fn beginning() -> Timestamp {
    Timestamp::parse("2026-10-01T00:00:17.3Z").unwrap()
}

/// One delivery of one message.
#[derive(Clone)]
pub(super) struct Arrival {
    /// When, since the beginning of the day.
    pub(super) at: Duration,
    /// When it was published.
    pub(super) published_at: Timestamp,
    pub(super) batch: RowBatch,
    /// Whether it is of a message that was delivered before.
    pub(super) again: bool,
    keys: SnapshotKeys,
}

/// Deliveries in order.
pub(super) struct Traffic {
    pub(super) arrivals: Vec<Arrival>,
    /// The files of each snapshot and table.
    pub(super) files: BTreeMap<(Table, SnapshotId), Vec<SnapshotPart>>,
}

impl Traffic {
    pub(super) fn of(hours: u32, seed: u64) -> Self {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let mut traffic = Self { arrivals: Vec::new(), files: BTreeMap::new() };
        for cluster in 0..CLUSTERS {
            let cluster = ClusterName::from(format!("prod-{cluster}").as_str());
            let offset = Duration::from_millis(dice.random_range(0..EVERY.as_millis() as u64));
            for number in 0..AN_HOUR * hours {
                let jitter = Duration::from_millis(dice.random_range(0..JITTER_MS));
                let id = SnapshotId::from(format!("{cluster}-{number}").as_str());
                let keys = SnapshotKeys::new(cluster.clone(), beginning(), id);
                traffic.add(&keys, offset + EVERY * number + jitter, &mut dice);
            }
        }
        traffic.arrivals.sort_by_key(|arrival| arrival.at);
        traffic
    }

    fn add(&mut self, keys: &SnapshotKeys, taken_at: Duration, dice: &mut ChaCha8Rng) {
        for (kind, table, parts, apart_ms) in KINDS {
            for part in 0..parts {
                let batch = batch(keys, kind, table, part, parts);
                let file = SnapshotPart { object: batch.object.clone(), rows: batch.row_count };
                self.files.entry((table, keys.snapshot_id().clone())).or_default().push(file);
                let at = taken_at + Duration::from_millis(dice.random_range(0..apart_ms));
                let arrival =
                    Arrival { at, published_at: beginning().plus(at), batch, again: false, keys: keys.clone() };
                for later_ms in [1_000..50_000, 300_000..7_200_000] {
                    if dice.random_ratio(1, AGAIN) {
                        let at = at + Duration::from_millis(dice.random_range(later_ms));
                        self.arrivals.push(Arrival { at, again: true, ..arrival.clone() });
                    }
                }
                self.arrivals.push(arrival);
            }
        }
    }
}

impl Arrival {
    /// The rows it is a part of.
    pub(super) fn rows(&self) -> (Table, SnapshotId) {
        (Table::from_name(&self.batch.table).unwrap(), self.batch.snapshot_id.clone())
    }

    /// Stores what was there before the message was: manifest, rows and note.
    pub(super) fn store(&self, store: &MemoryObjects) {
        if self.again {
            return;
        }
        let note = self.keys.done_part(self.batch.revision, &self.batch.kind, self.batch.part);
        store.put(&self.keys.manifest(), serde_json::to_vec(&manifest(&self.keys)).unwrap());
        store.put(&self.batch.object, ROWS);
        store.put(&note, serde_json::to_vec(&self.batch).unwrap());
    }
}

fn batch(keys: &SnapshotKeys, kind: &str, table: Table, part: i64, parts: i64) -> RowBatch {
    RowBatch {
        snapshot_id: keys.snapshot_id().clone(),
        cluster: keys.cluster().clone(),
        kind: kind.to_owned(),
        table: table.name().to_owned(),
        part,
        parts,
        object: keys.rows_part(0, table, part),
        row_count: 100 + part,
        object_count: 100 + part,
        reject_object: String::new(),
        reject_count: 0,
        observed_at: beginning(),
        manifest: keys.manifest(),
        purpose: Purpose::Scheduled,
        revision: 0,
    }
}

fn manifest(keys: &SnapshotKeys) -> Manifest {
    let kinds = KINDS.map(|(kind, _, parts, _)| {
        let parts = (0..parts).map(|part| PartManifest {
            object: keys.raw_part(1, kind, part),
            object_count: 100 + part,
            bytes: 1,
        });
        let kind_manifest = KindManifest {
            complete: true,
            gap: None,
            api_version: "v1".to_owned(),
            resource_version: "1".to_owned(),
            object_count: parts.clone().map(|part| part.object_count).sum(),
            excluded_count: 0,
            parts: parts.collect(),
        };
        (kind.to_owned(), kind_manifest)
    });
    Manifest {
        format: 1,
        snapshot_id: keys.snapshot_id().clone(),
        cluster: keys.cluster().clone(),
        attempt: 1,
        requested_at: beginning(),
        requested_by: "a test".to_owned(),
        observed_at: beginning(),
        purpose: Purpose::Scheduled,
        kinds: kinds.into(),
    }
}
