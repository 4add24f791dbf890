//! Provisioning adds what is missing, changes nothing twice, and takes nothing away.
#![allow(clippy::unwrap_used, clippy::expect_used)] // A failed call is a failed test, also outside its function.

use std::collections::BTreeMap;
use std::time::Duration;

use google_cloud_auth::credentials::anonymous;
use google_cloud_storage::client::StorageControl;
use google_cloud_storage::model::bucket::Lifecycle;
use google_cloud_storage::model::bucket::lifecycle::Rule;
use google_cloud_storage::model::bucket::lifecycle::rule::{Action, Condition};
use google_cloud_wkt::FieldMask;
use podledger_platform::google::provision::{
    BucketProvision, BucketSettings, DeadLetter, Encoding, Finding, KeptFor, PubsubProvision, PubsubWanted, Retry,
    SchemaWanted, State, SubscriptionSettings, TopicSettings, compare_bucket, compare_pubsub,
};
use podledger_platform::google::{PubsubBroker, PubsubEmulator, PubsubSettings};
use podledger_platform::ports::{Broker as _, Flow, Outgoing, PortError};
use podledger_platform::testkit::proxy::{Fault, Proxy};
use podledger_platform::testkit::servers::{Built, Server};
use schemas::{Subscription, Topic};
use serde_json::{Value, json};

const DAY: Duration = Duration::from_secs(86_400);
const PERMISSION_DENIED: i32 = 7;
/// Two versions of one record: the second one adds an optional field, the third a required one.
const FIRST: &str = r#"{"type": "record", "name": "R", "fields": [{"name": "a", "type": "string"}]}"#;
const WITH_OPTIONAL: &str = r#"{"type": "record", "name": "R", "fields": [
    {"name": "a", "type": "string"}, {"name": "b", "type": ["null", "string"], "default": null}]}"#;
const WITH_REQUIRED: &str = r#"{"type": "record", "name": "R", "fields": [
    {"name": "a", "type": "string"}, {"name": "b", "type": "long"}]}"#;
/// `a` = "x" under the first version, and under the second with `b` = "y".
const BY_FIRST: &[u8] = &[2, b'x'];
const BY_SECOND: &[u8] = &[2, b'x', 2, 2, b'y'];

fn tls() {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok(); // as `main` does; another test may have
}

fn pubsub() -> Option<Server> {
    tls();
    Built::find("pubsub").map(|pubsub| pubsub.start(&[]))
}

fn emulator(server: &Server) -> PubsubEmulator {
    PubsubEmulator { data: server.url("grpc"), admin: server.url("rest") }
}

/// A topic with a schema, one for dead letters, and a subscription between them.
fn wanted(definition: &str) -> PubsubWanted {
    let schema = SchemaWanted { id: "R12".into(), encoding: Encoding::Binary, definition: definition.to_owned() };
    let subscription = SubscriptionSettings {
        topic: "raw-batches".into(),
        ack_deadline: Duration::from_secs(60),
        ordering: false,
        exactly_once: false,
        retention: 7 * DAY,
        retain_acked: false,
        filter: String::new(),
        dead_letter: Some(DeadLetter { topic: "dead-letters".into(), attempts: 20 }),
        retry: Retry { min: Duration::from_secs(1), max: Duration::from_secs(60) },
        push: None,
    };
    PubsubWanted {
        topics: BTreeMap::from([
            ("raw-batches".into(), TopicSettings { schema: Some(schema), retention: 7 * DAY }),
            ("dead-letters".into(), TopicSettings { schema: None, retention: 31 * DAY }),
        ]),
        subscriptions: BTreeMap::from([("raw-batches--normalizer".into(), subscription)]),
    }
}

/// Looks, does all steps, and says what was found.
async fn provision(server: &Server, project: &str, wanted: &PubsubWanted) -> Result<Vec<Finding>, PortError> {
    let mut client = PubsubProvision::open(project, Some(&emulator(server))).await?;
    let found = client.look(wanted).await?;
    let compared = compare_pubsub(project, wanted, &found);
    for step in compared.iter().filter_map(|(_, step)| step.as_ref()) {
        client.step(step).await?;
    }
    Ok(compared.into_iter().map(|(finding, _)| finding).collect())
}

fn states(findings: &[Finding]) -> Vec<(&str, State)> {
    findings.iter().map(|finding| (finding.name.as_str(), finding.state)).collect()
}

async fn get(server: &Server, path: &str) -> Value {
    let url = format!("{}/v1/projects/{path}", server.url("rest"));
    reqwest::get(url).await.unwrap().error_for_status().unwrap().json().await.unwrap()
}

async fn fault(server: &Server, method: &str, code: i32) {
    let url = format!("{}/_test/fault", server.url("rest"));
    let fault = json!({"method": method, "code": code, "times": 1_000});
    reqwest::Client::new().post(url).json(&fault).send().await.unwrap().error_for_status().unwrap();
}

async fn broker(server: &Server, project: &str) -> PubsubBroker {
    let settings = PubsubSettings { emulator: Some(emulator(server)), ..PubsubSettings::default() };
    PubsubBroker::open(project, settings).await.unwrap()
}

async fn publish(broker: &PubsubBroker, payload: &[u8]) -> Result<Vec<String>, PortError> {
    broker.publish(Topic::RawBatches, vec![Outgoing { payload: payload.to_vec(), ..Outgoing::default() }]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_run_makes_everything_and_the_second_calls_nothing_that_changes() {
    let Some(server) = pubsub() else { return };
    let wanted = wanted(FIRST);
    let first = provision(&server, "twice", &wanted).await.unwrap();
    assert!(first.iter().all(|finding| finding.state == State::Missing) && first.len() == 4, "{first:?}");
    let made = get(&server, "twice/subscriptions/raw-batches--normalizer").await;
    assert_eq!(made["deadLetterPolicy"]["maxDeliveryAttempts"], 20);
    assert_eq!(made["expirationPolicy"], json!({}), "it never expires");
    for method in
        ["CreateTopic", "UpdateTopic", "CreateSubscription", "UpdateSubscription", "CreateSchema", "CommitSchema"]
    {
        fault(&server, method, PERMISSION_DENIED).await;
    }
    let second = provision(&server, "twice", &wanted).await.unwrap();
    assert!(second.iter().all(|finding| finding.state == State::Same) && second.len() == 4, "{second:?}");
    assert_eq!(get(&server, "twice/subscriptions/raw-batches--normalizer").await, made);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_is_added_and_messages_of_both_revisions_are_taken() {
    let Some(server) = pubsub() else { return };
    provision(&server, "revised", &wanted(FIRST)).await.unwrap();
    let before = get(&server, "revised/topics/raw-batches").await["schemaSettings"].clone();
    assert_eq!(before["firstRevisionId"], before["lastRevisionId"]);
    let broker = broker(&server, "revised").await;
    publish(&broker, BY_FIRST).await.unwrap();
    assert!(matches!(publish(&broker, BY_SECOND).await, Err(PortError::NeverWill { .. })), "not known yet");

    let added = provision(&server, "revised", &wanted(WITH_OPTIONAL)).await.unwrap();
    assert_eq!(
        states(&added),
        [
            ("R12", State::Different),
            ("dead-letters", State::Same),
            ("raw-batches", State::Different),
            ("raw-batches--normalizer", State::Same)
        ]
    );
    let after = get(&server, "revised/topics/raw-batches").await["schemaSettings"].clone();
    assert_eq!(after["firstRevisionId"], before["firstRevisionId"], "senders of before go on");
    assert_ne!(after["lastRevisionId"], before["lastRevisionId"]);
    publish(&broker, BY_FIRST).await.unwrap();
    publish(&broker, BY_SECOND).await.unwrap();
    assert!(matches!(publish(&broker, b"\xff no avro").await, Err(PortError::NeverWill { .. })));

    // A program of before that provisions again finds its own revision, and narrows nothing.
    let older = provision(&server, "revised", &wanted(FIRST)).await.unwrap();
    assert!(older.iter().all(|finding| finding.state == State::Same), "{older:?}");
    assert_eq!(get(&server, "revised/topics/raw-batches").await["schemaSettings"], after);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_that_cannot_read_what_was_written_is_refused() {
    let Some(server) = pubsub() else { return };
    provision(&server, "refused", &wanted(FIRST)).await.unwrap();
    let findings = provision(&server, "refused", &wanted(WITH_REQUIRED)).await.unwrap();
    let schema = findings.iter().find(|finding| finding.kind == "schema").unwrap();
    let why = schema.differences[0].refused.as_deref().unwrap();
    assert!(schema.state == State::Refused && why.contains("could not read messages of revision"), "{schema:?}");
    let revisions = get(&server, "refused/schemas/R12:listRevisions").await;
    assert_eq!(revisions["schemas"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_asked_for_is_told_and_left_alone() {
    let Some(server) = pubsub() else { return };
    let more = wanted(FIRST);
    provision(&server, "foreign", &more).await.unwrap();
    let mut less = more.clone();
    less.topics.remove("raw-batches");
    less.subscriptions.clear();
    let findings = provision(&server, "foreign", &less).await.unwrap();
    let foreign = |name| (name, State::Foreign);
    let expected =
        [("dead-letters", State::Same), foreign("R12"), foreign("raw-batches"), foreign("raw-batches--normalizer")];
    assert_eq!(states(&findings), expected);
    let all = provision(&server, "foreign", &more).await.unwrap();
    assert!(all.iter().all(|finding| finding.state == State::Same), "nothing was deleted: {all:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_call_names_the_resource_and_the_permission() {
    let Some(server) = pubsub() else { return };
    for (method, resource, permission) in [
        ("CreateTopic", "topic dead-letters", "pubsub.topics.create"),
        ("CreateSubscription", "subscription raw-batches--normalizer", "pubsub.subscriptions.create"),
        ("CreateSchema", "schema R12", "pubsub.schemas.create"),
        ("ListTopics", "topics", "pubsub.topics.list"),
    ] {
        fault(&server, method, PERMISSION_DENIED).await;
        let error = provision(&server, &method.to_lowercase(), &wanted(FIRST)).await.unwrap_err();
        fault(&server, method, 0).await;
        assert!(matches!(error, PortError::NeverWill { .. }), "{error}");
        let text = error.to_string();
        for part in [resource, permission, "roles/pubsub.editor", &format!("project {}", method.to_lowercase())] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_that_needs_order_refuses_a_subscription_without_it() {
    let Some(server) = pubsub() else { return };
    let subscription = Subscription::new(Topic::RawBatches, "normalizer");
    let ordered = Subscription::new(Topic::Violations, "notifier");
    let mut wanted = wanted(FIRST);
    let settings = wanted.subscriptions[&subscription.name()].clone();
    wanted.topics.insert("violations".into(), TopicSettings { schema: None, retention: 7 * DAY });
    let unordered = SubscriptionSettings { topic: "violations".into(), ..settings };
    wanted.subscriptions.insert(ordered.name(), unordered);
    provision(&server, "unordered", &wanted).await.unwrap();
    let broker = broker(&server, "unordered").await;
    let flow = Flow { max_outstanding: 10, lease: Duration::from_secs(10) };
    assert!(broker.subscribe(subscription, flow).await.is_ok());
    let error = broker.subscribe(ordered, flow).await.err().unwrap();
    assert!(matches!(error, PortError::NeverWill { .. }) && error.to_string().contains("order"), "{error}");
}

fn bucket(days: i32) -> BucketSettings {
    BucketSettings {
        location: "EU".into(),
        storage_class: "STANDARD".into(),
        uniform_access: true,
        public_access_prevented: true,
        prefix: String::new(),
        lifecycle: BTreeMap::from([("raw/".to_owned(), KeptFor { days })]),
    }
}

async fn provision_bucket(client: &BucketProvision, wanted: &BucketSettings) -> Result<Finding, PortError> {
    let found = client.look().await?;
    let (finding, step) = compare_bucket(client.name(), wanted, found.as_ref());
    if let Some(step) = step {
        client.step(&step).await?;
    }
    Ok(finding)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_made_once_and_its_objects_are_only_ever_kept_longer() {
    tls();
    let Some(server) = Built::find("storage").map(|storage| storage.start(&[])) else { return };
    let client = BucketProvision::open("ledger", "test", Some(&server.url("http"))).await.unwrap();
    assert_eq!(provision_bucket(&client, &bucket(30)).await.unwrap().state, State::Missing);
    let made = client.look().await.unwrap().unwrap();
    assert_eq!(provision_bucket(&client, &bucket(30)).await.unwrap().state, State::Same);
    assert_eq!(client.look().await.unwrap().unwrap(), made, "with its metageneration and update time");
    assert_eq!(provision_bucket(&client, &bucket(60)).await.unwrap().state, State::Different);
    let longer = client.look().await.unwrap().unwrap();
    assert_ne!(longer, made);
    assert_eq!(provision_bucket(&client, &bucket(30)).await.unwrap().state, State::Refused);
    assert_eq!(client.look().await.unwrap().unwrap(), longer);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_loads_leave_is_deleted_late_and_a_rule_that_deletes_what_is_kept_is_refused() {
    tls();
    let Some(server) = Built::find("storage").map(|storage| storage.start(&[])) else { return };
    let client = BucketProvision::open("leavings", "test", Some(&server.url("http"))).await.unwrap();
    let wanted = |days: i32| {
        let mut wanted = bucket(400);
        wanted.lifecycle.insert("state/loader/".to_owned(), KeptFor { days });
        wanted
    };
    provision_bucket(&client, &wanted(90)).await.unwrap();
    for (days, state) in [(90, State::Same), (120, State::Different), (120, State::Same), (119, State::Refused)] {
        assert_eq!(provision_bucket(&client, &wanted(days)).await.unwrap().state, state, "{days} days");
    }
    // A bucket of before keeps them for ever: that is not shortened.
    let older = BucketProvision::open("older", "test", Some(&server.url("http"))).await.unwrap();
    provision_bucket(&older, &bucket(400)).await.unwrap();
    let refused = provision_bucket(&older, &wanted(120)).await.unwrap();
    assert_eq!((refused.state, refused.differences[0].found.as_str()), (State::Refused, "state/loader/ for ever"));

    let control = StorageControl::builder()
        .with_endpoint(server.url("http"))
        .with_credentials(anonymous::Builder::new().build())
        .build()
        .await
        .unwrap();
    let name = "projects/_/buckets/leavings";
    let there = control.get_bucket().set_name(name).send().await.unwrap();
    let mut rules = there.lifecycle.clone().unwrap().rule;
    assert_eq!(rules.len(), 2);
    let everything = Condition::new().set_age_days(3_650);
    rules.push(Rule::new().set_action(Action::new().set_type("Delete")).set_condition(everything));
    let version = there.metageneration;
    let changed = there.set_lifecycle(Lifecycle::new().set_rule(rules));
    let update = control.update_bucket().set_bucket(changed).set_if_metageneration_match(version);
    update.set_update_mask(FieldMask::default().set_paths(["lifecycle"])).send().await.unwrap();
    let refused = provision_bucket(&client, &wanted(120)).await.unwrap();
    assert_eq!((refused.state, refused.differences[0].found.as_str()), (State::Refused, "everything 3650d"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_never_answers_is_a_failure_and_not_waited_for() {
    tls();
    let Some(server) = Built::find("storage").map(|storage| storage.start(&[])) else { return };
    let proxy = Proxy::start(server.address("http")).await;
    let client = BucketProvision::open("hanging", "test", Some(&proxy.url())).await.unwrap();
    let client = client.with_calls_within(Duration::from_millis(300));
    let (_, step) = compare_bucket("hanging", &bucket(30), None);
    proxy.set(Fault::Hang).await;
    let patience = Duration::from_secs(30);
    let looked = tokio::time::timeout(patience, client.look()).await.expect("it is not waited for").unwrap_err();
    assert!(matches!(looked, PortError::DidNotHappen { .. }), "{looked}");
    let step = step.unwrap();
    let made = tokio::time::timeout(patience, client.step(&step)).await.expect("it is not waited for").unwrap_err();
    assert!(matches!(made, PortError::MayHaveHappened { .. }), "{made}");
    for error in [looked, made] {
        assert!(error.to_string().contains("bucket hanging") && error.to_string().contains("300ms"), "{error}");
    }
    assert!(proxy.counts().stood_still > 0, "the fault struck");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_somebody_else_changed_meanwhile_is_not_overwritten() {
    tls();
    let Some(server) = Built::find("storage").map(|storage| storage.start(&[])) else { return };
    let client = BucketProvision::open("raced", "test", Some(&server.url("http"))).await.unwrap();
    provision_bucket(&client, &bucket(30)).await.unwrap();
    let seen = client.look().await.unwrap();
    provision_bucket(&client, &bucket(60)).await.unwrap();
    let (_, step) = compare_bucket("raced", &bucket(45), seen.as_ref());
    let error = client.step(&step.unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("bucket raced"), "{error}");
    assert_eq!(provision_bucket(&client, &bucket(60)).await.unwrap().state, State::Same);
}
