//! Whether a rollout is in progress, and since when.
//!
//! The tests are those of `kubectl rollout status`: the controller has not seen the newest
//! generation yet; or not every wished pod is of the newest template; or pods of older templates
//! are left; or not every new pod is available. A rollout that passed its deadline (condition
//! Progressing with the reason `ProgressDeadlineExceeded`) has failed and is not in progress; one
//! whose newest generation nobody has seen is judged without the condition, which is an older one's.
//!
//! Two things `kubectl` calls waiting are no rollout, and allow no surge pods:
//! - a Deployment whose rollout is complete (reason `NewReplicaSetAvailable`) and which has no pods
//!   of older templates: it is being scaled, or a pod of it is not ready. The Deployment controller
//!   estimates no progress then either (`pkg/controller/deployment/progress.go`,
//!   `syncRolloutStatus`);
//! - a paused one: its template is not rolled out until it is resumed.
//!
//! Sources: <https://kubernetes.io/docs/concepts/workloads/controllers/deployment/> ("Deployment
//! status", "Pausing and Resuming") and the Deployment API reference.

use schemas::Timestamp;

use crate::document::text_of;
use crate::metadata::WrittenCondition;

/// What decides.
pub(super) struct Rollout<'c, 'a> {
    pub(super) generation: Option<i64>,
    pub(super) observed_generation: Option<i64>,
    pub(super) paused: bool,
    pub(super) desired: i64,
    pub(super) actual: i64,
    pub(super) updated: i64,
    pub(super) available: i64,
    /// The condition Progressing.
    pub(super) condition: Option<&'c WrittenCondition<'a>>,
}

impl Rollout<'_, '_> {
    /// None: no rollout is in progress. Otherwise when it last made progress or began, from the
    /// condition; none where the condition is absent or still that of the rollout before.
    pub(super) fn progressing(&self) -> Option<Option<Timestamp>> {
        if self.paused {
            return None;
        }
        let unseen = self.observed_generation.unwrap_or(0) < self.generation.unwrap_or(0);
        if unseen {
            return Some(None);
        }
        let reason = self.condition.and_then(|condition| text_of(&condition.reason));
        if reason == Some("ProgressDeadlineExceeded") {
            return None;
        }
        let older_pods = self.actual > self.updated;
        let waiting = self.updated < self.desired || older_pods || self.available < self.updated;
        match reason {
            Some("NewReplicaSetAvailable") => older_pods.then_some(None),
            _ => waiting.then(|| self.since()),
        }
    }

    /// Last update of the condition, else its last transition: the deadline runs from there.
    fn since(&self) -> Option<Timestamp> {
        let condition = self.condition?;
        condition.last_update_time.or(condition.last_transition_time).map(|moment| moment.0)
    }
}
