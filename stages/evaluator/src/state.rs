//! What the evaluator remembers of one cluster between two snapshots.

use schemas::{Rule, SnapshotId, Timestamp, Violation};
use serde::{Deserialize, Serialize};

use crate::episode::Standing;

/// Version of the format that this version writes, and the newest it reads.
const FORMAT: u32 = 1;

/// A snapshot that was judged.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judged {
    /// When it looked.
    pub observed_at: Timestamp,
    /// Its id.
    pub snapshot_id: SnapshotId,
}

/// One rule and one workload that do not stand well with each other, or did not a short while ago.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrackedRule {
    /// Namespace.
    pub namespace: String,
    /// Name of the Deployment.
    pub deployment: String,
    /// Its uid.
    #[serde(default)]
    pub uid: Option<String>,
    /// The rule.
    pub rule: Rule,
    /// How they stand.
    pub standing: Standing,
}

impl TrackedRule {
    /// What identifies the workload, as [`crate::Workload::identity`].
    pub(crate) fn identity(&self) -> (&str, &str, Option<&str>) {
        (&self.namespace, &self.deployment, self.uid.as_deref())
    }

    /// The order of a state.
    pub(crate) fn key(&self) -> ((&str, &str, Option<&str>), Rule) {
        (self.identity(), self.rule)
    }
}

/// The state of one cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    pub(crate) format: u32,
    /// The newest snapshot judged.
    pub newest: Option<Judged>,
    /// The cluster's own episode: judging was not possible.
    pub(crate) incomplete: Standing,
    /// Rules and workloads to remember, sorted by workload and rule.
    pub(crate) tracked: Vec<TrackedRule>,
    /// Transitions that may not have been published yet.
    pub pending: Vec<Violation>,
}

/// A state that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It is of a version after this one.
    #[error("state {key} has format {found}, this version reads up to {FORMAT}: it was written by a newer podledger")]
    Newer {
        /// Its key.
        key: String,
        /// Its format.
        found: u32,
    },
    /// It is not a state.
    #[error("state {key} cannot be read: {source}")]
    Unreadable {
        /// Its key.
        key: String,
        /// Why.
        source: serde_json::Error,
    },
}

impl Default for State {
    fn default() -> Self {
        Self { format: FORMAT, newest: None, incomplete: Standing::default(), tracked: Vec::new(), pending: Vec::new() }
    }
}

impl State {
    /// Reads a state. The version is looked at first: a newer one may look different in everything
    /// else.
    pub fn parse(key: &str, bytes: &[u8]) -> Result<Self, StateError> {
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let unreadable = |source| StateError::Unreadable { key: key.to_owned(), source };
        let Version { format: found } = serde_json::from_slice(bytes).map_err(unreadable)?;
        if found > FORMAT {
            return Err(StateError::Newer { key: key.to_owned(), found });
        }
        let mut state: Self = serde_json::from_slice(bytes).map_err(unreadable)?;
        state.tracked.sort_by(|one, other| one.key().cmp(&other.key()));
        Ok(state)
    }

    /// The state as bytes: the same state gives the same bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// Whether a snapshot is newer than every judged one.
    pub fn is_news(&self, snapshot: &Judged) -> bool {
        self.newest.as_ref().is_none_or(|newest| snapshot > newest)
    }

    /// Rules that are broken, but of which nobody is told yet, and since when.
    pub fn in_grace(&self) -> impl Iterator<Item = (&TrackedRule, Timestamp)> {
        self.tracked.iter().filter(|tracked| tracked.standing.open.is_none()).filter_map(|tracked| {
            tracked.standing.broken_since.as_ref().map(|since| (tracked, since.observed_at))
        })
    }

    /// Open episodes: rule, namespace and Deployment (none for the cluster's own), episode.
    pub fn open(&self) -> impl Iterator<Item = (Rule, Option<(&str, &str)>, &crate::Episode)> {
        let own = self.incomplete.open.iter().map(|episode| (Rule::EvaluationIncomplete, None, episode));
        own.chain(self.tracked.iter().filter_map(|tracked| {
            let episode = tracked.standing.open.as_ref()?;
            Some((tracked.rule, Some((tracked.namespace.as_str(), tracked.deployment.as_str())), episode))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_survives_being_written_and_read() {
        let newest = Some(Judged { observed_at: Timestamp::from_seconds(1), snapshot_id: "s1".into() });
        let state = State { newest, ..State::default() };
        let bytes = state.to_bytes().unwrap();
        assert_eq!(State::parse("k", &bytes).unwrap(), state);
        assert!(State::parse("k", b"{}").is_err());
        assert!(State::parse("k", b"").is_err());
    }

    #[test]
    fn a_state_of_a_newer_version_is_refused_by_name() {
        let error = State::parse("state/evaluator/prod.json", br#"{"format": 2, "else": []}"#).unwrap_err();
        assert_eq!(
            error.to_string(),
            "state state/evaluator/prod.json has format 2, this version reads up to 1: it was written by a newer podledger"
        );
    }

    #[test]
    fn only_a_later_snapshot_is_news() {
        let judged =
            |seconds, id: &str| Judged { observed_at: Timestamp::from_seconds(seconds), snapshot_id: id.into() };
        let state = State { newest: Some(judged(10, "m")), ..State::default() };
        for (snapshot, news) in
            [(judged(9, "z"), false), (judged(10, "m"), false), (judged(10, "n"), true), (judged(11, "a"), true)]
        {
            assert_eq!(state.is_news(&snapshot), news, "{snapshot:?}");
        }
        assert!(State::default().is_news(&judged(0, "")));
    }
}
