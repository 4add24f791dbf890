//! Ports: what the stages need, in the pipeline's words.

mod broker;
mod clock;
mod cluster;
mod failure;
mod objects;
mod warehouse;

pub use broker::{Backlog, Broker, Delivery, Flow, Incoming, Outgoing, Receiver, SeekTo, Settle, SubscriptionCounts};
pub use clock::{Clock, FixedClock, SystemClock};
pub use cluster::{Cluster, ClusterError, Kind, KindPage, Listing, RawObject, SourceAudit};
pub use failure::{PortError, PortResult};
pub use objects::{ByteStream, Created, Generation, ObjectMeta, Objects, Replaced, StoredObject};
pub use warehouse::{
    Answer, Limit, LoadJob, LoadOutcome, Loaded, Question, RecentChange, SnapshotPart, SnapshotRows, Warehouse,
};
