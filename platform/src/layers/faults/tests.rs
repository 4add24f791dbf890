use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use schemas::{Subscription, Topic};

use super::*;
use crate::layers::scripted::{ScriptedBroker, ScriptedObjects, Settled, message};
use crate::ports::{Broker as _, Flow, Objects as _, Outgoing};

fn faults(spec: &str) -> Faults {
    Faults::new(spec.parse().unwrap())
}

fn refusal(spec: &str) -> String {
    spec.parse::<FaultSpec>().unwrap_err().to_string()
}

#[test]
fn a_specification_is_read_as_written() {
    let spec: FaultSpec = "crash=normalizer.objects.create.after:3,fail=0.05,seed=7,when=after".parse().unwrap();
    assert_eq!(spec.crash, Some(CrashAt { point: "normalizer.objects.create.after".to_owned(), nth: 3 }));
    assert_eq!((spec.fail, spec.seed, spec.when), (0.05, 7, When::After));
    let spec: FaultSpec = "duplicate=0.1, reorder=1".parse().unwrap();
    assert_eq!((spec.duplicate, spec.reorder, spec.fail, spec.crash), (0.1, 1.0, 0.0, None));
}

#[test]
fn a_slip_in_a_specification_names_the_nearest_right_word() {
    assert!(refusal("crsh=x").contains("did you mean \"crash\"?"));
    assert!(refusal("crash=normaliser.object.create.after").contains("\"normalizer.objects.create.after\"?"));
    assert!(refusal("fail=0.1,when=befor").contains("\"before\"?"));
    for wrong in ["", "fail", "fail=2", "fail=-0.1", "fail=NaN", "seed=x", "fail=0.1,fail=0.2", "crash=x:0"] {
        assert!(wrong.parse::<FaultSpec>().is_err(), "{wrong:?}");
    }
    assert!(refusal("crash=notifier.channel.send.before:0").contains("from 1 on"));
}

#[test]
fn every_stage_has_points_and_every_point_can_be_specified() {
    for stage in ["snapshotter", "normalizer", "loader", "evaluator", "notifier"] {
        let points = points(stage);
        assert!(points.contains(&format!("{stage}.broker.ack.before")), "{stage}");
        assert_eq!(points.iter().collect::<BTreeSet<_>>().len(), points.len(), "{stage}");
        for point in points {
            assert!(format!("crash={point}").parse::<FaultSpec>().is_ok(), "{point}");
        }
    }
    assert!(points("notifier").contains(&"notifier.channel.send.after".to_owned()));
    assert!(points("evaluator").iter().all(|point| !point.contains("warehouse.load")));
    assert!(points("loader").contains(&"loader.warehouse.put_rejects.before".to_owned()));
    assert!(points("nobody").is_empty());
}

#[tokio::test]
async fn a_failure_before_has_no_effect_and_one_after_has() {
    for (when, effect) in [("before", false), ("after", true)] {
        let inner = Arc::new(ScriptedObjects::default());
        let points = faults(&format!("fail=1,when={when}")).points("loader");
        let result = FaultyObjects::new(inner.clone(), points).replace_if("k", None, Bytes::new()).await;
        match effect {
            false => assert!(matches!(result, Err(PortError::DidNotHappen { .. }))),
            true => assert!(matches!(result, Err(PortError::MayHaveHappened { .. }))),
        }
        assert_eq!(inner.objects.lock().unwrap().contains_key("k"), effect, "{when}");
    }
}

#[tokio::test]
async fn the_same_seed_fails_the_same_calls() {
    async fn outcomes(spec: &str) -> Vec<bool> {
        let objects = FaultyObjects::new(Arc::new(ScriptedObjects::default()), faults(spec).points("loader"));
        let mut outcomes = Vec::new();
        for _ in 0..64 {
            outcomes.push(objects.delete("k").await.is_ok());
        }
        outcomes
    }
    let seven = outcomes("fail=0.5,seed=7").await;
    assert_eq!(seven, outcomes("fail=0.5,seed=7").await);
    assert_ne!(seven, outcomes("fail=0.5,seed=8").await);
    assert!(seven.contains(&true) && seven.contains(&false));
}

#[tokio::test]
async fn a_duplicated_publish_is_published_twice() {
    let inner = ScriptedBroker::default();
    let broker = FaultyBroker::new(Arc::new(inner.clone()), faults("duplicate=1").points("loader"));
    let ids = broker.publish(Topic::RawBatches, vec![Outgoing::default()]).await.unwrap();
    assert_eq!((ids.len(), inner.published().len()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn reordered_deliveries_overtake_each_other_and_none_is_lost() {
    let sent: Vec<String> = (0..40).map(|n| format!("{n:02}")).collect();
    let inner = ScriptedBroker::delivering(sent.iter().map(|id| message(id)));
    let broker = FaultyBroker::new(Arc::new(inner.clone()), faults("reorder=0.5,seed=1").points("loader"));
    let flow = Flow { max_outstanding: 100, lease: Duration::from_secs(30) };
    let mut receiver = broker.subscribe(Subscription::new(Topic::RowBatches, "loader"), flow).await.unwrap();
    let mut received = Vec::new();
    for _ in &sent {
        let next = tokio::time::timeout(Duration::from_secs(60), receiver.next()).await;
        let delivery = next.expect("every delivery comes in the end").unwrap();
        received.push(delivery.message.message_id.clone());
        assert!(delivery.ack().await.unwrap());
    }
    assert_ne!(received, sent);
    assert_eq!(received.iter().collect::<BTreeSet<_>>(), sent.iter().collect::<BTreeSet<_>>());
    assert_eq!(inner.settled().len(), sent.len());
}

#[tokio::test]
async fn a_settlement_that_fails_before_its_effect_settles_nothing() {
    let inner = ScriptedBroker::delivering([message("a")]);
    let broker = FaultyBroker::new(Arc::new(inner.clone()), faults("fail=1,when=before").points("loader"));
    let flow = Flow { max_outstanding: 1, lease: Duration::from_secs(30) };
    let mut receiver = broker.subscribe(Subscription::new(Topic::RowBatches, "loader"), flow).await.unwrap();
    assert!(receiver.next().await.unwrap().ack().await.is_err());
    assert_eq!(inner.settled(), Vec::<Settled>::new());
}

#[test]
fn points_that_are_off_do_nothing() {
    Points::off().before("channel.send");
    faults("crash=notifier.channel.send.before:2").points("notifier").before("channel.send");
    assert!(!Faults::off().are_on());
}
