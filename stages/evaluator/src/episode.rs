//! Episodes: one stretch of time in which one rule is broken by one workload.
//!
//! A [`Standing`] is how one rule and one workload stand with each other. Every judged snapshot
//! advances it by an [`Observation`]; that gives at most one [`Transition`]:
//!
//! ```text
//!            broken, within grace          broken, grace over
//!   (none) ───────────────────────▶ grace ────────────────────▶ open ──▶ worsened, reminded
//!      ▲                              │ holds                     │ holds, or gone
//!      └──────────────────────────────┴──────◀── resolved ────────┤
//!                                                  ▲              │ holds for the n-th time
//!                                                  │ quiet        ▼ within the flapping time
//!                                                  └────────── flapping (stays open)
//! ```
//!
//! All times are event times. What is unknown changes nothing.

#[cfg(test)]
mod tests;

use std::time::Duration;

use schemas::{AlertState, Cause, EpisodeId, Severity, Timestamp};
use serde::{Deserialize, Serialize};

use crate::policy::Policy;
use crate::rules::Numbers;
use crate::state::Judged;

/// How one rule and one workload stand with each other.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Standing {
    /// First judged moment at which the rule was broken, without a break since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) broken_since: Option<Judged>,
    /// Newest judged moment before that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) held_at: Option<Timestamp>,
    /// The open episode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) open: Option<Episode>,
    /// When past episodes opened that ended within the flapping time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) recently_opened: Vec<Timestamp>,
}

/// An open episode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Episode {
    /// Its id.
    pub episode_id: EpisodeId,
    /// First judged moment at which the rule was broken.
    pub started_at: Timestamp,
    /// When it was first told, event time.
    pub opened_at: Timestamp,
    /// When it was last told, event time.
    pub last_told_at: Timestamp,
    /// How often it was told.
    pub told: u64,
    /// The highest measure told.
    pub highest_told: i64,
    /// Whether it comes and goes.
    pub flapping: bool,
    /// Of a flapping episode: since when the rule holds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub quiet_since: Option<Timestamp>,
    /// How bad it is.
    pub severity: Severity,
    /// Why, as last judged.
    pub cause: Cause,
    /// Who, as last judged.
    pub actor: Option<String>,
    /// API, as last judged.
    pub api_id: Option<String>,
    /// Team, as last judged.
    pub team_id: Option<String>,
    /// The numbers when the rule was last found broken.
    pub numbers: Numbers,
}

/// A broken rule, as far as the state machine needs it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Broken {
    pub(crate) severity: Severity,
    pub(crate) grace: Duration,
    pub(crate) measure: i64,
    pub(crate) numbers: Numbers,
    pub(crate) cause: Cause,
    pub(crate) actor: Option<String>,
    pub(crate) api_id: Option<String>,
    pub(crate) team_id: Option<String>,
}

/// What a judged snapshot says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Observation {
    /// The rule is broken.
    Broken(Broken),
    /// It holds.
    Holds,
    /// The workload is no longer there, or the rule is no longer judged: nothing can flap.
    Gone,
    /// It is not known.
    Unknown,
}

/// A change of state to tell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Transition {
    pub(crate) state: AlertState,
    /// The episode after the change.
    pub(crate) episode: Episode,
    /// Highest measure told before.
    pub(crate) told_before: Option<i64>,
    /// Of a resolved episode.
    pub(crate) ended_at: Option<Timestamp>,
}

impl Standing {
    /// Whether nothing needs to be remembered.
    pub(crate) fn is_forgettable(&self) -> bool {
        self.broken_since.is_none() && self.open.is_none() && self.recently_opened.is_empty()
    }

    /// The newest judged moment before the rule broke, if it breaks or is broken at a snapshot
    /// before which `newest` was judged.
    pub(crate) fn held_at(&self, newest: Option<Timestamp>) -> Option<Timestamp> {
        if self.broken_since.is_some() { self.held_at } else { newest }
    }

    /// Advances by one judged snapshot. `newest` is the snapshot judged before; `id` makes the id of
    /// an episode that began at a moment.
    pub(crate) fn advance(
        &mut self,
        observation: Observation,
        now: &Judged,
        newest: Option<Timestamp>,
        policy: &Policy,
        id: impl FnOnce(&Judged) -> EpisodeId,
    ) -> Option<Transition> {
        let window_start = now.observed_at.minus(policy.flapping.within);
        self.recently_opened.retain(|opened_at| *opened_at >= window_start);
        match observation {
            Observation::Unknown => None,
            Observation::Broken(broken) => self.broken(broken, now, newest, policy, id),
            Observation::Holds => self.holds(now.observed_at, policy),
            Observation::Gone => {
                let open = self.open.take();
                *self = Self::default();
                open.map(|episode| resolved(episode, now.observed_at, now.observed_at))
            }
        }
    }

    fn broken(
        &mut self,
        broken: Broken,
        now: &Judged,
        newest: Option<Timestamp>,
        policy: &Policy,
        id: impl FnOnce(&Judged) -> EpisodeId,
    ) -> Option<Transition> {
        if self.broken_since.is_none() {
            self.broken_since = Some(now.clone());
            self.held_at = newest;
        }
        let since = self.broken_since.as_ref().unwrap_or(now);
        let Some(episode) = &mut self.open else {
            if now.observed_at.since(since.observed_at) < broken.grace {
                return None;
            }
            let episode = Episode {
                episode_id: id(since),
                started_at: since.observed_at,
                opened_at: now.observed_at,
                last_told_at: now.observed_at,
                told: 1,
                highest_told: broken.measure,
                flapping: false,
                quiet_since: None,
                severity: broken.severity,
                cause: broken.cause,
                actor: broken.actor,
                api_id: broken.api_id,
                team_id: broken.team_id,
                numbers: broken.numbers,
            };
            self.open = Some(episode.clone());
            return Some(Transition { state: AlertState::Opened, episode, told_before: None, ended_at: None });
        };
        episode.quiet_since = None;
        episode.severity = broken.severity;
        episode.cause = broken.cause;
        episode.actor = broken.actor;
        episode.api_id = broken.api_id;
        episode.team_id = broken.team_id;
        episode.numbers = broken.numbers;
        let told_before = episode.highest_told;
        let state = if broken.measure > episode.highest_told {
            episode.highest_told = broken.measure;
            AlertState::Worsened
        } else if now.observed_at.since(episode.last_told_at) >= policy.repeat_interval {
            AlertState::Reminded
        } else {
            return None;
        };
        episode.last_told_at = now.observed_at;
        episode.told = episode.told.saturating_add(1);
        Some(Transition { state, episode: episode.clone(), told_before: Some(told_before), ended_at: None })
    }

    fn holds(&mut self, now: Timestamp, policy: &Policy) -> Option<Transition> {
        self.broken_since = None;
        self.held_at = None;
        let mut episode = self.open.take()?;
        if !episode.flapping {
            let window_start = now.minus(policy.flapping.within);
            let this_one = usize::from(episode.opened_at >= window_start);
            if self.recently_opened.len() + this_one < policy.flapping.times {
                self.recently_opened.extend((this_one == 1).then_some(episode.opened_at));
                return Some(resolved(episode, now, now));
            }
            episode.flapping = true;
        }
        let quiet_since = *episode.quiet_since.get_or_insert(now);
        if now.since(quiet_since) >= policy.flapping.quiet {
            self.recently_opened.clear();
            return Some(resolved(episode, now, quiet_since));
        }
        self.open = Some(episode);
        None
    }
}

/// The end of an episode.
fn resolved(mut episode: Episode, now: Timestamp, ended_at: Timestamp) -> Transition {
    episode.last_told_at = now;
    episode.told = episode.told.saturating_add(1);
    Transition {
        state: AlertState::Resolved,
        told_before: Some(episode.highest_told),
        episode,
        ended_at: Some(ended_at),
    }
}
