//! The handler, with a real receiver on loopback.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use platform::ports::Incoming;
use schemas::Message as _;

use super::*;
use platform::testkit::memory::{Fault, MemoryObjects};

use crate::testing::{Answer, Memory, Server, install_crypto, noon, violation};
use platform::runtime::{Period, Secret};

fn config(server: &Server) -> Config {
    Config {
        notify_log: true,
        webhook_url: Some(Secret::new(&*server.url)),
        webhook_secret: Some(Secret::new("shared")),
        webhook_connect_timeout: Period(Duration::from_secs(10)),
        webhook_timeout: Period(Duration::from_secs(10)),
    }
}

/// Delivers `event-1` to a fresh process.
async fn deliver(memory: &Memory, config: &Config) -> Result<(), HandleError> {
    let stage = stage(config, &memory.ports(), &Points::off()).unwrap();
    let encoded = violation("event-1").encode().unwrap();
    let incoming = Incoming {
        message_id: "m".to_owned(),
        payload: encoded.bytes,
        attributes: encoded.attributes,
        ordering_key: None,
        published_at: noon(),
        delivery_attempt: 1,
    };
    stage.consumers[0].handle.handle_incoming(&incoming).await
}

/// What is known of the webhook: outcome, attempts, error.
fn webhook_outcomes(memory: &Memory) -> Vec<(String, i64, Option<String>)> {
    let published = memory.published().into_iter().filter(|notification| notification.receiver == "webhook");
    published.map(|notification| (notification.outcome, notification.attempts, notification.error)).collect()
}

fn sent(attempts: i64) -> (String, i64, Option<String>) {
    ("sent".to_owned(), attempts, None)
}

#[tokio::test]
async fn every_receiver_is_told_once_and_a_redelivery_repeats_the_notification_only() {
    let (memory, server) = (Memory::new(), Server::start(vec![Answer::status(200)]).await);
    deliver(&memory, &config(&server)).await.unwrap();
    let first = memory.published();
    let receivers: Vec<_> =
        first.iter().map(|told| (told.receiver.as_str(), told.channel.as_str(), told.outcome.as_str())).collect();
    assert_eq!(receivers, [("log", "log", "sent"), ("webhook", "webhook", "sent")]);
    assert!(first.iter().all(|told| told.attempts == 1 && told.sent_at == noon() && told.error.is_none()));
    memory.clock.set(noon().plus(Duration::from_secs(60)));
    deliver(&memory, &config(&server)).await.unwrap();
    assert_eq!(memory.published()[2..], first, "the same notifications, with the time of the receipt");
    assert_eq!(server.calls().len(), 1);
}

#[tokio::test]
async fn a_receiver_that_fails_is_tried_again_and_does_not_hold_up_the_others() {
    let (memory, server) = (Memory::new(), Server::start(vec![Answer::status(500), Answer::status(200)]).await);
    let error = deliver(&memory, &config(&server)).await.unwrap_err();
    assert!(matches!(&error, HandleError::Outage(_)) && error.to_string().contains("HTTP 500"), "{error}");
    assert_eq!(memory.published().len(), 1, "the log is told");
    deliver(&memory, &config(&server)).await.unwrap();
    assert_eq!(webhook_outcomes(&memory), [sent(2)]);
    let keys: Vec<_> = server.calls().iter().map(|call| call.headers["idempotency-key"].clone()).collect();
    assert_eq!(keys[0], keys[1]);
}

#[tokio::test]
async fn a_receiver_is_not_tried_before_the_time_it_asked_for() {
    let asked = Answer::With(429, vec![("retry-after", "30".to_owned())], Vec::new());
    let (memory, server) = (Memory::new(), Server::start(vec![asked, Answer::status(200)]).await);
    for later in [0, 1, 29] {
        memory.clock.set(noon().plus(Duration::from_secs(later)));
        assert!(matches!(deliver(&memory, &config(&server)).await, Err(HandleError::Outage(_))), "{later}");
    }
    assert_eq!(server.calls().len(), 1);
    memory.clock.set(noon().plus(Duration::from_secs(30)));
    deliver(&memory, &config(&server)).await.unwrap();
    assert_eq!((server.calls().len(), webhook_outcomes(&memory)), (2, vec![sent(2)]));
}

#[tokio::test]
async fn a_refusal_is_told_as_such_and_not_retried() {
    let (memory, server) = (Memory::new(), Server::start(vec![Answer::With(400, vec![], b"no".to_vec())]).await);
    for _ in 0..2 {
        deliver(&memory, &config(&server)).await.unwrap();
    }
    let refused = ("refused".to_owned(), 1, Some("HTTP 400: no".to_owned()));
    assert_eq!(webhook_outcomes(&memory), [refused.clone(), refused]);
    assert_eq!(server.calls().len(), 1);
}

#[tokio::test]
async fn killed_between_sending_and_receipt_the_same_key_is_sent_again() {
    let (memory, server) = (Memory::new(), Server::start(vec![Answer::status(200)]).await);
    let config = Config { notify_log: false, ..config(&server) };
    memory.writes.fail(2, Fault::Before); // The first is the intent, the second the receipt.
    assert!(matches!(deliver(&memory, &config).await, Err(HandleError::Outage(_))));
    assert_eq!((server.calls().len(), memory.published().len()), (1, 0));
    deliver(&memory, &config).await.unwrap();
    let calls = server.calls();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0].headers["idempotency-key"], calls[1].headers["idempotency-key"]);
    assert_eq!(calls[0].body, calls[1].body);
    assert_eq!(webhook_outcomes(&memory), [sent(2)]);
}

#[tokio::test]
async fn nothing_is_sent_without_a_durable_intent() {
    let (memory, server) = (Memory::new(), Server::start(vec![Answer::status(200)]).await);
    memory.writes.fail(1, Fault::Before);
    let config = Config { notify_log: false, ..config(&server) };
    assert!(deliver(&memory, &config).await.is_err());
    assert!(server.calls().is_empty());
}

#[tokio::test]
async fn a_silence_that_fits_is_told_instead_and_a_broken_one_is_not_heeded() {
    let silence = |rule: &str, until: &str| {
        format!(r#"{{"format":1,"matchers":{{"rule":"{rule}"}},"until":"{until}","by":"a","comment":"b"}}"#)
    };
    for (name, silence, outcome, calls) in [
        ("fits", silence("over-limit", "2026-10-01T13:00:00Z"), "silenced", 0),
        ("over", silence("over-limit", "2026-10-01T12:00:00Z"), "sent", 1),
        ("another rule", silence("undeclared", "2026-10-01T13:00:00Z"), "sent", 1),
        ("broken", silence("over-limit", "later"), "sent", 1),
        ("too large", format!("{}{}", silence("over-limit", "2026-10-01T13:00:00Z"), " ".repeat(20_000)), "sent", 1),
    ] {
        let (memory, server) = (Memory::new(), Server::start(vec![Answer::status(200)]).await);
        memory.objects.put("silences/s1.json", silence);
        deliver(&memory, &config(&server)).await.unwrap();
        deliver(&memory, &config(&server)).await.unwrap();
        assert!(memory.published().iter().all(|told| told.outcome == outcome), "{name}");
        assert_eq!((memory.published().len(), server.calls().len()), (4, calls), "{name}");
    }
}

#[tokio::test]
async fn a_silence_counts_from_when_it_is_written_until_it_is_removed() {
    let (memory, server) = (Memory::new(), Server::start(vec![Answer::status(500), Answer::status(200)]).await);
    let stage = stage(&config(&server), &memory.ports(), &Points::off()).unwrap();
    let deliver = |event: &str| {
        let encoded = violation(event).encode().unwrap();
        Incoming {
            message_id: "m".to_owned(),
            payload: encoded.bytes,
            attributes: encoded.attributes,
            ordering_key: None,
            published_at: noon(),
            delivery_attempt: 1,
        }
    };
    let handle = &stage.consumers[0].handle;
    assert!(handle.handle_incoming(&deliver("event-1")).await.is_err());
    let silence =
        r#"{"format":1,"matchers":{"cluster":"prod-uk"},"until":"2026-10-01T13:00:00Z","by":"a","comment":""}"#;
    memory.objects.put("silences/s1.json", silence);
    handle.handle_incoming(&deliver("event-1")).await.unwrap();
    memory.ports().objects.delete("silences/s1.json").await.unwrap();
    handle.handle_incoming(&deliver("event-2")).await.unwrap();
    assert_eq!(webhook_outcomes(&memory), [("silenced".to_owned(), 1, None), sent(1)]);
}

#[tokio::test]
async fn a_state_that_cannot_be_read_is_an_outage_that_names_it() {
    let (memory, server) = (Memory::new(), Server::start(vec![Answer::status(200)]).await);
    let key = keys::notifier_state("webhook", &"event-1".into());
    for (state, reason) in [(r#"{"format": 2}"#, "newer podledger"), ("{", "cannot be read")] {
        memory.objects.put(&key, state);
        let error = deliver(&memory, &config(&server)).await.unwrap_err();
        assert!(matches!(error, HandleError::Outage(_)));
        assert!(error.to_string().contains(reason) && error.to_string().contains(&key), "{error}");
    }
    assert!(server.calls().is_empty());
    assert_eq!(memory.objects.get(&key).unwrap(), "{");
}

/// Answers only once another call has begun.
struct Slow(Arc<tokio::sync::Barrier>);

#[async_trait]
impl Channel for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }

    async fn send(&self, _message: Outbound<'_>) -> Sending {
        self.0.wait().await;
        Sending::Sent
    }
}

#[tokio::test]
async fn receivers_are_told_at_the_same_time() {
    let memory = Memory::new();
    let barrier = Arc::new(tokio::sync::Barrier::new(2));
    let receiver = |name: &str| Receiver { name: name.to_owned(), channel: Arc::new(Slow(Arc::clone(&barrier))) };
    let notifier = Notifier::new(vec![receiver("one"), receiver("other")], &memory.ports(), Points::off());
    let context = MessageContext {
        message_id: "m".to_owned(),
        published_at: noon(),
        delivery_attempt: 1,
        attributes: BTreeMap::new(),
    };
    // One after the other would wait for ever.
    let told = notifier.handle(violation("event-1"), &context);
    tokio::time::timeout(Duration::from_secs(60), told).await.unwrap().unwrap();
    assert_eq!(memory.published().len(), 2);
}

/// Counts its calls, and loses the race to a second notifier while it sends.
struct Rival {
    objects: Arc<MemoryObjects>,
    calls: Mutex<u32>,
}

#[async_trait]
impl Channel for Rival {
    fn name(&self) -> &'static str {
        "rival"
    }

    async fn send(&self, message: Outbound<'_>) -> Sending {
        *self.calls.lock().unwrap() += 1;
        let key = keys::notifier_state("rival", &message.violation.event_id);
        let receipt =
            r#"{"format":1,"attempts":5,"receipt":{"outcome":"refused","at":"2026-10-01T11:00:00Z","error":"no"}}"#;
        self.objects.put(&key, receipt);
        Sending::Sent
    }
}

#[tokio::test]
async fn a_receipt_that_somebody_else_wrote_first_counts() {
    let memory = Memory::new();
    let rival = Arc::new(Rival { objects: Arc::clone(&memory.objects), calls: Mutex::new(0) });
    let receiver = Receiver { name: "rival".to_owned(), channel: Arc::clone(&rival) as Arc<dyn Channel> };
    let notifier = Notifier::new(vec![receiver], &memory.ports(), Points::off());
    for _ in 0..2 {
        notifier.tell(&notifier.receivers[0], &violation("event-1")).await.unwrap();
    }
    assert_eq!(*rival.calls.lock().unwrap(), 1);
    let published = memory.published();
    assert!(published.iter().all(|told| told.outcome == "refused" && told.attempts == 5), "{published:?}");
}

#[test]
fn a_configuration_that_contradicts_itself_stops_the_start() {
    install_crypto();
    let ports = Memory::new().ports();
    let url = Some(Secret::new("http://127.0.0.1:1/"));
    let secret = Some(Secret::new("a"));
    for (name, config) in [
        ("a secret without a URL", Config { webhook_secret: secret.clone(), ..Config::default() }),
        ("no time", Config { webhook_url: url.clone(), webhook_timeout: Period::default(), ..Config::default() }),
    ] {
        assert!(stage(&config, &ports, &Points::off()).is_err(), "{name}");
    }
    assert!(stage(&Config { webhook_url: url, ..Config::default() }, &ports, &Points::off()).is_ok());
}
