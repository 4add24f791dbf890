//! How long a bucket keeps objects: our rules, those of others, and which of them would delete too soon.

use std::collections::BTreeMap;

use google_cloud_storage::model::bucket::lifecycle::Rule;
use google_cloud_storage::model::bucket::lifecycle::rule::{Action, Condition};

use super::compare::Comparison;

/// What a lifecycle rule does that deletes.
const DELETE: &str = "Delete";
/// The setting, as the topology names it, and its name in an update.
const FIELD: &str = "lifecycle";

/// How long objects are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptFor {
    /// Days after which an object is deleted, 1 or more.
    pub days: i32,
}

/// How long objects are kept, by the prefix of their full names.
pub(super) type Kept = BTreeMap<String, KeptFor>;

/// The rules that are there, without those that these replace, and these.
pub(super) fn rules(wanted: &Kept, there: &[Rule]) -> Vec<Rule> {
    let others = there.iter().filter(|rule| !kept(rule).is_some_and(|(prefix, _)| wanted.contains_key(prefix)));
    let ours = wanted.iter().map(|(prefix, kept)| {
        let condition = Condition::new().set_age_days(kept.days).set_matches_prefix([prefix.as_str()]);
        Rule::new().set_action(Action::new().set_type(DELETE)).set_condition(condition)
    });
    others.cloned().chain(ours).collect()
}

/// Prefix and days of a rule like ours: it deletes by age and one prefix, and by nothing else.
fn kept(rule: &Rule) -> Option<(&str, i32)> {
    let (action, condition) = (rule.action.as_ref()?, rule.condition.as_ref()?);
    let [prefix] = condition.matches_prefix.as_slice() else { return None };
    let days = condition.age_days?;
    let like_ours = Condition::new().set_age_days(days).set_matches_prefix([prefix.as_str()]);
    (action.r#type == DELETE && *condition == like_ours).then_some((prefix.as_str(), days))
}

/// Compares the rules for our objects, whose full names begin with `ours` (which may be empty). Objects
/// may be kept longer than now, never shorter; a rule of others is left alone, and refused where it
/// deletes objects of ours sooner than they are to be.
pub(super) fn compare(ours: &str, wanted: &Kept, there: &[Rule], comparison: &mut Comparison) {
    for (prefix, wanted) in wanted {
        let found = there.iter().filter_map(kept).filter(|(of, _)| of == prefix).map(|(_, days)| days).min();
        match found {
            Some(days) if days == wanted.days => {}
            Some(days) if days < wanted.days => {
                comparison.change(FIELD, FIELD, for_days(prefix, days), for_days(prefix, wanted.days));
            }
            found => {
                let found = found.map_or_else(|| format!("{prefix} for ever"), |days| for_days(prefix, days));
                let why = "objects would be deleted sooner; if they may be, change the bucket's rule by hand";
                comparison.refuse(FIELD, found, for_days(prefix, wanted.days), why);
            }
        }
    }
    for (prefix, days) in there.iter().flat_map(|rule| deleted_too_soon(ours, wanted, rule)) {
        let shown = if prefix.is_empty() { "everything" } else { prefix };
        let why =
            "objects that are to be kept longer would be deleted by this rule of somebody else's; take it away by hand";
        comparison.refuse(FIELD, for_days(shown, days), "no such rule".to_owned(), why);
    }
}

fn for_days(prefix: &str, days: i32) -> String {
    format!("{prefix} {days}d")
}

/// Prefixes with objects of ours that a rule of others deletes before their time, and after how many
/// days: 0 where it does not go by age. What was given no time is to be kept for ever.
fn deleted_too_soon<'r>(ours: &str, wanted: &Kept, rule: &'r Rule) -> Vec<(&'r str, i32)> {
    let replaced = kept(rule).is_some_and(|(prefix, _)| wanted.contains_key(prefix));
    let (Some(action), Some(condition)) = (&rule.action, &rule.condition) else { return Vec::new() };
    if replaced || action.r#type != DELETE || spares_ours(condition) {
        return Vec::new();
    }
    let days = condition.age_days.unwrap_or(0);
    let mut prefixes: Vec<&str> = condition.matches_prefix.iter().map(String::as_str).collect();
    if prefixes.is_empty() {
        prefixes.push("");
    }
    let in_time = |prefix: &str| wanted.iter().any(|(of, kept)| prefix.starts_with(of) && days >= kept.days);
    let overlaps = |prefix: &&str| prefix.starts_with(ours) || ours.starts_with(prefix);
    prefixes.into_iter().filter(overlaps).filter(|prefix| !in_time(prefix)).map(|prefix| (prefix, days)).collect()
}

/// Whether no object of ours ever meets a condition: ours are live, and have no time of their own.
fn spares_ours(condition: &Condition) -> bool {
    condition.is_live == Some(false)
        || condition.num_newer_versions.is_some_and(|versions| versions > 0)
        || condition.days_since_noncurrent_time.is_some()
        || condition.noncurrent_time_before.is_some()
        || condition.days_since_custom_time.is_some()
        || condition.custom_time_before.is_some()
}

#[cfg(test)]
mod tests {
    use super::super::compare::State;
    use super::*;

    /// `raw/` is kept for 400 days, everything else below `p/` for ever.
    fn wanted() -> Kept {
        BTreeMap::from([("p/raw/".to_owned(), KeptFor { days: 400 })])
    }

    fn deletes(condition: Condition) -> Rule {
        Rule::new().set_action(Action::new().set_type(DELETE)).set_condition(condition)
    }

    fn rule(prefix: &str, days: i32) -> Rule {
        deletes(Condition::new().set_age_days(days).set_matches_prefix([prefix]))
    }

    fn state(rules: &[Rule]) -> State {
        let mut comparison = Comparison::default();
        compare("p/", &wanted(), rules, &mut comparison);
        comparison.finding("bucket", "b").0.state
    }

    #[test]
    fn objects_are_kept_longer_but_never_shorter() {
        for (days, expected) in [(30, State::Different), (400, State::Same), (401, State::Refused)] {
            assert_eq!(state(&[rule("p/raw/", days)]), expected, "{days} days");
        }
        assert_eq!(state(&[]), State::Refused, "kept for ever");
    }

    #[test]
    fn rules_of_others_stay() {
        let others = [rule("elsewhere/", 1), Rule::new().set_action(Action::new().set_type("SetStorageClass"))];
        let there = [&others[..], &[rule("p/raw/", 30)]].concat();
        assert_eq!(rules(&wanted(), &there), [&others[..], &[rule("p/raw/", 400)]].concat());
        assert_eq!(state(&[&others[..], &[rule("p/raw/", 400)]].concat()), State::Same);
    }

    #[test]
    fn a_rule_that_deletes_what_is_to_be_kept_is_refused_whoever_made_it() {
        let ours = rule("p/raw/", 400);
        let both = Condition::new().set_age_days(500).set_matches_prefix(["p/raw/", "p/state/"]);
        for bad in [
            deletes(Condition::new().set_age_days(1_000)),
            deletes(Condition::new().set_is_live(true)),
            deletes(Condition::new().set_age_days(30).set_matches_suffix([".gz"])),
            deletes(both),
            rule("p", 9_000),
            rule("p/", 9_000),
            rule("p/state/", 3_650),
            rule("p/raw/prod-uk/", 399),
        ] {
            assert_eq!(state(&[ours.clone(), bad.clone()]), State::Refused, "{bad:?}");
        }
    }

    #[test]
    fn a_rule_that_spares_what_is_to_be_kept_is_left_alone() {
        let ours = rule("p/raw/", 400);
        for good in [
            rule("p/raw/prod-uk/", 400),
            rule("q/", 1),
            rule("pr/", 1),
            deletes(Condition::new().set_age_days(1).set_is_live(false)),
            deletes(Condition::new().set_num_newer_versions(3)),
            deletes(Condition::new().set_days_since_noncurrent_time(7)),
            deletes(Condition::new().set_days_since_custom_time(1)),
            Rule::new()
                .set_action(Action::new().set_type("AbortIncompleteMultipartUpload"))
                .set_condition(Condition::new().set_age_days(1)),
        ] {
            assert_eq!(state(&[ours.clone(), good.clone()]), State::Same, "{good:?}");
        }
    }
}
