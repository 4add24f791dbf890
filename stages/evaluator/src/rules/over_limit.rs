//! `over-limit`: more pods than the limit and a running rollout's surge allow.

use schemas::{Rule, Severity};

use super::{Case, RuleDefinition, Verdict, defaults};
use crate::policy::Settings;

pub(super) const RULE: RuleDefinition =
    RuleDefinition { rule: Rule::OverLimit, defaults: defaults(Severity::Critical, 0), takes_threshold: true, judge };

/// Too many are judged at once, whatever the workload's age. Without a limit there is nothing to
/// exceed.
fn judge(case: &Case<'_>, settings: &Settings) -> Verdict {
    let actual = case.workload.actual;
    let Some(limit) = case.workload.limit_value() else { return Verdict::Holds };
    let tolerated = limit.saturating_add(settings.threshold);
    if actual <= tolerated || actual <= tolerated.saturating_add(case.surge().pods) {
        return Verdict::Holds;
    }
    case.too_many(actual, limit)
}
