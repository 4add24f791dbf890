//! The file, and what only this adapter promises.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::*;
use crate::ports::Delivery;

const RAW: Subscription = Subscription::new(Topic::RawBatches, "normalizer");
const FLOW: Flow = Flow { max_outstanding: 10, lease: Duration::from_secs(60) };
const PATIENCE: Duration = Duration::from_secs(20);

struct Place {
    _folder: tempfile::TempDir,
    file: PathBuf,
}

fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broker.db");
    Place { _folder: folder, file }
}

fn bytes(length: usize) -> Outgoing {
    Outgoing { payload: vec![7; length], ..Outgoing::default() }
}

async fn next(receiver: &mut Box<dyn Receiver>) -> Delivery {
    tokio::time::timeout(PATIENCE, receiver.next()).await.expect("a message comes").unwrap()
}

#[test]
fn a_file_of_a_newer_format_is_refused_and_left_alone() {
    let place = place();
    drop(SqliteBroker::open(&place.file, BrokerSettings::default()).unwrap());
    Connection::open(&place.file).unwrap().pragma_update(None, "user_version", 2).unwrap();
    let before = std::fs::read(&place.file).unwrap();
    let error = SqliteBroker::open(&place.file, BrokerSettings::default()).unwrap_err();
    assert!(matches!(error, PortError::NeverWill { .. }));
    let text = error.to_string();
    assert!(text.contains("format 2") && text.contains("newer") && text.contains("broker.db"), "{text}");
    assert_eq!(std::fs::read(&place.file).unwrap(), before);
}

#[test]
fn what_is_no_brokers_file_is_refused_by_name() {
    let other = place();
    Connection::open(&other.file).unwrap().execute_batch("CREATE TABLE mine (x)").unwrap();
    let text_file = place();
    std::fs::write(&text_file.file, "not a database, but long enough to be looked at ".repeat(50)).unwrap();
    let folder = place();
    std::fs::create_dir(&folder.file).unwrap();
    for (what, place) in [("another's database", other), ("a text", text_file), ("a folder", folder)] {
        let error = SqliteBroker::open(&place.file, BrokerSettings::default()).unwrap_err();
        assert!(matches!(error, PortError::NeverWill { .. }), "{what}: {error}");
        assert!(
            error.to_string().contains("open in broker file") && error.to_string().contains("broker.db"),
            "{error}"
        );
    }
}

#[test]
fn settings_of_zero_are_refused_by_name() {
    let place = place();
    let error = SqliteBroker::open(&place.file, BrokerSettings { max_delivery_attempts: 0, ..Default::default() });
    assert!(error.unwrap_err().to_string().contains("max_delivery_attempts is 0"));
    assert!(!place.file.exists());
}

#[tokio::test]
async fn the_last_handle_to_go_closes_the_file() {
    let place = place();
    let log = place.file.with_extension("db-wal");
    let broker = SqliteBroker::open(&place.file, BrokerSettings::default()).unwrap();
    broker.publish(RAW.topic, vec![bytes(1), bytes(1)]).await.unwrap();
    let mut receiver = broker.subscribe(RAW, FLOW).await.unwrap();
    let held = next(&mut receiver).await;
    drop((broker, receiver));
    assert!(log.exists(), "a delivery in hand keeps it open");
    assert!(held.ack().await.unwrap());
    // SQLite removes its log when the last connection closes, here: when the thread has ended.
    assert!(!log.exists());
    let broker = SqliteBroker::open(&place.file, BrokerSettings::default()).unwrap();
    let other = next(&mut broker.subscribe(RAW, FLOW).await.unwrap()).await;
    assert_eq!(other.message.delivery_attempt, 1, "what was only fetched ahead was given back");
}

#[tokio::test]
async fn an_answer_nobody_took_is_given_back_with_its_receiver() {
    let place = place();
    let broker = SqliteBroker::open(&place.file, BrokerSettings::default()).unwrap();
    broker.publish(RAW.topic, vec![bytes(1)]).await.unwrap();
    let mut cancelled = broker.subscribe(RAW, FLOW).await.unwrap();
    assert!(futures::poll!(cancelled.next()).is_pending(), "it is asked for, and the wait given up");
    let reader = Connection::open(&place.file).unwrap();
    let leased = || reader.query_row("SELECT count(lease) FROM deliveries", [], |row| row.get::<_, i64>(0)).unwrap();
    let gives_up_at = Instant::now() + PATIENCE;
    while leased() == 0 {
        assert!(Instant::now() < gives_up_at, "it was never leased");
        tokio::task::yield_now().await;
    }
    drop(cancelled);
    let delivery = next(&mut broker.subscribe(RAW, FLOW).await.unwrap()).await;
    assert_eq!(delivery.message.delivery_attempt, 1);
    assert!(delivery.ack().await.unwrap());
}

#[tokio::test]
async fn a_full_disk_did_not_happen_and_loses_nothing() {
    let place = place();
    let settings = BrokerSettings::default();
    let attempt = Attempt { verb: "open", subject: "".into(), file: place.file.as_path().into() };
    let opened = schema::open(&attempt, &settings).unwrap();
    opened.connection.pragma_update(None, "max_page_count", 60).unwrap();
    let (topics, subscriptions) = (Arc::new(opened.topics.clone()), Arc::new(opened.subscriptions.clone()));
    let writer = Arc::new(Writer::start(opened, &settings, place.file.as_path().into()).unwrap());
    let broker = SqliteBroker { writer, topics, subscriptions };
    broker.publish(RAW.topic, vec![bytes(10)]).await.unwrap();
    let small = broker.publish(RAW.topic, vec![bytes(20)]);
    let large = broker.publish(RAW.topic, vec![bytes(1_000_000)]);
    let (small, large) = tokio::join!(small, large);
    small.unwrap();
    let error = large.unwrap_err();
    assert!(matches!(error, PortError::DidNotHappen { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("publish to raw-batches") && text.contains("broker.db") && text.contains("full"), "{text}");
    let mut receiver = broker.subscribe(RAW, FLOW).await.unwrap();
    for length in [10, 20] {
        let delivery = next(&mut receiver).await;
        assert_eq!(delivery.message.payload.len(), length);
        assert!(delivery.ack().await.unwrap());
    }
    assert_eq!(broker.pending().await.unwrap(), 0);
}

#[tokio::test]
async fn a_busy_file_did_not_happen_and_can_still_be_read() {
    let place = place();
    let settings = BrokerSettings { busy_timeout: Duration::from_millis(20), ..Default::default() };
    let broker = SqliteBroker::open(&place.file, settings).unwrap();
    broker.publish(RAW.topic, vec![bytes(1)]).await.unwrap();
    let other = Connection::open(&place.file).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = broker.publish(RAW.topic, vec![bytes(1)]).await.unwrap_err();
    assert!(matches!(error, PortError::DidNotHappen { .. }), "{error}");
    broker.ping().await.unwrap();
    assert_eq!(broker.pending().await.unwrap(), 1);
    let mut receiver = broker.subscribe(RAW, FLOW).await.unwrap();
    assert!(receiver.next().await.is_err(), "who waits for messages is told too");
    other.execute_batch("ROLLBACK").unwrap();
    broker.publish(RAW.topic, vec![bytes(1)]).await.unwrap();
    assert_eq!(next(&mut receiver).await.message.delivery_attempt, 1);
}

#[tokio::test]
async fn what_nobody_acknowledges_in_time_becomes_a_dead_letter_and_the_rest_is_removed() {
    let place = place();
    let settings = BrokerSettings {
        retention: Duration::from_millis(1),
        retention_interval: Duration::from_millis(5),
        ..Default::default()
    };
    let broker = SqliteBroker::open(&place.file, settings).unwrap();
    broker.publish(RAW.topic, vec![bytes(3)]).await.unwrap();
    let dead = Subscription::new(Topic::DeadLetters, "loader");
    let letter = next(&mut broker.subscribe(dead, FLOW).await.unwrap()).await;
    assert!(letter.message.attributes["podledger_reason"].contains("retention"), "{:?}", letter.message.attributes);
    assert!(letter.ack().await.unwrap());
    let reader = Connection::open(&place.file).unwrap();
    let kept = || reader.query_row("SELECT count(*) FROM messages", [], |row| row.get::<_, i64>(0)).unwrap();
    let gives_up_at = Instant::now() + PATIENCE;
    while kept() > 0 {
        assert!(Instant::now() < gives_up_at, "{} messages are still kept", kept());
        tokio::task::yield_now().await;
    }
    for count in broker.counts().await.unwrap().unwrap() {
        assert_eq!(count.published, count.acked + count.dead_lettered + count.unacked, "{count:?}");
    }
}

#[tokio::test]
async fn a_buffered_message_whose_lease_ran_out_is_not_delivered_twice() {
    let place = place();
    let broker = SqliteBroker::open(&place.file, BrokerSettings::default()).unwrap();
    broker.publish(RAW.topic, vec![bytes(1), bytes(2)]).await.unwrap();
    let short = Flow { max_outstanding: 10, lease: Duration::from_millis(50) };
    let mut slow = broker.subscribe(RAW, short).await.unwrap();
    let first = next(&mut slow).await; // the second is now in its buffer
    let mut other = broker.subscribe(RAW, FLOW).await.unwrap();
    let taken = [next(&mut other).await, next(&mut other).await];
    broker.publish(RAW.topic, vec![bytes(3)]).await.unwrap();
    let third = tokio::select! {
        delivery = next(&mut slow) => delivery,
        delivery = next(&mut other) => delivery,
    };
    assert_eq!(third.message.payload.len(), 3, "the buffered one belongs to somebody else by now");
    assert!(!first.ack().await.unwrap());
    for delivery in taken.into_iter().chain([third]) {
        assert!(delivery.ack().await.unwrap());
    }
}
