//! One snapshot judged: a state and a snapshot in, the next state out.

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use schemas::{AlertState, Cause, Rule, Timestamp, Violation};

use crate::cause::cause;
use crate::episode::{Broken, Observation, Standing, Transition};
use crate::evidence;
use crate::message::Telling;
use crate::policy::{Policy, Settings};
use crate::resolution::{Resolution, resolution};
use crate::rules::{Case, Finding, Numbers, RULES, Verdict};
use crate::snapshot::Snapshot;
use crate::state::{State, TrackedRule};
use crate::violation::{Context, Subject, episode_id, violation};
use crate::workload::Workload;

/// What became of a snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The next state; its `pending` are the transitions of this snapshot.
    pub state: State,
    /// Counts.
    pub summary: Summary,
}

/// Counts of one judged snapshot, for logs and metrics.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Workloads judged.
    pub workloads: u64,
    /// Workloads that break a rule now, by rule, also within its grace.
    pub broken: BTreeMap<Rule, u64>,
    /// Open episodes afterwards, by rule; every rule that is judged is there, also with none.
    pub open: BTreeMap<Rule, u64>,
    /// Transitions, by state.
    pub transitions: BTreeMap<AlertState, u64>,
    /// Why judging was incomplete.
    pub gaps: Vec<String>,
}

/// What a rule said of a present workload, where that matters.
struct Seen<'a> {
    workload: &'a Workload,
    rule: Rule,
    said: Said,
}

enum Said {
    Verdict(Verdict, Settings),
    SwitchedOff,
}

impl Seen<'_> {
    /// Sorted like the state; of duplicates of one workload, the worst verdict first.
    fn order(&self, other: &Self) -> Ordering {
        let badness = |said: &Said| match said {
            Said::Verdict(Verdict::Broken(finding), _) => (2, finding.measure),
            Said::Verdict(..) => (1, 0),
            Said::SwitchedOff => (0, 0),
        };
        (self.workload.identity(), self.rule)
            .cmp(&(other.workload.identity(), other.rule))
            .then_with(|| badness(&other.said).cmp(&badness(&self.said)))
    }
}

/// Judges a snapshot that is newer than every one judged before. The caller has published what was
/// pending in `state`.
pub fn judge(policy: &Policy, state: &State, snapshot: &Snapshot) -> Judgement {
    let mut judging = Judging {
        policy,
        snapshot,
        newest: state.newest.as_ref().map(|newest| newest.observed_at),
        summary: Summary { gaps: snapshot.coverage.gaps.clone(), ..Summary::default() },
        pending: Vec::new(),
    };
    let seen = judging.look(&state.tracked);
    let tracked = judging.advance_all(&state.tracked, seen);
    let mut incomplete = state.incomplete.clone();
    judging.advance_incomplete(&mut incomplete);
    let mut next = State { newest: Some(snapshot.judged()), incomplete, tracked, ..State::default() };
    let mut summary = judging.summary;
    for violation in &judging.pending {
        *summary.transitions.entry(violation.state).or_default() += 1;
    }
    next.pending = judging.pending;
    let judged = RULES.iter().map(|known| known.rule).chain([Rule::EvaluationIncomplete]);
    summary.open.extend(judged.map(|rule| (rule, 0)));
    for (rule, _, _) in next.open() {
        *summary.open.entry(rule).or_default() += 1;
    }
    Judgement { state: next, summary }
}

struct Judging<'a> {
    policy: &'a Policy,
    snapshot: &'a Snapshot,
    /// The snapshot judged before.
    newest: Option<Timestamp>,
    summary: Summary,
    pending: Vec<Violation>,
}

impl<'a> Judging<'a> {
    /// Applies every rule to every workload; keeps what is broken, and what the state remembers.
    fn look(&mut self, tracked: &[TrackedRule]) -> Vec<Seen<'a>> {
        let remembered = ranges(tracked);
        let mut seen = Vec::new();
        for workload in &self.snapshot.workloads {
            self.summary.workloads += 1;
            let remembered = match remembered.get(&workload.identity()) {
                Some(range) => tracked.get(range.clone()).unwrap_or_default(),
                None => &[],
            };
            let is_remembered = |rule: Rule| remembered.iter().any(|tracked| tracked.rule == rule);
            let case = Case {
                workload,
                observed_at: self.snapshot.observed_at,
                autoscalers: self.snapshot.coverage.autoscalers,
                policy: self.policy,
            };
            let table = self.policy.settings(&workload.namespace, &workload.name, workload.team());
            for (definition, settings) in RULES.iter().zip(table) {
                let said = if settings.enabled {
                    Said::Verdict((definition.judge)(&case, &settings), settings)
                } else {
                    Said::SwitchedOff
                };
                let is_broken = matches!(said, Said::Verdict(Verdict::Broken(_), _));
                if is_broken || is_remembered(definition.rule) {
                    seen.push(Seen { workload, rule: definition.rule, said });
                }
            }
            let dropped = remembered.iter().filter(|tracked| RULES.iter().all(|known| known.rule != tracked.rule));
            seen.extend(dropped.map(|tracked| Seen { workload, rule: tracked.rule, said: Said::SwitchedOff }));
        }
        seen.sort_by(Seen::order);
        seen.dedup_by(|later, first| {
            (later.workload.identity(), later.rule) == (first.workload.identity(), first.rule)
        });
        seen
    }

    /// Advances what is remembered and what was seen, both sorted alike, to the next state's order.
    fn advance_all(&mut self, tracked: &[TrackedRule], seen: Vec<Seen<'a>>) -> Vec<TrackedRule> {
        let mut next = Vec::with_capacity(seen.len());
        let mut tracked = tracked.iter().peekable();
        let mut seen = seen.into_iter().peekable();
        loop {
            let order = match (tracked.peek(), seen.peek()) {
                (None, None) => return next,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(tracked), Some(seen)) => tracked.key().cmp(&(seen.workload.identity(), seen.rule)),
            };
            let remembered = if order == Ordering::Greater { None } else { tracked.next() };
            let present = if order == Ordering::Less { None } else { seen.next() };
            let mut entry = match (remembered, &present) {
                (Some(tracked), _) => tracked.clone(),
                (None, Some(seen)) => TrackedRule {
                    namespace: seen.workload.namespace.clone(),
                    deployment: seen.workload.name.clone(),
                    uid: seen.workload.uid.clone(),
                    rule: seen.rule,
                    standing: Standing::default(),
                },
                (None, None) => continue,
            };
            match present {
                Some(seen) => self.advance_present(&mut entry, seen),
                None => self.advance_absent(&mut entry),
            }
            if !entry.standing.is_forgettable() {
                next.push(entry);
            }
        }
    }

    /// A workload that is there.
    fn advance_present(&mut self, entry: &mut TrackedRule, seen: Seen<'a>) {
        let Seen { workload, rule, said } = seen;
        let subject = Some(workload.identity());
        match said {
            Said::Verdict(Verdict::Broken(finding), settings) => {
                *self.summary.broken.entry(rule).or_default() += 1;
                self.advance_broken(&mut entry.standing, workload, rule, &finding, settings);
            }
            Said::Verdict(Verdict::Holds, _) => {
                let now = self.numbers_now(rule, workload);
                let before = entry.standing.open.as_ref().map(|episode| episode.numbers).unwrap_or_default();
                let why = resolution(rule, &before, &now);
                self.end(&mut entry.standing, rule, subject, Observation::Holds, why, Some(now));
            }
            Said::Verdict(Verdict::Unknown, _) => {
                self.end(&mut entry.standing, rule, subject, Observation::Unknown, Resolution::RuleHolds, None);
            }
            Said::SwitchedOff => {
                self.end(&mut entry.standing, rule, subject, Observation::Gone, Resolution::RuleSwitchedOff, None);
            }
        }
    }

    /// A workload that is not there: gone, if the snapshot can prove it.
    fn advance_absent(&mut self, entry: &mut TrackedRule) {
        let gone = self.snapshot.coverage.proves_absence_of(&entry.namespace, &entry.deployment);
        let observation = if gone { Observation::Gone } else { Observation::Unknown };
        let TrackedRule { namespace, deployment, uid, rule, standing } = entry;
        let subject = Some((namespace.as_str(), deployment.as_str(), uid.as_deref()));
        self.end(standing, *rule, subject, observation, Resolution::WorkloadDeleted, None);
    }

    /// A broken rule, with its cause.
    fn advance_broken(
        &mut self,
        standing: &mut Standing,
        workload: &'a Workload,
        rule: Rule,
        finding: &Finding,
        settings: Settings,
    ) {
        let found = cause(rule, finding, workload, &self.snapshot.changes, standing.held_at(self.newest));
        let grace = if found.cause == Cause::LimitLowered {
            settings.grace.max(self.policy.limit_lowered_grace)
        } else {
            settings.grace
        };
        let observation = Observation::Broken(Broken {
            severity: settings.severity,
            grace,
            measure: finding.measure,
            numbers: finding.numbers,
            cause: found.cause,
            actor: found.actor.map(crate::message::plain),
            api_id: workload.api().map(str::to_owned),
            team_id: workload.team().map(str::to_owned),
        });
        let subject = Some(workload.identity());
        let Some(transition) = self.advance(standing, rule, subject, observation) else { return };
        let telling = Telling {
            caused_at: found.at,
            previous_limit: workload.limit.as_ref().and_then(|limit| limit.previous_max_replicas),
            ..self.telling(rule, subject, &transition)
        };
        let evidence = evidence::of_broken(finding, &found, workload, transition.episode.flapping);
        let context = Context { subject, telling, numbers: finding.numbers, evidence };
        self.pending.push(violation(self.snapshot, &transition, context));
    }

    /// Anything but a broken rule.
    fn end(
        &mut self,
        standing: &mut Standing,
        rule: Rule,
        subject: Subject<'_>,
        observation: Observation,
        why: Resolution,
        now: Option<Numbers>,
    ) {
        let Some(transition) = self.advance(standing, rule, subject, observation) else { return };
        let telling = Telling { resolution: Some(why), ..self.telling(rule, subject, &transition) };
        let before = transition.episode.numbers;
        let evidence = evidence::of_ended(why, &before, now.as_ref(), transition.episode.flapping);
        let context = Context { subject, telling, numbers: now.unwrap_or(before), evidence };
        self.pending.push(violation(self.snapshot, &transition, context));
    }

    /// The cluster's own episode: opened by gaps, resolved by a snapshot that lacks nothing.
    fn advance_incomplete(&mut self, standing: &mut Standing) {
        const RULE: Rule = Rule::EvaluationIncomplete;
        let coverage = &self.snapshot.coverage;
        let settings = self.policy.evaluation_incomplete;
        if !settings.enabled {
            return self.end(standing, RULE, None, Observation::Gone, Resolution::RuleSwitchedOff, None);
        }
        if coverage.gaps.is_empty() {
            let observation = if coverage.asked_for_all { Observation::Holds } else { Observation::Unknown };
            return self.end(standing, RULE, None, observation, Resolution::SnapshotComplete, None);
        }
        *self.summary.broken.entry(RULE).or_default() += 1;
        let observation = Observation::Broken(Broken {
            severity: settings.severity,
            grace: settings.grace,
            measure: 0,
            numbers: Numbers::default(),
            cause: Cause::Unknown,
            actor: None,
            api_id: None,
            team_id: None,
        });
        let Some(transition) = self.advance(standing, RULE, None, observation) else { return };
        let telling = Telling { gaps: &coverage.gaps, ..self.telling(RULE, None, &transition) };
        let evidence = evidence::of_gaps(&coverage.gaps);
        let context = Context { subject: None, telling, numbers: Numbers::default(), evidence };
        self.pending.push(violation(self.snapshot, &transition, context));
    }

    fn advance(
        &self,
        standing: &mut Standing,
        rule: Rule,
        subject: Subject<'_>,
        observation: Observation,
    ) -> Option<Transition> {
        let snapshot = self.snapshot;
        standing.advance(observation, &snapshot.judged(), self.newest, self.policy, |start| {
            episode_id(snapshot, rule, subject, start)
        })
    }

    /// The numbers of a rule that holds.
    fn numbers_now(&self, rule: Rule, workload: &Workload) -> Numbers {
        let observed = match rule {
            Rule::DesiredOverLimit => Some(workload.desired),
            Rule::CeilingOverLimit => workload.ceiling(),
            _ => Some(workload.actual),
        };
        let case = Case {
            workload,
            observed_at: self.snapshot.observed_at,
            autoscalers: self.snapshot.coverage.autoscalers,
            policy: self.policy,
        };
        case.numbers(observed)
    }

    /// What a sentence about a transition says in any case.
    fn telling<'t>(&self, rule: Rule, subject: Subject<'t>, transition: &'t Transition) -> Telling<'t>
    where
        'a: 't,
    {
        let episode = &transition.episode;
        Telling {
            rule,
            state: transition.state,
            cluster: &self.snapshot.cluster,
            workload: subject.map(|(namespace, name, _)| (namespace, name)),
            api: episode.api_id.as_deref(),
            team: episode.team_id.as_deref(),
            numbers: episode.numbers,
            told_before: transition.told_before,
            range: self.policy.range,
            cause: episode.cause,
            actor: episode.actor.as_deref(),
            caused_at: None,
            previous_limit: None,
            started_at: episode.started_at,
            ended_at: transition.ended_at,
            resolution: None,
            flapping: episode.flapping,
            gaps: &[],
        }
    }
}

/// Where each workload's entries are in a sorted state.
fn ranges(tracked: &[TrackedRule]) -> HashMap<(&str, &str, Option<&str>), Range<usize>> {
    let mut ranges: HashMap<_, Range<usize>> = HashMap::new();
    for (position, entry) in tracked.iter().enumerate() {
        let range = ranges.entry(entry.identity()).or_insert(position..position);
        range.end = position + 1;
    }
    ranges
}
