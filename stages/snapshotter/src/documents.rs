//! Listing a documents source into stored parts. A part holds documents of one collection, so that
//! a collection with a table of its own is a share of the parts.

use std::ops::Range;

use futures::StreamExt as _;
use platform::ports::{ClusterError, CollectionId, DocumentPage, DocumentsError, Kind, KindPage, TabledCollection};
use schemas::manifest::{KindManifest, PartManifest};

use crate::listing::{Attempt, Collected, Stop, shortened};
use crate::part::{Counts, PartWriter};
use crate::sources::DocumentsSource;

/// What documents are called in the place of an API version.
const API_VERSION: &str = "firestore/v1";

impl DocumentsSource {
    /// The kinds whose objects are some of its documents.
    pub(crate) fn shares(&self) -> impl Iterator<Item = Kind> {
        self.collections.ids().iter().filter_map(share_of)
    }
}

/// The kind of a collection's documents apart, where there is one.
fn share_of(collection: &CollectionId) -> Option<Kind> {
    TabledCollection::of(collection).map(Kind::Collection)
}

/// What was listed so far.
#[derive(Default)]
struct Listed {
    parts: Vec<PartManifest>,
    counts: Counts,
    read_time: String,
    gap: Option<String>,
    shares: Vec<Share>,
}

/// A collection's part of it.
struct Share {
    kind: Kind,
    parts: Range<usize>,
    counts: Counts,
}

impl Attempt {
    /// Lists all configured collections once. The next page is fetched while one is compressed and
    /// stored.
    pub(crate) async fn list_documents(
        &self,
        source: &DocumentsSource,
        number: i64,
    ) -> Result<Result<Collected, ClusterError>, Stop> {
        let mut pages = match source.documents.list(source.collections.ids()).await {
            Ok(pages) => pages,
            Err(error) => return Ok(Err(cluster_error(error))),
        };
        let mut listed = Listed::default();
        let mut next = pages.next().await;
        for collection in source.collections.ids() {
            let mut writer = PartWriter::new(Kind::Documents, self.left_out.clone(), self.bounds);
            let first = listed.parts.len();
            while let Some(page) = next {
                let page = match page {
                    Err(error) => return Ok(Err(cluster_error(error))),
                    Ok(page) if page.collection != *collection => {
                        next = Some(Ok(page));
                        break;
                    }
                    Ok(page) => listed.take(page),
                };
                let stored = self.store_page(Kind::Documents, number, &mut listed.parts, writer, page);
                let (stored, following) = tokio::join!(stored, pages.next());
                writer = stored?;
                next = following;
            }
            let counts = writer.counts();
            // A collection has a part, so that an empty one is known downstream too.
            let must_exist = listed.parts.len() == first;
            if let Some(last) = writer.finish(must_exist)? {
                self.store(Kind::Documents, number, &mut listed.parts, last).await?;
            }
            listed.end_of(collection, first, counts);
        }
        match next {
            None => Ok(Ok(listed.collected())),
            Some(Err(error)) => Ok(Err(cluster_error(error))),
            Some(Ok(page)) => {
                let reason = format!("the source gave documents of {}, where none were expected", page.collection);
                Ok(Err(cluster_error(DocumentsError::Refused { reason })))
            }
        }
    }
}

impl Listed {
    /// Notes what a page says besides its documents.
    fn take(&mut self, page: DocumentPage) -> KindPage {
        let DocumentPage { documents, read_time, known_gap, .. } = page;
        if self.read_time.is_empty() {
            self.read_time = read_time;
        }
        self.gap = self.gap.take().or(known_gap);
        KindPage { objects: documents }
    }

    fn end_of(&mut self, collection: &CollectionId, first: usize, counts: Counts) {
        if let Some(kind) = share_of(collection) {
            self.shares.push(Share { kind, parts: first..self.parts.len(), counts });
        }
        self.counts = self.counts.plus(counts);
    }

    fn collected(self) -> Collected {
        let manifest = |parts: &[PartManifest], counts: Counts| KindManifest {
            complete: self.gap.is_none(),
            gap: self.gap.as_deref().map(shortened),
            api_version: API_VERSION.to_owned(),
            resource_version: self.read_time.clone(),
            object_count: counts.objects,
            excluded_count: counts.excluded,
            parts: parts.to_vec(),
        };
        let shares = self.shares.iter().map(|share| {
            // The range was made from the number of parts at its two ends.
            let parts = self.parts.get(share.parts.clone()).unwrap_or_default();
            (share.kind, manifest(parts, share.counts))
        });
        Collected {
            kind: Kind::Documents,
            manifest: manifest(&self.parts, self.counts),
            counts: self.counts,
            shares: shares.collect(),
            may_pass: false,
        }
    }
}

/// The same failure as the list of a cluster's kind has it.
fn cluster_error(error: DocumentsError) -> ClusterError {
    let kind = Kind::Documents;
    match error {
        DocumentsError::Expired => ClusterError::Expired { kind },
        DocumentsError::Unavailable { source } => ClusterError::Unavailable { kind, source },
        DocumentsError::Refused { reason } => ClusterError::Refused { kind, reason },
    }
}
