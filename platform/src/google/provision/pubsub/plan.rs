//! All of a project's Pub/Sub: what was found against what is wanted.

use std::collections::BTreeMap;

use google_cloud_pubsub::model::{Subscription, Topic};

use super::super::compare::{Finding, State};
use super::super::schema::{self, Plan, Revision, SchemaWanted};
use super::super::subscription::{self, SubscriptionSettings};
use super::super::topic::{self, SchemaState, TopicChange, TopicSettings, short};

/// What is wanted of a project's Pub/Sub, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PubsubWanted {
    /// Topics, with their schemas.
    pub topics: BTreeMap<String, TopicSettings>,
    /// Subscriptions.
    pub subscriptions: BTreeMap<String, SubscriptionSettings>,
}

/// What was found in a project, by name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PubsubFound {
    pub(super) topics: BTreeMap<String, Topic>,
    pub(super) subscriptions: BTreeMap<String, Subscription>,
    /// Revisions of each schema, oldest first; of schemas nobody asked for none are looked at.
    pub(super) schemas: BTreeMap<String, Vec<Revision>>,
}

/// One call that brings a resource nearer to what is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct PubsubStep(pub(super) Kind);

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    CreateSchema(SchemaWanted),
    CommitSchema(SchemaWanted),
    CreateTopic(Box<TopicChange>),
    UpdateTopic(Box<TopicChange>),
    CreateSubscription(Box<Subscription>),
    UpdateSubscription(Box<Subscription>, Vec<&'static str>),
}

impl PubsubWanted {
    /// The schemas of all topics, by id.
    pub(super) fn schemas(&self) -> BTreeMap<&str, &SchemaWanted> {
        let schemas = self.topics.values().filter_map(|topic| topic.schema.as_ref());
        schemas.map(|schema| (schema.id.as_str(), schema)).collect()
    }
}

/// How each resource stands, and the step that mends it where there is one, in the order in which
/// they can be done: schemas, topics, subscriptions. What nobody asked for comes last.
pub fn compare_pubsub(project: &str, wanted: &PubsubWanted, found: &PubsubFound) -> Vec<(Finding, Option<PubsubStep>)> {
    let mut all = Vec::new();
    let mut plans = BTreeMap::new();
    for (id, schema) in wanted.schemas() {
        let (finding, plan) = schema::compare(schema, found.schemas.get(id).map(Vec::as_slice));
        let step = match &plan {
            Plan::Create => Some(Kind::CreateSchema(schema.clone())),
            Plan::Commit => Some(Kind::CommitSchema(schema.clone())),
            Plan::Same(_) | Plan::Refused => None,
        };
        all.push((finding, step));
        plans.insert(id, plan);
    }
    for (id, settings) in &wanted.topics {
        let schema = settings.schema.as_ref().and_then(|schema| {
            let revisions = found.schemas.get(&schema.id).map_or(&[][..], Vec::as_slice);
            plans.get(schema.id.as_str()).map(|plan| SchemaState { plan, revisions })
        });
        all.push(match found.topics.get(id) {
            None => {
                let change = settings.create(format!("projects/{project}/topics/{id}"), project, schema);
                let finding = Finding::missing(topic::KIND, id, settings.note());
                (finding, Some(Kind::CreateTopic(Box::new(change))))
            }
            Some(there) => {
                let (finding, change) = settings.compare(id, project, there, schema);
                let step = (finding.state == State::Different).then(|| Kind::UpdateTopic(Box::new(change)));
                (finding, step)
            }
        });
    }
    for (id, settings) in &wanted.subscriptions {
        all.push(match found.subscriptions.get(id) {
            None => {
                let made = settings.create(format!("projects/{project}/subscriptions/{id}"), project);
                let finding = Finding::missing(subscription::KIND, id, settings.note());
                (finding, Some(Kind::CreateSubscription(Box::new(made))))
            }
            Some(there) => {
                let (finding, changed, paths) = settings.compare(id, project, there);
                let step = (!paths.is_empty()).then(|| Kind::UpdateSubscription(Box::new(changed), paths));
                (finding, step)
            }
        });
    }
    let mut all: Vec<_> = all.into_iter().map(|(finding, kind)| (finding, kind.map(PubsubStep))).collect();
    all.extend(foreign(wanted, found).map(|finding| (finding, None)));
    all
}

/// What is there and nobody asked for.
fn foreign<'a>(wanted: &'a PubsubWanted, found: &'a PubsubFound) -> impl Iterator<Item = Finding> + 'a {
    let asked = wanted.schemas();
    let schemas = found.schemas.keys().filter(move |id| !asked.contains_key(id.as_str()));
    let topics = found.topics.keys().filter(|id| !wanted.topics.contains_key(*id));
    let subscriptions = found.subscriptions.iter().filter(|(id, _)| !wanted.subscriptions.contains_key(*id));
    let schemas = schemas.map(|id| Finding::foreign(schema::KIND, id, ""));
    let topics = topics.map(|id| Finding::foreign(topic::KIND, id, ""));
    let subscriptions = subscriptions
        .map(|(id, there)| Finding::foreign(subscription::KIND, id, format!("to {}", short(&there.topic))));
    schemas.chain(topics).chain(subscriptions)
}
