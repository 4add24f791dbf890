//! `ceiling-over-limit`: an autoscaler may exceed the limit.

use schemas::{Rule, Severity};

use super::{Case, RuleDefinition, Verdict, defaults};
use crate::gaps::Autoscalers;
use crate::policy::Settings;

pub(super) const RULE: RuleDefinition = RuleDefinition {
    rule: Rule::CeilingOverLimit,
    defaults: defaults(Severity::Warning, 0),
    takes_threshold: true,
    judge,
};

/// Where autoscalers were not listed whole, nothing is said. Where single ones could not be read,
/// those that could count; a workload that seems to have none may have an unread one.
fn judge(case: &Case<'_>, settings: &Settings) -> Verdict {
    if case.autoscalers == Autoscalers::Unknown {
        return Verdict::Unknown;
    }
    let Some(limit) = case.workload.limit_value() else { return Verdict::Holds };
    match case.workload.ceiling() {
        Some(ceiling) if ceiling > limit.saturating_add(settings.threshold) => case.too_many(ceiling, limit),
        None if case.autoscalers == Autoscalers::SomeUnread => Verdict::Unknown,
        Some(_) | None => Verdict::Holds,
    }
}
