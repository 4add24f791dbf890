//! The stand-ins for Google's services, and where processes find them.

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use platform::google::{
    BigQuerySettings, BigQueryWarehouse, CloudStorageObjects, PubsubBroker, PubsubEmulator, PubsubSettings,
};
use platform::ports::{Broker, Objects, Question, Warehouse};
use platform::testkit::bigquery::BigQueryAndStorage;
use platform::testkit::pubsub::{PushTarget, push_to};
use platform::testkit::servers::{Built, Server};
use podledger_tests::data_dir::STAGES;
use podledger_tests::place::Place;
use schemas::Subscription;
use serde_json::Value;

use crate::party::SETTINGS;
use crate::registry;

/// The project of everything.
pub(crate) const PROJECT: &str = "podledger-test";
const BUCKET: &str = "podledger-test";
const PREFIX: &str = "ledger";
const DATASET: &str = "podledger";
/// What tokens of pushed messages say.
const AUDIENCE: &str = "https://stages.example.com";
const SERVICE_ACCOUNT: &str = "pusher@podledger-test.iam.gserviceaccount.com";
/// When what was given back is sent again, as shipped and as tested.
const SHIPPED_RETRY: &str = "retry: {minBackoff: 1s, maxBackoff: 10m}";
const SHORT_RETRY: &str = "retry: {minBackoff: 0s, maxBackoff: 1s}";

/// How messages come to the processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Pull,
    Push,
}

/// Pub/Sub, Cloud Storage, BigQuery and Firestore.
pub(crate) struct Google {
    pubsub: Server,
    others: BigQueryAndStorage,
    firestore: Server,
    objects: Arc<dyn Objects>,
    place: Place,
}

impl Google {
    /// Starts them with everything that the pipeline needs there; none where one was not built.
    pub(crate) async fn start(folder: &Path, way: Way) -> Option<Self> {
        let pubsub = Built::find("pubsub")?.start(&[]);
        let others = BigQueryAndStorage::start()?;
        let firestore = Built::find("firestore")?.start(&[]);
        let variables = [
            ("PODLEDGER_BROKER", format!("pubsub:{PROJECT}")),
            ("PODLEDGER_OBJECTS", format!("gs://{BUCKET}/{PREFIX}")),
            ("PODLEDGER_WAREHOUSE", format!("bigquery:{PROJECT}.{DATASET}")),
            ("PODLEDGER_DOCUMENTS", format!("{}={}", registry::SOURCE, registry::address())),
            ("PUBSUB_EMULATOR_HOST", pubsub.address("grpc").to_owned()),
            ("PUBSUB_EMULATOR_ADMIN_HOST", pubsub.address("rest").to_owned()),
            ("STORAGE_EMULATOR_HOST", others.storage()),
            ("BIGQUERY_EMULATOR_HOST", others.bigquery()),
            ("FIRESTORE_EMULATOR_HOST", firestore.address("grpc").to_owned()),
        ]
        .map(|(variable, value)| (variable.to_owned(), value));
        let place = Place::new(folder, variables).with(SETTINGS.iter().copied());
        let objects = CloudStorageObjects::open(BUCKET, PREFIX, Some(&others.storage())).await.unwrap();
        let mut google = Self { pubsub, others, firestore, objects: Arc::new(objects), place };
        google.provisioned(folder);
        if way == Way::Push {
            google.place = pushed(google.place, &google.pubsub).await;
        }
        Some(google)
    }

    /// Everything is made by `podledger provision` from the topology that is shipped, but for how long
    /// Pub/Sub waits before it sends again what was given back: a story is too short for minutes.
    fn provisioned(&self, folder: &Path) {
        let shipped = include_str!("../../../infra/topology.yaml");
        assert!(shipped.contains(SHIPPED_RETRY), "the topology says otherwise now");
        let topology = folder.join("topology.yaml");
        std::fs::write(&topology, shipped.replace(SHIPPED_RETRY, SHORT_RETRY)).unwrap();
        let topology = topology.to_str().unwrap();
        let made = self.place.podledger(&["provision", "--project", PROJECT, "--topology", topology]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&[made.stdout, made.stderr].concat()));
    }

    pub(crate) fn place(&self) -> Place {
        self.place.clone()
    }

    pub(crate) async fn broker(&self) -> Arc<dyn Broker> {
        let emulator = PubsubEmulator { data: self.pubsub.url("grpc"), admin: self.pubsub.url("rest") };
        let settings = PubsubSettings { emulator: Some(emulator), ..PubsubSettings::default() };
        Arc::new(PubsubBroker::open(PROJECT, settings).await.unwrap())
    }

    pub(crate) fn objects(&self) -> Arc<dyn Objects> {
        Arc::clone(&self.objects)
    }

    /// Where documents are written.
    pub(crate) fn firestore(&self) -> String {
        self.firestore.url("grpc")
    }

    pub(crate) async fn warehouse(&self) -> Arc<dyn Warehouse> {
        let settings = BigQuerySettings { emulator: Some(self.others.bigquery()), ..BigQuerySettings::default() };
        Arc::new(BigQueryWarehouse::open(PROJECT, DATASET, settings).await.unwrap())
    }

    /// Messages that are not acknowledged, at all subscriptions.
    pub(crate) async fn unacknowledged(&self) -> u64 {
        let stats = self.stats().await;
        stats.as_object().unwrap().values().map(|one| one["num_undelivered_messages"].as_u64().unwrap()).sum()
    }

    /// Messages that ever reached the dead letters' topic.
    pub(crate) async fn dead_letters(&self) -> usize {
        let warehouse = self.warehouse().await;
        let question = Question::Rows { name: "dead_letters".to_owned(), limit: 1_000 };
        warehouse.ask(&question).await.unwrap().rows.len()
    }

    /// Ends the leases of a stage that died, as time would: its messages come again at once.
    pub(crate) async fn forget_leases_of(&self, stage: &str) {
        for subscription in Subscription::ALL.iter().filter(|subscription| subscription.stage == stage) {
            let name = format!("projects/{PROJECT}/subscriptions/{subscription}");
            let url = format!("{}/_test/expire?subscription={name}", self.pubsub.url("rest"));
            let answer = reqwest::Client::new().post(url).send().await.unwrap();
            assert!(answer.status().is_success(), "{subscription}: {}", answer.status());
        }
    }

    async fn stats(&self) -> Value {
        reqwest::get(format!("{}/_test/stats", self.pubsub.url("rest"))).await.unwrap().json().await.unwrap()
    }
}

/// The same place with messages pushed: every stage at a port of its own, which Pub/Sub is told.
async fn pushed(place: Place, pubsub: &Server) -> Place {
    let jwks = format!("{}/oauth2/v3/certs", pubsub.url("rest"));
    let mut place = place.with([
        ("PODLEDGER_DELIVERY", "push"),
        ("PODLEDGER_PUSH_AUDIENCE", AUDIENCE),
        ("PODLEDGER_PUSH_SERVICE_ACCOUNT", SERVICE_ACCOUNT),
        ("PODLEDGER_PUSH_JWKS_URL", &jwks),
    ]);
    for stage in STAGES {
        // Free now; a stage that is started again must be where it was.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        place.tell(stage, "PODLEDGER_HTTP", address.to_string());
        for subscription in Subscription::ALL.iter().filter(|subscription| subscription.stage == stage) {
            let url = format!("http://{address}/push/{subscription}");
            let target = PushTarget { url: &url, audience: AUDIENCE, service_account: SERVICE_ACCOUNT, wrapped: true };
            push_to(&pubsub.url("rest"), PROJECT, *subscription, Some(target)).await;
        }
    }
    place
}
