//! `undeclared`: a workload in a watched namespace that nobody declared.

use schemas::{Rule, Severity};

use super::{Case, RuleDefinition, Verdict, defaults};
use crate::policy::Settings;

pub(super) const RULE: RuleDefinition =
    RuleDefinition { rule: Rule::Undeclared, defaults: defaults(Severity::Warning, 24), takes_threshold: false, judge };

/// That it is not declared is the trouble; more pods do not make it worse.
fn judge(case: &Case<'_>, _settings: &Settings) -> Verdict {
    let workload = case.workload;
    if workload.limit.is_some() || !case.policy.namespaces.watches(&workload.namespace) {
        Verdict::Holds
    } else {
        case.steady(workload.actual, None)
    }
}
