//! A stand-in for Pub/Sub, used: topics and subscriptions as `podledger provision` would make them,
//! what waits there, and messages carried through it for figures.

mod carry;

use google_cloud_auth::credentials::anonymous;
use google_cloud_pubsub::client::{SubscriptionAdmin, TopicAdmin};
use google_cloud_pubsub::model::DeadLetterPolicy;
use schemas::{Subscription, Topic};
use serde_json::{Value, json};

pub use carry::{Load, with_a_worker, with_the_client_alone};

/// Shortest acknowledgement deadline of a subscription, in seconds. Receivers say their own.
const ACK_DEADLINE_SECONDS: i32 = 10;

/// What may be chosen about the subscriptions.
#[derive(Debug, Clone, Copy)]
pub struct Provision {
    /// Deliveries after which a message becomes a dead letter: 5 to 100 (Pub/Sub's bounds).
    pub max_delivery_attempts: i32,
    /// Whether acknowledgements are confirmed.
    pub exactly_once: bool,
}

/// Creates every topic and subscription of the pipeline in a project. The dead letters' own
/// subscription has no dead-letter policy. Acknowledged messages are kept, so that one can seek.
pub async fn provision(admin: &str, project: &str, provision: Provision) {
    let anonymous = || anonymous::Builder::new().build();
    let topics = TopicAdmin::builder().with_endpoint(admin).with_credentials(anonymous()).build().await.unwrap();
    let subscriptions =
        SubscriptionAdmin::builder().with_endpoint(admin).with_credentials(anonymous()).build().await.unwrap();
    let topic_name = |topic: Topic| format!("projects/{project}/topics/{topic}");
    for topic in Topic::ALL {
        let created = topics.create_topic().set_name(topic_name(*topic)).send().await;
        created.unwrap_or_else(|error| panic!("create topic {topic}: {error}"));
    }
    for subscription in Subscription::ALL {
        let policy = (subscription.topic != Topic::DeadLetters).then(|| {
            DeadLetterPolicy::new()
                .set_dead_letter_topic(topic_name(Topic::DeadLetters))
                .set_max_delivery_attempts(provision.max_delivery_attempts)
        });
        let created = subscriptions
            .create_subscription()
            .set_name(format!("projects/{project}/subscriptions/{subscription}"))
            .set_topic(topic_name(subscription.topic))
            .set_ack_deadline_seconds(ACK_DEADLINE_SECONDS)
            .set_retain_acked_messages(true)
            .set_enable_message_ordering(subscription.ordered())
            .set_enable_exactly_once_delivery(provision.exactly_once)
            .set_or_clear_dead_letter_policy(policy)
            .send()
            .await;
        created.unwrap_or_else(|error| panic!("create subscription {subscription}: {error}"));
    }
}

/// Where a subscription's messages are pushed to, and how.
#[derive(Debug, Clone, Copy)]
pub struct PushTarget<'a> {
    /// Whom the messages are posted to, on loopback.
    pub url: &'a str,
    /// For whom the tokens are.
    pub audience: &'a str,
    /// On whose behalf they are.
    pub service_account: &'a str,
    /// Whether a message is wrapped in JSON; else its metadata stand in headers.
    pub wrapped: bool,
}

/// Has a subscription of [`provision`] pushed from now on; without a target it is pulled again.
pub async fn push_to(admin: &str, project: &str, subscription: Subscription, target: Option<PushTarget<'_>>) {
    let config = target.map_or_else(
        || json!({}),
        |target| {
            let token = json!({"serviceAccountEmail": target.service_account, "audience": target.audience});
            let mut config = json!({"pushEndpoint": target.url, "oidcToken": token});
            if !target.wrapped {
                config["noWrapper"] = json!({"writeMetadata": true});
            }
            config
        },
    );
    let url = format!("{admin}/v1/projects/{project}/subscriptions/{subscription}:modifyPushConfig");
    let request = reqwest::Client::new().post(url).json(&json!({"pushConfig": config}));
    let changed = request.send().await.and_then(reqwest::Response::error_for_status);
    changed.unwrap_or_else(|error| panic!("push {subscription}: {error}"));
}

/// How many messages of a subscription of [`provision`] are not acknowledged.
pub async fn unacknowledged(admin: &str, project: &str, subscription: Subscription) -> u64 {
    let stats: Value = reqwest::get(format!("{admin}/_test/stats")).await.unwrap().json().await.unwrap();
    let name = format!("projects/{project}/subscriptions/{subscription}");
    stats[&name]["num_undelivered_messages"].as_u64().unwrap_or_else(|| panic!("no {name} in {stats}"))
}
