//! Transitions as messages, under ids that are hashes of what they are about.

use schemas::{AlertState, EpisodeId, EventId, IdBuilder, Json, Rule, Violation};

use crate::episode::Transition;
use crate::message::{Telling, sentence};
use crate::rules::Numbers;
use crate::snapshot::Snapshot;
use crate::state::Judged;

/// Identity of a workload: namespace, name, uid; none for the cluster itself.
pub(crate) type Subject<'a> = Option<(&'a str, &'a str, Option<&'a str>)>;

/// The id of an episode: cluster, rule, workload, and the judged moment at which it began.
pub(crate) fn episode_id(snapshot: &Snapshot, rule: Rule, subject: Subject<'_>, start: &Judged) -> EpisodeId {
    IdBuilder::new("episode")
        .part("cluster", snapshot.cluster.as_str())
        .part("rule", rule.as_str())
        .optional("namespace", subject.map(|(namespace, _, _)| namespace))
        .optional("deployment", subject.map(|(_, name, _)| name))
        .optional("uid", subject.and_then(|(_, _, uid)| uid))
        .part("started_at", start.observed_at.micros().to_be_bytes())
        .part("first_snapshot", start.snapshot_id.as_str())
        .finish()
}

/// The id of a transition: the episode, the state, and how often the episode was told.
fn event_id(episode: &EpisodeId, state: AlertState, told: u64) -> EventId {
    IdBuilder::new("violation")
        .part("episode", episode.as_str())
        .part("state", state.as_str())
        .part("told", told.to_be_bytes())
        .finish()
}

/// What a violation says besides the transition itself.
pub(crate) struct Context<'a> {
    pub(crate) subject: Subject<'a>,
    pub(crate) telling: Telling<'a>,
    /// The numbers of this snapshot, or the last known ones.
    pub(crate) numbers: Numbers,
    pub(crate) evidence: Json,
}

/// The message of a transition.
pub(crate) fn violation(snapshot: &Snapshot, transition: &Transition, context: Context<'_>) -> Violation {
    let Transition { state, episode, ended_at, .. } = transition;
    let numbers = context.numbers;
    Violation {
        event_id: event_id(&episode.episode_id, *state, episode.told),
        episode_id: episode.episode_id.clone(),
        timestamp: snapshot.observed_at,
        alert_type: context.telling.rule,
        severity: episode.severity,
        state: *state,
        cause: episode.cause,
        message: sentence(&context.telling),
        cluster: snapshot.cluster.clone(),
        namespace: context.subject.map(|(namespace, _, _)| namespace.to_owned()),
        deployment_name: context.subject.map(|(_, name, _)| name.to_owned()),
        uid: context.subject.and_then(|(_, _, uid)| uid.map(str::to_owned)),
        api_id: episode.api_id.clone(),
        team_id: episode.team_id.clone(),
        observed: numbers.observed,
        limit_value: numbers.limit,
        desired: numbers.desired,
        ceiling: numbers.ceiling,
        surge_allowance: numbers.surge_allowance,
        actor: episode.actor.clone(),
        snapshot_id: Some(snapshot.snapshot_id.clone()),
        started_at: episode.started_at,
        ended_at: *ended_at,
        evidence: context.evidence,
    }
}
