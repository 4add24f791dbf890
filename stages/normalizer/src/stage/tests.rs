//! The handler against a folder of objects: what it stores and publishes, also when it is
//! disturbed between any two effects.

mod world;

use platform::ports::{Objects as _, PortError};
use schemas::{GkeClusters, GkePods, RejectedRows, Row, RowReader};
use serde_json::{Value, json};

use super::*;
use world::{Trouble, World};

fn pod(name: &str, owner: &str) -> Value {
    json!({"metadata": {
        "name": name, "namespace": "payments", "labels": {"pod-template-hash": "5d4f"},
        "ownerReferences": [{"kind": "ReplicaSet", "uid": owner, "name": "by-hash-5d4f", "controller": true}],
    }})
}

fn replica_set(uid: &str, deployment: &str) -> Value {
    json!({"metadata": {
        "name": format!("{deployment}-5d4f"), "namespace": "payments", "uid": uid,
        "ownerReferences": [{"kind": "Deployment", "name": deployment, "controller": true}],
    }})
}

/// A cluster with two parts of pods, one of them with bad objects, and owners in two parts.
async fn example() -> World {
    let mut world = World::new();
    let bad = json!({"metadata": {"name": "bad"}, "spec": {"containers": 7}});
    let unreadable = json!({"podledger.unreadable": {"place": "a.json item 2", "reason": "it ends early"}});
    world
        .kind(
            "pods",
            true,
            &[&[pod("a-1", "r1"), pod("a-2", "r1"), bad, unreadable], &[pod("b-1", "r2"), pod("c-1", "r9")]],
        )
        .await;
    world
        .kind("replicasets", true, &[&[replica_set("r1", "a")], &[replica_set("r2", "b"), json!({"metadata": {}})]])
        .await;
    world.kind("nodes", true, &[&[json!({"metadata": {"name": "n1"}}), json!({"metadata": {"name": "n2"}})]]).await;
    world.kind("clusters", true, &[&[json!({"gitVersion": "v1.31.2", "platform": "linux/amd64"})]]).await;
    world.finish().await;
    world
}

async fn rows<R: Row>(world: &World, batch: &RowBatch) -> Vec<R> {
    let bytes = world.bytes(&batch.object).await;
    RowReader::read(&bytes[..]).unwrap().map(Result::unwrap).collect()
}

#[tokio::test]
async fn every_object_becomes_rows_or_a_reject_and_is_counted() {
    let world = example().await;
    let published = world.handle_all().await;
    assert_eq!(published.len(), 6);
    for (batch, announced) in world.batches.iter().zip(&published) {
        assert_eq!(announced.object_count + announced.reject_count, batch.object_count, "{announced:?}");
        assert_eq!((&announced.kind, announced.part, announced.parts), (&batch.kind, batch.part, batch.parts));
        let note = world.bytes(&world.keys.done_part(0, &batch.kind, batch.part)).await;
        assert_eq!(serde_json::from_slice::<RowBatch>(&note).unwrap(), *announced);
    }
    let [first, second, owners, more_owners, _, cluster] = &published[..] else { panic!("{published:?}") };
    let owner = |row: &GkePods| (row.name.clone(), row.deployment_name.clone(), row.owner_method.clone());
    let found: Vec<_> = rows(&world, first).await.iter().chain(&rows(&world, second).await).map(owner).collect();
    let expected = [("a-1", "a", "uid"), ("a-2", "a", "uid"), ("b-1", "b", "uid"), ("c-1", "by-hash", "hash")];
    assert_eq!(found, expected.map(|(name, of, how)| (name.to_owned(), Some(of.to_owned()), how.to_owned())));
    let rejects = world.bytes(&first.reject_object).await;
    let rejects: Vec<RejectedRows> = rejects
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    let reasons: Vec<&str> = rejects.iter().map(|reject| reject.reason.as_str()).collect();
    assert_eq!(reasons, ["pod default/bad: spec.containers is 7, expected a list", "a.json item 2: it ends early"]);
    assert_eq!(
        (first.reject_count, rejects[0].line, rejects[0].raw_object.as_ref()),
        (2, Some(2), Some(&world.batches[0].object))
    );
    assert_eq!((second.reject_count, second.reject_object.as_str()), (0, ""));
    assert_eq!((owners.table.as_str(), owners.object.as_str(), owners.row_count, owners.object_count), ("", "", 0, 1));
    assert_eq!((more_owners.object_count, more_owners.reject_count), (1, 1));
    let cluster = rows::<GkeClusters>(&world, cluster).await.remove(0);
    assert_eq!(
        (cluster.name.as_str(), cluster.version.as_deref(), cluster.node_count),
        ("prod-uk", Some("v1.31.2"), Some(2))
    );
}

#[tokio::test]
async fn a_redelivered_part_publishes_the_same_batch_and_changes_nothing() {
    let world = example().await;
    let (first, stored) = (world.handle_all().await, world.stored().await);
    let again = world.handle_all().await;
    assert_eq!((first, stored), (again, world.stored().await));
    let restarted = World::restarted(&world);
    assert_eq!(restarted.handle_all().await.len(), 6);
    assert_eq!(world.stored().await, restarted.stored().await);
}

#[tokio::test]
async fn a_handler_stopped_between_any_two_effects_ends_as_if_it_had_not_been() {
    let undisturbed = example().await;
    let (published, stored) = (undisturbed.handle_all().await, undisturbed.stored().await);
    for after in 0..16 {
        for trouble in [Trouble::BeforeWrite(after), Trouble::AfterWrite(after)] {
            let world = example().await;
            world.objects.set(trouble);
            let mut outages = 0;
            for batch in &world.batches {
                if let Err(error) = world.handle(batch).await {
                    assert!(matches!(error, HandleError::Outage(_)), "{error}");
                    outages += 1;
                }
            }
            let again = World::restarted(&world).handle_all().await;
            assert_eq!((&again, world.stored().await), (&published, stored.clone()), "{trouble:?}");
            // 2 rejects, 4 files of rows, 6 notes are written: each is a place to stop once.
            assert_eq!(outages, usize::from(after < 12), "{trouble:?}");
        }
    }
}

#[tokio::test]
async fn what_an_unfinished_other_version_left_is_replaced() {
    let world = example().await;
    let key = world.keys.rows_part(0, schemas::Table::GkePods, 0);
    world.put(&key, b"rows of another version").await;
    let published = world.handle_all().await;
    assert_eq!(rows::<GkePods>(&world, &published[0]).await.len(), 2);
}

#[tokio::test]
async fn of_an_incomplete_listing_the_replica_sets_that_are_there_tell_the_owner() {
    let mut world = World::new();
    world.kind("pods", true, &[&[pod("a-1", "r1"), pod("c-1", "r9")]]).await;
    world.kind("replicasets", false, &[&[replica_set("r1", "a")]]).await;
    world.kind("nodes", false, &[]).await;
    world.kind("clusters", true, &[&[json!({})]]).await;
    world.finish().await;
    let published = world.handle_all().await;
    let rows_of_pods = rows::<GkePods>(&world, &published[0]).await;
    let found: Vec<_> =
        rows_of_pods.iter().map(|row| (row.deployment_name.as_deref(), row.owner_method.as_str())).collect();
    assert_eq!(found, [(Some("a"), "uid"), (Some("by-hash"), "hash")]);
    assert_eq!(rows::<GkeClusters>(&world, &published[2]).await[0].node_count, None);
}

#[tokio::test]
async fn what_will_never_succeed_is_poison_and_names_the_reason() {
    let world = example().await;
    let pods = &world.batches[0];
    let elsewhere = RawBatch { object: "raw/prod-uk/2026-10-01/other/1/pods-0.ndjson.gz".into(), ..pods.clone() };
    let cases = [
        (RawBatch { kind: "secrets".into(), ..pods.clone() }, "kind \"secrets\" is not known here"),
        (RawBatch { manifest: "state/x".into(), ..pods.clone() }, "not the key of a snapshot's object"),
        (RawBatch { snapshot_id: "s2".into(), ..pods.clone() }, "is not of snapshot s2"),
        (RawBatch { cluster: "other".into(), ..pods.clone() }, "of cluster other"),
        (elsewhere, "is not of that snapshot"),
        (RawBatch { part: 2, ..pods.clone() }, "part 2 of 2 parts of pods cannot be"),
        (RawBatch { part: -1, ..pods.clone() }, "part -1 of 2 parts"),
        (RawBatch { revision: -1, ..pods.clone() }, "revision -1 cannot be"),
        (RawBatch { object_count: -1, ..pods.clone() }, "-1 objects, expected 0 to 250000"),
        (RawBatch { object_count: i64::MAX, ..pods.clone() }, "expected 0 to 250000"),
        (RawBatch { object_count: 5, ..pods.clone() }, "it holds 4 objects, 5 were announced"),
        (RawBatch { object: format!("{}1/pods-9.ndjson.gz", world.keys.raw_prefix()), ..pods.clone() }, "is gone"),
        (RawBatch { object: world.keys.manifest(), ..pods.clone() }, "raw part"),
    ];
    for (batch, expected) in cases {
        match world.handle(&batch).await {
            Err(HandleError::Poison(reason)) => assert!(format!("{reason:#}").contains(expected), "{reason:#}"),
            other => panic!("{expected}: {other:?}"),
        }
    }
    assert!(world.published().is_empty());
    let world = example().await;
    world.objects.delete(&world.keys.manifest()).await.unwrap();
    match world.handle(&world.batches[0]).await {
        Err(HandleError::Poison(reason)) => assert!(format!("{reason:#}").contains("manifest"), "{reason:#}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_is_away_is_an_outage_and_leaves_no_trace_in_memory() {
    let world = example().await;
    for trouble in [Trouble::NoReads, Trouble::BrokenBodies] {
        world.objects.set(trouble);
        let failed = world.handle(&world.batches[0]).await;
        assert!(matches!(failed, Err(HandleError::Outage(_))), "{trouble:?}: {failed:?}");
    }
    world.objects.set(Trouble::None);
    world.broker.set_away(true);
    let failed = world.handle(&world.batches[0]).await;
    assert!(matches!(failed, Err(HandleError::Outage(_))), "{failed:?}");
    world.broker.set_away(false);
    assert_eq!(world.handle_all().await.len(), 6);
    let error = HandleError::from(PortError::never_will("read", anyhow!("denied")));
    assert!(matches!(error, HandleError::Poison(_)));
}
