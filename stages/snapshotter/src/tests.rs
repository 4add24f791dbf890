mod cluster;
mod documents;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::Arc;

use platform::ports::{Cluster, Documents, FixedClock, Incoming, Kind, RawObject};
use platform::runtime::{Env, HandleError, Ports};
use platform::testkit::memory::{Affected, Effects, MemoryBroker, MemoryObjects};
use schemas::manifest::{KindManifest, Manifest, UnreadableLine};
use schemas::{ClusterName, Message, Purpose, RawBatch, SnapshotRequest, Timestamp, Topic};
use serde_json::{Value, json};

use self::cluster::{Page, Script, ScriptedCluster};
use crate::Config;

const MANIFEST: &str = "raw/prod/2026-10-01/s-1/manifest.json";

/// What outlives a process.
#[derive(Clone, Default)]
struct World {
    store: Arc<MemoryObjects>,
    broker: Arc<MemoryBroker>,
    documents: BTreeMap<ClusterName, Arc<dyn Documents>>,
}

impl World {
    /// Handles a request in a process of its own.
    async fn handle(
        &self,
        request: &SnapshotRequest,
        cluster: &Arc<ScriptedCluster>,
        crash: &Arc<Effects>,
    ) -> Result<(), HandleError> {
        let now = Timestamp::parse("2026-10-01T12:00:00Z").unwrap();
        let named = |name: &str| (ClusterName::from(name), Arc::clone(cluster) as Arc<dyn Cluster>);
        let ports = Ports {
            clusters: [named("prod"), named("test")].into(),
            documents: self.documents.clone(),
            clock: Arc::new(FixedClock(now)),
            ..Ports::new(Arc::new(Affected::new(&self.broker, crash)), Arc::new(Affected::new(&self.store, crash)))
        };
        let config: Config = Env::from_pairs([
            ("PODLEDGER_COLLECTIONS", "apis,teams,backendservices"),
            ("PODLEDGER_SNAPSHOT_PART_OBJECTS", "3"),
            ("PODLEDGER_SNAPSHOT_RELISTS", "2"),
            ("PODLEDGER_SNAPSHOT_RELIST_DELAY", "0"),
        ])
        .read()
        .unwrap();
        let stage = crate::stage(&config, &ports).unwrap();
        let encoded = request.encode().unwrap();
        let incoming = Incoming {
            message_id: "m-1".to_owned(),
            payload: encoded.bytes,
            attributes: encoded.attributes,
            ordering_key: None,
            published_at: now,
            delivery_attempt: 1,
        };
        stage.consumers[0].handle.handle_incoming(&incoming).await
    }

    async fn snapshot(&self, cluster: ScriptedCluster) -> Result<Manifest, HandleError> {
        self.handle(&request("prod"), &Arc::new(cluster), &Effects::sound()).await?;
        Ok(self.manifest())
    }

    fn manifest(&self) -> Manifest {
        serde_json::from_slice(&self.store.get(MANIFEST).unwrap()).unwrap()
    }

    fn published<M: Message>(&self) -> Vec<M> {
        self.broker.published()
    }

    /// The lines of a kind's parts, part by part.
    fn lines(&self, kind: &KindManifest) -> Vec<Vec<Value>> {
        let lines = |key: &str| {
            let stored = self.store.get(key).unwrap();
            let mut text = String::new();
            flate2::read::GzDecoder::new(&*stored).read_to_string(&mut text).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        kind.parts.iter().map(|part| lines(&part.object)).collect()
    }

    /// What a snapshot says, whatever attempt it took.
    fn content(&self) -> Vec<(String, bool, Vec<Vec<Value>>)> {
        let kinds = self.manifest().kinds;
        kinds.into_iter().map(|(name, kind)| (name, kind.complete, self.lines(&kind))).collect()
    }
}

fn request(cluster: &str) -> SnapshotRequest {
    SnapshotRequest {
        request_id: "s-1".to_owned(),
        cluster: cluster.to_owned(),
        kinds: Vec::new(),
        requested_at: 0,
        requested_by: "a test".to_owned(),
        purpose: Purpose::Manual,
    }
}

fn object(namespace: &str, name: &str) -> RawObject {
    RawObject::Json(json!({"metadata": {"namespace": namespace, "name": name}}).to_string().into())
}

fn pods(count: usize) -> Vec<RawObject> {
    (0..count).map(|index| object("team", &format!("pod-{index}"))).collect()
}

fn of_pods(pages: Vec<Page>, resource_version: &'static str) -> Script {
    Script { pages, resource_version, known_gaps: None }
}

#[tokio::test]
async fn a_snapshot_has_every_kind_in_bounded_parts_and_announces_each_part() {
    let world = World::default();
    let manifest = world.snapshot(ScriptedCluster::default().objects(Kind::Pods, pods(7))).await.unwrap();
    assert_eq!(manifest.kinds.keys().count(), Kind::ALL.len());
    let pods = &manifest.kinds["pods"];
    assert_eq!(pods.parts.iter().map(|part| part.object_count).collect::<Vec<_>>(), [3, 3, 1]);
    assert_eq!((pods.object_count, pods.resource_version.as_str(), pods.complete), (7, "7", true));
    for (part, lines) in pods.parts.iter().zip(world.lines(pods)) {
        assert_eq!(part.object_count, lines.len() as i64);
        assert_eq!(part.bytes, world.store.get(&part.object).unwrap().len() as i64);
    }
    let batches: Vec<RawBatch> = world.published();
    assert_eq!(batches.len(), manifest.kinds.values().map(|kind| kind.parts.len()).sum::<usize>());
    let of_pods: Vec<_> = batches.iter().filter(|batch| batch.kind == "pods").collect();
    assert_eq!(of_pods.iter().map(|batch| (batch.part, batch.parts)).collect::<Vec<_>>(), [(0, 3), (1, 3), (2, 3)]);
    assert!(batches.iter().all(|batch| batch.manifest == MANIFEST && batch.purpose == Purpose::Manual));
}

#[tokio::test]
async fn a_redelivered_snapshot_publishes_the_same_batches() {
    let world = World::default();
    world.snapshot(ScriptedCluster::default().objects(Kind::Pods, pods(7))).await.unwrap();
    let first: Vec<RawBatch> = world.published();
    let keys = world.store.all();
    world.broker.clear();
    // The cluster looks different by now, which must not matter.
    world.snapshot(ScriptedCluster::default().objects(Kind::Pods, pods(99))).await.unwrap();
    assert_eq!(world.published::<RawBatch>(), first);
    assert_eq!(world.store.all(), keys);
}

#[tokio::test]
async fn a_crash_between_any_two_effects_changes_nothing_in_the_end() {
    let cluster = || Arc::new(ScriptedCluster::default().objects(Kind::Pods, pods(7)).objects(Kind::Nodes, pods(1)));
    let undisturbed = World::default();
    undisturbed.handle(&request("prod"), &cluster(), &Effects::sound()).await.unwrap();
    let expected = undisturbed.content();
    let mut crashes = 0;
    for after in [false, true] {
        for effect in 1.. {
            let world = World::default();
            let crash = Effects::crash_at(effect, after);
            let crashed = world.handle(&request("prod"), &cluster(), &crash).await;
            if !crash.has_crashed() {
                break;
            }
            assert!(matches!(crashed, Err(HandleError::Outage(_))), "{crashed:?}");
            crashes += 1;
            world.handle(&request("prod"), &cluster(), &Effects::sound()).await.unwrap();
            assert_eq!(world.content(), expected, "effect {effect}, after {after}");
            // Whatever was announced, before the crash too, is the manifest's.
            let manifest = world.manifest();
            let batches: Vec<RawBatch> = world.published();
            let of_manifest = crate::batches::of(&manifest, &schemas::keys::SnapshotKeys::of(MANIFEST).unwrap());
            assert!(of_manifest.iter().all(|batch| batches.contains(batch)), "effect {effect}, after {after}");
            assert!(batches.iter().all(|batch| of_manifest.contains(batch)), "effect {effect}, after {after}");
        }
    }
    // Eight parts, the manifest and the messages, each before and after.
    assert_eq!(crashes, 2 * (8 + 1 + 1));
}

#[tokio::test]
async fn an_expired_list_is_begun_again_and_its_pages_are_never_mixed() {
    let old = |name: &str| vec![object("old", name); 3];
    let expired = of_pods(vec![Page::Objects(old("a")), Page::Objects(old("b")), Page::Expired], "1");
    let whole = of_pods(vec![Page::Objects(pods(4))], "2");
    let world = World::default();
    let manifest = world.snapshot(ScriptedCluster::default().with(Kind::Pods, [expired, whole])).await.unwrap();
    let pods = &manifest.kinds["pods"];
    assert_eq!((pods.complete, pods.resource_version.as_str(), pods.object_count), (true, "2", 4));
    assert!(world.lines(pods).concat().iter().all(|line| line["metadata"]["namespace"] == "team"));
    let attempts = |kind: &str| -> Vec<i64> {
        world.published::<RawBatch>().iter().filter(|batch| batch.kind == kind).map(|batch| batch.attempt).collect()
    };
    assert_eq!((attempts("pods"), attempts("nodes")), (vec![2, 2], vec![1]));
}

#[tokio::test]
async fn a_kind_that_stays_away_makes_the_snapshot_incomplete_and_harms_no_other() {
    let partly = of_pods(vec![Page::Objects(pods(5)), Page::Unavailable], "1");
    let cluster = ScriptedCluster::default()
        .with(Kind::Pods, [partly])
        .with(Kind::Nodes, [of_pods(vec![Page::Refused], ""), of_pods(vec![Page::Objects(pods(1))], "1")])
        .objects(Kind::Deployments, pods(2));
    let world = World::default();
    let manifest = world.snapshot(cluster).await.unwrap();
    for (kind, reason) in [("pods", "connection refused"), ("nodes", "may not list")] {
        let kind = &manifest.kinds[kind];
        assert!(!kind.complete && kind.parts.is_empty() && kind.object_count == 0);
        assert!(kind.gap.as_ref().unwrap().contains(reason));
    }
    assert!(manifest.kinds["deployments"].complete);
    assert!(world.published::<RawBatch>().iter().all(|batch| batch.kind != "pods"));
}

#[tokio::test]
async fn an_outage_of_every_kind_leaves_no_manifest_and_a_later_delivery_takes_the_snapshot() {
    let world = World::default();
    let down = Kind::ALL
        .iter()
        .fold(ScriptedCluster::default(), |cluster, kind| cluster.with(*kind, [of_pods(vec![Page::Unavailable], "")]));
    assert!(matches!(world.snapshot(down).await, Err(HandleError::Outage(_))));
    assert_eq!((world.store.get(MANIFEST), world.published::<RawBatch>()), (None, Vec::new()));
    let manifest = world.snapshot(ScriptedCluster::default().objects(Kind::Pods, pods(1))).await.unwrap();
    assert!(manifest.kinds.values().all(|kind| kind.complete));
}

#[tokio::test]
async fn a_source_that_knows_of_a_gap_keeps_its_parts_and_is_incomplete() {
    let script = Script {
        pages: vec![Page::Objects(pods(2))],
        resource_version: "",
        known_gaps: Some("pods.json ends within an object"),
    };
    let world = World::default();
    let manifest = world.snapshot(ScriptedCluster::default().with(Kind::Pods, [script])).await.unwrap();
    let pods = &manifest.kinds["pods"];
    assert_eq!((pods.complete, pods.object_count, pods.parts.len()), (false, 2, 1));
    assert_eq!(pods.gap.as_deref(), Some("pods.json ends within an object"));
}

#[tokio::test]
async fn excluded_namespaces_are_counted_and_objects_of_the_cluster_never_excluded() {
    let objects = || vec![object("kube-system", "a"), object("team", "b"), object("default", "c")];
    let cluster = ScriptedCluster::default().objects(Kind::Pods, objects()).objects(Kind::Nodes, objects());
    let world = World::default();
    let manifest = world.snapshot(cluster).await.unwrap();
    let (pods, nodes) = (&manifest.kinds["pods"], &manifest.kinds["nodes"]);
    assert_eq!((pods.object_count, pods.excluded_count), (1, 2));
    assert_eq!((nodes.object_count, nodes.excluded_count), (3, 0));
    assert_eq!(world.lines(pods), [[json!({"metadata": {"namespace": "team", "name": "b"}})]]);
}

#[tokio::test]
async fn what_cannot_be_read_becomes_a_line_that_says_why_beside_its_neighbours() {
    let unreadable = RawObject::Unreadable { place: "a.yaml:3".to_owned(), reason: "x".repeat(5_000) };
    let objects = vec![object("team", "a"), RawObject::Json("{\"metadata\":".into()), object("team", "b")];
    let cluster = ScriptedCluster::default().objects(Kind::Pods, objects).objects(Kind::Unreadable, vec![unreadable]);
    let world = World::default();
    let manifest = world.snapshot(cluster).await.unwrap();
    let lines = world.lines(&manifest.kinds["pods"]).concat();
    assert_eq!(lines.len(), 3);
    let line: UnreadableLine = serde_json::from_value(lines[1].clone()).unwrap();
    assert_eq!(line.unreadable.place, "item 1 of pods");
    assert!(line.unreadable.reason.contains("byte 12"), "{}", line.unreadable.reason);
    let lines = world.lines(&manifest.kinds["unreadable"]).concat();
    assert_eq!(lines[0]["podledger.unreadable"]["place"], "a.yaml:3");
    assert_eq!(lines[0]["podledger.unreadable"]["reason"].as_str().unwrap().len(), 1_000);
}

#[tokio::test]
async fn an_empty_kind_has_one_empty_part_and_nothing_unreadable_is_no_kind() {
    let world = World::default();
    let manifest = world.snapshot(ScriptedCluster::default()).await.unwrap();
    assert!(!manifest.kinds.contains_key("unreadable"));
    for kind in manifest.kinds.values() {
        assert_eq!((kind.object_count, world.lines(kind)), (0, vec![vec![]]));
    }
}

#[tokio::test]
async fn only_the_kinds_asked_for_are_listed() {
    let world = World::default();
    let request = SnapshotRequest { kinds: vec!["pods".to_owned(), "pods".to_owned()], ..request("prod") };
    world.handle(&request, &Arc::default(), &Effects::sound()).await.unwrap();
    assert_eq!(world.manifest().kinds.keys().collect::<Vec<_>>(), ["pods"]);
}

#[tokio::test]
async fn who_loses_the_race_for_the_manifest_announces_the_winners_parts() {
    let rival = World::default();
    rival.snapshot(ScriptedCluster::default().objects(Kind::Pods, pods(1))).await.unwrap();
    let manifest = rival.store.get(MANIFEST).unwrap();
    let world = World::default();
    world.store.rival(move |key| (key == MANIFEST).then(|| (key.to_owned(), manifest.clone())));
    let announced = world.snapshot(ScriptedCluster::default().objects(Kind::Pods, pods(9))).await.unwrap();
    assert_eq!(announced.kinds["pods"].object_count, 1);
    assert_eq!(world.published::<RawBatch>(), rival.published::<RawBatch>());
}

#[tokio::test]
async fn who_meets_another_attempts_part_begins_anew_under_another_number() {
    let world = World::default();
    let contested = "raw/prod/2026-10-01/s-1/1/pods-1.ndjson.gz";
    world.store.rival(move |key| (key == contested).then(|| (key.to_owned(), "the rival's".into())));
    let manifest = world.snapshot(ScriptedCluster::default().objects(Kind::Pods, pods(7))).await.unwrap();
    assert_eq!(manifest.attempt, 2);
    assert!(manifest.kinds["pods"].parts.iter().all(|part| part.object.contains("/s-1/2/pods-")));
    assert_eq!(world.store.get(contested).unwrap(), "the rival's");
}

#[tokio::test]
async fn a_request_for_all_clusters_becomes_one_for_each() {
    let world = World::default();
    world.handle(&request("*"), &Arc::default(), &Effects::sound()).await.unwrap();
    let requests: Vec<SnapshotRequest> = world.published();
    assert_eq!(requests.iter().map(|request| request.cluster.as_str()).collect::<Vec<_>>(), ["prod", "test"]);
    assert!(requests.iter().all(|request| request.purpose == Purpose::Manual));
    let keys: Vec<_> = world.broker.messages().into_iter().map(|(_, message)| message.ordering_key).collect();
    assert_eq!(keys, [Some("prod".to_owned()), Some("test".to_owned())]);
    assert!(world.store.all().is_empty());
}

#[tokio::test]
async fn a_request_that_can_never_be_met_is_poison() {
    let world = World::default();
    let error = world.handle(&request("prd"), &Arc::default(), &Effects::sound()).await.unwrap_err();
    assert!(
        matches!(&error, HandleError::Poison(_)) && error.to_string().contains("did you mean \"prod\"?"),
        "{error}"
    );
    assert!(world.broker.messages().iter().all(|(topic, _)| *topic != Topic::RawBatches));
}
