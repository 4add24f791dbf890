//! What a process knows of itself: its metrics, and whether its loops are alive.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::metrics::Metrics;

/// How often a loop says that it is alive.
pub(super) const BEAT: Duration = Duration::from_secs(5);
/// A loop that said nothing for so long is not alive.
const SILENCE: Duration = Duration::from_secs(60);

/// Metrics and health of a process. Copies share them.
#[derive(Debug, Clone, Default)]
pub struct Monitor {
    metrics: Metrics,
    loops: Arc<Mutex<BTreeMap<String, Loop>>>,
}

#[derive(Debug, Clone, Copy)]
struct Loop {
    state: LoopState,
    beat: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LoopState {
    /// Has no stream of deliveries at the moment.
    Connecting,
    /// Takes deliveries.
    Receiving,
    /// Ended because it was asked to.
    Stopped,
    /// Ended by itself.
    Dead,
}

impl Monitor {
    /// The one of this process.
    pub fn of_process() -> Self {
        static PROCESS: LazyLock<Monitor> = LazyLock::new(Monitor::default);
        PROCESS.clone()
    }

    /// The metrics.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Loops that are dead or silent; empty is healthy.
    pub fn dead_loops(&self) -> Vec<String> {
        self.loops_where(|one| match one.state {
            LoopState::Stopped => false,
            LoopState::Dead => true,
            LoopState::Connecting | LoopState::Receiving => one.beat.elapsed() > SILENCE,
        })
    }

    /// Loops that take no deliveries at the moment.
    pub fn loops_not_receiving(&self) -> Vec<String> {
        self.loops_where(|one| one.state != LoopState::Receiving)
    }

    /// Adds a loop; it counts as dead when its pulse is dropped before it was stopped.
    pub(super) fn add_loop(&self, name: String) -> Pulse {
        let pulse = Pulse { monitor: self.clone(), name };
        pulse.set(LoopState::Connecting);
        pulse
    }

    fn loops_where(&self, chosen: impl Fn(&Loop) -> bool) -> Vec<String> {
        let loops = self.loops.lock().unwrap_or_else(PoisonError::into_inner);
        loops.iter().filter(|(_, one)| chosen(one)).map(|(name, _)| name.clone()).collect()
    }
}

/// A loop's own handle.
#[derive(Debug)]
pub(super) struct Pulse {
    monitor: Monitor,
    name: String,
}

impl Pulse {
    pub(super) fn connecting(&self) {
        self.set(LoopState::Connecting);
    }

    pub(super) fn receiving(&self) {
        self.set(LoopState::Receiving);
    }

    pub(super) fn stopped(&self) {
        self.set(LoopState::Stopped);
    }

    /// Says that the loop is alive.
    pub(super) fn beat(&self) {
        let mut loops = self.monitor.loops.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(one) = loops.get_mut(&self.name) {
            one.beat = Instant::now();
        }
    }

    fn set(&self, state: LoopState) {
        let mut loops = self.monitor.loops.lock().unwrap_or_else(PoisonError::into_inner);
        loops.insert(self.name.clone(), Loop { state, beat: Instant::now() });
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        let mut loops = self.monitor.loops.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(one) = loops.get_mut(&self.name).filter(|one| one.state != LoopState::Stopped) {
            one.state = LoopState::Dead;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_loop_is_alive_while_it_beats_or_was_stopped() {
        let monitor = Monitor::default();
        let silent = monitor.add_loop("silent".to_owned());
        let beating = monitor.add_loop("beating".to_owned());
        beating.receiving();
        assert_eq!(monitor.loops_not_receiving(), ["silent"]);
        tokio::time::advance(SILENCE + BEAT).await;
        beating.beat();
        assert_eq!(monitor.dead_loops(), ["silent"]);
        silent.stopped();
        drop(silent);
        assert!(monitor.dead_loops().is_empty());
        drop(beating);
        assert_eq!(monitor.dead_loops(), ["beating"]);
    }
}
