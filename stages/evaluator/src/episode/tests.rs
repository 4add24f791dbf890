//! The state machine, transition by transition.

use std::time::Duration;

use schemas::{AlertState, IdBuilder, Timestamp};

use super::*;
use crate::testing::minute;

/// A rule that is judged minute by minute.
struct Course {
    standing: Standing,
    policy: Policy,
    grace: Duration,
    newest: Option<Timestamp>,
}

impl Course {
    fn new() -> Self {
        Self { standing: Standing::default(), policy: Policy::default(), grace: Duration::ZERO, newest: None }
    }

    fn at(&mut self, minutes: i64, observation: Observation) -> Option<Transition> {
        let now = Judged { observed_at: minute(minutes), snapshot_id: format!("s{minutes}").into() };
        let transition = self.standing.advance(observation, &now, self.newest, &self.policy, |start| {
            IdBuilder::new("test").part("start", start.snapshot_id.as_str()).finish()
        });
        self.newest = Some(minute(minutes));
        transition
    }

    fn broken(&mut self, minutes: i64, observed: i64) -> Option<AlertState> {
        let observation = Observation::Broken(Broken {
            severity: Severity::Critical,
            grace: self.grace,
            measure: observed,
            numbers: Numbers { observed: Some(observed), ..Numbers::default() },
            cause: Cause::Unknown,
            actor: None,
            api_id: None,
            team_id: None,
        });
        self.at(minutes, observation).map(|transition| transition.state)
    }

    fn holds(&mut self, minutes: i64) -> Option<AlertState> {
        self.at(minutes, Observation::Holds).map(|transition| transition.state)
    }
}

const OPENED: Option<AlertState> = Some(AlertState::Opened);
const WORSENED: Option<AlertState> = Some(AlertState::Worsened);
const REMINDED: Option<AlertState> = Some(AlertState::Reminded);
const RESOLVED: Option<AlertState> = Some(AlertState::Resolved);

#[test]
fn only_changes_are_told() {
    let mut course = Course::new();
    assert_eq!(course.holds(0), None);
    assert_eq!(course.broken(5, 6), OPENED);
    assert_eq!(course.broken(10, 6), None);
    assert_eq!(course.broken(15, 7), WORSENED);
    assert_eq!(course.broken(20, 5), None);
    assert_eq!(course.broken(25, 7), None, "7 was told before");
    assert_eq!(course.broken(30, 8), WORSENED);
    assert_eq!(course.holds(35), RESOLVED);
    assert_eq!(course.holds(40), None);
}

#[test]
fn grace_runs_from_the_first_broken_moment_without_a_break() {
    let mut course = Course { grace: Duration::from_secs(600), ..Course::new() };
    assert_eq!(course.broken(0, 6), None);
    assert_eq!(course.broken(9, 6), None);
    assert_eq!(course.holds(9), None, "never opened, nothing to resolve");
    assert_eq!(course.broken(10, 6), None, "the grace began anew");
    assert_eq!(course.at(15, Observation::Unknown), None);
    assert_eq!(course.broken(20, 6), OPENED);
    let episode = course.standing.open.as_ref().unwrap();
    assert_eq!((episode.started_at, episode.opened_at), (minute(10), minute(20)));
}

#[test]
fn what_is_unknown_changes_nothing() {
    let mut course = Course::new();
    assert_eq!(course.broken(0, 6), OPENED);
    let before = course.standing.clone();
    assert_eq!(course.at(5, Observation::Unknown), None);
    assert_eq!(course.at(100_000, Observation::Unknown), None);
    assert_eq!(course.standing, before);
}

#[test]
fn a_reminder_comes_when_nothing_was_told_for_the_repeat_interval() {
    let mut course = Course::new();
    let day = 24 * 60;
    assert_eq!(course.broken(0, 6), OPENED);
    assert_eq!(course.broken(day - 1, 6), None);
    assert_eq!(course.broken(day, 6), REMINDED);
    assert_eq!(course.broken(2 * day - 1, 7), WORSENED);
    assert_eq!(course.broken(2 * day, 7), None, "told a minute ago");
    assert_eq!(course.broken(3 * day - 1, 7), REMINDED);
}

#[test]
fn an_episode_that_comes_and_goes_stays_open_until_it_is_quiet() {
    let mut course = Course::new();
    for round in 0..2 {
        assert_eq!(course.broken(10 * round, 6), OPENED);
        assert_eq!(course.holds(10 * round + 5), RESOLVED);
    }
    assert_eq!(course.broken(20, 6), OPENED);
    assert_eq!(course.holds(25), None, "the third end within an hour is not told");
    assert!(course.standing.open.as_ref().unwrap().flapping);
    assert_eq!(course.broken(30, 6), None, "still the same episode");
    assert_eq!(course.broken(32, 7), WORSENED, "worse is told all the same");
    assert_eq!(course.holds(35), None);
    assert_eq!(course.holds(64), None);
    let end = course.at(65, Observation::Holds).unwrap();
    assert_eq!((end.state, end.ended_at, end.episode.flapping), (AlertState::Resolved, Some(minute(35)), true));
    assert!(course.standing.is_forgettable());
    assert_eq!(course.broken(70, 6), OPENED);
    assert_eq!(course.holds(75), RESOLVED, "counted anew");
}

#[test]
fn three_ends_in_more_than_an_hour_are_no_flapping() {
    let mut course = Course::new();
    for start in [0, 25, 61] {
        assert_eq!(course.broken(start, 6), OPENED, "{start}");
        assert_eq!(course.holds(start + 5), RESOLVED, "{start}");
    }
    // 25, 61 and 80 are within an hour.
    assert_eq!(course.broken(80, 6), OPENED);
    assert_eq!(course.holds(84), None);
}

#[test]
fn a_deleted_workload_resolves_at_once_even_when_flapping() {
    let mut course = Course::new();
    for round in 0..3 {
        assert_eq!(course.broken(10 * round, 6), OPENED);
        course.holds(10 * round + 5);
    }
    assert!(course.standing.open.as_ref().unwrap().flapping);
    assert_eq!(course.at(30, Observation::Gone).map(|end| end.state), RESOLVED);
    assert_eq!(course.standing, Standing::default());
}

#[test]
fn a_past_that_no_longer_counts_is_forgotten() {
    let mut course = Course::new();
    assert_eq!(course.broken(0, 6), OPENED);
    assert_eq!(course.holds(5), RESOLVED);
    assert!(!course.standing.is_forgettable());
    assert_eq!(course.holds(61), None);
    assert!(course.standing.is_forgettable());
}

#[test]
fn every_transition_of_an_episode_counts_on() {
    let mut course = Course::new();
    course.broken(0, 5);
    course.broken(1, 6);
    let end = course.at(2, Observation::Holds).unwrap();
    assert_eq!((end.episode.told, end.told_before), (3, Some(6)));
}
