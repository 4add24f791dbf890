//! Episodes do not depend on how often or in which order snapshots come, nor on crashes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use schemas::{AlertState, Violation};

use super::*;
use crate::config::Config;
use crate::gaps::{Absence, Autoscalers, Coverage};
use crate::stage::Evaluator;
use crate::testing::ports::Memory;
use crate::testing::{autoscaler, minute, snapshot, workload};
use platform::testkit::memory::Fault;

/// One workload in one snapshot: absent, or with that incarnation, pods, limit and ceiling.
fn any_workload(name: &'static str) -> impl Strategy<Value = Option<Workload>> {
    let pods = prop_oneof![3 => 2..5_i64, 2 => 0..11_i64];
    let limit = prop_oneof![4 => Just(Some(4)), 1 => Just(Some(6)), 1 => Just(None)];
    let ceiling = prop_oneof![2 => Just(None), 1 => (3..8_i64).prop_map(Some)];
    prop_oneof![
        8 => (0..2_u8, pods, limit, ceiling).prop_map(move |(incarnation, pods, limit, ceiling)| Some(Workload {
            uid: Some(format!("{name}-{incarnation}")),
            autoscalers: ceiling.into_iter().map(autoscaler).collect(),
            ..workload("payments", name, pods, limit)
        })),
        1 => Just(None),
    ]
}

fn any_coverage() -> impl Strategy<Value = Coverage> {
    let gap = || vec!["a gap".to_owned()];
    prop_oneof![
        8 => Just(Coverage::complete()),
        1 => Just(Coverage { absence: Absence::Unproven, gaps: gap(), ..Coverage::complete() }),
        1 => Just(Coverage { autoscalers: Autoscalers::Unknown, gaps: gap(), ..Coverage::complete() }),
    ]
}

/// Snapshots in order, minutes to hours apart.
fn any_history() -> impl Strategy<Value = Vec<Snapshot>> {
    let step = prop_oneof![5 => 1..20_i64, 1 => 20..2_000_i64];
    prop::collection::vec((step, any_workload("orders-api"), any_workload("refunds-api"), any_coverage()), 1..25)
        .prop_map(|steps| {
            let mut at = 0;
            let one = |(step, first, second, coverage)| {
                at += step;
                let workloads = [first, second].into_iter().flatten().collect();
                Snapshot { coverage, ..snapshot(minute(at), workloads) }
            };
            steps.into_iter().map(one).collect()
        })
}

/// Judges in order, each once.
fn in_order(snapshots: &[&Snapshot]) -> (State, Vec<Violation>) {
    let policy = Policy::default();
    let mut told = Vec::new();
    let mut state = State::default();
    for snapshot in snapshots {
        state = judge(&policy, &state, snapshot).state;
        told.append(&mut state.pending);
    }
    (state, told)
}

/// Those that are newer than all before them.
fn that_count<'a>(delivered: &[&'a Snapshot]) -> Vec<&'a Snapshot> {
    let mut counting: Vec<&Snapshot> = Vec::new();
    for snapshot in delivered {
        if counting.last().is_none_or(|newest| snapshot.judged() > newest.judged()) {
            counting.push(snapshot);
        }
    }
    counting
}

fn by_id(violations: Vec<Violation>) -> BTreeMap<String, Violation> {
    violations.into_iter().map(|violation| (violation.event_id.to_string(), violation)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn an_episode_opens_once_ends_at_most_once_and_has_ids_of_its_own(history in any_history()) {
        let (state, told) = in_order(&history.iter().collect::<Vec<_>>());
        let ids: BTreeSet<_> = told.iter().map(|violation| violation.event_id.clone()).collect();
        prop_assert_eq!(ids.len(), told.len());
        let mut episodes: BTreeMap<_, Vec<&Violation>> = BTreeMap::new();
        for violation in &told {
            episodes.entry(violation.episode_id.clone()).or_default().push(violation);
        }
        let open: BTreeSet<_> = state.open().map(|(_, _, episode)| episode.episode_id.clone()).collect();
        for (id, transitions) in &episodes {
            let states: Vec<AlertState> = transitions.iter().map(|told| told.state).collect();
            prop_assert_eq!(states[0], AlertState::Opened);
            prop_assert!(states[1..].iter().all(|state| *state != AlertState::Opened));
            let ended = states.iter().filter(|state| **state == AlertState::Resolved).count();
            prop_assert_eq!(ended, usize::from(states.last() == Some(&AlertState::Resolved)));
            prop_assert_eq!(ended == 0, open.contains(id));
            prop_assert!(transitions.is_sorted_by_key(|told| told.timestamp));
            for told in transitions {
                prop_assert!(told.started_at <= told.timestamp);
                prop_assert_eq!(told.started_at, transitions[0].started_at);
                prop_assert_eq!(told.ended_at.is_some(), told.state == AlertState::Resolved);
                prop_assert!(told.ended_at.is_none_or(|ended_at| ended_at > told.started_at));
            }
        }
        prop_assert!(open.iter().all(|id| episodes.contains_key(id)));
        prop_assert_eq!(State::parse("state", &state.to_bytes().unwrap()).unwrap(), state);
    }

    #[test]
    fn order_repetition_and_failures_do_not_matter(
        history in any_history(),
        deliveries in prop::collection::vec(any::<prop::sample::Index>(), 1..40),
        faults in prop::collection::vec((1..=60_usize, prop_oneof![Just(Fault::Before), Just(Fault::After)]), 0..12),
    ) {
        let delivered: Vec<&Snapshot> = deliveries.iter().map(|index| index.get(&history)).collect();
        let memory = Memory::default();
        let evaluator = Evaluator::new(&Config::default(), &memory.ports()).unwrap();
        for (nth, fault) in &faults {
            memory.effects.fail(*nth, *fault);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            for snapshot in &delivered {
                // Every failed delivery comes again; each plan entry fails once.
                let attempts = faults.len() + 1;
                let mut done = false;
                for _ in 0..attempts {
                    done = evaluator.judge_and_publish(Arc::new((*snapshot).clone())).await.is_ok();
                    if done {
                        break;
                    }
                }
                assert!(done, "more failures than planned");
            }
        });
        let (expected_state, expected) = in_order(&that_count(&delivered));
        prop_assert_eq!(by_id(memory.published()), by_id(expected));
        let key = schemas::keys::evaluator_state(&history[0].cluster);
        prop_assert_eq!(State::parse(&key, &memory.get(&key).unwrap()).unwrap(), expected_state);
    }
}
