//! Ports: what the stages need, in the pipeline's words.

pub(crate) mod bounds;
mod broker;
mod clock;
mod cluster;
pub(crate) mod dead_letter;
mod documents;
mod failure;
pub(crate) mod key;
mod objects;
mod warehouse;

pub use bounds::{
    MAX_ATTRIBUTE_NAME_BYTES, MAX_ATTRIBUTE_VALUE_BYTES, MAX_ATTRIBUTES, MAX_ORDERING_KEY_BYTES, MAX_PAYLOAD_BYTES,
};
pub use broker::{Backlog, Broker, Delivery, Flow, Incoming, Outgoing, Receiver, SeekTo, Settle, SubscriptionCounts};
pub use clock::{Clock, FixedClock, SystemClock};
pub use cluster::{Cluster, ClusterError, Kind, KindPage, Listing, RawObject, SourceAudit};
pub use documents::{
    CollectionId, Document, DocumentName, DocumentPage, DocumentPages, DocumentValue, Documents, DocumentsError,
    Fields, InvalidName, MAX_DOCUMENT_BYTES, MAX_DOCUMENT_DEPTH, MAX_NAME_BYTES, MAX_SEGMENT_BYTES, Moment, NotAMoment,
    TabledCollection, WireDocument, WireError, decode_value,
};
pub use failure::{PortError, PortResult, Remedy};
pub use key::MAX_KEY_BYTES;
pub use objects::{ByteStream, Created, Generation, ObjectMeta, Objects, Replaced, StoredObject};
pub use warehouse::{
    Answer, Limit, LoadJob, LoadOutcome, Loaded, Question, RecentChange, SnapshotPart, SnapshotRows, Warehouse,
};
