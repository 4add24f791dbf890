//! A receiver that goes away in the moment it is served.

use schemas::{Subscription, Topic};

use super::*;
use crate::embedded::broker::schema;
use crate::embedded::broker::store::Wanted;
use crate::ports::Outgoing;

#[test]
fn what_was_leased_for_a_receiver_that_went_away_is_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let file: Arc<Path> = folder.path().join("broker.db").into();
    let settings = BrokerSettings::default();
    let opened =
        schema::open(&Attempt { verb: "open", subject: "".into(), file: Arc::clone(&file) }, &settings).unwrap();
    let topic = opened.topics[&Topic::RawBatches];
    let subscription = opened.subscriptions[&Subscription::new(Topic::RawBatches, "normalizer").name()];
    let (_requests, requests) = channel();
    let mut thread = Thread::new(opened, &settings, requests, file);
    let message = Outgoing { payload: vec![1], ..Outgoing::default() };
    let store = Store::new(&thread.connection, &thread.policy, Timestamp::system_now());
    store.publish(topic, &[message]).unwrap();
    let (reply, gone) = oneshot::channel();
    drop(gone);
    let wanted = Wanted { subscription, messages: 1, lease: Duration::from_secs(600) };
    thread.waiting.push(Waiting { attempt: thread.attempt("receive"), wanted, reply });
    let held = |thread: &Thread| -> (u32, bool) {
        let row = "SELECT attempt, lease IS NOT NULL FROM deliveries";
        thread.connection.query_row(row, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
    };
    thread.turn(Jobs::new());
    assert_eq!(held(&thread), (1, true), "it was leased for nobody");
    assert!(thread.next_due.is_some_and(|due| due <= Timestamp::system_now()), "the next turn comes at once");
    thread.turn(Jobs::new());
    assert_eq!(held(&thread), (0, false), "and given back, as if never leased");
}
