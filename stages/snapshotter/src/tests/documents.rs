//! Snapshots of documents sources.

use std::collections::VecDeque;
use std::sync::Mutex;

use async_trait::async_trait;
use futures::{StreamExt as _, stream};
use platform::ports::{CollectionId, DocumentPage, DocumentPages, DocumentsError};

use super::*;

const REGISTRY: &str = "raw/registry/2026-10-01/s-1/manifest.json";

/// What a list gives, one after the other.
#[derive(Clone)]
enum Step {
    Page(&'static str, Vec<RawObject>),
    Gap(&'static str),
    Expired,
    Unavailable,
    Refused,
}

/// A source whose lists go as written; the last one again and again.
struct Scripted(Mutex<VecDeque<Vec<Step>>>);

#[async_trait]
impl Documents for Scripted {
    async fn list(&self, collections: &[CollectionId]) -> Result<DocumentPages, DocumentsError> {
        let asked: Vec<&str> = collections.iter().map(CollectionId::as_str).collect();
        assert_eq!(asked, ["apis", "teams", "backendservices"]);
        let mut scripts = self.0.lock().unwrap();
        let script = if scripts.len() > 1 { scripts.pop_front().unwrap() } else { scripts[0].clone() };
        if let Some(Step::Refused) = script.first() {
            return Err(DocumentsError::Refused { reason: "datastore.entities.list is needed".to_owned() });
        }
        let page = |collection: &str, documents, known_gap: Option<&str>| DocumentPage {
            collection: collection.parse().unwrap(),
            documents,
            read_time: "2026-10-01T11:59:59.5Z".to_owned(),
            known_gap: known_gap.map(str::to_owned),
        };
        let pages = script.into_iter().map(move |step| match step {
            Step::Page(collection, documents) => Ok(page(collection, documents, None)),
            Step::Gap(gap) => Ok(page("apis", Vec::new(), Some(gap))),
            Step::Expired => Err(DocumentsError::Expired),
            Step::Unavailable => Err(DocumentsError::Unavailable { source: anyhow::anyhow!("connection reset") }),
            Step::Refused => Err(DocumentsError::Refused { reason: "no such database".to_owned() }),
        });
        Ok(stream::iter(pages).boxed())
    }
}

fn world(scripts: impl IntoIterator<Item = Vec<Step>>) -> World {
    let source: Arc<dyn Documents> = Arc::new(Scripted(Mutex::new(scripts.into_iter().collect())));
    World { documents: BTreeMap::from([(ClusterName::from("registry"), source)]), ..World::default() }
}

fn some(collection: &'static str, count: usize) -> Step {
    let name = |index| format!("projects/p/databases/d/documents/{collection}/{index}");
    let document = |index| json!({"name": name(index), "data": {"index": index}}).to_string();
    Step::Page(collection, (0..count).map(|index| RawObject::Json(document(index).into())).collect())
}

async fn manifest(world: &World) -> Manifest {
    let undisturbed = Effects::sound();
    world.handle(&request("registry"), &Arc::default(), &undisturbed).await.unwrap();
    serde_json::from_slice(&world.store.get(REGISTRY).unwrap()).unwrap()
}

fn counts(kind: &KindManifest) -> Vec<i64> {
    kind.parts.iter().map(|part| part.object_count).collect()
}

#[tokio::test]
async fn a_part_holds_documents_of_one_collection_and_a_tabled_collection_is_a_share_of_the_parts() {
    let world = world([vec![some("apis", 2), some("apis", 2), some("teams", 4), some("backendservices", 1)]]);
    let manifest = manifest(&world).await;
    let kinds: Vec<&str> = manifest.kinds.keys().map(String::as_str).collect();
    assert_eq!(kinds, ["documents", "documents.apis", "documents.backendservices"]);
    let [all, apis, services] = [0, 1, 2].map(|number: usize| &manifest.kinds[kinds[number]]);
    assert_eq!((counts(all), all.object_count), (vec![3, 1, 3, 1, 1], 9));
    assert_eq!((counts(apis), apis.object_count), (vec![3, 1], 4));
    assert_eq!((counts(services), services.object_count), (vec![1], 1));
    assert_eq!((&apis.parts[..], &services.parts[..]), (&all.parts[..2], &all.parts[4..]));
    assert!(manifest.kinds.values().all(|kind| kind.complete && kind.resource_version == "2026-10-01T11:59:59.5Z"));
    let collections = |part: &Vec<Value>| -> Vec<String> {
        part.iter().map(|line| line["name"].as_str().unwrap().split('/').nth(5).unwrap().to_owned()).collect()
    };
    for part in world.lines(all) {
        let collections = collections(&part);
        assert!(collections.iter().all(|collection| *collection == collections[0]), "{collections:?}");
    }
    // Each share is announced for itself, part by part, over the same objects.
    let batches: Vec<RawBatch> = world.published();
    let of = |kind: &str| batches.iter().filter(move |batch| batch.kind == kind).collect::<Vec<_>>();
    assert_eq!(batches.len(), 5 + 2 + 1);
    for (number, batch) in of("documents.apis").into_iter().enumerate() {
        assert_eq!((batch.part, batch.parts, &batch.object), (number as i64, 2, &all.parts[number].object));
        assert_eq!(batch.manifest, REGISTRY);
    }
}

#[tokio::test]
async fn a_collection_without_documents_has_one_empty_part() {
    let world = world([vec![some("teams", 1)]]);
    let manifest = manifest(&world).await;
    assert_eq!(counts(&manifest.kinds["documents"]), [0, 1, 0]);
    for kind in ["documents.apis", "documents.backendservices"] {
        let kind = &manifest.kinds[kind];
        assert_eq!((counts(kind), kind.complete), (vec![0], true));
    }
}

#[tokio::test]
async fn a_list_that_breaks_off_is_begun_again_and_nothing_of_it_is_used() {
    for broken in [Step::Expired, Step::Unavailable] {
        let world = world([vec![some("apis", 5), broken], vec![some("apis", 2), some("teams", 1)]]);
        let manifest = manifest(&world).await;
        assert_eq!(counts(&manifest.kinds["documents"]), [2, 1, 0]);
        assert!(manifest.kinds.values().all(|kind| kind.complete));
        assert!(manifest.kinds["documents"].parts.iter().all(|part| part.object.contains("/s-1/2/")));
        assert!(world.published::<RawBatch>().iter().all(|batch| batch.attempt == 2));
    }
}

#[tokio::test]
async fn a_source_that_never_ends_its_list_gives_no_snapshot_and_a_later_delivery_does() {
    let unfinished = || vec![some("apis", 5), Step::Unavailable];
    let world = world([unfinished(), unfinished(), unfinished(), vec![some("apis", 5)]]);
    let failed = world.handle(&request("registry"), &Arc::default(), &Effects::sound()).await;
    assert!(matches!(failed, Err(HandleError::Outage(_))), "{failed:?}");
    assert_eq!((world.store.get(REGISTRY), world.published::<RawBatch>()), (None, Vec::new()));
    assert_eq!(manifest(&world).await.kinds["documents"].object_count, 5);
}

#[tokio::test]
async fn a_source_that_refuses_gives_an_incomplete_snapshot_that_says_why() {
    for refused in [vec![Step::Refused], vec![some("apis", 2), Step::Refused]] {
        let world = world([refused]);
        let manifest = manifest(&world).await;
        assert_eq!(manifest.kinds.len(), 3);
        for kind in manifest.kinds.values() {
            assert!(!kind.complete && kind.parts.is_empty() && kind.object_count == 0);
            let gap = kind.gap.as_deref().unwrap();
            assert!(gap.contains("datastore.entities.list") || gap.contains("no such database"), "{gap}");
        }
        assert_eq!(world.published::<RawBatch>(), []);
    }
}

#[tokio::test]
async fn a_gap_makes_every_share_incomplete_and_leaves_the_rest_usable() {
    let world = world([vec![some("apis", 2), Step::Gap("a.ndjson line 3: not JSON"), some("teams", 1)]]);
    let manifest = manifest(&world).await;
    assert_eq!(counts(&manifest.kinds["documents"]), [2, 1, 0]);
    for kind in manifest.kinds.values() {
        assert_eq!((kind.complete, kind.gap.as_deref()), (false, Some("a.ndjson line 3: not JSON")));
    }
}

#[tokio::test]
async fn documents_that_nobody_asked_for_are_refused() {
    for script in [vec![some("teams", 1), some("apis", 1)], vec![some("apis", 1), some("other", 1)]] {
        let manifest = manifest(&world([script])).await;
        let gap = manifest.kinds["documents"].gap.clone().unwrap();
        assert!(gap.contains("where none were expected"), "{gap}");
    }
}

#[tokio::test]
async fn fields_that_may_hold_credentials_are_left_out_wherever_they_lie() {
    let document = json!({
        "name": "projects/p/databases/d/documents/apis/a", "createTime": "2026-01-01T00:00:00Z",
        "data": {
            "API_Key": "s3cret-1", "teamId": "payments", "token": {"$bytes": "czNjcmV0"},
            "list": [{"Password": {"deep": "s3cret-2"}, "user": "alice"}],
            "template": {"containers": [{"name": "app", "env": [{"name": "DB", "value": "s3cret-3"}]}]},
        },
    });
    // The document's own members are no fields of it.
    let named =
        json!({"name": "projects/p/databases/d/documents/apis/token", "token": 1, "data": {"token": "s3cret-4"}});
    let objects = [document, named].map(|document| RawObject::Json(document.to_string().into()));
    let world = world([vec![Step::Page("apis", objects.to_vec())]]);
    let manifest = manifest(&world).await;
    let lines = world.lines(&manifest.kinds["documents"]).concat();
    assert_eq!(
        lines[0]["data"],
        json!({
            "teamId": "payments", "list": [{"user": "alice"}],
            "template": {"containers": [{"name": "app", "env": [{"name": "DB"}]}]},
        })
    );
    assert_eq!(lines[1], json!({"name": "projects/p/databases/d/documents/apis/token", "token": 1, "data": {}}));
    assert!(!lines.iter().any(|line| line.to_string().contains("s3cret")));
}

#[tokio::test]
async fn a_crash_between_any_two_effects_changes_nothing_in_the_end() {
    let content = |world: &World| {
        let manifest: Manifest = serde_json::from_slice(&world.store.get(REGISTRY).unwrap()).unwrap();
        let kinds = manifest.kinds.into_iter();
        kinds.map(|(name, kind)| (name, kind.complete, world.lines(&kind))).collect::<Vec<_>>()
    };
    let script = || [vec![some("apis", 4), some("backendservices", 1)]];
    let undisturbed = world(script());
    manifest(&undisturbed).await;
    let mut crashes = 0;
    for after in [false, true] {
        for effect in 1.. {
            let world = world(script());
            let crash = Effects::crash_at(effect, after);
            let crashed = world.handle(&request("registry"), &Arc::default(), &crash).await;
            if !crash.has_crashed() {
                break;
            }
            assert!(matches!(crashed, Err(HandleError::Outage(_))), "{crashed:?}");
            crashes += 1;
            manifest(&world).await;
            assert_eq!(content(&world), content(&undisturbed), "effect {effect}, after {after}");
        }
    }
    // Four parts, the manifest and the messages, each before and after.
    assert_eq!(crashes, 2 * (4 + 1 + 1));
}

#[tokio::test]
async fn a_request_for_all_clusters_asks_for_documents_too() {
    let world = world([vec![]]);
    world.handle(&request("*"), &Arc::default(), &Effects::sound()).await.unwrap();
    let requests: Vec<SnapshotRequest> = world.published();
    let clusters: Vec<&str> = requests.iter().map(|request| request.cluster.as_str()).collect();
    assert_eq!(clusters, ["prod", "registry", "test"]);
}
