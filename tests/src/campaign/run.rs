//! One telling of the story.

use std::path::Path;
use std::time::{Duration, Instant};

use super::killer::Killer;
use super::outcome::Outcome;
use super::stages::Stages;
use super::world::{Round, World};
use crate::data_dir::DataDir;
use crate::queues::Queues;
use crate::webhook::Webhook;

/// How often processes and queues are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How long one step of a round may take.
const STEP_TAKES: Duration = Duration::from_secs(150);
/// How often finished work is asked for again, so that everybody has a chance to die.
const ENCORES: usize = 10;
/// Of how many webhook calls one is refused in a disturbed run.
const REFUSED_ONE_OF: usize = 7;

/// Settings that make a small world busy: many parts, few deliveries in hand, short waits.
const SETTINGS: &[(&str, &str)] = &[
    ("PODLEDGER_LEASE", "1s"),
    ("PODLEDGER_MAX_OUTSTANDING", "4"),
    ("PODLEDGER_NACK_FIRST", "20ms"),
    ("PODLEDGER_NACK_MAX", "500ms"),
    ("PODLEDGER_SNAPSHOT_PART_OBJECTS", "8"),
    ("PODLEDGER_SNAPSHOT_RELIST_DELAY", "20ms"),
    ("PODLEDGER_LOG", "warn"),
];

/// Whether a run is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peace {
    /// Nothing is done to it.
    Undisturbed,
    /// It is killed at least that often.
    Disturbed {
        /// Where the killer's dice start.
        seed: u64,
        /// Deaths, at least.
        kills: u32,
    },
}

/// Tells the whole story to five processes on a new data directory below `folder`.
pub async fn run(world: &World, folder: &Path, peace: Peace) -> Outcome {
    let started = Instant::now();
    let (data, dumps) = (DataDir::create(&folder.join("data")), folder.join("dumps"));
    let (mut killer, kills, webhook) = match peace {
        Peace::Undisturbed => (None, 0, Webhook::start().await),
        Peace::Disturbed { seed, kills } => (Some(Killer::new(seed)), kills, Webhook::unreliable(REFUSED_ONE_OF).await),
    };
    let queues = Queues::of(&data);
    let stages = Stages::new(data.place().with(SETTINGS.iter().copied()), world.clusters(&dumps), &webhook);
    let mut telling = Telling { stages, queues, killer: killer.take(), wanted: 0 };
    let share = kills.div_ceil(u32::try_from(world.rounds.len()).unwrap());
    for round in &world.rounds {
        telling.wanted += share;
        round.write_dumps(&dumps);
        telling.stages.start(round.at, &mut telling.killer);
        telling.tell(round).await;
        if round.number + 1 == world.rounds.len() {
            telling.encores(round, kills).await;
        }
        telling.stages.stop(&mut telling.killer);
    }
    let killings = telling.killer.take().map(|killer| killer.done).unwrap_or_default();
    drop(telling);
    Outcome::of(&data, webhook.calls(), killings, started.elapsed())
}

struct Telling<'a> {
    stages: Stages<'a>,
    queues: Queues,
    killer: Option<Killer>,
    /// Deaths that there should be by the end of the round.
    wanted: u32,
}

impl Telling<'_> {
    /// What is declared and logged comes first, as the snapshot is judged by it; everything is said
    /// twice, as at-least-once delivery does.
    async fn tell(&mut self, round: &Round) {
        for _ in 0..2 {
            self.queues.publish(&round.declarations).await;
            self.queues.publish_bytes(schemas::Topic::AuditLogs, &round.audit).await;
        }
        for poison in &round.poison {
            self.queues.publish_bytes(poison.topic, std::slice::from_ref(&poison.payload)).await;
        }
        self.until_idle(&format!("round {}: declarations", round.number)).await;
        for _ in 0..2 {
            self.queues.publish(&round.requests).await;
        }
        self.until_idle(&format!("round {}: snapshots", round.number)).await;
    }

    /// Asks for the last round's work again until enough died.
    async fn encores(&mut self, round: &Round, kills: u32) {
        for _ in 0..ENCORES {
            let Some(killer) = &self.killer else { return };
            if killer.done.total() >= kills && killer.struck_all() {
                return;
            }
            self.queues.publish(&round.declarations).await;
            self.queues.publish_bytes(schemas::Topic::AuditLogs, &round.audit).await;
            self.queues.publish(&round.requests).await;
            self.until_idle("encore").await;
        }
    }

    /// Waits until nothing waits anywhere, killing and restarting meanwhile.
    async fn until_idle(&mut self, step: &str) {
        let started = Instant::now();
        while self.queues.waiting(|_| true).await > 0 {
            self.stages.restart_dead(&mut self.killer);
            if let Some(victim) = self.victim() {
                self.stages.kill(victim, &mut self.killer);
            }
            if started.elapsed() > STEP_TAKES {
                panic!("{step} does not end: {:#?}\n{}", self.queues.counts().await, self.stages.logs());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        self.stages.restart_dead(&mut self.killer);
    }

    fn victim(&mut self) -> Option<&'static str> {
        let killer = self.killer.as_mut()?;
        if killer.done.total() < self.wanted { killer.victim() } else { None }
    }
}
