//! The cause of a broken rule, chosen from the evidence; without evidence it is `unknown`.
//!
//! *Bound* is what the rule compares with: the limit, or the platform's upper end. *Excess* is the
//! number above it: the wish, or the autoscaler's ceiling. A *change* is the newest one of that
//! number in the audit log or a watch; it counts only when it set the number that stands now (or
//! its value was not logged), belongs to this incarnation of the workload, and did not lower it.
//! The first row that fits wins.
//!
//! | # | rule | evidence | cause | actor |
//! |---|---|---|---|---|
//! | 1 | `undeclared`; `out-of-range` for the limit | | `unknown` | |
//! | 2 | `over-limit`, `out-of-range` above, wish within the bound | a rollout is in progress, or pods of an older template are still there | `rollout-surge` | |
//! | 3 | as 2 | anything else | `unknown` | |
//! | 4 | `over-limit`, `desired-over-limit`, `ceiling-over-limit` | the limit before allowed the excess, the workload and the number are older than the declaration as far as is on record, and the rule was not found to hold under the new limit (unless the change that set the number is older) | `limit-lowered` | who declared |
//! | 5 | `ceiling-over-limit` | ceiling changed by the pipeline | `deployed-over-limit` | who changed |
//! | 6 | `ceiling-over-limit` | ceiling changed by a person or service account | `ceiling-raised` | who changed |
//! | 7 | the others, above | wish changed by a person or service account | `scaled-by-hand` | who changed |
//! | 8 | the others, above | wish changed by the pipeline | `deployed-over-limit` | who changed |
//! | 9 | the others, above | wish changed by the autoscaler (or, without any change on record, an active autoscaler that scaled and asks for just that), and before that its ceiling was raised above the bound | `ceiling-raised` | who raised |
//! | 10 | the others, above | as 9, ceiling not known to be raised | `autoscaler` | the autoscaler, where logged |
//! | 11 | the others, above | no change on record, and the specification is still the first one, created when the limit already held | `deployed-over-limit` | |
//! | 12 | `out-of-range` below, wish below too | wish changed by a person or service account | `scaled-by-hand` | who changed |
//! | 13 | `out-of-range` below, wish below too | wish changed by the autoscaler | `autoscaler` | the autoscaler |
//! | 14 | any | anything else | `unknown` | |

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::time::Duration;

use platform::ports::{Limit, RecentChange};
use schemas::{ActorKind, Cause, ReplicaField, Rule, Timestamp};

use crate::rules::Finding;
use crate::workload::{Autoscaler, Workload};

/// A creation's time has whole seconds and is set after the request was logged: a change that much
/// before it can still be the one that created the workload.
const CREATION_SLACK: Duration = Duration::from_secs(5);

/// The newest changes of a cluster's replica numbers, by workload.
#[derive(Debug, Clone, Default)]
pub struct Changes(HashMap<(String, String), Vec<RecentChange>>);

impl Changes {
    /// Indexes the changes.
    pub fn new(changes: Vec<RecentChange>) -> Self {
        let mut by_workload: HashMap<_, Vec<_>> = HashMap::new();
        for change in changes {
            let key = (change.namespace.clone(), change.deployment_name.clone());
            by_workload.entry(key).or_default().push(change);
        }
        Self(by_workload)
    }

    /// The newest change of one number of a workload, or of an autoscaler that targets it, since the
    /// workload exists.
    fn newest(&self, workload: &Workload, field: ReplicaField) -> Option<&RecentChange> {
        let kind = if field == ReplicaField::Replicas { "Deployment" } else { "HorizontalPodAutoscaler" };
        let since = workload.created_at.map_or(Timestamp::MIN, |created_at| created_at.minus(CREATION_SLACK));
        self.0
            .get(&(workload.namespace.clone(), workload.name.clone()))?
            .iter()
            .filter(|change| change.target_kind == kind && change.field == field && change.occurred_at >= since)
            .max_by(|one, other| (one.occurred_at, &one.event_id).cmp(&(other.occurred_at, &other.event_id)))
    }
}

/// A cause and what it rests on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CauseFound<'a> {
    /// The cause.
    pub(crate) cause: Cause,
    /// Row of the decision table.
    pub(crate) row: u8,
    /// Who, where the evidence names somebody.
    pub(crate) actor: Option<&'a str>,
    /// When the cause came about, where the evidence says.
    pub(crate) at: Option<Timestamp>,
    /// The change that decided.
    pub(crate) change: Option<&'a RecentChange>,
}

impl<'a> CauseFound<'a> {
    const fn plain(cause: Cause, row: u8) -> Self {
        Self { cause, row, actor: None, at: None, change: None }
    }

    fn by(cause: Cause, row: u8, change: &'a RecentChange) -> Self {
        let actor = Some(change.actor.as_str()).filter(|actor| !actor.is_empty());
        Self { cause, row, actor, at: Some(change.occurred_at), change: Some(change) }
    }
}

/// Why a rule is broken; see the table in the module's documentation. `held_at` is the newest
/// judged moment before it broke.
pub(crate) fn cause<'a>(
    rule: Rule,
    finding: &Finding,
    workload: &'a Workload,
    changes: &'a Changes,
    held_at: Option<Timestamp>,
) -> CauseFound<'a> {
    let (Some(observed), Some(bound)) = (finding.numbers.observed, finding.bound) else {
        return CauseFound::plain(Cause::Unknown, 1);
    };
    match rule {
        Rule::CeilingOverLimit => of_ceiling(workload, observed, changes, held_at),
        Rule::OutOfRange if observed != workload.actual => CauseFound::plain(Cause::Unknown, 1),
        Rule::OutOfRange if observed < bound => of_too_few(workload, bound, changes),
        Rule::OverLimit | Rule::OutOfRange if workload.desired <= bound => of_surplus(workload),
        Rule::OverLimit | Rule::DesiredOverLimit => {
            let change = effective(workload, changes);
            lowered(workload, workload.desired, change, held_at).unwrap_or_else(|| of_wish(workload, bound, changes))
        }
        Rule::OutOfRange => of_wish(workload, bound, changes),
        _ => CauseFound::plain(Cause::Unknown, 1),
    }
}

/// Rows 2 and 3: there are more pods than are wished for.
fn of_surplus<'a>(workload: &Workload) -> CauseFound<'a> {
    let older_pods = workload.updated < workload.actual && workload.actual > workload.desired;
    if workload.rollout.progressing || older_pods {
        CauseFound::plain(Cause::RolloutSurge, 2)
    } else {
        CauseFound::plain(Cause::Unknown, 3)
    }
}

/// Row 4: what stands was allowed until the limit fell.
fn lowered<'a>(
    workload: &'a Workload,
    excess: i64,
    change: Option<&RecentChange>,
    held_at: Option<Timestamp>,
) -> Option<CauseFound<'a>> {
    let limit: &Limit = workload.limit.as_deref()?;
    let declared_at = limit.declared_at;
    let allowed_before = limit.previous_max_replicas.is_some_and(|before| before >= excess);
    let existed = workload.created_at.is_none_or(|created_at| created_at <= declared_at);
    let stood = match change {
        Some(change) => change.occurred_at <= declared_at,
        None => held_at.is_none_or(|held_at| held_at < declared_at),
    };
    (allowed_before && existed && stood).then(|| CauseFound {
        cause: Cause::LimitLowered,
        row: 4,
        actor: Some(limit.updated_by.as_str()).filter(|actor| !actor.is_empty()),
        at: Some(declared_at),
        change: None,
    })
}

/// Whether a change set the number that stands now, and did not lower it.
fn sets(change: &RecentChange, stands: i64) -> bool {
    let set_it = match change.new_value {
        Some(value) => value == stands,
        // Too large an entry is logged without its value; it still was the newest change.
        None => !change.verb.starts_with("delete"),
    };
    set_it && change.old_value.is_none_or(|before| before <= stands)
}

/// The change that made the wish what it is.
fn effective<'a>(workload: &Workload, changes: &'a Changes) -> Option<&'a RecentChange> {
    changes.newest(workload, ReplicaField::Replicas).filter(|change| sets(change, workload.desired))
}

/// The change that made an autoscaler's ceiling what it is.
fn effective_ceiling<'a>(workload: &Workload, ceiling: i64, changes: &'a Changes) -> Option<&'a RecentChange> {
    changes.newest(workload, ReplicaField::MaxReplicas).filter(|change| sets(change, ceiling))
}

/// Rows 4 to 6: the ceiling is too high.
fn of_ceiling<'a>(
    workload: &'a Workload,
    ceiling: i64,
    changes: &'a Changes,
    held_at: Option<Timestamp>,
) -> CauseFound<'a> {
    let change = effective_ceiling(workload, ceiling, changes);
    if let Some(found) = lowered(workload, ceiling, change, held_at) {
        return found;
    }
    match change {
        Some(change) => match change.actor_kind {
            ActorKind::Pipeline => CauseFound::by(Cause::DeployedOverLimit, 5, change),
            ActorKind::Person | ActorKind::ServiceAccount => CauseFound::by(Cause::CeilingRaised, 6, change),
            ActorKind::Autoscaler | ActorKind::Controller | ActorKind::Unknown => CauseFound::plain(Cause::Unknown, 14),
        },
        None => CauseFound::plain(Cause::Unknown, 14),
    }
}

/// Rows 7 to 11: the wish is too high.
fn of_wish<'a>(workload: &'a Workload, bound: i64, changes: &'a Changes) -> CauseFound<'a> {
    let newest = changes.newest(workload, ReplicaField::Replicas);
    match newest.filter(|change| sets(change, workload.desired)) {
        Some(change) => {
            match change.actor_kind {
                ActorKind::Person | ActorKind::ServiceAccount => CauseFound::by(Cause::ScaledByHand, 7, change),
                ActorKind::Pipeline => CauseFound::by(Cause::DeployedOverLimit, 8, change),
                ActorKind::Autoscaler => raised(workload, bound, change.occurred_at, changes)
                    .unwrap_or(CauseFound::by(Cause::Autoscaler, 10, change)),
                ActorKind::Controller | ActorKind::Unknown => CauseFound::plain(Cause::Unknown, 14),
            }
        }
        None if newest.is_some() => CauseFound::plain(Cause::Unknown, 14),
        None => without_change(workload, bound, changes),
    }
}

/// Rows 9 to 11 where no change of the wish is on record.
fn without_change<'a>(workload: &'a Workload, bound: i64, changes: &'a Changes) -> CauseFound<'a> {
    let scaled = workload.autoscalers.iter().find_map(|autoscaler| asks_for(autoscaler, workload.desired));
    if let Some(scaled_at) = scaled {
        return raised(workload, bound, scaled_at, changes)
            .unwrap_or(CauseFound { at: Some(scaled_at), ..CauseFound::plain(Cause::Autoscaler, 10) });
    }
    let held_at_creation = workload
        .created_at
        .zip(workload.limit.as_ref())
        .is_some_and(|(created_at, limit)| limit.declared_at <= created_at);
    if workload.generation == Some(1) && held_at_creation {
        CauseFound { at: workload.created_at, ..CauseFound::plain(Cause::DeployedOverLimit, 11) }
    } else {
        CauseFound::plain(Cause::Unknown, 14)
    }
}

/// When an active autoscaler scaled, if it asks for just that number.
fn asks_for(autoscaler: &Autoscaler, desired: i64) -> Option<Timestamp> {
    let inactive = autoscaler
        .conditions
        .iter()
        .any(|condition| condition.r#type == "ScalingActive" && condition.status.as_deref() != Some("True"));
    autoscaler.last_scale_time.filter(|_| !inactive && autoscaler.desired_replicas == Some(desired))
}

/// Row 9: somebody raised the ceiling above the bound before the autoscaler scaled.
fn raised<'a>(
    workload: &'a Workload,
    bound: i64,
    scaled_at: Timestamp,
    changes: &'a Changes,
) -> Option<CauseFound<'a>> {
    let ceiling = workload.ceiling().filter(|ceiling| *ceiling > bound)?;
    let change = effective_ceiling(workload, ceiling, changes)?;
    let by_somebody = matches!(change.actor_kind, ActorKind::Person | ActorKind::ServiceAccount);
    let crossed = change.old_value.is_some_and(|before| before <= bound);
    (by_somebody && crossed && change.occurred_at <= scaled_at).then(|| CauseFound::by(Cause::CeilingRaised, 9, change))
}

/// Rows 12 and 13: there are too few pods, because few are wished for.
fn of_too_few<'a>(workload: &'a Workload, bound: i64, changes: &'a Changes) -> CauseFound<'a> {
    let newest = changes.newest(workload, ReplicaField::Replicas);
    match newest.filter(|change| workload.desired < bound && change.new_value == Some(workload.desired)) {
        Some(change) => match change.actor_kind {
            ActorKind::Person | ActorKind::ServiceAccount => CauseFound::by(Cause::ScaledByHand, 12, change),
            ActorKind::Autoscaler => CauseFound::by(Cause::Autoscaler, 13, change),
            ActorKind::Pipeline | ActorKind::Controller | ActorKind::Unknown => CauseFound::plain(Cause::Unknown, 14),
        },
        None => CauseFound::plain(Cause::Unknown, 14),
    }
}
