//! `desired-over-limit`: the wish exceeds the limit, although the pods may not be there yet.

use schemas::{Rule, Severity};

use super::{Case, RuleDefinition, Verdict, defaults};
use crate::policy::Settings;

pub(super) const RULE: RuleDefinition = RuleDefinition {
    rule: Rule::DesiredOverLimit,
    defaults: defaults(Severity::Warning, 0),
    takes_threshold: true,
    judge,
};

fn judge(case: &Case<'_>, settings: &Settings) -> Verdict {
    let desired = case.workload.desired;
    match case.workload.limit_value() {
        Some(limit) if desired > limit.saturating_add(settings.threshold) => case.too_many(desired, limit),
        Some(_) | None => Verdict::Holds,
    }
}
