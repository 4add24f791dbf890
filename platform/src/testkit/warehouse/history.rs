//! Two months of several clusters from a seed, to ask two warehouses the same.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use schemas::ddl::{Dialect, Relation};
use schemas::{
    AlertState, ClusterName, Condition, DeadLetters, GkeDeployments, HpaData, Json, LimitDeclaration, Payload,
    PipelineLedger, ReplicaChange, ReplicaField, Rule, Timestamp, Violation,
};

use super::Fixture;
use super::loading::load_rows;
use super::parts::file;
use super::questions::{ask, rows_of};
use super::rows::{
    autoscaler, change, declaration, deployment, ledger, moment, notification, pod, reject, retirement, violation,
};
use super::upserting::upsert;
use crate::ports::{Answer, Limit, Question, RecentChange};

/// Clusters of the history.
const CLUSTERS: [&str; 2] = ["prod-uk", "prod-us"];
/// Workloads of each cluster.
const WORKLOADS: [&str; 5] = ["orders-api", "carts", "bobs", "search", "undeclared"];
/// Snapshots of each cluster.
const SNAPSHOTS: usize = 6;
/// Declarations in all.
const DECLARATIONS: usize = 24;
/// Changes, and transitions, in all.
const EVENTS: usize = 30;
/// Hours from the first moment to the last.
const HOURS: u64 = 60 * 24;

/// What both are asked beside tables, views and questions.
#[derive(Debug, PartialEq)]
pub struct Asked {
    /// What was asked, and the answer.
    pub answers: Vec<(String, Answer)>,
    /// Limits at several moments.
    pub limits: Vec<(Timestamp, Vec<Limit>)>,
    /// Last changes at several moments.
    pub changes: Vec<(Timestamp, Vec<RecentChange>)>,
}

struct Dice(ChaCha8Rng);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0.random_range(0..end)
    }

    fn number(&mut self, range: std::ops::Range<i64>) -> i64 {
        self.0.random_range(range)
    }

    fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.0.random_range(0..choices.len())].clone()
    }

    fn moment(&mut self) -> Timestamp {
        let hours = self.below(HOURS);
        let micros = self.of(&[0, 1, 123_456, 999_999]);
        let start = moment("2026-09-05T00:00:00Z").plus(std::time::Duration::from_secs(hours * 3600));
        Timestamp::from_micros(start.micros() + micros)
    }

    fn cluster(&mut self) -> ClusterName {
        self.of(&CLUSTERS).into()
    }
}

/// Writes the seed's history: the same rows into every warehouse.
pub async fn write(fixture: &Fixture, seed: u64) {
    let mut dice = Dice(ChaCha8Rng::seed_from_u64(seed));
    let declarations: Vec<_> = (0..DECLARATIONS).map(|n| a_declaration(&mut dice, n)).collect();
    upsert(fixture, &declarations).await;
    for cluster in CLUSTERS {
        for number in 0..SNAPSHOTS {
            a_snapshot(fixture, &mut dice, cluster, number).await;
        }
    }
    let changes: Vec<_> = (0..EVENTS).map(|n| a_change(&mut dice, n)).collect();
    upsert(fixture, &changes).await;
    let transitions: Vec<_> = (0..EVENTS).map(|n| a_transition(&mut dice, n)).collect();
    upsert(fixture, &transitions).await;
    let told: Vec<_> = transitions
        .iter()
        .enumerate()
        .map(|(n, transition)| {
            let outcome = dice.of(&["sent", "refused", "silenced"]);
            notification(&format!("n{n:02}"), &transition.event_id, outcome, transition.timestamp)
        })
        .collect();
    upsert(fixture, &told).await;
    let letter = |n: u8| DeadLetters {
        message_id: format!("m{n}"),
        topic: "row-batches".to_owned(),
        subscription: "row-batches--loader".to_owned(),
        stage: "loader".to_owned(),
        reason: "not avro".to_owned(),
        payload: Payload(vec![n, 0, 255, 10]),
        attributes: Json::parse(r#"{"a": "b"}"#).unwrap(),
        received_at: moment("2026-10-01T00:00:00.000001Z"),
    };
    upsert(fixture, &[letter(0), letter(1)]).await;
}

fn a_declaration(dice: &mut Dice, number: usize) -> LimitDeclaration {
    let (id, at) = (format!("d{number:02}"), dice.moment());
    let name = dice.of(&WORKLOADS[..4]);
    if dice.below(8) == 0 {
        return LimitDeclaration { cluster: dice.of(&[None, Some(dice_cluster(number))]), ..retirement(&id, at, name) };
    }
    let limits = [
        None,
        Some(r#"{"cpu": "500m", "memory": "512Mi"}"#),
        Some(r#"{"cpu": "1.5", "memory": "1.5Gi"}"#),
        Some(r#"{"cpu": 2, "memory": 1000}"#),
        Some(r#"{"cpu": "1.1001", "memory": "4G"}"#),
        Some(r#"{"cpu": "1e3", "memory": "4gi"}"#),
        Some(r#"{"cpu": "2000", "memory": "1Ti"}"#),
        Some(r#"{"cpu": ["1"], "memory": {"a": 1}}"#),
        Some("not json"),
        Some("{}"),
        Some("null"),
    ];
    let max_replicas = dice.number(1..9);
    LimitDeclaration {
        cluster: if dice.below(3) == 0 { Some(dice.cluster()) } else { None },
        resources_limits: dice.of(&limits).map(str::to_owned),
        image: dice.of(&[None, Some("orders:1".to_owned()), Some("orders:2".to_owned())]),
        user_id: dice.of(&[None, Some("alice".to_owned()), Some("bob".to_owned())]),
        change_reason: dice.of(&[None, Some("peak's \"over\"\n".to_owned())]),
        updated_at: dice.moment(),
        created_at: dice.moment(),
        ..declaration(&id, at, name, max_replicas)
    }
}

fn dice_cluster(number: usize) -> ClusterName {
    CLUSTERS[number % CLUSTERS.len()].into()
}

async fn a_snapshot(fixture: &Fixture, dice: &mut Dice, cluster: &str, number: usize) {
    let (id, at) = (format!("{cluster}-s{number}"), dice.moment());
    let mut deployments = Vec::new();
    let mut autoscalers = Vec::new();
    for name in WORKLOADS {
        if dice.below(6) == 0 {
            continue;
        }
        deployments.push(a_deployment(dice, &id, cluster, at, name));
        if dice.below(2) == 0 {
            let ceiling = dice.number(2..12);
            let kind = dice.of(&["Deployment", "Deployment", "StatefulSet"]);
            let first = HpaData {
                cluster: cluster.into(),
                scale_target_kind: Some(kind.to_owned()),
                current_replicas: dice.of(&[None, Some(3), Some(5)]),
                team_id: dice.of(&[None, Some("labelled".to_owned())]),
                ..autoscaler(&id, at, name, ceiling)
            };
            if dice.below(2) == 0 {
                let memory = Some("memory".to_owned());
                autoscalers.push(HpaData { metric_name: memory, metric_index: Some(1), ..first.clone() });
            }
            autoscalers.push(first);
        }
    }
    load_rows(fixture, &id, &deployments).await;
    load_rows(fixture, &id, &autoscalers).await;
    let pods: Vec<_> = (0..dice.below(4))
        .map(|n| schemas::GkePods { cluster: cluster.into(), observed_at: at, ..pod(&id, &format!("pod-{n}")) })
        .collect();
    load_rows(fixture, &id, &pods).await;
    let rejects = if dice.below(2) == 0 { vec![reject(&id, 0, "no name")] } else { Vec::new() };
    let rejects: Vec<_> = rejects
        .into_iter()
        .map(|row| schemas::RejectedRows { cluster: cluster.into(), observed_at: at, ..row })
        .collect();
    fixture.warehouse.put_rejects(&id.as_str().into(), "pods", 0, file(&rejects)).await.unwrap();
    let unit = |stage: &str, objects: usize, rows: usize, rejects: usize| {
        let count = |number| i64::try_from(number).unwrap();
        PipelineLedger {
            cluster: Some(cluster.into()),
            snapshot_id: Some(id.as_str().into()),
            started_at: at,
            finished_at: at,
            ..ledger(stage, &format!("{stage}-{id}"), count(objects), count(rows), count(rejects))
        }
    };
    let (all, good) = (pods.len() + rejects.len(), pods.len());
    let mut done = vec![unit("snapshotter", all, 0, 0), unit("normalizer", all, good, rejects.len())];
    if dice.below(3) > 0 {
        done.push(unit("loader", all, good, rejects.len()));
    }
    upsert(fixture, &done).await;
}

fn a_deployment(dice: &mut Dice, snapshot: &str, cluster: &str, at: Timestamp, name: &str) -> GkeDeployments {
    let replicas = dice.number(0..9);
    let surges = [None, Some("25%"), Some("1"), Some("0"), Some("100%"), Some("many"), Some("%"), Some("")];
    let condition = Condition {
        r#type: "Available".to_owned(),
        status: Some("True".to_owned()),
        reason: dice.of(&[None, Some("it's".to_owned())]),
        message: None,
        last_transition_time: dice.of(&[None, Some(at)]),
    };
    GkeDeployments {
        cluster: cluster.into(),
        actual_replicas: replicas + dice.number(0..3),
        ready_replicas: dice.number(0..3),
        strategy: dice.of(&["RollingUpdate", "RollingUpdate", "Recreate"]).to_owned(),
        max_surge: dice.of(&surges).map(str::to_owned),
        progressing: dice.below(2) == 0,
        progressing_since: dice.of(&[None, Some(at.minus(std::time::Duration::from_millis(600_999)))]),
        progress_deadline_seconds: dice.of(&[None, Some(300), Some(601)]),
        cpu_limit_millicores: dice.of(&[None, Some(2_000)]),
        cpu_request_millicores: dice.of(&[None, Some(250)]),
        api_id: dice.of(&[None, Some("labelled".to_owned())]),
        labels: dice.of(&[None, Some(Json::parse(r#"{"b": 1, "a": [null, "x"]}"#).unwrap())]),
        conditions: if dice.below(2) == 0 { vec![condition] } else { Vec::new() },
        ..deployment(snapshot, at, name, replicas)
    }
}

fn a_change(dice: &mut Dice, number: usize) -> ReplicaChange {
    let name = dice.of(&WORKLOADS).to_owned();
    let (at, value) = (dice.moment(), dice.number(0..9));
    ReplicaChange {
        cluster: dice.cluster(),
        deployment_name: dice.of(&[Some(name.clone()), Some(name.clone()), None]),
        target_name: name,
        field: dice.of(&[ReplicaField::Replicas, ReplicaField::MaxReplicas]),
        old_value: dice.of(&[None, Some(1)]),
        ..change(&format!("c{number:02}"), at, value)
    }
}

fn a_transition(dice: &mut Dice, number: usize) -> Violation {
    let states = [AlertState::Opened, AlertState::Worsened, AlertState::Reminded, AlertState::Resolved];
    let (episode, at, state) = (format!("e{}", dice.below(8)), dice.moment(), dice.of(&states));
    Violation {
        cluster: dice.cluster(),
        alert_type: dice.of(&[Rule::OverLimit, Rule::Undeclared]),
        deployment_name: dice.of(&[None, Some(dice_workload(number))]),
        started_at: dice.moment(),
        snapshot_id: Some(format!("prod-uk-s{}", dice.below(6)).into()),
        evidence: Json::parse(r#"{"snapshot": {"actual": 6, "at": "x"}}"#).unwrap(),
        ..violation(&format!("v{number:02}"), &episode, at, state)
    }
}

fn dice_workload(number: usize) -> String {
    WORKLOADS[number % WORKLOADS.len()].to_owned()
}

/// Asks for every table and view, and every question at several moments.
pub async fn ask_everything(fixture: &Fixture) -> Asked {
    let mut asked = Asked { answers: Vec::new(), limits: Vec::new(), changes: Vec::new() };
    for name in Relation::names(Dialect::Sqlite) {
        asked.answers.push((name.to_owned(), rows_of(fixture, name).await));
    }
    let (from, to) = (moment("2026-09-10T00:00:00Z"), moment("2026-10-20T00:00:00Z"));
    for question in [
        Question::Episodes { open_only: false, cluster: None, since: None },
        Question::Episodes { open_only: true, cluster: None, since: Some(from) },
        Question::Episodes { open_only: false, cluster: Some(CLUSTERS[0].into()), since: Some(to) },
        Question::SnapshotNotifications { snapshot_id: "prod-uk-s1".into() },
        Question::Conservation { from, to },
        Question::Conservation { from: moment("2020-01-01T00:00:00Z"), to: moment("2030-01-01T00:00:00Z") },
    ] {
        asked.answers.push((format!("{question:?}"), ask(fixture, question).await));
    }
    for cluster in CLUSTERS.map(ClusterName::from) {
        for day in ["2026-09-01", "2026-09-20", "2026-10-10", "2026-12-01"] {
            let at = moment(&format!("{day}T00:00:00Z"));
            asked.limits.push((at, fixture.warehouse.limits_as_of(&cluster, at).await.unwrap()));
            asked.changes.push((at, fixture.warehouse.last_changes(&cluster, at).await.unwrap()));
        }
    }
    asked
}
