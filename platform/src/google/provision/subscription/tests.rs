use super::super::compare::State;
use super::*;

const DAY: Duration = Duration::from_secs(86_400);

fn wanted() -> SubscriptionSettings {
    SubscriptionSettings {
        topic: "row-batches".to_owned(),
        ack_deadline: Duration::from_secs(60),
        ordering: false,
        exactly_once: false,
        retention: 7 * DAY,
        retain_acked: false,
        filter: String::new(),
        dead_letter: Some(DeadLetter { topic: "dead-letters".to_owned(), attempts: 50 }),
        retry: Retry { min: Duration::from_secs(1), max: Duration::from_secs(600) },
        push: None,
    }
}

fn pushing() -> SubscriptionSettings {
    let push = Push { endpoint: "https://a/b".to_owned(), service_account: "s@p".to_owned(), audience: "a".to_owned() };
    SubscriptionSettings { push: Some(push), ..wanted() }
}

/// As it would be after provisioning, with one thing changed.
fn found(settings: &SubscriptionSettings, change: impl FnOnce(Subscription) -> Subscription) -> Subscription {
    change(settings.create("projects/p/subscriptions/s".to_owned(), "p"))
}

fn state(settings: &SubscriptionSettings, found: &Subscription) -> (State, Vec<&'static str>) {
    let (finding, _, paths) = settings.compare("s", "p", found);
    (finding.state, paths)
}

#[test]
fn what_was_made_is_as_it_should_be() {
    for settings in [wanted(), pushing(), SubscriptionSettings { dead_letter: None, ..wanted() }] {
        assert_eq!(state(&settings, &found(&settings, |made| made)), (State::Same, vec![]));
    }
}

#[test]
fn what_adds_is_changed_and_names_its_field() {
    let policy = |attempts| {
        DeadLetterPolicy::new()
            .set_dead_letter_topic("projects/p/topics/dead-letters")
            .set_max_delivery_attempts(attempts)
    };
    let cases: [(Subscription, &str); 9] = [
        (found(&wanted(), |s| s.set_ack_deadline_seconds(10)), "ack_deadline_seconds"),
        (found(&wanted(), |s| s.set_message_retention_duration(wire_duration(DAY))), "message_retention_duration"),
        (found(&wanted(), |s| s.set_dead_letter_policy(policy(5))), "dead_letter_policy"),
        (found(&wanted(), |s| s.set_or_clear_dead_letter_policy(None::<DeadLetterPolicy>)), "dead_letter_policy"),
        (found(&wanted(), |s| s.set_or_clear_retry_policy(None::<RetryPolicy>)), "retry_policy"),
        (
            found(&wanted(), |s| s.set_expiration_policy(ExpirationPolicy::new().set_ttl(wire_duration(31 * DAY)))),
            "expiration_policy",
        ),
        (
            found(&wanted(), |s| s.set_dead_letter_policy(policy(50).set_dead_letter_topic("projects/p/topics/other"))),
            "dead_letter_policy",
        ),
        (
            found(&wanted(), |s| {
                s.set_dead_letter_policy(policy(50).set_dead_letter_topic("projects/q/topics/dead-letters"))
            }),
            "dead_letter_policy",
        ),
        (
            found(&wanted(), |s| s.set_retry_policy(RetryPolicy::new().set_minimum_backoff(wire_duration(DAY)))),
            "retry_policy",
        ),
    ];
    for (found, path) in cases {
        assert_eq!(state(&wanted(), &found), (State::Different, vec![path]));
    }
}

#[test]
fn what_narrows_or_cannot_be_changed_is_refused() {
    let policy =
        DeadLetterPolicy::new().set_dead_letter_topic("projects/p/topics/dead-letters").set_max_delivery_attempts(100);
    let cases = [
        found(&wanted(), |s| s.set_ack_deadline_seconds(600)),
        found(&wanted(), |s| s.set_message_retention_duration(wire_duration(31 * DAY))),
        found(&wanted(), |s| s.set_retain_acked_messages(true)),
        found(&wanted(), |s| s.set_enable_exactly_once_delivery(true)),
        found(&wanted(), |s| s.set_dead_letter_policy(policy.clone())),
        found(&wanted(), |s| s.set_enable_message_ordering(true)),
        found(&wanted(), |s| s.set_filter("attributes:x")),
        found(&wanted(), |s| s.set_topic("projects/p/topics/other")),
        found(&wanted(), |s| s.set_topic("_deleted-topic_")),
        found(&wanted(), |s| s.set_topic("projects/other/topics/row-batches")),
        found(&wanted(), |s| s.set_detached(true)),
        found(&wanted(), |s| s.set_bigquery_config(google_cloud_pubsub::model::BigQueryConfig::new())),
        found(&pushing(), |s| s),
    ];
    for found in cases {
        assert_eq!(state(&wanted(), &found), (State::Refused, vec![]), "{found:?}");
    }
    let without = SubscriptionSettings { dead_letter: None, ..wanted() };
    assert_eq!(state(&without, &found(&wanted(), |s| s)).0, State::Refused);
}

#[test]
fn a_push_endpoint_is_set_and_moved_and_keeps_how_messages_are_wrapped() {
    assert_eq!(state(&pushing(), &found(&wanted(), |s| s)), (State::Different, vec!["push_config"]));
    let unwrapped = found(&pushing(), |s| {
        let config = s.push_config.clone().unwrap();
        let unwrapped = google_cloud_pubsub::model::push_config::NoWrapper::new().set_write_metadata(true);
        s.set_push_config(config.set_push_endpoint("https://old").set_no_wrapper(unwrapped))
    });
    let (finding, sent, paths) = pushing().compare("s", "p", &unwrapped);
    assert_eq!((finding.state, paths), (State::Different, vec!["push_config"]));
    let config = sent.push_config.unwrap();
    assert_eq!(config.push_endpoint, "https://a/b");
    assert!(config.no_wrapper().is_some_and(|wrapper| wrapper.write_metadata));
}
