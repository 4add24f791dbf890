//! Why an episode ended, from the numbers before and now.

use schemas::Rule;
use serde::Serialize;

use crate::rules::Numbers;

/// Why an episode ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "reason")]
pub(crate) enum Resolution {
    /// A complete snapshot shows that the workload is gone.
    WorkloadDeleted,
    /// The policy no longer judges the rule for it.
    RuleSwitchedOff,
    /// The limit rose.
    LimitRaised { from: i64, to: i64 },
    /// The limit came back into the platform's range.
    LimitCorrected { to: i64 },
    /// There is no limit any more.
    DeclarationRetired,
    /// It is declared now.
    Declared,
    /// Fewer pods, or fewer asked for.
    ScaledDown { from: i64, to: i64 },
    /// More pods.
    ScaledUp { from: i64, to: i64 },
    /// Explicitly scaled to nothing.
    Paused,
    /// The autoscaler's ceiling fell.
    CeilingLowered { from: i64, to: i64 },
    /// The autoscaler is gone.
    AutoscalerRemoved,
    /// A rollout began whose surge covers the pods.
    CoveredByRollout,
    /// Everything that judging needs was there again.
    SnapshotComplete,
    /// The rule holds; the numbers do not say why.
    RuleHolds,
}

/// Why a rule that was broken with the numbers `before` holds with the numbers `now`.
pub(crate) fn resolution(rule: Rule, before: &Numbers, now: &Numbers) -> Resolution {
    let fell = |before: Option<i64>, now: Option<i64>| before.zip(now).filter(|(before, now)| now < before);
    let rose = |before: Option<i64>, now: Option<i64>| before.zip(now).filter(|(before, now)| now > before);
    let scaled = || {
        if let Some((from, to)) = fell(before.actual, now.actual) {
            return Resolution::ScaledDown { from, to };
        }
        match rose(before.surge_allowance, now.surge_allowance) {
            Some(_) => Resolution::CoveredByRollout,
            None => Resolution::RuleHolds,
        }
    };
    let limit = || match (before.limit, now.limit) {
        (Some(_), None) => Some(Resolution::DeclarationRetired),
        (Some(from), Some(to)) if to > from => Some(Resolution::LimitRaised { from, to }),
        _ => None,
    };
    match rule {
        Rule::OverLimit => limit().unwrap_or_else(scaled),
        Rule::DesiredOverLimit => limit().unwrap_or_else(|| match fell(before.desired, now.desired) {
            Some((from, to)) => Resolution::ScaledDown { from, to },
            None => Resolution::RuleHolds,
        }),
        Rule::CeilingOverLimit => match (limit(), before.ceiling, now.ceiling) {
            (Some(resolution), ..) => resolution,
            (None, Some(_), None) => Resolution::AutoscalerRemoved,
            (None, Some(from), Some(to)) if to < from => Resolution::CeilingLowered { from, to },
            (None, ..) => Resolution::RuleHolds,
        },
        Rule::OutOfRange if before.observed != before.actual => match now.limit {
            Some(to) => Resolution::LimitCorrected { to },
            None => Resolution::DeclarationRetired,
        },
        Rule::OutOfRange if now.desired == Some(0) && before.desired != Some(0) => Resolution::Paused,
        Rule::OutOfRange => match rose(before.actual, now.actual) {
            Some((from, to)) => Resolution::ScaledUp { from, to },
            None => scaled(),
        },
        Rule::Undeclared if now.limit.is_some() => Resolution::Declared,
        Rule::EvaluationIncomplete => Resolution::SnapshotComplete,
        _ => Resolution::RuleHolds,
    }
}
