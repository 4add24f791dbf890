use futures::future::join_all;
use platform::runtime::HandleError;
use platform::testkit::memory::Effects;
use schemas::{Notification, ReplicaChange, Table, Topic};
use serde_json::json;

use super::world::{World, at, incoming};

fn change(event: &str, actor: &str) -> ReplicaChange {
    serde_json::from_value(json!({
        "event_id": event, "occurred_at": at(), "cluster": "prod", "namespace": "team", "target_kind": "Deployment",
        "target_name": "api", "field": "replicas", "new_value": 5, "verb": "patch", "actor": actor,
        "actor_kind": "person", "source": "audit",
    }))
    .unwrap()
}

fn notification(outcome: &str) -> Notification {
    serde_json::from_value(json!({
        "notification_id": "n", "event_id": "e", "episode_id": "p", "receiver": "log", "channel": "log",
        "outcome": outcome, "attempts": 1, "sent_at": at(),
    }))
    .unwrap()
}

impl World {
    fn rows_of(&self, table: Table) -> usize {
        self.tables().upserted.get(&table).map_or(0, |rows| rows.len())
    }
}

#[tokio::test]
async fn an_event_that_comes_again_is_one_row() {
    let world = World::default();
    for _ in 0..3 {
        world.process().handle(&change("e-1", "alice")).await.unwrap();
        world.process().handle(&notification("sent")).await.unwrap();
    }
    assert_eq!((world.rows_of(Table::ReplicaChanges), world.rows_of(Table::NotificationLog)), (1, 1));
}

#[tokio::test]
async fn events_that_come_together_share_a_write_that_holds_each_once() {
    let world = World::default();
    let process = world.process();
    let changes: Vec<_> = (0..20).map(|number| change(&format!("e-{}", number % 10), "alice")).collect();
    let outcomes = join_all(changes.iter().map(|change| process.handle(change))).await;
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(world.rows.asked.lock().unwrap().upserts, [(Table::ReplicaChanges, 10)]);
}

#[tokio::test]
async fn a_row_that_is_refused_harms_no_other() {
    let world = World::default();
    let process = world.process();
    let changes = [change("e-1", "alice"), change("e-2", "refuse me"), change("e-3", "bob")];
    let outcomes = join_all(changes.iter().map(|change| process.handle(change))).await;
    assert!(matches!(outcomes.as_slice(), [Ok(()), Err(HandleError::Poison(_)), Ok(())]), "{outcomes:?}");
    assert_eq!(world.rows_of(Table::ReplicaChanges), 2);
}

#[tokio::test]
async fn one_refused_row_among_many_is_found_in_a_few_writes() {
    for place in [0, 37, 99] {
        let world = World::default();
        let process = world.process();
        let actor = |number| if number == place { "refuse me" } else { "alice" };
        let changes: Vec<_> = (0..100).map(|number| change(&format!("e-{number}"), actor(number))).collect();
        let outcomes = join_all(changes.iter().map(|change| process.handle(change))).await;
        let refused: Vec<usize> = (0..100).filter(|number| outcomes[*number].is_err()).collect();
        assert_eq!((refused, world.rows_of(Table::ReplicaChanges)), (vec![place], 99));
        let writes = world.rows.asked.lock().unwrap().upserts.len();
        assert!(writes <= 7, "{writes} writes");
    }
}

#[tokio::test]
async fn a_crash_around_the_write_is_an_outage_and_a_later_delivery_mends_it() {
    for after in [false, true] {
        let world = World::default();
        let dying = world.process_that(&Effects::crash_at(1, after), "0");
        let outcome = dying.handle(&change("e-1", "alice")).await;
        assert!(matches!(outcome, Err(HandleError::Outage(_))), "{outcome:?}");
        assert_eq!(world.rows_of(Table::ReplicaChanges), usize::from(after));
        world.process().handle(&change("e-1", "alice")).await.unwrap();
        assert_eq!(world.rows_of(Table::ReplicaChanges), 1);
    }
}

#[tokio::test]
async fn a_dead_letter_is_a_row_with_its_bytes() {
    let world = World::default();
    let attributes = [("podledger_subscription", "audit-logs--normalizer"), ("podledger_message_id", "m-7")];
    let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let letter = incoming("l-1", b"\xff{".to_vec(), attributes);
    for _ in 0..2 {
        world.process().deliver(Topic::DeadLetters, &letter).await.unwrap();
    }
    let tables = world.tables();
    let rows: Vec<_> = tables.upserted[&Table::DeadLetters].values().collect();
    assert_eq!(rows.len(), 1);
    assert_eq!((&rows[0]["message_id"], &rows[0]["payload"]), (&json!("m-7"), &json!("/3s=")));
    assert_eq!((&rows[0]["topic"], &rows[0]["stage"]), (&json!("audit-logs"), &json!("normalizer")));
}

#[tokio::test]
async fn every_subscription_of_the_loader_has_a_handler() {
    let world = World::default();
    for subscription in schemas::Subscription::ALL.iter().filter(|subscription| subscription.stage == "loader") {
        let nonsense = incoming("m", b"\xff".to_vec(), Default::default());
        // Dead letters may be anything; nothing else is nonsense.
        let outcome = world.process().deliver(subscription.topic, &nonsense).await;
        let expected_poison = subscription.topic != Topic::DeadLetters;
        assert_eq!(matches!(outcome, Err(HandleError::Poison(_))), expected_poison, "{subscription}: {outcome:?}");
    }
}
