//! Why an entry gives no change: each reason is a sentence of its own.

use super::MAX_ENTRY_BYTES;

/// No change came of an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Outcome {
    /// The entry was understood and changed no replica number: nothing to do.
    #[error("{0}")]
    Skip(#[from] Skip),
    /// The entry cannot be read, now or later.
    #[error("{0}")]
    Reject(#[from] Reject),
}

/// Why an entry that was understood is no change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Skip {
    /// A log entry with another payload.
    #[error("the log entry has no protoPayload: it is not an audit entry")]
    NotAnAuditEntry,
    /// A call of a Google API, or of an extension of the cluster.
    #[error("method {method} is not a call of the Kubernetes API's own groups")]
    OtherService {
        /// The method.
        method: String,
    },
    /// A call such as `/version`.
    #[error("the call of {uri} concerns no object")]
    NoObject {
        /// The path asked for.
        uri: String,
    },
    /// A resource without replica numbers of its own.
    #[error("{resource} are not a resource whose replica numbers are followed")]
    OtherResource {
        /// Plural name, with the group where it has one.
        resource: String,
    },
    /// `ReplicaSets` follow their Deployment.
    #[error("replicasets follow their deployment: only the deployment's own replicas are followed")]
    ReplicaSet,
    /// Nothing is written.
    #[error("verb {verb} only reads")]
    Read {
        /// The verb.
        verb: String,
    },
    /// Another verb than those that write objects.
    #[error("verb {verb} writes no object")]
    OtherVerb {
        /// The verb.
        verb: String,
    },
    /// A controller tells what it sees.
    #[error("a write of the status changes no wish")]
    StatusWrite,
    /// A subresource without replica numbers.
    #[error("subresource {subresource} holds no replica numbers")]
    OtherSubresource {
        /// The subresource.
        subresource: String,
    },
    /// The call is logged again when it is done.
    #[error("stage {stage} is not the end of the call, which is logged as ResponseComplete")]
    NotComplete {
        /// The stage.
        stage: String,
    },
    /// Neither a stage nor a response status.
    #[error("the event has neither a stage nor a response status: it does not say that the call was done")]
    NotKnownComplete,
    /// The call changed nothing because it failed.
    #[error("the call failed with status code {code}")]
    Failed {
        /// HTTP code of a native event, gRPC code of a log entry.
        code: i64,
    },
    /// The response is a Status that says Failure.
    #[error("the call failed: its response is a Status with {reason}")]
    FailedResponse {
        /// Its reason.
        reason: String,
    },
    /// Only tried.
    #[error("the call was a dry run")]
    DryRun,
    /// The request is about something else.
    #[error("the {verb} request does not set {fields}")]
    NotSet {
        /// The verb.
        verb: &'static str,
        /// The fields it could have set.
        fields: &'static str,
    },
    /// The value was that already.
    #[error("{field} was {value} before and after")]
    Unchanged {
        /// The field.
        field: &'static str,
        /// Its value.
        value: i64,
    },
    /// The request was not logged and the response cannot tell.
    #[error("the patch is not logged, and the response alone does not tell whether it set {fields}")]
    PatchNotLogged {
        /// The fields it could have set.
        fields: &'static str,
    },
    /// A deletecollection that found nothing.
    #[error("the deleted collection was empty")]
    EmptyCollection,
}

/// Why an entry cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// Over the bound.
    #[error("audit entry: {bytes} bytes are more than the {MAX_ENTRY_BYTES} an entry may have")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Not JSON, or a field of another type.
    #[error("audit entry: {place}{reason}")]
    Malformed {
        /// The field, with a colon behind it; empty where the JSON itself is broken.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// Neither of the two forms.
    #[error(
        "audit entry: neither a Cloud Logging entry with a protoPayload nor an audit.k8s.io event \
         (kind {kind:?}, apiVersion {api_version:?})"
    )]
    UnknownForm {
        /// Its kind.
        kind: String,
        /// Its API version.
        api_version: String,
    },
    /// An event of a version that is not read.
    #[error("audit event: version {version} is not read, expected audit.k8s.io/v1 or audit.k8s.io/v1beta1")]
    UnknownVersion {
        /// The version.
        version: String,
    },
    /// Something needed is missing.
    #[error("audit entry: {what} is missing")]
    Missing {
        /// What, and where it was looked for.
        what: &'static str,
    },
    /// The method cannot be taken apart.
    #[error("audit entry: methodName {method:?} does not name version, resource and verb")]
    Method {
        /// The method.
        method: String,
    },
    /// No time, or not one.
    #[error("audit entry: {0}")]
    Time(#[from] schemas::TimestampError),
    /// A cluster that cannot be named.
    #[error("audit entry: resource.labels.cluster_name: {0}")]
    Cluster(#[from] schemas::InvalidClusterName),
    /// A replica number that is none.
    #[error("audit entry: {place} is {found}, expected a whole number from 0 to 2147483647")]
    Number {
        /// Where.
        place: String,
        /// What stands there, shortened.
        found: String,
    },
}

impl Reject {
    /// A field of another type than expected, or broken JSON.
    pub(super) fn malformed(place: &str, reason: impl std::fmt::Display) -> Self {
        let place = if place.is_empty() || place == "." { String::new() } else { format!("{place}: ") };
        Self::Malformed { place, reason: reason.to_string() }
    }
}

/// Longest piece of foreign text in a sentence, in characters.
const MAX_QUOTED_CHARS: usize = 80;

/// Foreign text as a sentence may show it: one line, shortened.
pub(super) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(MAX_QUOTED_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(MAX_QUOTED_CHARS).is_some() {
        shown.push('…');
    }
    shown
}
