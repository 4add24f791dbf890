use std::collections::{BTreeMap, BTreeSet};

use futures::TryStreamExt as _;
use proptest::prelude::*;
use schemas::ReplicaField;
use serde_json::Value;

use super::history::What;
use super::*;

const DAY: i64 = 86_400;

fn settings(deployments: u32) -> SimSettings {
    SimSettings { deployments, ..SimSettings::default() }
}

fn later(settings: &SimSettings, seconds: i64) -> Timestamp {
    Timestamp::from_micros(settings.start.micros() + seconds * 1_000_000)
}

async fn values(cluster: &SimCluster, kind: Kind, at: Timestamp) -> Vec<Value> {
    let pages: Vec<KindPage> = cluster.list(kind, at).await.unwrap().pages.try_collect().await.unwrap();
    let value = |object| match object {
        RawObject::Json(bytes) => serde_json::from_slice(&bytes).unwrap(),
        RawObject::Unreadable { place, reason } => panic!("{place}: {reason}"),
    };
    pages.into_iter().flat_map(|page| page.objects).map(value).collect()
}

/// `spec.replicas` of every Deployment and `maxReplicas` of every autoscaler, by kind and name.
async fn numbers(cluster: &SimCluster, at: Timestamp) -> BTreeMap<(String, String, String), i64> {
    let mut numbers = BTreeMap::new();
    for (kind, field) in [(Kind::Deployments, "replicas"), (Kind::HorizontalPodAutoscalers, "maxReplicas")] {
        for object in values(cluster, kind, at).await {
            let text = |key: &str| object["metadata"][key].as_str().unwrap().to_owned();
            numbers
                .insert((kind.to_string(), text("namespace"), text("name")), object["spec"][field].as_i64().unwrap());
        }
    }
    numbers
}

#[tokio::test]
async fn what_a_deployment_says_is_what_its_pods_are() {
    let settings = settings(24);
    let cluster = SimCluster::new(3, settings);
    let start = settings.start.micros() / 1_000_000;
    let rollouts = (0..6).flat_map(|index| {
        let moments = Workload::at(3, &settings, index).moments(start, start + 14 * DAY);
        let deployed =
            moments.into_iter().filter(|(_, what)| matches!(what, Some(What::Deploy | What::DeployAsDeclared)));
        deployed.take(3).map(|(at, _)| at - start + 60)
    });
    let mut rolling = 0;
    for look in rollouts.chain((0..20).map(|look| look * 50_000)) {
        let at = later(&settings, look);
        let mut pods = BTreeMap::<String, i64>::new();
        let sets: BTreeMap<_, _> = values(&cluster, Kind::ReplicaSets, at)
            .await
            .into_iter()
            .map(|set| (set["metadata"]["uid"].to_string(), set["metadata"]["ownerReferences"][0]["uid"].to_string()))
            .collect();
        for pod in values(&cluster, Kind::Pods, at).await {
            *pods.entry(sets[&pod["metadata"]["ownerReferences"][0]["uid"].to_string()].clone()).or_default() += 1;
        }
        for deployment in values(&cluster, Kind::Deployments, at).await {
            let (desired, actual) = (&deployment["spec"]["replicas"], &deployment["status"]["replicas"]);
            assert_eq!(pods.get(&deployment["metadata"]["uid"].to_string()).copied(), actual.as_i64());
            let desired = desired.as_i64().unwrap();
            assert!((desired..=desired + (desired + 3) / 4).contains(&actual.as_i64().unwrap()), "{deployment}");
            rolling += i64::from(actual.as_i64().unwrap() > desired);
        }
    }
    assert!(rolling > 0, "some rollouts were seen");
}

#[tokio::test]
async fn the_story_accounts_for_every_difference_between_two_looks() {
    let settings = settings(60);
    let cluster = SimCluster::new(11, settings);
    for (from, to) in [(0, DAY), (DAY / 3, 9 * DAY), (-40 * DAY, -36 * DAY)] {
        let (from, to) = (later(&settings, from), later(&settings, to));
        let mut told = numbers(&cluster, from).await;
        for change in changes(11, &settings, from, to) {
            let kind = match (change.target_kind, change.field) {
                ("Deployment", ReplicaField::Replicas) => Kind::Deployments,
                (_, ReplicaField::MaxReplicas) => Kind::HorizontalPodAutoscalers,
                _ => continue,
            };
            let key = (kind.to_string(), change.namespace, change.deployment);
            assert_eq!(told.get(&key).copied(), change.old, "{key:?} at {}", change.at);
            match change.new {
                Some(new) => told.insert(key, new),
                None => told.remove(&key),
            };
        }
        assert_eq!(told, numbers(&cluster, to).await);
    }
}

#[test]
fn a_month_has_everything_worth_telling() {
    let settings = settings(60);
    let (from, to) = (settings.start, later(&settings, 30 * DAY));
    let limits = declared_limits(5, &settings);
    assert!(limits.iter().any(|limit| limit.declared_at > settings.start), "a limit is raised");
    assert!(limits.iter().all(|limit| (2..=8).contains(&limit.max_replicas)));
    let declared: BTreeSet<_> = limits.iter().map(|limit| (&limit.namespace, &limit.deployment)).collect();
    assert!(declared.len() < 60, "somebody did not declare");
    let changes = changes(5, &settings, from, to);
    let people =
        |field| changes.iter().filter(move |change| change.field == field && change.actor.contains("@example.com"));
    assert!(
        people(ReplicaField::Replicas).any(|change| change.new > change.old && change.old.is_some()),
        "scaled by hand"
    );
    assert!(people(ReplicaField::MaxReplicas).any(|change| change.new > change.old), "a ceiling was raised");
    assert!(changes.iter().any(|change| change.actor.contains("horizontal-pod-autoscaler")), "autoscaled");
    assert!(
        changes.iter().any(|change| change.verb == "delete") && changes.iter().any(|change| change.verb == "create")
    );
    assert!(changes.is_sorted_by_key(|change| change.at));
}

#[tokio::test]
async fn a_recreated_workload_is_another_one() {
    let settings = settings(60);
    let cluster = SimCluster::new(5, settings);
    let deleted = changes(5, &settings, settings.start, later(&settings, 30 * DAY))
        .into_iter()
        .find(|change| change.verb == "delete" && change.target_kind == "Deployment")
        .unwrap();
    let seconds = |offset: i64| Timestamp::from_micros(deleted.at.micros() + offset * 1_000_000);
    let uid = async |at| {
        let deployments = values(&cluster, Kind::Deployments, at).await;
        let found = deployments.into_iter().find(|deployment| {
            deployment["metadata"]["name"] == deleted.deployment.as_str()
                && deployment["metadata"]["namespace"] == deleted.namespace.as_str()
        });
        found.map(|deployment| deployment["metadata"]["uid"].to_string())
    };
    let (before, away, after) = (uid(seconds(-1)).await, uid(seconds(10)).await, uid(seconds(600)).await);
    assert!(before.is_some() && away.is_none() && after.is_some() && before != after, "{before:?} {away:?} {after:?}");
}

#[tokio::test]
async fn pods_are_as_large_as_real_ones() {
    let cluster = SimCluster::new(1, settings(60));
    let sizes: Vec<_> = (0..200).map(|position| cluster.sample_pod(position).len()).collect();
    let mean = sizes.iter().sum::<usize>() / sizes.len();
    assert!((6_200..6_800).contains(&mean), "{mean} bytes");
    let pod: Value = serde_json::from_slice(&cluster.sample_pod(7)).unwrap();
    assert_eq!(pod["kind"], "Pod");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_seed_and_time_give_a_sane_state(seed in any::<u64>(), index in 0_u64..100_000, offset in -400 * DAY..4000 * DAY) {
        let settings = settings(100_000);
        let workload = Workload::at(seed, &settings, index);
        let at = settings.start.micros() / 1_000_000 + offset;
        prop_assert_eq!(workload.state(at), workload.state(at));
        if let Some(state) = workload.state(at) {
            prop_assert!((1..=16).contains(&state.replicas), "{:?}", state);
            prop_assert!(state.created <= at && state.version <= at && state.created <= state.version, "{:?}", state);
            prop_assert!(state.version_before.is_none_or(|before| before < state.version), "{:?}", state);
            prop_assert!(state.changed <= at && state.changed >= state.created, "{:?}", state);
        }
    }
}
