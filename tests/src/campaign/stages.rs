//! The five processes of a run, restarted when they die.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;

use schemas::Timestamp;

use super::killer::{Doom, Killer};
use crate::binaries::Process;
use crate::data_dir::STAGES;
use crate::place::Place;
use crate::webhook::Webhook;

/// What `kill -9` sends.
const SIGKILL: i32 = 9;
/// What webhook calls are signed with.
pub const SECRET: &str = "campaign";
/// Last bytes of a log that a message shows.
const SHOWN_LOG: usize = 4_000;

/// The processes.
pub struct Stages<'a> {
    place: Place,
    clusters: String,
    webhook: &'a Webhook,
    at: Timestamp,
    running: BTreeMap<&'static str, Running>,
}

/// One process, and where it is to die.
struct Running {
    process: Process,
    doom: Doom,
}

impl<'a> Stages<'a> {
    /// No process yet. `clusters` is what the snapshotter is told of clusters.
    pub fn new(place: Place, clusters: String, webhook: &'a Webhook) -> Self {
        Self { place, clusters, webhook, at: Timestamp::from_seconds(0), running: BTreeMap::new() }
    }

    /// Starts all five, all clocks showing that time.
    pub fn start(&mut self, at: Timestamp, killer: &mut Option<Killer>) {
        self.at = at;
        for stage in STAGES {
            self.start_one(stage, killer);
        }
    }

    fn start_one(&mut self, stage: &'static str, killer: &mut Option<Killer>) {
        let doom = killer.as_mut().map(|killer| killer.doom(stage)).unwrap_or_default();
        let mut command = self.place.stage(stage);
        command
            .env("PODLEDGER_CLOCK", format!("fixed:{}", self.at))
            .env("PODLEDGER_CLUSTERS", &self.clusters)
            .env("PODLEDGER_FAULTS", &doom.faults);
        if doom.point.as_deref().is_some_and(super::points::needs_failures) {
            command.env("PODLEDGER_RETRY_FOR", "0s");
        }
        if stage == "notifier" {
            command.env("PODLEDGER_WEBHOOK_URL", self.webhook.url()).env("PODLEDGER_WEBHOOK_SECRET", SECRET);
        }
        let process = Process::start(stage, command, &self.place.log(stage));
        self.running.insert(stage, Running { process, doom });
    }

    /// Restarts what died at its point, and says which did. Nothing else may die by itself.
    pub fn restart_dead(&mut self, killer: &mut Option<Killer>) -> Vec<&'static str> {
        let mut died = Vec::new();
        for stage in STAGES {
            let Some(running) = self.running.get_mut(stage) else { continue };
            let Some(status) = running.process.ended() else { continue };
            match (status.signal(), running.doom.point.take(), killer.as_mut()) {
                (Some(SIGKILL), Some(point), Some(killer)) => killer.has_struck(stage, &point),
                _ => panic!("{stage} ended by itself with {status}: {}", self.log(stage)),
            }
            self.start_one(stage, killer);
            died.push(stage);
        }
        died
    }

    /// Kills one, and starts it again at once.
    pub fn kill(&mut self, stage: &'static str, killer: &mut Option<Killer>) {
        if let Some(mut running) = self.running.remove(stage) {
            running.process.kill();
        }
        self.start_one(stage, killer);
    }

    /// Asks all to stop; all must, with success, unless they die at their point on the way.
    pub fn stop(&mut self, killer: &mut Option<Killer>) {
        for (stage, running) in std::mem::take(&mut self.running) {
            let status = running.process.stop();
            match (status.signal(), running.doom.point, killer.as_mut()) {
                (Some(SIGKILL), Some(point), Some(killer)) => killer.has_struck(stage, &point),
                _ => assert!(status.success(), "{stage} stopped with {status}: {}", self.log(stage)),
            }
        }
    }

    /// The end of every log.
    pub fn logs(&self) -> String {
        STAGES.map(|stage| format!("--- {stage}\n{}\n", self.log(stage))).concat()
    }

    fn log(&self, stage: &str) -> String {
        let text = std::fs::read(self.place.log(stage)).unwrap_or_default();
        String::from_utf8_lossy(&text[text.len().saturating_sub(SHOWN_LOG)..]).into_owned()
    }
}
