//! What the network and the service do wrong: nothing is lost, and errors say what became of a call.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use podledger_platform::google::{PubsubEmulator, PubsubSettings};
use podledger_platform::layers::{RetryBroker, RetryPolicy};
use podledger_platform::ports::Broker;
use podledger_platform::testkit::broker::PLAIN;
use podledger_platform::testkit::proxy::{Fault, Proxy};
use podledger_platform::testkit::servers::Server;

use super::world::{ABILITIES, FLOW, came_to, fault, message, open, open_new, start, text, unacknowledged};

const PERMISSION_DENIED: i32 = 7;
const RESOURCE_EXHAUSTED: i32 = 8;
const UNAVAILABLE: i32 = 14;

/// Settings whose messages go through the proxy; topics and subscriptions are made without it.
fn through(proxy: &Proxy, server: &Server, settings: &PubsubSettings) -> PubsubSettings {
    let emulator = Some(PubsubEmulator { data: proxy.url(), admin: server.url("rest") });
    PubsubSettings { emulator, ..settings.clone() }
}

/// A broker of a new project behind a proxy.
async fn behind_a_proxy(project: &str, settings: &PubsubSettings, server: &Server) -> (Proxy, Arc<dyn Broker>) {
    let proxy = Proxy::start(server.address("grpc")).await;
    let broker = open_new(project, server, &through(&proxy, server, settings)).await;
    (proxy, broker)
}

/// As a stage has it.
fn retried(broker: &Arc<dyn Broker>) -> RetryBroker {
    let policy = RetryPolicy { first: Duration::from_millis(20), within: ABILITIES.patience, ..RetryPolicy::default() };
    RetryBroker::new(Arc::clone(broker), policy)
}

/// Receives as the runtime does, which opens a receiver that failed again, until every one of the
/// expected messages came; how often each did. After each it is told how many came.
async fn all_of(
    broker: &Arc<dyn Broker>,
    expected: impl IntoIterator<Item = String>,
    mut between: impl FnMut(usize),
) -> BTreeMap<String, usize> {
    let mut missing: BTreeSet<String> = expected.into_iter().collect();
    let (mut came, mut receiver) = (BTreeMap::new(), None);
    let receiving = async {
        while !missing.is_empty() {
            let Some(open) = &mut receiver else {
                receiver = broker.subscribe(PLAIN, FLOW).await.ok(); // the loop is bounded in time
                continue;
            };
            match open.next().await {
                Ok(delivery) => {
                    let text = text(&delivery);
                    assert!(delivery.ack().await.unwrap());
                    missing.remove(&text);
                    *came.entry(text).or_insert(0) += 1;
                    between(came.len());
                }
                Err(error) => {
                    assert!(error.is_outage(), "{error}");
                    receiver = None;
                }
            }
        }
    };
    let received = tokio::time::timeout(ABILITIES.patience, receiving).await;
    received.unwrap_or_else(|_| panic!("they did not come: {missing:?}"));
    drop(receiver);
    broker.flush().await.unwrap();
    came
}

fn numbers(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| number.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn bursts_of_refusals_are_ridden_out_and_what_is_refused_is_not_published() {
    const MESSAGES: usize = 60;
    let Some((server, settings)) = start(&[]) else { return };
    let broker = open_new("bursts", &server, &settings).await;
    let retried = retried(&broker);
    for (at, code) in [(0, RESOURCE_EXHAUSTED), (20, UNAVAILABLE), (40, RESOURCE_EXHAUSTED)] {
        fault(&server, serde_json::json!({"method": "Publish", "code": code, "times": 5})).await;
        for number in at..at + 20 {
            assert_eq!(retried.publish(PLAIN.topic, vec![message(number)]).await.unwrap().len(), 1);
        }
    }
    let came = all_of(&broker, numbers(MESSAGES), |_| {}).await;
    assert!(came.values().all(|times| *times == 1), "a refused publish was none: {came:?}");
    assert_eq!(unacknowledged(&server, "bursts").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_is_a_doubt_and_the_message_is_there() {
    let Some((server, settings)) = start(&[]) else { return };
    let broker = open_new("lost", &server, &settings).await;
    let lost = serde_json::json!({"method": "Publish", "code": UNAVAILABLE, "times": 1, "after": true});
    fault(&server, lost.clone()).await;
    let error = broker.publish(PLAIN.topic, vec![message("once")]).await.unwrap_err();
    assert_eq!(came_to(&error), "perhaps", "{error}");
    fault(&server, lost).await;
    retried(&broker).publish(PLAIN.topic, vec![message("twice")]).await.unwrap();
    assert_eq!(unacknowledged(&server, "lost").await, 3, "a doubt that is tried again is a second copy");
    all_of(&broker, ["once", "twice"].map(str::to_owned), |_| {}).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_call_says_that_something_is_not_set_up() {
    let Some((server, settings)) = start(&[]) else { return };
    let broker = open_new("denied", &server, &settings).await;
    let denied = |method: &str| serde_json::json!({"method": method, "code": PERMISSION_DENIED, "times": 1});
    fault(&server, denied("Publish")).await;
    let error = retried(&broker).publish(PLAIN.topic, vec![message("x")]).await.unwrap_err();
    assert_eq!(came_to(&error), "not set up", "and is not tried again: {error}");
    broker.publish(PLAIN.topic, vec![message("x")]).await.unwrap();
    fault(&server, denied("GetSubscription")).await;
    let error = broker.subscribe(PLAIN, FLOW).await.err().expect("it is denied");
    assert_eq!(came_to(&error), "not set up", "{error}");
    fault(&server, denied("StreamingPull")).await;
    let mut receiver = broker.subscribe(PLAIN, FLOW).await.unwrap();
    let ended = tokio::time::timeout(ABILITIES.patience, receiver.next()).await.expect("it ends");
    let error = ended.err().expect("the stream is denied");
    assert_eq!(came_to(&error), "not set up", "{error}");
    all_of(&broker, ["x".to_owned()], |_| {}).await; // granted again
}

#[tokio::test(flavor = "multi_thread")]
async fn late_and_slow_answers_lose_and_double_nothing() {
    const MESSAGES: usize = 200;
    let Some((server, settings)) = start(&[]) else { return };
    let (proxy, broker) = behind_a_proxy("slow", &settings, &server).await;
    for (fault, from) in [(Fault::Delay(Duration::from_millis(20)), 0), (Fault::Throttle(20_000), MESSAGES / 2)] {
        proxy.set(fault).await;
        for some in (from..from + MESSAGES / 2).collect::<Vec<_>>().chunks(10) {
            broker.publish(PLAIN.topic, some.iter().map(message).collect()).await.unwrap();
        }
    }
    let came = all_of(&broker, numbers(MESSAGES), |_| {}).await;
    assert!(came.values().all(|times| *times == 1), "{came:?}");
    let counts = proxy.counts();
    assert!(counts.delayed > 0 && counts.throttled > 0, "the faults struck: {counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_break_again_and_again_lose_nothing() {
    const MESSAGES: usize = 300;
    const PER_CUT: usize = 30;
    let Some((server, settings)) = start(&[]) else { return };
    let (proxy, broker) = behind_a_proxy("cut", &settings, &server).await;
    let retried = retried(&broker);
    let publish = async {
        for some in (0..MESSAGES).collect::<Vec<_>>().chunks(10) {
            retried.publish(PLAIN.topic, some.iter().map(message).collect()).await.unwrap();
        }
    };
    let consume = all_of(&broker, numbers(MESSAGES), |came| {
        if came.is_multiple_of(PER_CUT) {
            proxy.cut_now();
        }
    });
    let ((), came) = futures::join!(publish, consume);
    assert_eq!(came.len(), MESSAGES);
    let counts = proxy.counts();
    assert!(counts.cut >= 5, "the faults struck: {counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publish_whose_answer_stands_still_may_have_happened_and_did() {
    let Some((server, settings)) = start(&[]) else { return };
    let short = PubsubSettings { call_within: Duration::from_millis(500), ..settings };
    let (proxy, broker) = behind_a_proxy("mute", &short, &server).await;
    broker.publish(PLAIN.topic, vec![message("before")]).await.unwrap();
    proxy.set(Fault::Mute).await;
    let error = broker.publish(PLAIN.topic, vec![message("unheard")]).await.unwrap_err();
    assert_eq!(came_to(&error), "perhaps", "{error}");
    assert!(proxy.counts().stood_still > 0, "the fault struck");
    assert_eq!(unacknowledged(&server, "mute").await, 2, "the service has it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publish_that_nobody_took_did_not_happen_and_one_that_was_taken_may_have() {
    let Some((server, settings)) = start(&[]) else { return };
    let short = PubsubSettings { call_within: Duration::from_millis(500), ..settings };
    let (proxy, broker) = behind_a_proxy("away", &short, &server).await;
    for (fault, outcome) in [(Fault::Refuse, "not"), (Fault::Hang, "perhaps")] {
        proxy.set(fault.clone()).await;
        let error = broker.publish(PLAIN.topic, vec![message("x")]).await.unwrap_err();
        assert_eq!(came_to(&error), outcome, "{fault:?}: {error}");
        proxy.set(Fault::Pass).await;
        retried(&broker).publish(PLAIN.topic, vec![message(format!("after {fault:?}"))]).await.unwrap();
    }
    all_of(&broker, ["after Refuse", "after Hang"].map(str::to_owned), |_| {}).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_behind_a_service_that_is_away_again_and_again_goes_on() {
    let Some((server, settings)) = start(&[]) else { return };
    let (proxy, broker) = behind_a_proxy("back", &settings, &server).await;
    let direct = open("back", &settings).await;
    let consume = all_of(&broker, numbers(3), |_| {});
    let disturb = async {
        proxy.until(|now| now.bytes_down > 0).await; // the receiver is connected
        for (number, fault) in [Fault::Refuse, Fault::Hang, Fault::Mute].into_iter().enumerate() {
            let before = proxy.counts();
            proxy.set(fault).await;
            direct.publish(PLAIN.topic, vec![message(number)]).await.unwrap();
            // Either the receiver was connected and is not any more, or it stands still.
            proxy.until(|now| now.cut > before.cut || now.stood_still > before.stood_still).await;
            proxy.set(Fault::Pass).await;
        }
    };
    futures::join!(consume, disturb);
}
