//! What a verdict rests on, as JSON beside it.

use platform::ports::{Limit, RecentChange};
use schemas::Json;
use serde_json::{Value, json};

use crate::cause::CauseFound;
use crate::message::plain;
use crate::resolution::Resolution;
use crate::rules::{Finding, Numbers};
use crate::workload::{Autoscaler, Workload};

/// Autoscalers of one workload that the evidence names.
const MAX_AUTOSCALERS: usize = 5;
/// Gaps that the evidence of an incomplete evaluation names.
const MAX_GAPS: usize = 20;

/// Evidence of a broken rule.
pub(crate) fn of_broken(finding: &Finding, found: &CauseFound<'_>, workload: &Workload, flapping: bool) -> Json {
    let rollout = &workload.rollout;
    json!({
        "cause_row": found.row,
        "change": found.change.map(change),
        "limit": workload.limit.as_deref().map(limit),
        "deployment": {
            "desired": workload.desired,
            "actual": workload.actual,
            "updated": workload.updated,
            "generation": workload.generation,
            "created_at": workload.created_at,
            "strategy": plain(&rollout.strategy),
            "max_surge": rollout.max_surge.as_deref().map(plain),
            "progressing": rollout.progressing,
            "progressing_since": rollout.progressing_since,
        },
        "autoscalers": workload.autoscalers.iter().take(MAX_AUTOSCALERS).map(autoscaler).collect::<Vec<_>>(),
        "surge_note": finding.surge_note,
        "flapping": flapping,
    })
    .into()
}

/// Evidence of an ended episode.
pub(crate) fn of_ended(resolution: Resolution, before: &Numbers, now: Option<&Numbers>, flapping: bool) -> Json {
    json!({ "resolution": resolution, "before": before, "now": now, "flapping": flapping }).into()
}

/// Evidence of an evaluation that was not possible.
pub(crate) fn of_gaps(gaps: &[String]) -> Json {
    let shown: Vec<String> = gaps.iter().take(MAX_GAPS).map(|gap| plain(gap)).collect();
    json!({ "gaps": shown, "gap_count": gaps.len() }).into()
}

fn change(change: &RecentChange) -> Value {
    json!({
        "event_id": plain(&change.event_id),
        "occurred_at": change.occurred_at,
        "target_kind": plain(&change.target_kind),
        "target_name": plain(&change.target_name),
        "field": change.field,
        "old_value": change.old_value,
        "new_value": change.new_value,
        "actor": plain(&change.actor),
        "actor_kind": change.actor_kind,
        "source": change.source,
        "verb": plain(&change.verb),
    })
}

fn limit(limit: &Limit) -> Value {
    json!({
        "declaration_id": limit.declaration_id,
        "max_replicas": limit.max_replicas,
        "previous_max_replicas": limit.previous_max_replicas,
        "initial_max_replicas": limit.initial_max_replicas,
        "declared_at": limit.declared_at,
        "updated_by": plain(&limit.updated_by),
        "change_reason": limit.change_reason.as_deref().map(plain),
    })
}

fn autoscaler(autoscaler: &Autoscaler) -> Value {
    let conditions: Vec<Value> = autoscaler
        .conditions
        .iter()
        .map(|condition| {
            json!({
                "type": condition.r#type,
                "status": condition.status.as_deref().map(plain),
                "reason": condition.reason.as_deref().map(plain),
            })
        })
        .collect();
    json!({
        "name": plain(&autoscaler.name),
        "min_replicas": autoscaler.min_replicas,
        "max_replicas": autoscaler.max_replicas,
        "desired_replicas": autoscaler.desired_replicas,
        "last_scale_time": autoscaler.last_scale_time,
        "conditions": conditions,
    })
}
