//! What happens to a workload: a pure function of the workload and a time.
//!
//! Time is cut into weeks (each workload's begin at an hour of its own) and those into slots. A
//! week begins with a deployment by the pipeline, which sets everything back to what is declared;
//! so the state at any moment follows from at most two weeks of events, however long the story.

use super::dice::Dice;
use super::workload::{Scaling, Workload};

const WEEK_SECONDS: i64 = 7 * 86_400;
const SLOT_SECONDS: i64 = 12 * 3600;
const SLOTS: i64 = WEEK_SECONDS / SLOT_SECONDS;
/// How long a rollout takes.
pub(super) const ROLLOUT_SECONDS: i64 = 180;
/// How long a workload is away when it is recreated.
const AWAY_SECONDS: i64 = 90;
/// How long new pods take to get ready.
const STARTING_SECONDS: i64 = 25;
/// How often an autoscaler decides.
pub(super) const AUTOSCALER_SECONDS: i64 = 900;
/// Weeks that are searched for the last time a workload was recreated.
const RECREATED_WEEKS: i64 = 52;

mod of {
    pub(super) const RECREATED: u64 = 10;
    pub(super) const SLOT: u64 = 11;
    pub(super) const LOAD: u64 = 12;
    pub(super) const PEAK: u64 = 13;
}

/// One thing that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Event {
    /// When, in seconds since the epoch.
    pub(super) at: i64,
    pub(super) what: What,
}

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// The pipeline deploys a new version and sets replicas or ceiling back to what is declared.
    DeployAsDeclared,
    /// The pipeline deploys a new version and touches nothing else.
    Deploy,
    /// A person sets the number that rules: replicas, or the autoscaler's ceiling.
    ByHand(i64),
    /// A person deletes it; it comes back a little later.
    Delete,
    /// The pipeline creates it again.
    Recreate,
}

/// A workload at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    /// When this incarnation was created.
    pub(super) created: i64,
    /// When its current version was deployed, which names its ReplicaSet.
    pub(super) version: i64,
    /// The version before, if this incarnation had one.
    pub(super) version_before: Option<i64>,
    /// `spec.replicas`.
    pub(super) replicas: i64,
    /// The autoscaler's limits.
    pub(super) floor: i64,
    pub(super) ceiling: i64,
    /// What the autoscaler would want.
    pub(super) wanted: i64,
    /// Seconds since a rollout that is going on began.
    pub(super) rolling_for: Option<i64>,
    /// When anything last changed.
    pub(super) changed: i64,
    /// Pods that are not ready yet for another reason than a rollout.
    pub(super) starting: i64,
}

impl State {
    /// A workload that runs one pod, untouched since it was created.
    pub(super) fn of_one_pod(created: i64) -> Self {
        Self {
            created,
            version: created,
            version_before: None,
            replicas: 1,
            floor: 1,
            ceiling: 1,
            wanted: 1,
            rolling_for: None,
            changed: created,
            starting: 0,
        }
    }
}

impl Workload {
    /// Its state; none before it was born and while it is away.
    pub(super) fn state(&self, at: i64) -> Option<State> {
        if at < self.born {
            return None;
        }
        let week = self.week(at);
        let mut folded = Folded { version: self.week_start(week - 1), ..Folded::default() };
        for event in self.events(week - 1).into_iter().chain(self.events(week)).take_while(|event| event.at <= at) {
            folded.apply(self, event);
        }
        if folded.away {
            return None;
        }
        let recreated = folded.recreated.filter(|recreated| *recreated >= self.born);
        let created = recreated.or_else(|| self.recreated_before(week - 1)).unwrap_or(self.born);
        let version = folded.version.max(created);
        let version_before = folded.version_before.filter(|before| *before >= created && *before < version);
        let floor = 2.min(folded.rule);
        let (wanted, replicas, scaled) = match self.scaling {
            Scaling::Fixed => (folded.rule, folded.rule, folded.ruled),
            Scaling::Auto(_) => {
                let decision = at.div_euclid(AUTOSCALER_SECONDS);
                let wanted = self.wanted(decision);
                let before = self.wanted(decision - 1).clamp(floor, folded.rule);
                let replicas = wanted.clamp(floor, folded.rule);
                let scaled = if replicas == before { folded.ruled } else { decision * AUTOSCALER_SECONDS };
                (wanted, replicas, scaled)
            }
        };
        let rolling = at - version;
        Some(State {
            created,
            version,
            version_before,
            replicas,
            floor,
            ceiling: folded.rule,
            wanted,
            rolling_for: (rolling < ROLLOUT_SECONDS && version_before.is_some()).then_some(rolling),
            changed: scaled.max(version),
            starting: if at - scaled.max(created) < STARTING_SECONDS { 1.min(replicas) } else { 0 },
        })
    }

    /// Moments at which its numbers may change, from `from` to before `to`, in order.
    pub(super) fn moments(&self, from: i64, to: i64) -> Vec<(i64, Option<What>)> {
        let weeks = self.week(from)..=self.week(to);
        let mut moments: Vec<_> =
            weeks.flat_map(|week| self.events(week)).map(|event| (event.at, Some(event.what))).collect();
        if matches!(self.scaling, Scaling::Auto(_)) {
            let first = from.div_euclid(AUTOSCALER_SECONDS);
            let last = to.div_euclid(AUTOSCALER_SECONDS);
            moments.extend((first..=last).map(|decision| (decision * AUTOSCALER_SECONDS, None)));
        }
        moments.retain(|(at, _)| (from..to).contains(at));
        moments.sort_by_key(|(at, what)| (*at, what.is_none()));
        moments.dedup_by_key(|(at, _)| *at);
        moments
    }

    fn week(&self, at: i64) -> i64 {
        (at - self.phase).div_euclid(WEEK_SECONDS)
    }

    fn week_start(&self, week: i64) -> i64 {
        week * WEEK_SECONDS + self.phase
    }

    /// The events of one week, in order.
    fn events(&self, week: i64) -> Vec<Event> {
        let start = self.week_start(week);
        let mut events = vec![Event { at: start, what: What::DeployAsDeclared }];
        let recreated = self.recreated_in(week);
        for slot in 1..SLOTS {
            let mut dice = self.dice(&[of::SLOT, number(week), number(slot)]);
            let at = start + slot * SLOT_SECONDS + dice.between(0, SLOT_SECONDS - 3600);
            if recreated == Some(slot) {
                events.push(Event { at, what: What::Delete });
                events.push(Event { at: at + AWAY_SECONDS, what: What::Recreate });
                continue;
            }
            let target = self.target(at);
            let what = match dice.below(1000) {
                0..150 => What::Deploy,
                150..180 => What::ByHand(target + dice.between(1, 3)),
                180..215 => What::ByHand(dice.between(2, target)),
                215..260 => What::DeployAsDeclared,
                _ => continue,
            };
            events.push(Event { at, what });
        }
        events
    }

    /// The slot of a week in which it is deleted and recreated, if there is one.
    fn recreated_in(&self, week: i64) -> Option<i64> {
        let mut dice: Dice = self.dice(&[of::RECREATED, number(week)]);
        dice.chance(30).then(|| dice.between(2, SLOTS - 1))
    }

    /// When it was last recreated before a week begins.
    fn recreated_before(&self, week: i64) -> Option<i64> {
        (1..=RECREATED_WEEKS).map(|back| week - back).find(|week| self.recreated_in(*week).is_some()).and_then(|week| {
            let recreated = self.events(week).into_iter().find(|event| event.what == What::Recreate);
            recreated.map(|event| event.at).filter(|at| *at >= self.born)
        })
    }

    /// What its autoscaler wants at one of its decisions: more by day than by night.
    fn wanted(&self, decision: i64) -> i64 {
        let per_day = 86_400 / AUTOSCALER_SECONDS;
        let of_day = decision.rem_euclid(per_day);
        let from_noon = (of_day - per_day / 2).abs();
        let peak = self.dice(&[of::PEAK]).between(3, 7);
        let wave = peak * (per_day / 2 - from_noon) / (per_day / 2);
        let noise = self.dice(&[of::LOAD, number(decision)]).between(0, 5) / 4;
        (1 + wave + noise).max(1)
    }
}

/// A signed number as part of a draw's name.
fn number(signed: i64) -> u64 {
    u64::from_ne_bytes(signed.to_ne_bytes())
}

/// The state so far, going through events in order.
#[derive(Debug, Default)]
struct Folded {
    version: i64,
    version_before: Option<i64>,
    /// Replicas, or the ceiling where there is an autoscaler.
    rule: i64,
    /// When the rule last changed.
    ruled: i64,
    recreated: Option<i64>,
    away: bool,
}

impl Folded {
    fn apply(&mut self, workload: &Workload, event: Event) {
        let rule = match event.what {
            What::DeployAsDeclared | What::Recreate => declared_rule(workload, event.at),
            What::ByHand(rule) => rule,
            What::Deploy | What::Delete => self.rule,
        };
        if rule != self.rule {
            self.rule = rule;
            self.ruled = event.at;
        }
        match event.what {
            What::Deploy | What::DeployAsDeclared => {
                self.version_before = Some(self.version);
                self.version = event.at;
            }
            What::Delete => self.away = true,
            What::Recreate => {
                self.away = false;
                self.recreated = Some(event.at);
                self.version = event.at;
                self.version_before = None;
            }
            What::ByHand(_) => {}
        }
    }
}

/// What the pipeline sets: the limit as ceiling, and up to one pod less as replicas.
fn declared_rule(workload: &Workload, at: i64) -> i64 {
    let target = workload.target(at);
    match workload.scaling {
        Scaling::Auto(_) => target,
        Scaling::Fixed => (target - i64::from(workload.index.is_multiple_of(3))).max(2),
    }
}
