//! What was provisioned is what the stages' broker needs.

use std::time::Duration;

use platform::google::{PubsubBroker, PubsubEmulator, PubsubSettings};
use platform::ports::{Broker, Delivery, Flow, Outgoing, PortError, Receiver};
use schemas::{Subscription, Topic};

use crate::project::Project;

pub(crate) const FLOW: Flow = Flow { max_outstanding: 10, lease: Duration::from_secs(10) };
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn broker(project: &Project) -> PubsubBroker {
    let emulator = PubsubEmulator { data: project.pubsub.url("grpc"), admin: project.pubsub.url("rest") };
    let settings = PubsubSettings { emulator: Some(emulator), ..PubsubSettings::default() };
    PubsubBroker::open(&project.id, settings).await.unwrap()
}

pub(crate) async fn next(receiver: &mut Box<dyn Receiver>) -> Delivery {
    tokio::time::timeout(PATIENCE, receiver.next()).await.expect("a message comes").unwrap()
}

/// The golden bytes of a topic's message; none where messages are not ours.
fn golden(topic: Topic) -> Option<Vec<u8>> {
    let name = match topic {
        Topic::SnapshotRequests => "SnapshotRequest",
        Topic::RawBatches => "RawBatch",
        Topic::RowBatches => "RowBatch",
        Topic::ReplicaChanges => "ReplicaChange",
        Topic::LimitDeclarations => "LimitDeclaration",
        Topic::Violations => "Violation",
        Topic::Notifications => "Notification",
        Topic::AuditLogs | Topic::DeadLetters => return None,
    };
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas/golden");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let file = files.iter().rfind(|path| {
        let file = path.file_name().unwrap().to_string_lossy();
        file.starts_with(&format!("message-{name}-")) && file.ends_with("-full.hex")
    });
    let hex: String = std::fs::read_to_string(file.unwrap()).unwrap().split_whitespace().collect();
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    Some((0..hex.len()).step_by(2).map(byte).collect())
}

async fn publish(broker: &PubsubBroker, topic: Topic, payload: Vec<u8>) -> Result<Vec<String>, PortError> {
    broker.publish(topic, vec![Outgoing { payload, ..Outgoing::default() }]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_subscription_delivers_what_its_topic_takes_and_topics_take_nothing_else() {
    let Some(project) = Project::start("stages") else { return };
    project.run(&[]).await.with(0);
    let broker = broker(&project).await;
    for topic in Topic::ALL {
        let refused = publish(&broker, *topic, b"\xff\xfe neither Avro nor JSON".to_vec()).await;
        let payload = match golden(*topic) {
            Some(golden) => {
                assert!(matches!(refused, Err(PortError::NeverWill { .. })), "{topic}: {refused:?}");
                publish(&broker, *topic, golden.clone()).await.unwrap();
                golden
            }
            None => {
                refused.unwrap();
                b"\xff\xfe neither Avro nor JSON".to_vec()
            }
        };
        for subscription in Subscription::ALL.iter().filter(|subscription| subscription.topic == *topic) {
            let mut receiver = broker.subscribe(*subscription, FLOW).await.unwrap();
            let delivery = next(&mut receiver).await;
            assert_eq!(delivery.message.payload, payload, "{subscription}");
            assert!(delivery.ack().await.unwrap());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_a_scheduler_may_leave_out_what_has_a_default() {
    let Some(project) = Project::start("scheduled") else { return };
    project.run(&[]).await.with(0);
    let broker = broker(&project).await;
    let whole = br#"{"request_id": "", "cluster": "*", "kinds": [], "requested_at": 0, "requested_by": "", "purpose": "scheduled"}"#;
    publish(&broker, Topic::SnapshotRequests, whole.to_vec()).await.unwrap();
    publish(&broker, Topic::SnapshotRequests, br#"{"cluster": "*"}"#.to_vec()).await.unwrap();
    let refused = publish(&broker, Topic::SnapshotRequests, br#"{"kinds": []}"#.to_vec()).await;
    assert!(matches!(refused, Err(PortError::NeverWill { .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_given_back_too_often_becomes_a_dead_letter() {
    let Some(project) = Project::start("letters") else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("quick.yaml");
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/topology.yaml")).unwrap();
    let quick = text
        .replace("attempts: 100", "attempts: 5")
        .replace("minBackoff: 1s, maxBackoff: 10m", "minBackoff: 0s, maxBackoff: 0s");
    assert_ne!(quick, text);
    std::fs::write(&file, quick).unwrap();
    project.run(&["--topology", file.to_str().unwrap()]).await.with(0);
    let broker = broker(&project).await;
    let subscription = Subscription::new(Topic::AuditLogs, "normalizer");
    publish(&broker, Topic::AuditLogs, b"poison".to_vec()).await.unwrap();
    let mut receiver = broker.subscribe(subscription, FLOW).await.unwrap();
    for attempt in 1..=5 {
        let delivery = next(&mut receiver).await;
        assert_eq!(delivery.message.delivery_attempt, attempt);
        delivery.nack(Duration::ZERO).await.unwrap();
    }
    let mut letters = broker.subscribe(Subscription::new(Topic::DeadLetters, "loader"), FLOW).await.unwrap();
    let letter = next(&mut letters).await;
    assert_eq!(letter.message.payload, b"poison");
    assert_eq!(letter.message.attributes["podledger_subscription"], subscription.name());
    assert!(letter.ack().await.unwrap());
}
