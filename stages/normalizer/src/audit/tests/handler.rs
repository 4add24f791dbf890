//! The handler publishes changes, gives up what cannot be read, and lets an outage be one.

use std::collections::BTreeMap;
use std::sync::Arc;

use platform::ports::Incoming;
use platform::runtime::{Handle, HandleError, MessageContext};
use platform::testkit::memory::MemoryBroker;
use schemas::{Message, ReplicaChange, Timestamp, Topic};
use serde_json::json;

use super::super::AuditHandler;
use super::context;

/// Hands a payload to a handler over that broker.
async fn handled(broker: &Arc<MemoryBroker>, payload: &str) -> Result<(), HandleError> {
    let message = Incoming {
        message_id: "1".to_owned(),
        payload: payload.as_bytes().to_vec(),
        attributes: BTreeMap::new(),
        ordering_key: None,
        published_at: Timestamp::from_seconds(0),
        delivery_attempt: 1,
    };
    let about = MessageContext {
        message_id: "1".to_owned(),
        published_at: message.published_at,
        delivery_attempt: 1,
        attributes: BTreeMap::new(),
    };
    AuditHandler::new(Arc::<MemoryBroker>::clone(broker), context()).handle(message, &about).await
}

#[tokio::test]
async fn changes_are_published_under_the_objects_ordering_key() {
    let broker = Arc::new(MemoryBroker::default());
    handled(&broker, &super::cloud::scale_entry().to_string()).await.unwrap();
    let published = broker.messages();
    let [(topic, message)] = published.as_slice() else { panic!("{} messages", published.len()) };
    assert_eq!(*topic, Topic::ReplicaChanges);
    assert_eq!(message.ordering_key.as_deref(), Some("gke-prod/payments/orders-api"));
    assert_eq!(ReplicaChange::decode(&message.payload, &message.attributes).unwrap().new_value, Some(6));
}

#[tokio::test]
async fn an_entry_that_changed_nothing_is_done_and_one_that_cannot_be_read_is_poison() {
    let broker = Arc::new(MemoryBroker::default());
    handled(&broker, &json!({"insertId": "a", "textPayload": "hello"}).to_string()).await.unwrap();
    assert!(matches!(handled(&broker, "not json").await, Err(HandleError::Poison(_))));
    assert!(broker.messages().is_empty());
}

#[tokio::test]
async fn a_broker_that_is_away_is_an_outage() {
    let broker = Arc::new(MemoryBroker::default());
    broker.set_away(true);
    let outcome = handled(&broker, &super::cloud::scale_entry().to_string()).await;
    assert!(matches!(outcome, Err(HandleError::Outage(_))));
}

#[tokio::test]
async fn the_neighbours_of_a_broken_item_are_published_before_the_list_is_given_up() {
    let broker = Arc::new(MemoryBroker::default());
    let event = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": "a", "stage": "ResponseComplete", "verb": "patch",
        "objectRef": {"resource": "deployments", "namespace": "shop", "name": "web", "apiGroup": "apps", "subresource": "scale"},
        "requestObject": {"spec": {"replicas": 3}}, "requestReceivedTimestamp": "2026-11-21T11:45:19Z"
    });
    let list = json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": [{"kind": "Pod"}, event]});
    let Err(HandleError::Poison(reason)) = handled(&broker, &list.to_string()).await else { panic!("not poison") };
    assert!(reason.to_string().starts_with("item 0: audit entry: neither"), "{reason}");
    assert_eq!(broker.messages().len(), 1);
}
