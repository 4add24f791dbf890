//! The rules: one small pure module each. The next rule is one file and one line in [`RULES`].

mod ceiling_over_limit;
mod desired_over_limit;
mod out_of_range;
mod over_limit;
#[cfg(test)]
mod tests;
mod undeclared;

use std::time::Duration;

use schemas::{Rule, Severity, Timestamp};
use serde::{Deserialize, Serialize};

use crate::gaps::Autoscalers;
use crate::policy::{Policy, Settings};
use crate::surge::{Surge, allowance};
use crate::workload::Workload;

/// Every rule that is judged for a workload.
pub(crate) const RULES: [RuleDefinition; 5] =
    [over_limit::RULE, desired_over_limit::RULE, ceiling_over_limit::RULE, out_of_range::RULE, undeclared::RULE];

/// One rule.
pub(crate) struct RuleDefinition {
    /// Its id.
    pub(crate) rule: Rule,
    /// How it is applied when the policy says nothing.
    pub(crate) defaults: Settings,
    /// Whether `threshold` means something to it.
    pub(crate) takes_threshold: bool,
    /// The verdict on one workload.
    pub(crate) judge: fn(&Case<'_>, &Settings) -> Verdict,
}

/// What a rule may look at.
pub(crate) struct Case<'a> {
    /// The workload.
    pub(crate) workload: &'a Workload,
    /// When it was seen.
    pub(crate) observed_at: Timestamp,
    /// What is known of autoscalers.
    pub(crate) autoscalers: Autoscalers,
    /// The policy.
    pub(crate) policy: &'a Policy,
}

/// What a rule says of a workload.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Verdict {
    /// It is broken.
    Broken(Finding),
    /// It holds.
    Holds,
    /// The data needed is missing: neither.
    Unknown,
}

/// The numbers of a verdict, in pods or replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Numbers {
    /// What the rule looked at.
    pub observed: Option<i64>,
    /// The limit in force.
    pub limit: Option<i64>,
    /// spec.replicas.
    pub desired: Option<i64>,
    /// status.replicas.
    pub actual: Option<i64>,
    /// The autoscalers' highest maxReplicas.
    pub ceiling: Option<i64>,
    /// What a running rollout may add.
    pub surge_allowance: Option<i64>,
}

/// A broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The numbers.
    pub(crate) numbers: Numbers,
    /// The number that was crossed: the limit, or an end of the platform's range.
    pub(crate) bound: Option<i64>,
    /// Grows as it gets worse: what was observed where too much is the trouble, constant otherwise.
    pub(crate) measure: i64,
    /// What is notable about the surge allowance.
    pub(crate) surge_note: Option<String>,
}

impl Case<'_> {
    /// The surge allowance at this moment.
    fn surge(&self) -> Surge {
        allowance(&self.workload.rollout, self.workload.desired, self.observed_at)
    }

    /// The numbers of a verdict that looked at `observed`.
    pub(crate) fn numbers(&self, observed: Option<i64>) -> Numbers {
        Numbers {
            observed,
            limit: self.workload.limit_value(),
            desired: Some(self.workload.desired),
            actual: Some(self.workload.actual),
            ceiling: self.workload.ceiling(),
            surge_allowance: Some(self.surge().pods),
        }
    }

    /// A finding of too many: it gets worse as `observed` grows.
    fn too_many(&self, observed: i64, bound: i64) -> Verdict {
        Verdict::Broken(Finding {
            numbers: self.numbers(Some(observed)),
            bound: Some(bound),
            measure: observed,
            surge_note: self.surge().note.map(std::borrow::Cow::into_owned),
        })
    }

    /// A finding that cannot get worse.
    fn steady(&self, observed: i64, bound: Option<i64>) -> Verdict {
        Verdict::Broken(Finding { numbers: self.numbers(Some(observed)), bound, measure: 0, surge_note: None })
    }

    /// Whether the workload is too young to be judged for too few pods. One whose age is not known
    /// is not young.
    fn is_cold(&self) -> bool {
        self.workload.created_at.is_some_and(|created_at| self.observed_at.since(created_at) < self.policy.cold_start)
    }
}

/// Default settings of a rule.
const fn defaults(severity: Severity, grace_hours: u64) -> Settings {
    Settings { enabled: true, severity, threshold: 0, grace: Duration::from_secs(grace_hours * 3_600) }
}
