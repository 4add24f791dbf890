//! Three stages in this process, and what they made.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use platform::ports::{Documents, Question};
use platform::runtime::{Env, Needs, Ports, RuntimeSettings, Shutdown, Stage, layered, open, run};
use schemas::{ClusterName, Purpose, SnapshotRequest, Timestamp};
use serde_json::Value;
use tokio::task::JoinSet;

/// How long a snapshot may take to become rows.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often the queues are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Most rows that are read of a table.
const MANY_ROWS: u64 = 10_000;

/// Snapshotter, normalizer and loader at work.
pub(crate) struct House {
    adapters: Ports,
    shutdown: Shutdown,
    stages: JoinSet<()>,
}

impl House {
    /// Starts the stages on embedded ports in a folder, with these settings, and with these sources
    /// besides those of the settings.
    pub(crate) async fn start(
        folder: &Path,
        pairs: &[(&str, &str)],
        sources: BTreeMap<ClusterName, Arc<dyn Documents>>,
    ) -> Self {
        let at = |name: &str| folder.join(name).display().to_string();
        let embedded = [
            ("PODLEDGER_BROKER".to_owned(), format!("sqlite:{}", at("broker.db"))),
            ("PODLEDGER_OBJECTS".to_owned(), format!("file:{}", at("objects"))),
            ("PODLEDGER_WAREHOUSE".to_owned(), format!("sqlite:{}", at("warehouse.db"))),
        ];
        let given = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let env = Env::from_pairs(embedded.into_iter().chain(given));
        let settings = env.read::<RuntimeSettings>().unwrap().checked().unwrap();
        let mut needs = Needs::MESSAGES_AND_OBJECTS.and_warehouse();
        if sources.is_empty() {
            needs = needs.and_clusters();
        }
        let mut adapters = open(&settings, needs).await.unwrap();
        adapters.documents.extend(sources);
        let mut house = Self { adapters, shutdown: Shutdown::new(), stages: JoinSet::new() };
        house.run(&settings, "snapshotter", |ports| snapshotter::stage(&env.read().unwrap(), ports).unwrap());
        house.run(&settings, "normalizer", |ports| normalizer::stage(&env.read().unwrap(), ports).unwrap());
        house.run(&settings, "loader", |ports| loader::stage(&env.read().unwrap(), ports).unwrap());
        house
    }

    fn run(&mut self, settings: &RuntimeSettings, name: &'static str, build: impl FnOnce(&Ports) -> Stage) {
        let ports = layered(&self.adapters, name, settings, &settings.injected_faults());
        let (stage, settings, shutdown) = (build(&ports), settings.clone(), self.shutdown.clone());
        self.stages.spawn(async move { run(stage, &ports, &settings, shutdown).await.unwrap() });
    }

    /// Takes a snapshot and waits until nothing of it is under way.
    pub(crate) async fn snapshot(&self, cluster: &str) {
        let request = SnapshotRequest {
            request_id: "s-1".to_owned(),
            cluster: cluster.to_owned(),
            kinds: Vec::new(),
            requested_at: Timestamp::system_now().micros(),
            requested_by: "a test".to_owned(),
            purpose: Purpose::Manual,
        };
        self.adapters.broker.publish_messages(&[request]).await.unwrap();
        let idle = async {
            while self.waiting().await > 0 {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::time::timeout(PATIENCE, idle).await.expect("the snapshot becomes rows");
    }

    /// Messages that one of the three stages has not acknowledged.
    async fn waiting(&self) -> u64 {
        let counts = self.adapters.broker.counts().await.unwrap().expect("the embedded broker counts");
        let ours = |name: &str| ["snapshotter", "normalizer", "loader"].iter().any(|stage| name.ends_with(stage));
        counts.iter().filter(|count| ours(&count.subscription)).map(|count| count.unacked).sum()
    }

    /// The rows of a source in a table, by column.
    pub(crate) async fn rows(&self, table: &str, source: &str) -> Vec<BTreeMap<String, Value>> {
        let question = Question::Rows { name: table.to_owned(), limit: MANY_ROWS };
        let rows = self.ask(&question).await;
        rows.into_iter().filter(|row| row["cluster"] == source).collect()
    }

    /// That many kinds of snapshots add up, from what was listed to what is in the tables.
    pub(crate) async fn is_conserved(&self, kinds: usize) {
        let (from, to) = (Timestamp::MIN, Timestamp::MAX);
        let units = self.ask(&Question::Conservation { from, to }).await;
        assert_eq!(units.len(), kinds, "{units:#?}");
        for unit in units {
            let is = |column: &str| matches!(&unit[column], Value::Bool(true)) || unit[column] == 1;
            assert!(is("complete") && is("balanced"), "{unit:#?}");
        }
    }

    async fn ask(&self, question: &Question) -> Vec<BTreeMap<String, Value>> {
        let warehouse = self.adapters.warehouse.as_ref().expect("it was opened");
        let answer = warehouse.ask(question).await.unwrap();
        answer.rows.into_iter().map(|row| answer.columns.iter().cloned().zip(row).collect()).collect()
    }

    /// Stops the stages.
    pub(crate) async fn stop(mut self) {
        self.shutdown.trigger();
        while let Some(ended) = self.stages.join_next().await {
            ended.unwrap();
        }
    }
}
