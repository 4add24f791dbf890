mod reopening;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use schemas::{RowBatch, Subscription, Topic};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::*;
use crate::layers::scripted::{ScriptedBroker, ScriptedObjects, Settled, doubt, message, outage};
use crate::ports::{Incoming, Outgoing};
use crate::runtime::{Env, Handle, HandleError, MessageContext, TraceContext, TracedBroker};

const LOADER: Subscription = Subscription::new(Topic::RowBatches, "loader");

/// A handler that does what the message's id says.
#[derive(Default)]
struct Obedient {
    started: Notify,
    handled: Mutex<Vec<String>>,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
}

#[async_trait]
impl Handle<Incoming> for Obedient {
    async fn handle(&self, message: Incoming, _context: &MessageContext) -> Result<(), HandleError> {
        let at_once = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(at_once, Ordering::SeqCst);
        self.started.notify_one();
        let id = message.message_id.clone();
        let result = match id.split('-').next().unwrap() {
            "outage" => Err(HandleError::Outage(anyhow::anyhow!("away"))),
            "denied" => Err(PortError::not_set_up("publish", anyhow::anyhow!("no permission")).into()),
            "refused" => Err(PortError::never_will("publish", anyhow::anyhow!("too large")).into()),
            "poison" => Err(HandleError::Poison(anyhow::anyhow!("rotten: {}", "ä".repeat(1000)))),
            "lost" => Err(HandleError::LostOwnership("another".to_owned())),
            "panic" => panic!("handler bug"),
            "sleep" => {
                let seconds = id.split('-').nth(1).unwrap().parse().unwrap();
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                Ok(())
            }
            _ => Ok(()),
        };
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        self.handled.lock().unwrap().push(id);
        result
    }
}

struct Running {
    broker: ScriptedBroker,
    handler: Arc<Obedient>,
    shutdown: Shutdown,
    monitor: Monitor,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    async fn stop(self) -> ScriptedBroker {
        self.shutdown.trigger();
        self.task.await.unwrap().unwrap();
        self.broker
    }

    fn metric(&self, line: &str) -> bool {
        self.monitor.metrics().text().unwrap().lines().any(|found| found == line)
    }
}

fn settings(pairs: &[(&str, &str)]) -> RuntimeSettings {
    Env::from_pairs(pairs.iter().copied()).read::<RuntimeSettings>().unwrap().checked().unwrap()
}

fn ports(broker: Arc<dyn Broker>) -> Ports {
    let objects = Arc::new(ScriptedObjects::default());
    Ports::new(broker, objects)
}

fn start_at(subscription: Subscription, broker: ScriptedBroker, pairs: &[(&str, &str)]) -> Running {
    let (handler, shutdown, monitor) = (Arc::new(Obedient::default()), Shutdown::new(), Monitor::default());
    let consumers = vec![Consumer::new::<Incoming>(subscription, handler.clone())];
    let stage = Stage { name: "loader", consumers };
    let (ports, settings) = (ports(Arc::new(broker.clone())), settings(pairs));
    let (stop, watch) = (shutdown.clone(), monitor.clone());
    let task = tokio::spawn(async move { run_monitored(stage, &ports, &settings, stop, &watch).await });
    Running { broker, handler, shutdown, monitor, task }
}

fn start(broker: ScriptedBroker, pairs: &[(&str, &str)]) -> Running {
    start_at(LOADER, broker, pairs)
}

fn acked(id: &str) -> Settled {
    Settled::Acked(id.to_owned())
}

fn delay_of(settled: &Settled, id: &str) -> Duration {
    match settled {
        Settled::Nacked(nacked, delay) if nacked == id => *delay,
        other => panic!("{id} was not given back: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn every_outcome_settles_as_promised() {
    for (id, outcome) in [
        ("ok", "acked"),
        ("lost", "lost-ownership"),
        ("poison", "dead-lettered"),
        ("refused", "dead-lettered"),
        ("outage", "nacked"),
        ("denied", "not-set-up"),
        ("panic", "panicked"),
    ] {
        let running = start(ScriptedBroker::delivering([message(id)]), &[]);
        let settled = running.broker.until_settled(1).await;
        match outcome {
            "nacked" | "not-set-up" | "panicked" => {
                let delay = delay_of(&settled[0], id);
                assert!((500..=1500).contains(&delay.as_millis()), "{id}: {delay:?}");
            }
            _ => assert_eq!(settled, [acked(id)]),
        }
        assert_eq!(running.broker.published().len(), usize::from(outcome == "dead-lettered"), "{id}");
        tokio::task::yield_now().await;
        let line = format!(
            r#"podledger_messages_total{{stage="loader",subscription="row-batches--loader",outcome="{outcome}"}} 1"#
        );
        assert!(running.metric(&line), "{}", running.monitor.metrics().text().unwrap());
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_panicking_handler_does_not_stop_the_next_message() {
    let running = start(ScriptedBroker::delivering([message("panic"), message("ok")]), &[]);
    let settled = running.broker.until_settled(2).await;
    assert!(settled.contains(&acked("ok")));
    assert!(running.monitor.dead_loops().is_empty());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_delay_after_an_outage_grows_with_the_attempts_and_is_bounded() {
    let attempts = [(1, 1.5), (5, 24.0), (1000, 60.0)];
    for (attempt, most_seconds) in attempts {
        let running =
            start(ScriptedBroker::delivering([Incoming { delivery_attempt: attempt, ..message("outage") }]), &[]);
        let delay = delay_of(&running.broker.until_settled(1).await[0], "outage").as_secs_f64();
        assert!((most_seconds / 3.01..=most_seconds + 0.01).contains(&delay), "attempt {attempt}: {delay}");
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn poison_keeps_its_bytes_and_attributes_and_says_where_from_and_why() {
    let attributes = [("traceparent", "x"), ("googclient_schemaname", "s"), ("podledger_schema", "RowBatch")];
    let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let payload = vec![0, 159, 146, 150];
    let poison = Incoming { payload: payload.clone(), attributes, ..message("poison") };
    let running = start(ScriptedBroker::delivering([poison]), &[]);
    running.broker.until_settled(1).await;
    let (topic, letter) = running.stop().await.published().remove(0);
    assert_eq!((topic, letter.payload), (Topic::DeadLetters, payload));
    let value = |name: &str| letter.attributes.get(name).map(String::as_str).unwrap_or_default();
    for (name, expected) in [
        ("traceparent", "x"),
        ("podledger_original_googclient_schemaname", "s"),
        ("podledger_schema", "RowBatch"),
        ("podledger_stage", "loader"),
        ("podledger_topic", "row-batches"),
        ("podledger_subscription", "row-batches--loader"),
        ("podledger_message_id", "poison"),
    ] {
        assert_eq!(value(name), expected, "{name}");
    }
    let reason = value("podledger_reason");
    assert!(reason.starts_with("rotten: ä") && (1023..=1024).contains(&reason.len()), "{reason}");
    assert!(letter.attributes.keys().all(|name| !name.starts_with("goog")));
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_never_has_more_attributes_than_a_broker_takes() {
    let attributes = (0..150).map(|n| (format!("a{n}"), String::new())).collect();
    let running = start(ScriptedBroker::delivering([Incoming { attributes, ..message("poison") }]), &[]);
    running.broker.until_settled(1).await;
    let letter = running.stop().await.published().remove(0).1;
    assert_eq!(letter.attributes.len(), 100);
    assert!(letter.attributes.contains_key("podledger_reason"));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_decoded_is_poison() {
    struct Never;
    #[async_trait]
    impl Handle<RowBatch> for Never {
        async fn handle(&self, _: RowBatch, _: &MessageContext) -> Result<(), HandleError> {
            panic!("garbage was handled")
        }
    }
    let broker = ScriptedBroker::delivering([message("garbage")]);
    let stage = Stage { name: "loader", consumers: vec![Consumer::new::<RowBatch>(LOADER, Arc::new(Never))] };
    let shutdown = Shutdown::new();
    let watched = async {
        broker.until_settled(1).await;
        shutdown.trigger();
    };
    let (ports, settings) = (ports(Arc::new(broker.clone())), settings(&[]));
    let monitor = Monitor::default();
    let (ended, ()) = tokio::join!(run_monitored(stage, &ports, &settings, shutdown.clone(), &monitor), watched);
    ended.unwrap();
    assert_eq!(broker.settled(), [acked("garbage")]);
    assert!(broker.published()[0].1.attributes["podledger_reason"].contains("not a RowBatch"));
}

#[tokio::test(start_paused = true)]
async fn poison_is_kept_when_its_dead_letter_cannot_be_published() {
    for error in [outage(), doubt()] {
        let broker = ScriptedBroker::delivering([message("poison")]);
        broker.fail_publish([error]);
        let running = start(broker, &[]);
        delay_of(&running.broker.until_settled(1).await[0], "poison");
        assert!(running.stop().await.published().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_that_is_poison_makes_no_dead_letter() {
    let subscription = Subscription::new(Topic::DeadLetters, "loader");
    let running = start_at(subscription, ScriptedBroker::delivering([message("poison")]), &[]);
    let delay = delay_of(&running.broker.until_settled(1).await[0], "poison");
    assert_eq!(delay, Duration::from_secs(60));
    assert!(running.stop().await.published().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_extended_while_a_handler_is_slow() {
    let running = start(ScriptedBroker::delivering([message("sleep-105")]), &[("PODLEDGER_LEASE", "30s")]);
    let settled = running.broker.until_settled(1).await;
    assert_eq!(settled, [acked("sleep-105")]);
    assert_eq!(running.broker.extensions.load(Ordering::SeqCst), 10);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_lease_is_not_fought_for_and_the_work_is_finished() {
    let broker = ScriptedBroker::delivering([message("sleep-105")]);
    broker.lease_lost.store(true, Ordering::SeqCst);
    let running = start(broker, &[("PODLEDGER_LEASE", "30s")]);
    running.broker.until_settled(1).await;
    assert_eq!(*running.handler.handled.lock().unwrap(), ["sleep-105"]);
    assert_eq!(running.broker.extensions.load(Ordering::SeqCst), 1);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_finishes_what_is_in_hand_and_takes_nothing_new() {
    let broker = ScriptedBroker::delivering([message("sleep-10"), message("sleep-11"), message("late")]);
    let running = start(broker, &[("PODLEDGER_MAX_OUTSTANDING", "2")]);
    running.handler.started.notified().await;
    running.handler.started.notified().await;
    let stopping = Instant::now();
    let broker = running.stop().await;
    assert_eq!(broker.settled(), [acked("sleep-10"), acked("sleep-11")]);
    assert_eq!(broker.waiting(), 1);
    assert!(stopping.elapsed() < Duration::from_secs(12), "{:?}", stopping.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_outlasts_the_drain_is_given_back() {
    let running = start(ScriptedBroker::delivering([message("sleep-9999")]), &[("PODLEDGER_DRAIN", "25s")]);
    running.handler.started.notified().await;
    let stopping = Instant::now();
    let broker = running.stop().await;
    assert_eq!(delay_of(&broker.settled()[0], "sleep-9999"), Duration::ZERO);
    assert_eq!(stopping.elapsed().as_secs(), 25);
}

#[tokio::test(start_paused = true)]
async fn an_idle_stage_stops_at_once() {
    let running = start(ScriptedBroker::default(), &[]);
    let stopping = Instant::now();
    running.stop().await;
    assert!(stopping.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_fails_is_opened_again() {
    let broker = ScriptedBroker::default();
    broker.fail_receiver();
    broker.fail_receiver();
    broker.deliver(message("ok"));
    let running = start(broker, &[]);
    assert_eq!(running.broker.until_settled(1).await, [acked("ok")]);
    assert_eq!(running.broker.subscriptions.load(Ordering::SeqCst), 3);
    assert!(running.monitor.loops_not_receiving().is_empty());
    let line = r#"podledger_receivers_reopened_total{stage="loader",subscription="row-batches--loader"} 2"#;
    assert!(running.metric(line), "{}", running.monitor.metrics().text().unwrap());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_that_is_not_confirmed_is_counted() {
    let broker = ScriptedBroker::delivering([message("ok")]);
    broker.acks_fail.store(true, Ordering::SeqCst);
    let running = start(broker, &[]);
    running.broker.until_settled(1).await;
    tokio::task::yield_now().await;
    let line = r#"podledger_acks_unconfirmed_total{stage="loader",subscription="row-batches--loader"} 1"#;
    assert!(running.metric(line), "{}", running.monitor.metrics().text().unwrap());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_end_waits_for_a_flush_for_a_moment() {
    for hangs in [false, true] {
        let broker = ScriptedBroker::delivering([message("ok")]);
        broker.flush_hangs.store(hangs, Ordering::SeqCst);
        let running = start(broker, &[]);
        running.broker.until_settled(1).await;
        assert_eq!(running.broker.flushes.load(Ordering::SeqCst), 0, "not before the end");
        let stopping = Instant::now();
        let broker = running.stop().await;
        assert_eq!(broker.flushes.load(Ordering::SeqCst), 1);
        assert_eq!(stopping.elapsed().as_secs(), u64::from(hangs));
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_messages_are_handled_at_once_than_allowed() {
    let messages = (0..10).map(|n| message(&format!("sleep-1-{n}")));
    let running = start(ScriptedBroker::delivering(messages), &[("PODLEDGER_MAX_OUTSTANDING", "3")]);
    running.broker.until_settled(10).await;
    assert_eq!(running.handler.most_at_once.load(Ordering::SeqCst), 3);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_backlog_is_a_metric() {
    let running = start(ScriptedBroker::delivering([message("sleep-20")]), &[]);
    running.broker.until_settled(1).await;
    let line = r#"podledger_oldest_unacked_seconds{stage="loader",subscription="row-batches--loader"} 7.0"#;
    assert!(running.metric(line), "{}", running.monitor.metrics().text().unwrap());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_backlog_that_is_not_known_is_not_asked_for() {
    let broker = ScriptedBroker::delivering([message("sleep-20")]);
    broker.backlog_is_unknown.store(true, Ordering::SeqCst);
    let running = start(broker, &[]);
    running.broker.until_settled(1).await;
    assert_eq!(running.broker.backlogs.load(Ordering::SeqCst), 0);
    assert!(!running.monitor.metrics().text().unwrap().contains("podledger_unacked_messages{"));
    assert!(running.monitor.dead_loops().is_empty());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_handler_publishes_belongs_to_the_trace_of_its_message() {
    struct Publishes(Arc<dyn Broker>);
    #[async_trait]
    impl Handle<Incoming> for Publishes {
        async fn handle(&self, _: Incoming, _: &MessageContext) -> Result<(), HandleError> {
            self.0.publish(Topic::Violations, vec![Outgoing::default()]).await?;
            Ok(())
        }
    }
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let attributes = BTreeMap::from([("traceparent".to_owned(), parent.to_owned())]);
    let broker = ScriptedBroker::delivering([Incoming { attributes, ..message("traced") }]);
    let traced: Arc<dyn Broker> = Arc::new(TracedBroker::new(Arc::new(broker.clone())));
    let consumer = Consumer::new::<Incoming>(LOADER, Arc::new(Publishes(Arc::clone(&traced))));
    let stage = Stage { name: "loader", consumers: vec![consumer] };
    let (shutdown, ports, settings) = (Shutdown::new(), ports(traced), settings(&[]));
    let watched = async {
        broker.until_settled(1).await;
        shutdown.trigger();
    };
    let monitor = Monitor::default();
    let (ended, ()) = tokio::join!(run_monitored(stage, &ports, &settings, shutdown.clone(), &monitor), watched);
    ended.unwrap();
    let carried = TraceContext::parse(&broker.published()[0].1.attributes["traceparent"]).unwrap();
    assert_eq!(carried.trace_id(), "0af7651916cd43dd8448eb211c80319c");
    assert_ne!(carried.span_id(), "b7ad6b7169203331");
}
