//! One table per rule.

use super::*;
use crate::testing::{autoscaler, minute, orders, workload};

/// What a rule says at noon: the observed number where it is broken.
fn says(rule: Rule, workload: &Workload, autoscalers: Autoscalers) -> Result<Option<i64>, &'static str> {
    let policy = Policy::default();
    let definition = RULES.iter().find(|known| known.rule == rule).unwrap();
    let case = Case { workload, observed_at: minute(0), autoscalers, policy: &policy };
    match (definition.judge)(&case, policy.rule(rule).unwrap()) {
        Verdict::Broken(finding) => {
            assert_eq!(finding.numbers.limit, workload.limit_value());
            assert_eq!(finding.numbers.desired, Some(workload.desired));
            Ok(finding.numbers.observed)
        }
        Verdict::Holds => Ok(None),
        Verdict::Unknown => Err("unknown"),
    }
}

fn rolling(pods: i64, desired: i64, since: i64) -> Workload {
    let mut workload = orders(pods);
    workload.desired = desired;
    workload.rollout.progressing = true;
    workload.rollout.progressing_since = Some(minute(since));
    workload
}

#[test]
fn over_limit() {
    let young = Workload { created_at: Some(minute(-1)), ..orders(5) };
    let recreate = {
        let mut workload = rolling(5, 4, -1);
        workload.rollout.strategy = "Recreate".into();
        workload
    };
    for (name, workload, observed) in [
        ("at the limit", orders(4), None),
        ("one over", orders(5), Some(5)),
        ("young, but too many are judged at once", young, Some(5)),
        ("covered by the surge of a rollout", rolling(5, 4, -1), None),
        ("more than the surge", rolling(6, 4, -1), Some(6)),
        ("the rollout is past its deadline", rolling(5, 4, -11), Some(5)),
        ("recreate has no surge", recreate, Some(5)),
        ("not declared", workload("payments", "x", 100, None), None),
        ("absurd", orders(i64::MAX), Some(i64::MAX)),
    ] {
        assert_eq!(says(Rule::OverLimit, &workload, Autoscalers::Unknown), Ok(observed), "{name}");
    }
}

#[test]
fn a_threshold_is_tolerated() {
    let policy = Policy::default();
    let settings = Settings { threshold: 2, ..*policy.rule(Rule::OverLimit).unwrap() };
    let judged = |workload: &Workload| {
        let case = Case { workload, observed_at: minute(0), autoscalers: Autoscalers::Known, policy: &policy };
        (over_limit::RULE.judge)(&case, &settings)
    };
    assert_eq!(judged(&orders(6)), Verdict::Holds);
    assert!(matches!(judged(&orders(7)), Verdict::Broken(_)));
}

#[test]
fn desired_over_limit() {
    for (name, desired, actual, observed) in [
        ("as declared", 4, 4, None),
        ("wished for, not there yet", 6, 2, Some(6)),
        ("there, no longer wished for", 4, 6, None),
        ("paused", 0, 0, None),
    ] {
        let workload = Workload { desired, ..orders(actual) };
        assert_eq!(says(Rule::DesiredOverLimit, &workload, Autoscalers::Known), Ok(observed), "{name}");
    }
    assert_eq!(says(Rule::DesiredOverLimit, &workload("a", "b", 9, None), Autoscalers::Known), Ok(None));
}

#[test]
fn ceiling_over_limit() {
    let with = |ceilings: &[i64]| Workload {
        autoscalers: ceilings.iter().map(|ceiling| autoscaler(*ceiling)).collect(),
        ..orders(3)
    };
    for (name, workload, autoscalers, verdict) in [
        ("none", with(&[]), Autoscalers::Known, Ok(None)),
        ("at the limit", with(&[4]), Autoscalers::Known, Ok(None)),
        ("over", with(&[5]), Autoscalers::Known, Ok(Some(5))),
        ("the highest of two", with(&[3, 9]), Autoscalers::Known, Ok(Some(9))),
        ("over, others unread", with(&[5]), Autoscalers::SomeUnread, Ok(Some(5))),
        ("fine, others unread", with(&[4]), Autoscalers::SomeUnread, Ok(None)),
        ("none seen, but some unread", with(&[]), Autoscalers::SomeUnread, Err("unknown")),
        ("the list is not complete", with(&[5]), Autoscalers::Unknown, Err("unknown")),
    ] {
        assert_eq!(says(Rule::CeilingOverLimit, &workload, autoscalers), verdict, "{name}");
    }
}

#[test]
fn out_of_range() {
    let declared = |pods, limit| workload("payments", "orders-api", pods, Some(limit));
    let young = |minutes: i64| Workload { created_at: Some(minute(-minutes)), ..declared(1, 4) };
    for (name, workload, observed) in [
        ("two", declared(2, 4), None),
        ("eight", declared(8, 8), None),
        ("one", declared(1, 4), Some(1)),
        ("nine", declared(9, 8), Some(9)),
        ("a limit of one", declared(2, 1), Some(1)),
        ("a limit of nine", declared(2, 9), Some(9)),
        ("paused", declared(0, 4), None),
        ("paused, pods not gone yet", Workload { desired: 0, ..declared(1, 4) }, None),
        ("paused, but nine still there", Workload { desired: 0, ..declared(9, 4) }, Some(9)),
        ("no pods although some are wished for", Workload { desired: 2, ..declared(0, 4) }, Some(0)),
        ("nine minutes old", young(9), None),
        ("ten minutes old", young(10), Some(1)),
        ("age not known", Workload { created_at: None, ..declared(1, 4) }, Some(1)),
        ("a surge over eight", rolling(10, 8, -1), None),
        ("more than the surge over eight", rolling(11, 8, -1), Some(11)),
        ("undeclared in a watched namespace", workload("payments", "x", 1, None), Some(1)),
        ("undeclared elsewhere", workload("kube-system", "dns", 1, None), None),
    ] {
        // The surge of a wish of 8 is 2; a limit of 4 does not matter here.
        assert_eq!(says(Rule::OutOfRange, &workload, Autoscalers::Known), Ok(observed), "{name}");
    }
}

#[test]
fn undeclared() {
    for (name, workload, observed) in [
        ("declared", orders(3), None),
        ("undeclared", workload("payments", "x", 3, None), Some(3)),
        ("excluded namespace", workload("default", "x", 3, None), None),
    ] {
        assert_eq!(says(Rule::Undeclared, &workload, Autoscalers::Known), Ok(observed), "{name}");
    }
}
