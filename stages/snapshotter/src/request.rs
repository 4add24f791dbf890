//! What a request asks for: pure, so that the same request always means the same snapshot.

use std::collections::BTreeSet;

use platform::nearest::did_you_mean;
use platform::ports::Kind;
use platform::runtime::MessageContext;
use schemas::keys::SnapshotKeys;
use schemas::{ClusterName, IdBuilder, Purpose, SnapshotId, SnapshotRequest, Timestamp};

use crate::sources::{Source, Sources};

/// The cluster of a request for all clusters.
const EVERY_CLUSTER: &str = "*";
/// Longest id of a snapshot, in bytes: it stands in object keys.
const LONGEST_ID: usize = 128;
/// Characters of a wrong word that an error repeats.
const QUOTED_CHARS: usize = 64;

/// What a request asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Asked {
    /// One request for each of several clusters, to be published.
    Every(Vec<SnapshotRequest>),
    /// One snapshot.
    One(Wanted),
}

/// One snapshot to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) snapshot_id: SnapshotId,
    pub(crate) cluster: ClusterName,
    pub(crate) kinds: BTreeSet<Kind>,
    pub(crate) requested_at: Timestamp,
    pub(crate) requested_by: String,
    pub(crate) purpose: Purpose,
}

impl Wanted {
    pub(crate) fn keys(&self) -> SnapshotKeys {
        SnapshotKeys::new(self.cluster.clone(), self.requested_at, self.snapshot_id.clone())
    }
}

/// Why a request can never be met.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidRequest {
    #[error("request {id:?}: an id has 1 to {LONGEST_ID} letters, digits, '-', '_', '.' or ':' and no dot in front")]
    Id { id: String },
    #[error("request {id}: cluster {cluster:?} is not configured{hint}")]
    Cluster { id: String, cluster: String, hint: String },
    #[error("request {id}: {kind:?} is not a kind that is collected{hint}")]
    Kind { id: String, kind: String, hint: String },
    #[error("request {id}: {cluster} has no {kind} (expected: {expected})")]
    KindOfOther { id: String, cluster: ClusterName, kind: Kind, expected: String },
}

/// What the request asks for, given the configured sources. For every cluster (`*`) it asks for every
/// source, documents sources as well, that has one of the kinds named; none named are all.
pub(crate) fn resolve(
    request: SnapshotRequest,
    context: &MessageContext,
    sources: &Sources,
) -> Result<Asked, InvalidRequest> {
    let id = if request.request_id.is_empty() { context.message_id.clone() } else { request.request_id };
    if !is_id(&id) {
        return Err(InvalidRequest::Id { id: quoted(&id) });
    }
    let kinds = request.kinds.iter().map(|name| kind(name, &id)).collect::<Result<BTreeSet<_>, _>>()?;
    let requested_at = match request.requested_at {
        0 => context.published_at,
        micros => Timestamp::from_micros(micros),
    };
    if request.cluster == EVERY_CLUSTER {
        let of_source = |(cluster, source): (&ClusterName, &Source)| {
            let its = source.kinds().iter().filter(|kind| kinds.contains(kind)).map(|kind| kind.name().to_owned());
            let its: Vec<String> = its.collect();
            (kinds.is_empty() || !its.is_empty()).then(|| SnapshotRequest {
                request_id: IdBuilder::new("snapshot").part("request", &id).part("cluster", cluster.as_str()).finish(),
                cluster: cluster.to_string(),
                kinds: its,
                requested_at: requested_at.micros(),
                requested_by: request.requested_by.clone(),
                purpose: request.purpose,
            })
        };
        return Ok(Asked::Every(sources.iter().filter_map(of_source).collect()));
    }
    let Some((cluster, source)) = sources.get_key_value(request.cluster.as_str()) else {
        let hint = did_you_mean(&request.cluster, sources.keys().map(ClusterName::as_str));
        return Err(InvalidRequest::Cluster { id, cluster: quoted(&request.cluster), hint });
    };
    if let Some(kind) = kinds.iter().find(|kind| !source.kinds().contains(kind)) {
        let expected = source.kinds().iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ");
        return Err(InvalidRequest::KindOfOther { id, cluster: cluster.clone(), kind: *kind, expected });
    }
    Ok(Asked::One(Wanted {
        snapshot_id: id.into(),
        cluster: cluster.clone(),
        kinds: if kinds.is_empty() { source.kinds().iter().copied().collect() } else { kinds },
        requested_at,
        requested_by: request.requested_by,
        purpose: request.purpose,
    }))
}

fn kind(name: &str, id: &str) -> Result<Kind, InvalidRequest> {
    Kind::requestable().find(|kind| kind.name() == name).ok_or_else(|| {
        let hint = did_you_mean(name, Kind::requestable().map(Kind::name));
        InvalidRequest::Kind { id: id.to_owned(), kind: quoted(name), hint }
    })
}

/// Whether it can stand in an object key as one segment.
fn is_id(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(allowed) && !id.starts_with('.')
}

fn quoted(word: &str) -> String {
    word.chars().take(QUOTED_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use platform::ports::{Cluster, ClusterError, CollectionId, DocumentPages, Documents, DocumentsError, Listing};

    use super::*;
    use crate::sources::DocumentsSource;

    fn context() -> MessageContext {
        MessageContext {
            message_id: "m-1".to_owned(),
            published_at: Timestamp::from_seconds(1_790_000_000),
            delivery_attempt: 1,
            attributes: Default::default(),
        }
    }

    fn request(cluster: &str) -> SnapshotRequest {
        SnapshotRequest {
            request_id: String::new(),
            cluster: cluster.to_owned(),
            kinds: Vec::new(),
            requested_at: 0,
            requested_by: "cron".to_owned(),
            purpose: Purpose::Backfill,
        }
    }

    /// Two clusters and a documents source, that nobody looks at.
    struct Unseen;

    #[async_trait::async_trait]
    impl Cluster for Unseen {
        async fn list(&self, _: Kind, _: Timestamp) -> Result<Listing, ClusterError> {
            unreachable!("resolving looks at nothing")
        }
    }

    #[async_trait::async_trait]
    impl Documents for Unseen {
        async fn list(&self, _: &[CollectionId]) -> Result<DocumentPages, DocumentsError> {
            unreachable!("resolving looks at nothing")
        }
    }

    fn resolved(request: SnapshotRequest) -> Result<Asked, InvalidRequest> {
        let cluster = |name: &str| (ClusterName::from(name), Source::Cluster(Arc::new(Unseen)));
        let documents = DocumentsSource { documents: Arc::new(Unseen), collections: "apis".parse().unwrap() };
        let documents = (ClusterName::from("registry"), Source::Documents(Arc::new(documents)));
        resolve(request, &context(), &Sources::from([cluster("prod-uk"), cluster("prod-de"), documents]))
    }

    #[test]
    fn a_documents_source_is_a_cluster_of_one_kind() {
        let asking = |cluster: &str, kinds: &[&str]| {
            let kinds = kinds.iter().map(|kind| (*kind).to_owned()).collect();
            resolved(SnapshotRequest { kinds, ..request(cluster) })
        };
        let Ok(Asked::One(wanted)) = asking("registry", &[]) else { panic!("expected one snapshot") };
        assert_eq!(wanted.kinds, BTreeSet::from([Kind::Documents]));
        assert_eq!(asking("registry", &["documents"]), Ok(Asked::One(wanted)));
        let error = asking("registry", &["documents", "pods"]).unwrap_err().to_string();
        assert_eq!(error, "request m-1: registry has no pods (expected: documents)");
        assert!(asking("prod-uk", &["documents"]).unwrap_err().to_string().contains("prod-uk has no documents"));
        assert!(asking("registry", &["documents.apis"]).is_err());
        let fanned = |kinds: &[&str]| match asking("*", kinds) {
            Ok(Asked::Every(requests)) => {
                requests.into_iter().map(|request| (request.cluster, request.kinds.join(","))).collect::<Vec<_>>()
            }
            other => panic!("{other:?}"),
        };
        let of = |expected: &[(&str, &str)]| -> Vec<(String, String)> {
            expected.iter().map(|(cluster, kinds)| ((*cluster).to_owned(), (*kinds).to_owned())).collect()
        };
        assert_eq!(fanned(&[]), of(&[("prod-de", ""), ("prod-uk", ""), ("registry", "")]));
        assert_eq!(fanned(&["documents"]), of(&[("registry", "documents")]));
        assert_eq!(fanned(&["pods"]), of(&[("prod-de", "pods"), ("prod-uk", "pods")]));
        let both = of(&[("prod-de", "pods"), ("prod-uk", "pods"), ("registry", "documents")]);
        assert_eq!(fanned(&["pods", "documents"]), both);
    }

    #[test]
    fn what_a_scheduler_leaves_out_is_taken_from_the_message() {
        let Ok(Asked::One(wanted)) = resolved(request("prod-uk")) else { panic!("expected one snapshot") };
        assert_eq!(wanted.snapshot_id.as_str(), "m-1");
        assert_eq!(wanted.requested_at, context().published_at);
        assert_eq!(wanted.kinds.len(), Kind::ALL.len());
        assert_eq!((wanted.purpose, wanted.requested_by.as_str()), (Purpose::Backfill, "cron"));
    }

    #[test]
    fn a_request_for_all_clusters_means_the_same_requests_every_time() {
        let Ok(Asked::Every(requests)) = resolved(request("*")) else { panic!("expected a fan-out") };
        assert_eq!(Ok(Asked::Every(requests.clone())), resolved(request("*")));
        let clusters: Vec<_> = requests.iter().map(|request| request.cluster.as_str()).collect();
        assert_eq!(clusters, ["prod-de", "prod-uk", "registry"]);
        assert_ne!(requests[0].request_id, requests[1].request_id);
        assert!(requests.iter().all(|request| request.requested_at == context().published_at.micros()));
        assert!(requests.iter().all(|request| request.purpose == Purpose::Backfill));
        assert!(matches!(resolved(requests[0].clone()), Ok(Asked::One(_))));
    }

    #[test]
    fn a_wrong_word_is_told_with_the_nearest_right_one() {
        let error = resolved(request("prod-ukk")).unwrap_err().to_string();
        assert_eq!(error, "request m-1: cluster \"prod-ukk\" is not configured, did you mean \"prod-uk\"?");
        let kinds = |kind: &str| SnapshotRequest { kinds: vec![kind.to_owned()], ..request("prod-uk") };
        let error = resolved(kinds("deployment")).unwrap_err().to_string();
        assert_eq!(error, "request m-1: \"deployment\" is not a kind that is collected, did you mean \"deployments\"?");
        assert!(resolved(kinds("unreadable")).is_err());
    }

    #[test]
    fn an_id_that_is_no_segment_of_a_key_is_refused() {
        for id in ["..", ".", "a/b", "a b", "é", &"x".repeat(LONGEST_ID + 1)] {
            let request = SnapshotRequest { request_id: id.to_owned(), ..request("prod-uk") };
            assert!(matches!(resolved(request), Err(InvalidRequest::Id { .. })), "{id:?}");
        }
    }
}
