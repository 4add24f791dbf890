//! What every cluster adapter promises.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::TryStreamExt as _;
use schemas::Timestamp;
use serde_json::Value;

use crate::ports::{Cluster, ClusterError, Kind, RawObject};

/// Objects a page may hold at most.
const PAGE_OBJECTS: usize = 500;

/// An adapter over a complete, readable source, and what keeps that source alive.
pub struct Subject {
    /// The adapter.
    pub cluster: Arc<dyn Cluster>,
    /// The time to list at.
    pub at: Timestamp,
    /// A server or a folder, held until the suite is done.
    pub source: Box<dyn Any + Send>,
}

/// Every object of one kind, in the order listed.
pub async fn drain(cluster: &dyn Cluster, kind: Kind, at: Timestamp) -> Result<Vec<RawObject>, ClusterError> {
    let listing = cluster.list(kind, at).await?;
    listing
        .pages
        .map_ok(|page| futures::stream::iter(page.objects.into_iter().map(Ok)))
        .try_flatten()
        .try_collect()
        .await
}

/// Holds an adapter to the port's promises; the numbers of objects by kind, to compare with what
/// was put in.
pub async fn contract(make: impl AsyncFn() -> Subject) -> BTreeMap<Kind, usize> {
    let subject = make().await;
    let (cluster, at) = (&*subject.cluster, subject.at);
    let mut counts = BTreeMap::new();
    for kind in Kind::ALL {
        let objects = drain(cluster, *kind, at).await.unwrap_or_else(|error| panic!("{error}"));
        every_object_is_of_its_kind(*kind, &objects);
        no_object_comes_twice(*kind, &objects);
        let again = drain(cluster, *kind, at).await.expect("what listed once lists again");
        assert_eq!(objects, again, "{kind}: the same source at the same time gives the same objects");
        counts.insert(*kind, objects.len());
    }
    assert_eq!(counts[&Kind::Clusters], 1, "there is one cluster");
    assert_eq!(drain(cluster, Kind::Unreadable, at).await.expect("it lists"), [], "everything is readable");
    listings_say_what_they_are_and_come_in_pages(cluster, at, &counts).await;
    a_listing_can_be_left(cluster, at).await;
    kinds_can_be_listed_at_once(&subject, &counts).await;
    a_new_adapter_sees_the_same(cluster, &make().await, at).await;
    counts
}

fn every_object_is_of_its_kind(kind: Kind, objects: &[RawObject]) {
    for object in objects {
        let value = json(kind, object);
        if let Some(written) = value["kind"].as_str() {
            assert_eq!(Kind::of_object(written), Some(kind), "{value}");
        }
        if kind == Kind::Clusters {
            let known = value.as_object().expect("checked to be an object");
            assert!(known.contains_key("gitVersion") && known.contains_key("platform"), "{value}");
            continue;
        }
        assert!(value["metadata"]["name"].as_str().is_some_and(|name| !name.is_empty()), "{kind}: {value}");
        assert_eq!(value["metadata"]["namespace"].is_string(), kind.namespaced(), "{kind}: {value}");
    }
}

fn json(kind: Kind, object: &RawObject) -> Value {
    let RawObject::Json(bytes) = object else { panic!("{kind}: unreadable in a readable source: {object:?}") };
    let value: Value = serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("{kind}: {error}"));
    assert!(value.is_object(), "{kind}: {value}");
    value
}

fn no_object_comes_twice(kind: Kind, objects: &[RawObject]) {
    let mut seen = BTreeSet::new();
    for object in objects {
        let value = json(kind, object);
        let key = ["namespace", "name"].map(|field| value["metadata"][field].as_str().unwrap_or_default().to_owned());
        assert!(seen.insert(key.clone()), "{kind}: {key:?} came twice");
    }
}

async fn listings_say_what_they_are_and_come_in_pages(
    cluster: &dyn Cluster,
    at: Timestamp,
    counts: &BTreeMap<Kind, usize>,
) {
    for kind in Kind::ALL.iter().filter(|kind| **kind != Kind::Clusters && counts[kind] > 0) {
        let listing = cluster.list(*kind, at).await.expect("what listed once lists again");
        assert_eq!(listing.known_gaps, None, "{kind}: nothing is missing in a complete source");
        let pages: Vec<_> = listing.pages.try_collect().await.expect("what listed once lists again");
        for page in &pages {
            assert!((1..=PAGE_OBJECTS).contains(&page.objects.len()), "{kind}: a page of {}", page.objects.len());
        }
    }
}

async fn a_listing_can_be_left(cluster: &dyn Cluster, at: Timestamp) {
    let mut listing = cluster.list(Kind::Pods, at).await.expect("what listed once lists again");
    listing.pages.try_next().await.expect("the first page comes");
    drop(listing);
    drain(cluster, Kind::Pods, at).await.expect("a listing that was left does not disturb the next one");
}

async fn kinds_can_be_listed_at_once(subject: &Subject, counts: &BTreeMap<Kind, usize>) {
    let lists = Kind::ALL.iter().map(|kind| {
        let cluster = Arc::clone(&subject.cluster);
        let at = subject.at;
        tokio::spawn(async move { (*kind, drain(&*cluster, *kind, at).await.expect("it lists").len()) })
    });
    for list in futures::future::join_all(lists).await {
        let (kind, count) = list.expect("listing does not panic");
        assert_eq!(count, counts[&kind], "{kind}: listed beside the others");
    }
}

async fn a_new_adapter_sees_the_same(cluster: &dyn Cluster, other: &Subject, at: Timestamp) {
    for kind in Kind::ALL {
        let (mine, theirs) = (drain(cluster, *kind, at).await, drain(&*other.cluster, *kind, at).await);
        assert_eq!(mine.expect("it lists"), theirs.expect("it lists"), "{kind}: two adapters over equal sources");
    }
}
