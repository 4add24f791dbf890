//! Looking at a project's Pub/Sub and changing it.

mod plan;

use std::collections::BTreeMap;
use std::time::Duration;

use google_cloud_auth::credentials::anonymous;
use google_cloud_gax::error::Error;
use google_cloud_gax::paginator::ItemPaginator as _;
use google_cloud_gax::retry_policy::{Aip194Strict, RetryPolicyExt as _};
use google_cloud_pubsub::client::{SchemaService, SubscriptionAdmin, TopicAdmin};
use google_cloud_pubsub::model::schema::Type;
use google_cloud_pubsub::model::{Schema, SchemaView};
use google_cloud_wkt::FieldMask;

use super::super::PubsubEmulator;
use super::super::failure::Effect;
use super::explain::{Call, already_exists};
use super::schema::{Revision, SchemaWanted};
use super::topic::{TopicChange, short};
use crate::ports::{PortError, PortResult};
use plan::Kind;
pub use plan::{PubsubFound, PubsubStep, PubsubWanted, compare_pubsub};

/// Most resources of a kind that are looked at; a project may have 10,000 topics and as many
/// subscriptions. <https://cloud.google.com/pubsub/quotas#resource_limits>
const MOST_LISTED: usize = 20_000;
/// How many resources of a page are asked for; the service's greatest.
const PAGE: i32 = 1000;
/// How often a call that may be repeated is tried, and for how long together.
const ATTEMPTS: u32 = 4;
const CALL_WITHIN: Duration = Duration::from_secs(60);

const API: &str = "pubsub.googleapis.com";
const EDITOR: &str = "roles/pubsub.editor";

const fn call(verb: &'static str, permissions: &'static str, effect: Effect) -> Call {
    Call { verb, permissions, role: EDITOR, api: API, effect }
}

const LIST_TOPICS: Call = call("list", "pubsub.topics.list", Effect::None);
const LIST_SUBSCRIPTIONS: Call = call("list", "pubsub.subscriptions.list", Effect::None);
const LIST_SCHEMAS: Call = call("list", "pubsub.schemas.list", Effect::None);
const LIST_REVISIONS: Call = call("list revisions of schema", "pubsub.schemas.listRevisions", Effect::None);
const CREATE_SCHEMA: Call = call("create schema", "pubsub.schemas.create", Effect::Write);
const COMMIT_SCHEMA: Call = call("commit a revision of schema", "pubsub.schemas.commit", Effect::Write);
const CREATE_TOPIC: Call = call("create topic", "pubsub.topics.create or pubsub.schemas.attach", Effect::Write);
const UPDATE_TOPIC: Call = call("update topic", "pubsub.topics.update or pubsub.schemas.attach", Effect::Write);
const CREATE_SUBSCRIPTION: Call = call(
    "create subscription",
    "pubsub.subscriptions.create, pubsub.topics.attachSubscription or iam.serviceAccounts.actAs",
    Effect::Write,
);
const UPDATE_SUBSCRIPTION: Call =
    call("update subscription", "pubsub.subscriptions.update or iam.serviceAccounts.actAs", Effect::Write);

/// Every item of a listing, bounded. A macro, since the client's type of a page is not to be named.
macro_rules! listed {
    ($self:ident, $call:expr, $what:expr, $items:expr) => {{
        let (mut items, mut all) = ($items, Vec::new());
        while let Some(item) = items.next().await {
            all.push(item.map_err(|error| $call.failed($what, &$self.project, error))?);
            if all.len() > MOST_LISTED {
                let reason = anyhow::anyhow!("there are more than the {MOST_LISTED} that are looked at");
                return Err(PortError::never_will(format!("list {} in project {}", $what, $self.project), reason));
            }
        }
        all
    }};
}

/// A project's Pub/Sub, for provisioning. What one run makes is remembered: a topic's range of
/// revisions may end with the revision that was just committed.
#[derive(Debug)]
pub struct PubsubProvision {
    project: String,
    topics: TopicAdmin,
    subscriptions: SubscriptionAdmin,
    schemas: SchemaService,
    /// The revision this run made, by schema.
    made: BTreeMap<String, String>,
}

impl PubsubProvision {
    /// Opens a project's Pub/Sub. Nothing is asked of it yet.
    ///
    /// # Errors
    /// `NeverWill` where no credentials are found.
    pub async fn open(project: &str, emulator: Option<&PubsubEmulator>) -> PortResult<Self> {
        let opened = |error| PortError::never_will(format!("open pubsub:{project}"), anyhow::Error::new(error));
        let retry = || Aip194Strict.with_attempt_limit(ATTEMPTS).with_time_limit(CALL_WITHIN);
        let mut topics = TopicAdmin::builder().with_retry_policy(retry());
        let mut subscriptions = SubscriptionAdmin::builder().with_retry_policy(retry());
        let mut schemas = SchemaService::builder().with_retry_policy(retry());
        if let Some(PubsubEmulator { admin, .. }) = emulator {
            let anonymous = || anonymous::Builder::new().build();
            topics = topics.with_endpoint(admin).with_credentials(anonymous());
            subscriptions = subscriptions.with_endpoint(admin).with_credentials(anonymous());
            schemas = schemas.with_endpoint(admin).with_credentials(anonymous());
        }
        Ok(Self {
            project: project.to_owned(),
            topics: topics.build().await.map_err(opened)?,
            subscriptions: subscriptions.build().await.map_err(opened)?,
            schemas: schemas.build().await.map_err(opened)?,
            made: BTreeMap::new(),
        })
    }

    /// The project's id.
    pub fn project(&self) -> &str {
        &self.project
    }

    /// Looks at every topic, subscription and schema of the project, and at the revisions of the
    /// schemas that are wanted. Changes nothing.
    ///
    /// # Errors
    /// `NeverWill` where something may not be looked at, `DidNotHappen` while the service is away.
    pub async fn look(&self, wanted: &PubsubWanted) -> PortResult<PubsubFound> {
        let project = format!("projects/{}", self.project);
        let topics = self.topics.list_topics().set_project(&project).set_page_size(PAGE).by_item();
        let topics = listed!(self, LIST_TOPICS, "topics", topics);
        let subscriptions = self.subscriptions.list_subscriptions().set_project(&project).set_page_size(PAGE).by_item();
        let subscriptions = listed!(self, LIST_SUBSCRIPTIONS, "subscriptions", subscriptions);
        let listed = self.schemas.list_schemas().set_parent(&project).set_view(SchemaView::Basic).set_page_size(PAGE);
        let listed = listed!(self, LIST_SCHEMAS, "schemas", listed.by_item());
        let asked = wanted.schemas();
        let mut schemas = BTreeMap::new();
        for schema in listed {
            let id = short(&schema.name).to_owned();
            let revisions = if asked.contains_key(id.as_str()) { self.revisions(&id).await? } else { Vec::new() };
            schemas.insert(id, revisions);
        }
        Ok(PubsubFound {
            topics: topics.into_iter().map(|topic| (short(&topic.name).to_owned(), topic)).collect(),
            subscriptions: subscriptions.into_iter().map(|there| (short(&there.name).to_owned(), there)).collect(),
            schemas,
        })
    }

    /// A schema's revisions, oldest first.
    async fn revisions(&self, id: &str) -> PortResult<Vec<Revision>> {
        let name = self.name("schemas", id);
        let revisions = self.schemas.list_schema_revisions().set_name(name).set_view(SchemaView::Full);
        let revisions = listed!(self, LIST_REVISIONS, id, revisions.by_item());
        // The service lists the newest first; where two are of one moment that order tells.
        let mut revisions: Vec<Revision> = revisions.into_iter().rev().map(Revision::of).collect();
        revisions.sort_by_key(|revision| revision.made_at);
        Ok(revisions)
    }

    /// Does one step. A topic or subscription that somebody else made meanwhile counts as made:
    /// looking again shows whether it is as wanted.
    ///
    /// # Errors
    /// `NeverWill` with what is missing (a permission, an API, something the step needs),
    /// `MayHaveHappened` where the answer got lost. The same run can be made again.
    pub async fn step(&mut self, step: &PubsubStep) -> PortResult<()> {
        match &step.0 {
            Kind::CreateSchema(schema) => self.create_schema(schema).await,
            Kind::CommitSchema(schema) => self.commit_schema(schema).await,
            Kind::CreateTopic(change) => {
                let topic = self.filled(change);
                let name = short(&topic.name).to_owned();
                let made = self.topics.create_topic().with_request(topic).send().await;
                self.made_or_there(CREATE_TOPIC, &name, made.map(drop))
            }
            Kind::UpdateTopic(change) => {
                let topic = self.filled(change);
                let name = short(&topic.name).to_owned();
                let update = self.topics.update_topic().set_topic(topic).set_update_mask(mask(&change.paths));
                let updated = update.send().await;
                updated.map(drop).map_err(|error| UPDATE_TOPIC.failed(&name, &self.project, error))
            }
            Kind::CreateSubscription(subscription) => {
                let name = short(&subscription.name).to_owned();
                let made = self.subscriptions.create_subscription().with_request(*subscription.clone()).send().await;
                self.made_or_there(CREATE_SUBSCRIPTION, &name, made.map(drop))
            }
            Kind::UpdateSubscription(subscription, paths) => {
                let name = short(&subscription.name).to_owned();
                let update = self.subscriptions.update_subscription().set_subscription(*subscription.clone());
                let updated = update.set_update_mask(mask(paths)).send().await;
                updated.map(drop).map_err(|error| UPDATE_SUBSCRIPTION.failed(&name, &self.project, error))
            }
        }
    }

    async fn create_schema(&mut self, wanted: &SchemaWanted) -> PortResult<()> {
        let project = format!("projects/{}", self.project);
        let create = self.schemas.create_schema().set_parent(project).set_schema_id(&wanted.id);
        let made = create.set_schema(definition(wanted)).send().await;
        let made = made.map_err(|error| CREATE_SCHEMA.failed(&wanted.id, &self.project, error))?;
        self.made.insert(wanted.id.clone(), made.revision_id);
        Ok(())
    }

    async fn commit_schema(&mut self, wanted: &SchemaWanted) -> PortResult<()> {
        let name = self.name("schemas", &wanted.id);
        let commit = self.schemas.commit_schema().set_name(&name).set_schema(definition(wanted).set_name(&name));
        let made = commit.send().await;
        let made = made.map_err(|error| COMMIT_SCHEMA.failed(&wanted.id, &self.project, error))?;
        self.made.insert(wanted.id.clone(), made.revision_id);
        Ok(())
    }

    /// The topic of a change, with the revision of this run where it is to stand.
    fn filled(&self, change: &TopicChange) -> google_cloud_pubsub::model::Topic {
        let mut topic = change.topic.clone();
        if let Some(settings) = &mut topic.schema_settings
            && let Some(revision) = self.made.get(short(&settings.schema))
        {
            if change.new_ends.first {
                settings.first_revision_id.clone_from(revision);
            }
            if change.new_ends.last {
                settings.last_revision_id.clone_from(revision);
            }
        }
        topic
    }

    fn made_or_there(&self, call: Call, name: &str, made: Result<(), Error>) -> PortResult<()> {
        match made {
            Err(error) if !already_exists(&error) => Err(call.failed(name, &self.project, error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn name(&self, kind: &str, id: &str) -> String {
        format!("projects/{}/{kind}/{id}", self.project)
    }
}

fn definition(wanted: &SchemaWanted) -> Schema {
    Schema::new().set_type(Type::Avro).set_definition(wanted.definition.as_str())
}

fn mask(paths: &[&'static str]) -> FieldMask {
    FieldMask::default().set_paths(paths.iter().copied())
}
