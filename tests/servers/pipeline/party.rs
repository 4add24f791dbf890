//! Five processes somewhere, told of rounds.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use platform::ports::{Broker, Objects, Outgoing};
use podledger_tests::campaign::killer::{Killer, Killings};
use podledger_tests::campaign::stages::Stages;
use podledger_tests::data_dir::DataDir;
use podledger_tests::place::Place;
use podledger_tests::queues::Queues;
use podledger_tests::webhook::Webhook;
use schemas::keys::SnapshotKeys;
use schemas::{ClusterName, SnapshotRequest, Timestamp, Topic};

use crate::google::Google;
use crate::registry::{COLLECTIONS, SOURCE};
use crate::story::{CLUSTER, Round};

/// How often processes and queues are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long one step of a round may take.
const STEP_TAKES: Duration = Duration::from_secs(300);
/// Where the snapshotter dies in each round: when it has stored a part of the documents, which are
/// asked for before the cluster and have more parts than it passes this point before it dies.
const WITHIN_A_LIST: &str = "snapshotter.objects.create.after";

/// The processes and what they are told through.
pub(crate) struct Party<'a> {
    place: Place,
    stages: Stages<'a>,
    broker: Arc<dyn Broker>,
    objects: Arc<dyn Objects>,
    waiting: Waiting<'a>,
    killer: Option<Killer>,
    /// Deaths that there should be by now.
    wanted: u32,
}

/// What is waited for.
enum Goal<'r> {
    /// Nothing waits anywhere. Every handler publishes what follows before its own message is
    /// acknowledged, so that is the end.
    Idle,
    /// A snapshot has its manifest.
    Taken(&'r SnapshotRequest),
}

/// Where one sees what waits.
enum Waiting<'a> {
    Google(&'a Google),
    DataDir(Queues),
}

impl<'a> Party<'a> {
    pub(crate) async fn on_servers(
        google: &'a Google,
        kubeconfig: PathBuf,
        webhook: &'a Webhook,
        killer: Option<Killer>,
    ) -> Self {
        let mut place = google.place();
        place.tell("snapshotter", "KUBECONFIG", kubeconfig.to_str().unwrap().to_owned());
        let stages = Stages::new(place.clone(), format!("{CLUSTER}=kube:"), webhook);
        let (broker, objects) = (google.broker().await, google.objects());
        Self { place, stages, broker, objects, waiting: Waiting::Google(google), killer, wanted: 0 }
    }

    pub(crate) async fn on_data_dir(data: &DataDir, cluster: String, documents: String, webhook: &'a Webhook) -> Self {
        let mut place = data.place().with(SETTINGS.iter().copied());
        place.tell("snapshotter", "PODLEDGER_DOCUMENTS", format!("{SOURCE}={documents}"));
        let stages = Stages::new(place.clone(), format!("{CLUSTER}={cluster}"), webhook);
        let (broker, objects) = (Arc::new(data.broker()), Arc::new(data.objects()));
        Self { place, stages, broker, objects, waiting: Waiting::DataDir(Queues::of(data)), killer: None, wanted: 0 }
    }

    /// From now on there should be so many deaths.
    pub(crate) fn wants_deaths(&mut self, deaths: u32) {
        self.wanted = deaths;
    }

    /// Starts all five, all clocks showing that time.
    pub(crate) fn start(&mut self, at: Timestamp) {
        if let Some(killer) = &mut self.killer {
            killer.strike_first("snapshotter", WITHIN_A_LIST);
        }
        self.stages.start(at, &mut self.killer);
    }

    /// Asks all to stop.
    pub(crate) fn stop(&mut self) {
        self.stages.stop(&mut self.killer);
    }

    /// What is declared and logged comes first, as the snapshot is judged by it.
    pub(crate) async fn tell(&mut self, round: &Round) {
        let registered = self.place.clone().with([("PODLEDGER_CLOCK", &*format!("fixed:{}", round.at))]).podledger(&[
            "ped",
            "register",
            "--at",
            &round.at.to_string(),
            "--by",
            "alice@example.com",
            "--commit",
            &format!("{:040x}", round.number),
            round.peds.to_str().unwrap(),
        ]);
        assert!(registered.status.success(), "{}", String::from_utf8_lossy(&registered.stderr));
        self.publish(Topic::AuditLogs, &round.audit).await;
        self.until(&Goal::Idle, &format!("round {}: declarations", round.number)).await;
        self.ask_for(round).await;
        self.until(&Goal::Idle, &format!("round {}: snapshots", round.number)).await;
    }

    /// Asks for a finished round again, until enough died.
    pub(crate) async fn encores(&mut self, round: &Round, most: usize) {
        for _ in 0..most {
            if self.killer.as_ref().is_none_or(|killer| killer.done.total() >= self.wanted) {
                return;
            }
            self.publish(Topic::AuditLogs, &round.audit).await;
            self.ask_for(round).await;
            self.until(&Goal::Idle, "encore").await;
        }
    }

    /// What was done to it.
    pub(crate) fn into_killings(self) -> Killings {
        self.killer.map(|killer| killer.done).unwrap_or_default()
    }

    /// Asks for both snapshots at once; where processes are killed one after the other, so that it is
    /// known which of them a death meets.
    async fn ask_for(&mut self, round: &Round) {
        if self.killer.is_none() {
            self.broker.publish_messages(&round.requests).await.unwrap();
            return;
        }
        for request in &round.requests {
            self.broker.publish_messages(std::slice::from_ref(request)).await.unwrap();
            self.until(&Goal::Taken(request), &request.request_id).await;
        }
    }

    async fn publish(&self, topic: Topic, payloads: &[Vec<u8>]) {
        let messages = payloads.iter().map(|payload| Outgoing { payload: payload.clone(), ..Outgoing::default() });
        self.broker.publish(topic, messages.collect()).await.unwrap();
    }

    async fn is_reached(&self, goal: &Goal<'_>) -> bool {
        match (goal, &self.waiting) {
            (Goal::Idle, Waiting::Google(google)) => google.unacknowledged().await == 0,
            (Goal::Idle, Waiting::DataDir(queues)) => queues.waiting(|_| true).await == 0,
            (Goal::Taken(request), _) => {
                let (source, at) = (ClusterName::parse(&request.cluster).unwrap(), request.requested_at);
                let keys = SnapshotKeys::new(source, Timestamp::from_micros(at), request.request_id.clone().into());
                self.objects.read(&keys.manifest()).await.unwrap().is_some()
            }
        }
    }

    /// Waits for a goal, killing and restarting meanwhile.
    async fn until(&mut self, goal: &Goal<'_>, step: &str) {
        let started = Instant::now();
        while !self.is_reached(goal).await {
            let mut dead = self.stages.restart_dead(&mut self.killer);
            if let Some(victim) = self.victim() {
                self.stages.kill(victim, &mut self.killer);
                dead.push(victim);
            }
            for stage in dead {
                if let Waiting::Google(google) = &self.waiting {
                    google.forget_leases_of(stage).await;
                }
            }
            assert!(started.elapsed() < STEP_TAKES, "{step} does not end\n{}", self.stages.logs());
            tokio::time::sleep(LOOK_EVERY).await;
        }
        self.stages.restart_dead(&mut self.killer);
    }

    fn victim(&mut self) -> Option<&'static str> {
        let killer = self.killer.as_mut()?;
        if killer.done.total() < self.wanted { killer.victim() } else { None }
    }
}

/// Settings of both parties: small parts, short waits, and audit entries that are all of one cluster.
pub(crate) const SETTINGS: &[(&str, &str)] = &[
    ("PODLEDGER_LEASE", "10s"),
    ("PODLEDGER_NACK_FIRST", "50ms"),
    ("PODLEDGER_NACK_MAX", "1s"),
    ("PODLEDGER_SNAPSHOT_PART_OBJECTS", "8"),
    ("PODLEDGER_COLLECTIONS", COLLECTIONS),
    ("PODLEDGER_LOAD_INTERVAL", "0s"),
    ("PODLEDGER_AUDIT_DEFAULT_CLUSTER", CLUSTER),
    ("PODLEDGER_LOG", "warn"),
];
