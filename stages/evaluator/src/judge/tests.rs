//! Whole snapshots judged one after the other.

use schemas::{AlertState, Cause, Rule, Severity, Violation};

use super::*;
use crate::gaps::{Absence, Autoscalers, Coverage};
use crate::testing::{autoscaler, minute, orders, snapshot, workload};

use AlertState::{Opened, Reminded, Resolved, Worsened};
use Rule::{CeilingOverLimit, DesiredOverLimit, EvaluationIncomplete, OutOfRange, OverLimit, Undeclared};

/// A cluster that is judged snapshot by snapshot.
#[derive(Default)]
struct Cluster {
    policy: Policy,
    state: State,
}

impl Cluster {
    fn judge(&mut self, snapshot: &Snapshot) -> Vec<Violation> {
        self.state = judge(&self.policy, &self.state, snapshot).state;
        std::mem::take(&mut self.state.pending)
    }

    fn told(&mut self, snapshot: &Snapshot) -> Vec<(Rule, AlertState)> {
        self.judge(snapshot).into_iter().map(|violation| (violation.alert_type, violation.state)).collect()
    }

    fn at(&mut self, minutes: i64, workloads: Vec<Workload>) -> Vec<(Rule, AlertState)> {
        self.told(&snapshot(minute(minutes), workloads))
    }
}

fn with(coverage: Coverage, minutes: i64, workloads: Vec<Workload>) -> Snapshot {
    Snapshot { coverage, ..snapshot(minute(minutes), workloads) }
}

fn lacking(absence: Absence, autoscalers: Autoscalers) -> Coverage {
    Coverage { absence, autoscalers, asked_for_all: true, gaps: vec!["something".to_owned()] }
}

#[test]
fn a_workload_over_its_limit_is_told_with_its_numbers() {
    let mut cluster = Cluster::default();
    let told = cluster.judge(&snapshot(minute(0), vec![orders(6), workload("shop", "fine", 3, Some(4))]));
    let [desired, over] = told.as_slice() else { panic!("{told:?}") };
    let mut rules = [desired.alert_type, over.alert_type];
    rules.sort();
    assert_eq!(rules, [OverLimit, DesiredOverLimit]);
    let over = told.iter().find(|told| told.alert_type == OverLimit).unwrap();
    assert_eq!((over.severity, over.state, over.cause), (Severity::Critical, Opened, Cause::Unknown));
    assert_eq!((over.observed, over.limit_value, over.desired, over.ceiling), (Some(6), Some(4), Some(6), None));
    assert_eq!((over.surge_allowance, over.ended_at, over.started_at), (Some(0), None, minute(0)));
    assert_eq!(over.uid.as_deref(), Some("uid-of-payments-orders-api"));
    assert_ne!(told[0].episode_id, told[1].episode_id);
    assert_ne!(told[0].event_id, told[1].event_id);
    assert!(cluster.at(5, vec![orders(6)]).is_empty());
    assert_eq!(cluster.at(10, vec![orders(7)]), [(OverLimit, Worsened), (DesiredOverLimit, Worsened)]);
    let end = cluster.judge(&snapshot(minute(15), vec![orders(4)]));
    assert!(end.iter().all(|end| end.state == Resolved && end.ended_at == Some(minute(15)) && end.observed == Some(4)));
    assert!(end.iter().all(|end| end.evidence.as_str().contains("scaled-down")), "{end:?}");
}

#[test]
fn an_undeclared_workload_has_a_day() {
    let mut cluster = Cluster::default();
    let undeclared = || vec![workload("shop", "new", 3, None)];
    assert!(cluster.at(0, undeclared()).is_empty());
    assert!(cluster.at(24 * 60 - 1, undeclared()).is_empty());
    assert_eq!(cluster.at(24 * 60, undeclared()), [(Undeclared, Opened)]);
    assert_eq!(cluster.at(48 * 60, undeclared()), [(Undeclared, Reminded)]);
    assert_eq!(cluster.at(48 * 60 + 5, vec![workload("shop", "new", 3, Some(3))]), [(Undeclared, Resolved)]);
}

#[test]
fn a_lowered_limit_has_its_own_grace() {
    let mut cluster = Cluster::default();
    let lowered = |pods| {
        let mut limit = crate::testing::limit("payments", "orders-api", 4);
        limit.previous_max_replicas = Some(6);
        limit.declared_at = minute(2);
        vec![Workload { limit: Some(std::sync::Arc::new(limit)), ..orders(pods) }]
    };
    assert!(cluster.at(0, vec![workload("payments", "orders-api", 6, Some(6))]).is_empty());
    assert!(cluster.at(5, lowered(6)).is_empty());
    assert!(cluster.at(5 + 24 * 60 - 1, lowered(6)).is_empty());
    let told = cluster.judge(&snapshot(minute(5 + 24 * 60), lowered(6)));
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|told| told.cause == Cause::LimitLowered && told.started_at == minute(5)));
    let mut other = Cluster::default();
    assert!(other.at(5, lowered(4)).is_empty());
    assert_eq!(other.at(10, lowered(6)).len(), 2, "it ran no more than the new limit, and was then scaled");
}

#[test]
fn a_workload_that_vanished_resolves_only_on_a_complete_snapshot() {
    let mut cluster = Cluster::default();
    assert_eq!(cluster.at(0, vec![orders(6)]).len(), 2);
    let unproven = lacking(Absence::Unproven, Autoscalers::Known);
    assert_eq!(cluster.told(&with(unproven, 5, vec![])), [(EvaluationIncomplete, Opened)]);
    let mut rejected = Coverage { gaps: vec!["deployments: 1 could not be read".into()], ..Coverage::complete() };
    rejected.deployment_rejected("payments/orders-api");
    assert!(cluster.told(&with(rejected.clone(), 10, vec![])).is_empty());
    let end = cluster.judge(&snapshot(minute(15), vec![]));
    let deleted = end.iter().filter(|end| end.evidence.as_str().contains("workload-deleted")).count();
    assert_eq!((end.len(), deleted), (3, 2), "{end:?}");
    assert!(cluster.state.tracked.is_empty());
    // A rejected object protects its own name only.
    assert_eq!(cluster.at(20, vec![orders(6)]).len(), 2);
    let mut other = rejected;
    other.absence = Absence::Proven;
    other.deployment_rejected("payments/other");
    assert_eq!(cluster.told(&with(other, 25, vec![])).len(), 3, "two resolved, one incomplete opened");
}

#[test]
fn what_is_present_is_judged_on_an_incomplete_snapshot() {
    let mut cluster = Cluster::default();
    let unproven = || lacking(Absence::Unproven, Autoscalers::Known);
    let told = cluster.told(&with(unproven(), 0, vec![orders(6)]));
    assert_eq!(told, [(OverLimit, Opened), (DesiredOverLimit, Opened), (EvaluationIncomplete, Opened)]);
    assert_eq!(cluster.told(&with(unproven(), 5, vec![orders(7)])).len(), 2, "worsened");
    assert_eq!(cluster.told(&with(unproven(), 10, vec![orders(4)])).len(), 2, "resolved");
    assert_eq!(cluster.at(15, vec![orders(4)]), [(EvaluationIncomplete, Resolved)]);
}

#[test]
fn without_a_whole_list_of_autoscalers_ceilings_are_not_judged() {
    let mut cluster = Cluster::default();
    let scaled = |ceiling| vec![Workload { autoscalers: vec![autoscaler(ceiling)], ..orders(3) }];
    let unknown = || lacking(Absence::Proven, Autoscalers::Unknown);
    assert_eq!(cluster.told(&with(unknown(), 0, scaled(9))), [(EvaluationIncomplete, Opened)]);
    assert_eq!(cluster.at(5, scaled(9)), [(CeilingOverLimit, Opened), (EvaluationIncomplete, Resolved)]);
    assert_eq!(cluster.told(&with(unknown(), 10, vec![orders(3)])), [(EvaluationIncomplete, Opened)]);
    let some_unread = lacking(Absence::Proven, Autoscalers::SomeUnread);
    assert!(cluster.told(&with(some_unread, 15, vec![orders(3)])).is_empty());
    assert_eq!(cluster.at(20, vec![orders(3)]), [(CeilingOverLimit, Resolved), (EvaluationIncomplete, Resolved)]);
}

#[test]
fn a_snapshot_that_did_not_ask_for_all_says_nothing_about_completeness() {
    let mut cluster = Cluster::default();
    let partial = || Coverage { asked_for_all: false, autoscalers: Autoscalers::Unknown, ..Coverage::complete() };
    assert!(cluster.told(&with(partial(), 0, vec![orders(3)])).is_empty());
    assert_eq!(cluster.told(&with(lacking(Absence::Unproven, Autoscalers::Known), 5, vec![])).len(), 1);
    assert!(cluster.told(&with(partial(), 10, vec![orders(3)])).is_empty());
    assert_eq!(cluster.at(15, vec![orders(3)]), [(EvaluationIncomplete, Resolved)]);
}

#[test]
fn deleted_and_recreated_is_another_workload() {
    let mut cluster = Cluster::default();
    let before = cluster.judge(&snapshot(minute(0), vec![orders(6)]));
    let again = Workload { uid: Some("another".into()), created_at: Some(minute(3)), ..orders(6) };
    let told = cluster.judge(&snapshot(minute(5), vec![again]));
    let of = |state| told.iter().filter(move |told| told.state == state);
    assert_eq!((of(Resolved).count(), of(Opened).count()), (2, 2), "{told:?}");
    assert!(of(Resolved).all(|told| before.iter().any(|old| old.episode_id == told.episode_id)));
    assert!(of(Resolved).all(|told| told.message.contains("the workload was deleted")));
    assert!(of(Opened).all(|told| before.iter().all(|old| old.episode_id != told.episode_id)));
}

#[test]
fn a_rule_switched_off_resolves_what_it_opened() {
    let mut cluster = Cluster::default();
    assert_eq!(cluster.at(0, vec![orders(6)]).len(), 2);
    let off = Settings { enabled: false, ..*cluster.policy.rule(OverLimit).unwrap() };
    cluster.policy = cluster.policy.with_rule(OverLimit, off);
    let told = cluster.judge(&snapshot(minute(5), vec![orders(6)]));
    assert_eq!(told.len(), 1);
    assert!(told[0].state == Resolved && told[0].evidence.as_str().contains("rule-switched-off"), "{told:?}");
}

#[test]
fn duplicates_and_copied_uids_do_not_hide_a_violation() {
    let mut cluster = Cluster::default();
    let copy = Workload { uid: orders(3).uid, ..workload("payments", "copy", 9, Some(4)) };
    let told = cluster.judge(&snapshot(minute(0), vec![orders(3), copy, orders(6), orders(5)]));
    let over: Vec<_> = told
        .iter()
        .filter(|told| told.alert_type == OverLimit)
        .map(|told| (told.deployment_name.as_deref(), told.observed))
        .collect();
    assert_eq!(over, [(Some("copy"), Some(9)), (Some("orders-api"), Some(6))]);
    assert!(told.iter().any(|told| told.alert_type == OutOfRange));
}

#[test]
fn counts_are_of_the_snapshot_and_of_what_is_open_afterwards() {
    let fine = workload("shop", "fine", 3, Some(4));
    let Judgement { state, summary } =
        judge(&Policy::default(), &State::default(), &snapshot(minute(0), vec![orders(6), fine]));
    assert_eq!(summary.workloads, 2);
    assert_eq!(summary.broken, BTreeMap::from([(OverLimit, 1), (DesiredOverLimit, 1)]));
    let open: Vec<u64> = [OverLimit, DesiredOverLimit, CeilingOverLimit, OutOfRange, Undeclared, EvaluationIncomplete]
        .iter()
        .map(|rule| summary.open[rule])
        .collect();
    assert_eq!(open, [1, 1, 0, 0, 0, 0]);
    assert_eq!(summary.transitions, BTreeMap::from([(Opened, 2)]));
    assert_eq!(state.newest, Some(snapshot(minute(0), vec![]).judged()));
}
