//! Simulated objects as the API server would write them.

pub(super) mod hpa;
pub(super) mod node;
pub(super) mod pod;
pub(super) mod rollout;

use bytes::Bytes;
use schemas::Timestamp;
use serde_json::{Value, json};

use super::dice::{Dice, name_character};
use super::history::State;
use super::workload::Workload;

/// What a draw decides; part of every draw's name.
mod of {
    pub(super) const UID: u64 = 20;
    pub(super) const HASH: u64 = 21;
    pub(super) const POD: u64 = 22;
}

/// What a uid is drawn for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Owner {
    Deployment,
    ReplicaSet,
    Autoscaler,
}

/// Pods of one workload at a moment, by ReplicaSet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PodCounts {
    pub(super) new: i64,
    pub(super) new_ready: i64,
    pub(super) old: i64,
}

impl PodCounts {
    /// How far a rollout is, if one is going on: with a surge of a quarter, rounded up, new pods
    /// start ahead of the old ones they replace.
    pub(super) fn of(state: &State) -> Self {
        let replicas = state.replicas;
        match state.rolling_for {
            None => Self { new: replicas, new_ready: replicas - state.starting, old: 0 },
            Some(seconds) => {
                let surge = (replicas + 3) / 4;
                let done = replicas * seconds / super::history::ROLLOUT_SECONDS;
                let new = (done + surge).min(replicas);
                Self { new, new_ready: done.min(new), old: replicas + surge - new }
            }
        }
    }

    pub(super) fn total(self) -> i64 {
        self.new + self.old
    }

    pub(super) fn ready(self) -> i64 {
        self.new_ready + self.old
    }
}

impl Workload {
    /// A uid of one of its objects; `incarnation` tells those apart that follow each other.
    pub(super) fn uid(&self, owner: Owner, incarnation: i64) -> String {
        self.dice(&[of::UID, owner as u64, incarnation.unsigned_abs()]).uid()
    }

    /// The hash that a version's ReplicaSet and pods are named with.
    pub(super) fn version_hash(&self, version: i64) -> String {
        self.dice(&[of::HASH, version.unsigned_abs()]).name(10)
    }

    /// The draws for one pod of a version.
    pub(super) fn pod_dice(&self, version: i64, ordinal: i64) -> Dice {
        self.dice(&[of::POD, version.unsigned_abs(), ordinal.unsigned_abs()])
    }
}

/// The last five characters of a pod's name: pods of one ReplicaSet never share them.
pub(super) fn pod_suffix(dice: &mut Dice, ordinal: i64) -> String {
    let mut suffix = dice.name(4);
    suffix.push(name_character(ordinal.unsigned_abs()));
    suffix
}

/// A moment as Kubernetes writes it.
pub(super) fn time(seconds: i64) -> String {
    Timestamp::from_seconds(seconds).to_string()
}

/// The labels of a workload and its pods.
pub(super) fn labels(workload: &Workload) -> Value {
    json!({"app": workload.name, "team_id": workload.team, "api_id": workload.api})
}

/// The bytes of an object.
pub(super) fn bytes(object: &Value) -> Bytes {
    object.to_string().into()
}
