//! What the tests of the Pub/Sub adapter share: a server, a broker on it, messages.

use std::sync::Arc;
use std::time::Duration;

use podledger_platform::google::{PubsubBroker, PubsubEmulator, PubsubSettings};
use podledger_platform::ports::{Broker, Delivery, Flow, Outgoing, PortError, Receiver};
use podledger_platform::testkit::broker::{Abilities, PLAIN};
use podledger_platform::testkit::pubsub::{Provision, provision};
use podledger_platform::testkit::servers::{Built, Server};

pub(crate) const ABILITIES: Abilities = Abilities {
    shortest_lease: Duration::from_secs(10), // Pub/Sub's
    max_delivery_attempts: 5,                // Pub/Sub's fewest
    keeps_nack_delay: true,
    knows_lost_leases: false, // acknowledgements are confirmed only where delivery is exactly once
    counts: false,
    seeks_exactly: true, // the stand-in does; Google's service after a while
    extends_leases_itself: true,
    seek_reaches_receivers: false,
    counts_attempts_without_policy: false,
    dead_letters_name_their_message: false,
    largest_payload: 9_999_000, // the rest of the 10 MB is the request around it
    patience: Duration::from_secs(60),
};
pub(crate) const PROVISION: Provision = Provision { max_delivery_attempts: 5, exactly_once: false };
pub(crate) const FLOW: Flow = Flow { max_outstanding: 100, lease: Duration::from_secs(10) };
/// A running server, and settings for it with short times.
pub(crate) fn start(arguments: &[&str]) -> Option<(Server, PubsubSettings)> {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok(); // as `main` does; another test may have
    let server = Built::find("pubsub")?.start(arguments);
    let settings = settings(server.url("grpc"), server.url("rest"));
    Some((server, settings))
}

pub(crate) fn settings(data: String, admin: String) -> PubsubSettings {
    PubsubSettings {
        emulator: Some(PubsubEmulator { data, admin }),
        call_within: Duration::from_secs(5),
        longest_lease: Duration::from_secs(10),
        look_after: Duration::from_secs(2),
        ..PubsubSettings::default()
    }
}

pub(crate) async fn open(project: &str, settings: &PubsubSettings) -> Arc<dyn Broker> {
    Arc::new(PubsubBroker::open(project, settings.clone()).await.unwrap())
}

pub(crate) async fn open_new(project: &str, server: &Server, settings: &PubsubSettings) -> Arc<dyn Broker> {
    provision(&server.url("rest"), project, PROVISION).await;
    open(project, settings).await
}

pub(crate) fn message(text: impl std::fmt::Display) -> Outgoing {
    Outgoing { payload: text.to_string().into_bytes(), ..Outgoing::default() }
}

pub(crate) fn keyed(key: &str, text: impl std::fmt::Display) -> Outgoing {
    Outgoing { ordering_key: Some(key.to_owned()), ..message(text) }
}

pub(crate) fn text(delivery: &Delivery) -> String {
    String::from_utf8(delivery.message.payload.clone()).unwrap()
}

pub(crate) async fn next(receiver: &mut Box<dyn Receiver>) -> Delivery {
    tokio::time::timeout(ABILITIES.patience, receiver.next()).await.expect("a message comes").unwrap()
}

/// Publishes until it is published: how long that takes after an outage is not the point.
pub(crate) async fn publish_in_the_end(broker: &Arc<dyn Broker>, message: Outgoing) {
    let published = async {
        while let Err(error) = broker.publish(PLAIN.topic, vec![message.clone()]).await {
            assert!(error.is_outage(), "{error}");
        }
    };
    tokio::time::timeout(ABILITIES.patience, published).await.expect("it is published in the end");
}

/// As if their holders had died a while ago.
pub(crate) async fn expire_leases(server: &Server, project: &str) {
    let subscription = format!("projects/{project}/subscriptions/{PLAIN}");
    let url = format!("{}/_test/expire?subscription={subscription}", server.url("rest"));
    reqwest::Client::new().post(url).send().await.unwrap().error_for_status().unwrap();
}

pub(crate) async fn fault(server: &Server, fault: serde_json::Value) {
    let url = format!("{}/_test/fault", server.url("rest"));
    reqwest::Client::new().post(url).json(&fault).send().await.unwrap().error_for_status().unwrap();
}

/// What a failed call came to, in a word.
pub(crate) fn came_to(error: &PortError) -> &'static str {
    match error {
        PortError::DidNotHappen { .. } => "not",
        PortError::MayHaveHappened { .. } => "perhaps",
        error if error.is_not_set_up() => "not set up",
        PortError::NeverWill { .. } => "never",
    }
}

/// Messages of [`PLAIN`] that nobody has acknowledged.
pub(crate) async fn unacknowledged(server: &Server, project: &str) -> u64 {
    podledger_platform::testkit::pubsub::unacknowledged(&server.url("rest"), project, PLAIN).await
}

/// Makes each acknowledgement take a while, so that one that nobody waits for has not arrived. Much
/// less than the runtime waits at its end.
pub(crate) async fn slow_down_acknowledgements(server: &Server) {
    const MILLISECONDS: u32 = 300;
    let slow = serde_json::json!({"method": "Acknowledge", "code": 0, "times": 1_000, "delay_ms": MILLISECONDS});
    fault(server, slow).await;
}
