//! The story of a simulated cluster, for those who tell it: what was declared, and who changed what.

use schemas::{ReplicaField, Timestamp};

use super::history::{State, What};
use super::settings::SimSettings;
use super::workload::{Scaling, Workload};

/// How long before the simulation's start its first declarations were made, in seconds.
const DECLARED_BEFORE_SECONDS: i64 = 86_400;
/// Who deploys.
const PIPELINE: &str = "deployer@delivery.iam.gserviceaccount.com";
/// Who autoscales, as audit logs name it.
const AUTOSCALER: &str = "system:serviceaccount:kube-system:horizontal-pod-autoscaler";

/// A limit that a team declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredLimit {
    /// Namespace of the workload.
    pub namespace: String,
    /// Name of its Deployment.
    pub deployment: String,
    /// Team that declared it.
    pub team: String,
    /// API it serves.
    pub api: String,
    /// Who answers for it, an e-mail address.
    pub user: String,
    /// The limit.
    pub max_replicas: i64,
    /// Since when.
    pub declared_at: Timestamp,
    /// Why.
    pub change_reason: String,
    /// CPU limit of its containers together, in thousandths.
    pub cpu_millicores: i64,
    /// Memory limit of its containers together, in MiB.
    pub memory_mebibytes: i64,
}

/// A change of one number of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// When.
    pub at: Timestamp,
    /// Namespace.
    pub namespace: String,
    /// The Deployment concerned.
    pub deployment: String,
    /// `Deployment` or `HorizontalPodAutoscaler`; both bear the same name.
    pub target_kind: &'static str,
    /// The number.
    pub field: ReplicaField,
    /// Before; none where the object was created.
    pub old: Option<i64>,
    /// After; none where the object was deleted.
    pub new: Option<i64>,
    /// Who, as audit logs name them.
    pub actor: String,
    /// `create`, `update`, `patch` or `delete`.
    pub verb: &'static str,
}

/// Every declaration, by time and workload.
pub fn declared_limits(seed: u64, settings: &SimSettings) -> Vec<DeclaredLimit> {
    let first = settings.start.micros().div_euclid(1_000_000) - DECLARED_BEFORE_SECONDS;
    let mut limits = Vec::new();
    for workload in workloads(seed, settings) {
        let Some(declaration) = workload.declaration else { continue };
        limits.push(declared(&workload, declaration.limit, first, "first declaration"));
        if let Some((limit, since)) = declaration.raise {
            limits.push(declared(&workload, limit, since, "more traffic is expected"));
        }
    }
    limits.sort_by(|a, b| {
        (a.declared_at, &a.namespace, &a.deployment).cmp(&(b.declared_at, &b.namespace, &b.deployment))
    });
    limits
}

fn declared(workload: &Workload, max_replicas: i64, at: i64, reason: &str) -> DeclaredLimit {
    DeclaredLimit {
        namespace: workload.namespace.clone(),
        deployment: workload.name.clone(),
        team: workload.team.clone(),
        api: workload.api.clone(),
        user: workload.user.clone(),
        max_replicas,
        declared_at: Timestamp::from_seconds(at),
        change_reason: reason.to_owned(),
        cpu_millicores: workload.cpu_millicores + 500,
        memory_mebibytes: workload.memory_mebibytes + 256,
    }
}

/// Every change from `from` to before `to`, by time and workload: what the cluster shows at `to`
/// is what it showed at `from`, with these changes. Time runs in whole seconds here.
pub fn changes(seed: u64, settings: &SimSettings, from: Timestamp, to: Timestamp) -> Vec<Change> {
    let seconds = |at: Timestamp| at.micros().div_euclid(1_000_000);
    // A change at a second shows from that second on: those after `from`'s, up to and with `to`'s.
    let (from, to) = (seconds(from).saturating_add(1), seconds(to).saturating_add(1));
    let mut changes: Vec<_> = workloads(seed, settings).flat_map(|workload| of_workload(&workload, from, to)).collect();
    changes.sort_by(|a, b| (a.at, &a.namespace, &a.deployment).cmp(&(b.at, &b.namespace, &b.deployment)));
    changes
}

pub(super) fn workloads(seed: u64, settings: &SimSettings) -> impl Iterator<Item = Workload> {
    (0..u64::from(settings.deployments)).map(move |index| Workload::at(seed, settings, index))
}

fn of_workload(workload: &Workload, from: i64, to: i64) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut before = workload.state(from - 1);
    let mut moments = workload.moments(from, to);
    if (from..to).contains(&workload.born) {
        moments.push((workload.born, Some(What::Recreate)));
        moments.sort_by_key(|(at, _)| *at);
    }
    for (at, what) in moments {
        let after = workload.state(at);
        compare(workload, at, what, before.as_ref(), after.as_ref(), &mut changes);
        before = after;
    }
    changes
}

fn compare(
    workload: &Workload,
    at: i64,
    what: Option<What>,
    before: Option<&State>,
    after: Option<&State>,
    changes: &mut Vec<Change>,
) {
    let numbers = |state: &State| {
        let ruled_by_autoscaler = matches!(workload.scaling, Scaling::Auto(_));
        [
            ("Deployment", ReplicaField::Replicas, Some(state.replicas)),
            ("HorizontalPodAutoscaler", ReplicaField::MinReplicas, ruled_by_autoscaler.then_some(state.floor)),
            ("HorizontalPodAutoscaler", ReplicaField::MaxReplicas, ruled_by_autoscaler.then_some(state.ceiling)),
        ]
    };
    let Some(shape) = after.or(before) else { return };
    for (index, (target_kind, field, _)) in numbers(shape).into_iter().enumerate() {
        let value = |state: Option<&State>| state.and_then(|state| numbers(state)[index].2);
        let (old, new) = (value(before), value(after));
        if old == new {
            continue;
        }
        // An autoscaler that is given other limits scales its target itself.
        let scaled_by_autoscaler = matches!(workload.scaling, Scaling::Auto(_)) && target_kind == "Deployment";
        let actor = match what {
            _ if before.is_some() && after.is_some() && scaled_by_autoscaler => AUTOSCALER,
            Some(What::ByHand(_) | What::Delete) => &workload.user,
            _ => PIPELINE,
        };
        let verb = match (old, new) {
            (None, _) => "create",
            (_, None) => "delete",
            _ if actor == AUTOSCALER => "update",
            _ => "patch",
        };
        changes.push(Change {
            at: Timestamp::from_seconds(at),
            namespace: workload.namespace.clone(),
            deployment: workload.name.clone(),
            target_kind,
            field,
            old,
            new,
            actor: actor.to_owned(),
            verb,
        });
    }
}
