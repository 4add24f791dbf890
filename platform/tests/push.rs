//! Who may push: forged and broken tokens reach no handler, whatever is wrong with them.
#![allow(clippy::unwrap_used, clippy::expect_used)] // A failed call is a failed test, also outside its function.

#[path = "push/forge.rs"]
mod forge;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use podledger_platform::embedded::{BrokerSettings, DirObjects, SqliteBroker};
use podledger_platform::ports::{FixedClock, Incoming};
use podledger_platform::runtime::{
    Consumer, Env, Handle, HandleError, MessageContext, Monitor, Ports, PushServer, PushSettings, RuntimeSettings,
    Shutdown, Stage, install_tls, serve_push,
};
use podledger_platform::testkit::oidc::{KeyServer, Serves, Signer, key_set};
use reqwest::Client;
use schemas::{Subscription, Timestamp, Topic};
use serde_json::json;

use forge::{AUDIENCE, CLASSES, Forge, NOW, PUSHER};

const HERE: Subscription = Subscription::new(Topic::RowBatches, "loader");
/// How many forged tokens are tried.
const FORGED: usize = 200;
/// Where their dice start.
const SEED: u64 = 4;
/// How long a test waits for an answer at most.
const PATIENCE: Duration = Duration::from_secs(30);
/// Unknown keys are looked for that seldom, in seconds.
const PAUSE_SECONDS: u64 = 30;

#[derive(Default)]
struct Counting(AtomicUsize);

#[async_trait]
impl Handle<Incoming> for Counting {
    async fn handle(&self, _: Incoming, _: &MessageContext) -> Result<(), HandleError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

struct Served {
    keys: KeyServer,
    handler: Arc<Counting>,
    monitor: Monitor,
    server: PushServer,
    client: Client,
    _folder: tempfile::TempDir,
}

async fn serve(keys: Serves) -> Served {
    install_tls();
    let folder = tempfile::tempdir().unwrap();
    let keys = KeyServer::start(keys).await;
    let ports = Ports::new(
        Arc::new(SqliteBroker::open(folder.path().join("broker.db"), BrokerSettings::default()).unwrap()),
        Arc::new(DirObjects::open(folder.path().join("objects")).unwrap()),
    );
    let url = keys.url();
    let env = Env::from_pairs([
        ("PODLEDGER_DELIVERY", "push"),
        ("PODLEDGER_PUSH_AUDIENCE", AUDIENCE),
        ("PODLEDGER_PUSH_SERVICE_ACCOUNT", PUSHER),
        ("PODLEDGER_PUSH_JWKS_URL", url.as_str()),
    ]);
    let settings = env.read::<RuntimeSettings>().unwrap().checked().unwrap();
    let delivery = env.read::<PushSettings>().unwrap().checked(true).unwrap();
    let delivery = delivery.judged_by(Arc::new(FixedClock(Timestamp::from_seconds(NOW))));
    let handler = Arc::new(Counting::default());
    let stage = Stage { name: "loader", consumers: vec![Consumer::new::<Incoming>(HERE, handler.clone())] };
    let (monitor, shutdown) = (Monitor::default(), Shutdown::new());
    let server = serve_push(stage, &ports, &settings, &delivery, &monitor, &shutdown).await.unwrap();
    let client = Client::builder().timeout(PATIENCE).build().unwrap();
    Served { keys, handler, monitor, server, client, _folder: folder }
}

impl Served {
    /// The status that a good message with these headers is answered with.
    async fn push(&self, headers: &[(&str, Vec<u8>)]) -> u16 {
        let body = json!({"message": {"messageId": "1", "data": "AA=="}}).to_string();
        let mut request = self.client.post(format!("http://{}/push/{HERE}", self.server.address())).body(body);
        for (name, value) in headers {
            request = request.header(*name, value.as_slice());
        }
        request.send().await.unwrap().status().as_u16()
    }

    async fn push_with(&self, token: &str) -> u16 {
        self.push(&[("authorization", format!("Bearer {token}").into_bytes())]).await
    }

    fn handled(&self) -> usize {
        self.handler.0.load(Ordering::SeqCst)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_forged_and_broken_tokens_reach_no_handler() {
    let signer = Signer::new("published");
    let served = serve(Serves::Text(key_set([&signer]))).await;
    let mut forge = Forge::new(&signer, SEED);
    assert_eq!(served.push_with(&forge.genuine()).await, 204, "a genuine one does");
    let begun = Instant::now();
    let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
    for n in 0..FORGED {
        let class = CLASSES[n % CLASSES.len()];
        let forged = forge.forge(class);
        let status = served.push(&forged.headers).await;
        assert_eq!(status, forged.status, "{n}: {class}: {forged}");
        *statuses.entry(status).or_default() += 1;
    }
    println!("{FORGED} tokens of {} classes: {statuses:?}", CLASSES.len());
    assert_eq!(served.handled(), 1, "none of them reached the handler");
    assert!(statuses.keys().all(|status| [401, 403].contains(status)));
    let pauses = usize::try_from(begun.elapsed().as_secs() / PAUSE_SECONDS).unwrap();
    assert!(served.keys.reads() <= 1 + pauses, "and they asked for keys {} times", served.keys.reads());
    let text = served.monitor.metrics().text().unwrap();
    let refused: usize = text
        .lines()
        .filter(|line| line.starts_with("podledger_push_refused_total{"))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap())
        .sum();
    assert_eq!(refused, FORGED, "each was counted: {text}");
    assert_eq!(served.push_with(&forge.genuine()).await, 204, "and the door still opens");
    assert_eq!(served.handled(), 2);
}

#[tokio::test]
async fn without_keys_nobody_comes_in_and_nobody_is_called_a_forger() {
    let signer = Signer::new("published");
    for outage in [Serves::Status(500), Serves::Text("{}".to_owned())] {
        let served = serve(outage).await;
        let mut forge = Forge::new(&signer, SEED);
        assert_eq!(served.push_with(&forge.genuine()).await, 503);
        assert_eq!(served.push(&[]).await, 401, "who has no token needs no key to be refused");
        assert_eq!(served.handled(), 0);
    }
}
