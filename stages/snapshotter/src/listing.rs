//! Listing one kind into stored parts.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use platform::ports::{Cluster, ClusterError, Created, Kind, KindPage, Objects, PortError};
use schemas::Timestamp;
use schemas::keys::SnapshotKeys;
use schemas::manifest::{KindManifest, PartManifest};

use crate::batches::count;
use crate::part::{ClosedPart, Counts, LeftOut, PartBounds, PartWriter};
use crate::sources::Source;

/// Doublings of the delay between two lists, at most.
const MOST_DOUBLINGS: u32 = 6;
/// Characters of a gap's reason that are kept.
const LONGEST_GAP: usize = 1_000;

/// Why a whole attempt ends early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stop {
    /// A part was there already: somebody else works on the same attempt.
    #[error("{key} was written by somebody else")]
    LostRace { key: String },
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
    /// Compressing failed: not a matter of the cluster or of a port.
    #[error("compress objects: {0}")]
    Compress(#[from] std::io::Error),
}

/// One kind, listed or given up.
#[derive(Debug)]
pub(crate) struct Collected {
    pub(crate) kind: Kind,
    pub(crate) manifest: KindManifest,
    pub(crate) counts: Counts,
    /// Kinds whose objects are some of these, in parts that are some of these.
    pub(crate) shares: Vec<(Kind, KindManifest)>,
    /// Whether it was given up for a reason that may pass.
    pub(crate) may_pass: bool,
}

/// What all lists of one attempt at a snapshot share.
pub(crate) struct Attempt {
    pub(crate) source: Source,
    pub(crate) objects: Arc<dyn Objects>,
    pub(crate) keys: SnapshotKeys,
    pub(crate) observed_at: Timestamp,
    pub(crate) left_out: LeftOut,
    pub(crate) bounds: PartBounds,
    pub(crate) relists: u32,
    pub(crate) relist_delay: Duration,
    /// The number that every kind's first list is stored under.
    pub(crate) number: i64,
    /// The highest number taken so far.
    pub(crate) highest: AtomicI64,
}

impl Attempt {
    /// Lists a kind, again from the start under another attempt number when that fails: parts of
    /// two lists never share a number, so pages of two resource versions never meet.
    pub(crate) async fn collect(&self, kind: Kind) -> Result<Collected, Stop> {
        let mut number = self.number;
        for relist in 0.. {
            let listed = match &self.source {
                Source::Cluster(cluster) => self.list(cluster, kind, number).await?,
                Source::Documents(source) => self.list_documents(source, number).await?,
            };
            let error = match listed {
                Ok(collected) => return Ok(collected),
                Err(ClusterError::Refused { reason, .. }) => return Ok(self.given_up(kind, &reason, false)),
                Err(error) => error,
            };
            if relist >= self.relists {
                return Ok(self.given_up(kind, &error.to_string(), true));
            }
            tracing::warn!(%kind, relist, error = error.to_string(), "list failed, begun again");
            if matches!(error, ClusterError::Unavailable { .. }) {
                let doubled = self.relist_delay.saturating_mul(1 << relist.min(MOST_DOUBLINGS));
                tokio::time::sleep(doubled).await;
            }
            number = self.highest.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        }
        Ok(self.given_up(kind, "listed too often", true))
    }

    /// Lists a kind once. The next page is fetched while one is compressed and stored.
    async fn list(
        &self,
        cluster: &Arc<dyn Cluster>,
        kind: Kind,
        number: i64,
    ) -> Result<Result<Collected, ClusterError>, Stop> {
        let mut listing = match cluster.list(kind, self.observed_at).await {
            Ok(listing) => listing,
            Err(error) => return Ok(Err(error)),
        };
        let mut writer = PartWriter::new(kind, self.left_out.clone(), self.bounds);
        let mut parts = Vec::new();
        let mut next = listing.pages.next().await;
        while let Some(page) = next {
            let page = match page {
                Ok(page) => page,
                Err(error) => return Ok(Err(error)),
            };
            let stored = self.store_page(kind, number, &mut parts, writer, page);
            let (stored, following) = tokio::join!(stored, listing.pages.next());
            writer = stored?;
            next = following;
        }
        let counts = writer.counts();
        // What was listed has a part, so that the empty list is known downstream too; the unreadable
        // are not asked for by anybody and need none.
        let must_exist = parts.is_empty() && kind != Kind::Unreadable;
        if let Some(last) = writer.finish(must_exist)? {
            self.store(kind, number, &mut parts, last).await?;
        }
        let manifest = KindManifest {
            complete: listing.known_gaps.is_none(),
            gap: listing.known_gaps.as_deref().map(shortened),
            api_version: listing.api_version,
            resource_version: listing.resource_version,
            object_count: counts.objects,
            excluded_count: counts.excluded,
            parts,
        };
        Ok(Ok(Collected { kind, manifest, counts, shares: Vec::new(), may_pass: false }))
    }

    /// Compresses a page off the async threads and stores the parts it closed.
    pub(crate) async fn store_page(
        &self,
        kind: Kind,
        number: i64,
        parts: &mut Vec<PartManifest>,
        mut writer: PartWriter,
        page: KindPage,
    ) -> Result<PartWriter, Stop> {
        let compress = move || writer.page(page).map(|closed| (writer, closed));
        let (writer, closed) = tokio::task::spawn_blocking(compress).await.map_err(std::io::Error::other)??;
        for part in closed {
            self.store(kind, number, parts, part).await?;
        }
        Ok(writer)
    }

    pub(crate) async fn store(
        &self,
        kind: Kind,
        number: i64,
        parts: &mut Vec<PartManifest>,
        part: ClosedPart,
    ) -> Result<(), Stop> {
        let key = self.keys.raw_part(number, kind.name(), count(parts.len()));
        let bytes = count(part.body.len());
        match self.objects.create_bytes(&key, part.body).await? {
            Created::New(_) => {
                parts.push(PartManifest { object: key, object_count: part.object_count, bytes });
                Ok(())
            }
            Created::Existed => Err(Stop::LostRace { key }),
        }
    }

    /// A kind that could not be listed: it has a gap and no parts, and so have its shares.
    fn given_up(&self, kind: Kind, reason: &str, may_pass: bool) -> Collected {
        tracing::warn!(%kind, reason, "kind not listed, the snapshot is incomplete");
        let manifest = KindManifest {
            complete: false,
            gap: Some(shortened(reason)),
            api_version: String::new(),
            resource_version: String::new(),
            object_count: 0,
            excluded_count: 0,
            parts: Vec::new(),
        };
        let shares = match &self.source {
            Source::Cluster(_) => Vec::new(),
            Source::Documents(source) => source.shares().map(|kind| (kind, manifest.clone())).collect(),
        };
        Collected { kind, manifest, counts: Counts::default(), shares, may_pass }
    }
}

/// A gap's reason, as long as manifests have them.
pub(crate) fn shortened(reason: &str) -> String {
    reason.chars().take(LONGEST_GAP).collect()
}
