//! `infra/topology.yaml`: the one list of what podledger needs, read strictly.
//!
//! Names of topics, subscriptions, tables and views are the program's own: a file that lacks one or
//! holds another is refused, as is every unknown field, with its place and the nearest right word.

mod accounts;
mod messages;
mod reader;
mod storage;
mod subscriptions;
#[cfg(test)]
mod tests;
mod topics;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use platform::google::provision::{PubsubWanted, SubscriptionSettings, TopicSettings};
use schemas::{Subscription, Topic};

pub use accounts::ServiceAccount;
pub use storage::{Bucket, Dataset};

use crate::exit::UsageError;
use crate::yaml::{self, Limits, Node};
use reader::{Field, Fields, Problems};
use storage::Underway;

/// The file of the repository, for a program that is run without one.
const BUILT_IN: &str = include_str!("../../../../infra/topology.yaml");
/// What it is called in errors.
const BUILT_IN_NAME: &str = "infra/topology.yaml (built in)";
/// Largest file, in bytes.
const MAX_FILE_BYTES: usize = 1 << 20;
/// Bounds of the tree: far above what it needs.
const LIMITS: Limits = Limits { max_nodes: 20_000, max_copied_bytes: 4 << 20 };
/// Most problems that are told of one file.
const MOST_PROBLEMS: usize = 50;
/// What the file says it is.
const API_VERSION: &str = "podledger/v1";
const KIND: &str = "Topology";
/// The file's sections.
const SECTIONS: [&str; 8] =
    ["apiVersion", "kind", "topics", "subscriptionDefaults", "subscriptions", "dataset", "bucket", "serviceAccounts"];
/// Stands for the project's id.
const PROJECT: &str = "{project}";
/// Stands for the project's number.
const PROJECT_NUMBER: &str = "{projectNumber}";

/// What podledger needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// Every topic of the program.
    pub topics: BTreeMap<Topic, TopicSettings>,
    /// Every subscription of the program. A push's service account may hold `{project}`.
    pub subscriptions: BTreeMap<Subscription, SubscriptionSettings>,
    /// The dataset of the warehouse.
    pub dataset: Dataset,
    /// The bucket of the objects.
    pub bucket: Bucket,
    /// Who needs which roles, by a name of our own. Not made by `provision`.
    pub service_accounts: BTreeMap<String, ServiceAccount>,
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {reason}")]
pub struct Problem {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// What is wrong, naming the field.
    pub reason: String,
}

/// A file that is no topology.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .problems.iter().map(|problem| format!("{file}:{problem}")).collect::<Vec<_>>().join("; "))]
pub struct TopologyError {
    /// The file, as it was given.
    pub file: String,
    /// What is wrong, in the file's order: the first fifty; never empty.
    pub problems: Vec<Problem>,
}

impl Topology {
    /// Reads a file; without one, what is built in.
    ///
    /// # Errors
    /// A [`UsageError`] where it cannot be read, is too large, or is no topology.
    pub fn read(path: Option<&Path>) -> Result<Self, UsageError> {
        use std::io::Read as _;
        let Some(path) = path else {
            return Self::parse(BUILT_IN, BUILT_IN_NAME).map_err(|error| UsageError(error.to_string()));
        };
        let file = path.display().to_string();
        let mut text = String::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(MAX_FILE_BYTES as u64 + 1).read_to_string(&mut text))
            .map_err(|error| UsageError(format!("{file}: cannot be read: {error}")))?;
        Self::parse(&text, &file).map_err(|error| UsageError(error.to_string()))
    }

    /// Reads the text of a file; its name is for errors.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place.
    pub fn parse(text: &str, file: &str) -> Result<Self, TopologyError> {
        let failed = |problems| TopologyError { file: file.to_owned(), problems };
        let one = |line, column, reason: String| failed(vec![Problem { line, column, reason }]);
        if text.len() > MAX_FILE_BYTES {
            return Err(one(1, 1, format!("more than the {MAX_FILE_BYTES} bytes a topology may have")));
        }
        let root = yaml::parse(text.strip_prefix('\u{feff}').unwrap_or(text), 1, LIMITS)
            .map_err(|error| one(error.line, error.column, error.reason))?
            .ok_or_else(|| one(1, 1, "empty".to_owned()))?;
        let mut problems = Problems::default();
        let topology = Self::of(&root, &mut problems);
        let Problems(mut problems) = problems;
        match topology {
            Some(topology) if problems.is_empty() => Ok(topology),
            _ => {
                problems.sort_by_key(|problem| (problem.line, problem.column));
                problems.truncate(MOST_PROBLEMS);
                Err(failed(problems))
            }
        }
    }

    fn of(root: &Node, problems: &mut Problems) -> Option<Self> {
        let root = Field { node: root, place: String::new() };
        let sections = Fields::of(&root, "section", &SECTIONS, problems)?;
        for (name, expected) in [("apiVersion", API_VERSION), ("kind", KIND)] {
            sections.need(name, problems).and_then(|field| field.word(&[expected], problems));
        }
        let topics = sections.need("topics", problems).map(|field| topics::read(&field, problems));
        let defaults = sections.get("subscriptionDefaults");
        let subscriptions = sections
            .need("subscriptions", problems)
            .map(|field| subscriptions::read(&field, defaults.as_ref(), problems));
        let dataset = sections.need("dataset", problems).and_then(|field| storage::dataset(&field, problems));
        let bucket = sections.need("bucket", problems).and_then(|field| storage::bucket(&field, problems));
        let service_accounts = sections.need("serviceAccounts", problems).map(|field| accounts::read(&field, problems));
        let topology = Self {
            topics: topics?,
            subscriptions: subscriptions?,
            dataset: dataset?,
            bucket: bucket?,
            service_accounts: service_accounts?,
        };
        if let Some(section) = sections.get("bucket") {
            let underway = Underway {
                raw: topology.longest_underway(Topic::RawBatches),
                rows: topology.longest_underway(Topic::RowBatches),
            };
            storage::check_lifetimes(&section, &topology.bucket, underway, problems);
        }
        Some(topology)
    }

    /// How long after it was published a message of a topic may be delivered: unacknowledged, or sought
    /// back to.
    fn longest_underway(&self, topic: Topic) -> Duration {
        let waiting = self.subscriptions.iter().filter(|(subscription, _)| subscription.topic == topic);
        let waiting = waiting.map(|(_, settings)| settings.retention);
        waiting.chain(self.topics.get(&topic).map(|settings| settings.retention)).max().unwrap_or_default()
    }

    /// What a project's Pub/Sub must hold.
    pub fn pubsub(&self, project: &str) -> PubsubWanted {
        let topics = self.topics.iter().map(|(topic, settings)| (topic.name().to_owned(), settings.clone()));
        let subscriptions = self.subscriptions.iter().map(|(subscription, settings)| {
            let mut settings = settings.clone();
            if let Some(push) = &mut settings.push {
                push.service_account = push.service_account.replace(PROJECT, project);
            }
            (subscription.name(), settings)
        });
        PubsubWanted { topics: topics.collect(), subscriptions: subscriptions.collect() }
    }
}

/// Refuses braces that stand for nothing.
fn check_placeholders(field: &Field<'_>, text: &str, known: &[&str], problems: &mut Problems) {
    let rest = known.iter().fold(text.to_owned(), |text, name| text.replace(name, ""));
    if rest.contains(['{', '}']) {
        field.say(format!("unknown placeholder (expected {})", known.join(" or ")), problems);
    }
}
