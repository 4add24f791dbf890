//! Crash points: those that a run passes, and those that none can.

use platform::layers::faults::{all_points, points};

/// Operations that no run passes, by stage, and why. They are on the list of points because every
/// stage's ports have them, not because the stage uses them.
const NEVER_PASSED: &[(&str, &str, &str)] = &[
    ("snapshotter", "objects.replace_if", "it only creates: parts and the manifest"),
    ("snapshotter", "objects.delete", "no stage deletes"),
    ("normalizer", "objects.replace_if", "only bytes of another version are replaced, and one version runs here"),
    ("normalizer", "objects.list", "it is told which part to read"),
    ("normalizer", "objects.delete", "no stage deletes"),
    ("loader", "objects.replace_if", "plans, claims and seals are only created"),
    ("loader", "objects.delete", "no stage deletes"),
    ("loader", "warehouse.limits_as_of", "it does not judge"),
    ("loader", "warehouse.last_changes", "it does not judge"),
    ("loader", "warehouse.ask", "questions are the command line's"),
    ("evaluator", "objects.create", "its state is replaced by compare-and-swap"),
    ("evaluator", "objects.delete", "no stage deletes"),
    ("evaluator", "warehouse.ask", "questions are the command line's"),
    ("notifier", "objects.create", "intents and receipts are replaced by compare-and-swap"),
    ("notifier", "objects.delete", "no stage deletes"),
];

/// The points of a stage at which a run must have died.
pub fn passed(stage: &str) -> Vec<String> {
    points(stage).into_iter().filter(|point| !is_never_passed(point)).collect()
}

/// Points that no run passes, each with the reason.
pub fn never_passed() -> impl Iterator<Item = (String, &'static str)> {
    NEVER_PASSED.iter().flat_map(|(stage, operation, reason)| {
        ["before", "after"].map(|moment| (format!("{stage}.{operation}.{moment}"), *reason))
    })
}

/// Whether a stage must be made to fail before it passes a point: nothing is given back while
/// nothing fails.
pub fn needs_failures(point: &str) -> bool {
    point.contains(".broker.nack.")
}

fn is_never_passed(point: &str) -> bool {
    never_passed().any(|(name, _)| name == point)
}

/// How many points there are, whether passed or not.
pub fn known() -> usize {
    all_points().len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_dir::STAGES;

    #[test]
    fn every_point_is_passed_or_has_a_reason_why_not() {
        let all = all_points();
        let unknown: Vec<_> = never_passed().filter(|(point, _)| !all.contains(point)).collect();
        assert!(unknown.is_empty(), "not on the list of points: {unknown:?}");
        let passed: usize = STAGES.iter().map(|stage| passed(stage).len()).sum();
        assert_eq!(passed + never_passed().count(), known());
    }
}
