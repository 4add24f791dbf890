//! `out-of-range`: the pods, or the declared limit, are outside the platform's range.

use schemas::{Rule, Severity};

use super::{Case, RuleDefinition, Verdict, defaults};
use crate::policy::Settings;

pub(super) const RULE: RuleDefinition =
    RuleDefinition { rule: Rule::OutOfRange, defaults: defaults(Severity::Warning, 0), takes_threshold: true, judge };

/// The platform's range concerns what is declared, and what should be: an undeclared workload of a
/// namespace that is not watched is none of it. A rollout may exceed the upper end by its surge. An
/// explicit wish of 0 is a pause, and a young workload is still starting: neither has too few.
fn judge(case: &Case<'_>, settings: &Settings) -> Verdict {
    let workload = case.workload;
    let range = case.policy.range;
    let concerned = workload.limit.is_some() || case.policy.namespaces.watches(&workload.namespace);
    if !concerned {
        return Verdict::Holds;
    }
    let most = range.max.saturating_add(settings.threshold);
    let fewest = range.min.saturating_sub(settings.threshold);
    if workload.actual > most && workload.actual > most.saturating_add(case.surge().pods) {
        return case.too_many(workload.actual, range.max);
    }
    match workload.limit_value() {
        Some(limit) if limit > range.max => return case.too_many(limit, range.max),
        Some(limit) if limit < range.min => return case.steady(limit, Some(range.min)),
        Some(_) | None => {}
    }
    if workload.actual < fewest && workload.desired != 0 && !case.is_cold() {
        return case.steady(workload.actual, Some(range.min));
    }
    Verdict::Holds
}
