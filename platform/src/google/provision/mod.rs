//! Provisioning of Pub/Sub and of a bucket: what is there, how it differs from what should be, and
//! the steps that close the gap.
//!
//! Looking and stepping are calls to Google; comparing is a function of what was found and what is
//! wanted. Steps only add: what would take something away from people or messages (a shorter
//! retention, fewer attempts, another topic) is [refused](State::Refused), and nothing is ever
//! deleted. What is not wanted but there is reported as [`State::Foreign`].
//!
//! Needs `roles/pubsub.editor` and, for the bucket, `roles/storage.admin`. Service accounts and their
//! roles are not made here.

mod bucket;
mod compare;
mod explain;
mod lifecycle;
mod pubsub;
mod schema;
mod subscription;
mod topic;

pub use bucket::{BucketProvision, BucketSettings, BucketStep, FoundBucket, compare_bucket};
pub use compare::{Difference, Finding, State, shown};
pub use lifecycle::KeptFor;
pub use pubsub::{PubsubFound, PubsubProvision, PubsubStep, PubsubWanted, compare_pubsub};
pub use schema::{Encoding, MOST_REVISIONS, SchemaWanted, bare};
pub use subscription::{DeadLetter, Push, Retry, SubscriptionSettings};
pub use topic::TopicSettings;
