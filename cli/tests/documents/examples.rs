//! Every file under `examples/` is read by the part of the program that it is for.

use std::path::{Path, PathBuf};

use evaluator::Policy;
use futures::TryStreamExt as _;
use platform::embedded::DumpDocuments;
use platform::kubernetes::DumpCluster;
use platform::ports::{Cluster as _, Kind};
use platform::testkit;
use podledger_cli::ped;
use schemas::Timestamp;

use crate::markdown::repository;

/// Files of a folder, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn examples_are_a_cluster_documents_declarations_and_policies() {
    let names: Vec<_> = files(&repository().join("examples"))
        .iter()
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(names, ["cluster", "documents", "ped", "policies"], "a new folder needs a test here");
}

#[tokio::test]
async fn every_document_of_the_registry_is_read() {
    let registry = DumpDocuments::open(repository().join("examples/documents")).unwrap();
    let found = testkit::documents::documents(&registry, &["apis", "capextchannels", "backendservices"]).await;
    assert_eq!(found.len(), 4);
}

#[test]
fn every_policy_is_read_and_says_something() {
    let policies = files(&repository().join("examples/policies"));
    assert!(policies.len() >= 3, "{policies:?}");
    for path in policies {
        let policy = Policy::parse(&std::fs::read_to_string(&path).unwrap());
        let policy = policy.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_ne!(policy, Policy::default(), "{} changes nothing", path.display());
    }
}

#[test]
fn every_declaration_is_read_but_the_one_that_is_wrong_on_purpose() {
    let read = ped::read_paths(&[repository().join("examples/ped")], None);
    assert!(read.documents.len() >= 10, "{}", read.documents.len());
    let refused: Vec<_> = read.rejected.iter().map(|rejected| Path::new(&rejected.file).file_name().unwrap()).collect();
    assert_eq!(refused, ["identity-sessions.yaml"]);
    assert!(read.rejected[0].reason.contains("did you mean \"maxReplicas\"?"), "{:?}", read.rejected);
}

#[tokio::test]
async fn the_dump_is_read_whole() {
    let dump = DumpCluster::open(repository().join("examples/cluster")).unwrap();
    let now = Timestamp::from_seconds(0);
    for kind in [Kind::Pods, Kind::Deployments, Kind::ReplicaSets, Kind::HorizontalPodAutoscalers, Kind::Nodes] {
        let listed = dump.list(kind, now).await.unwrap();
        assert_eq!(listed.known_gaps, None, "{kind}");
        let pages: Vec<_> = listed.pages.try_collect().await.unwrap();
        assert!(pages.iter().any(|page| !page.objects.is_empty()), "no {kind}");
    }
    let unreadable: Vec<_> = dump.list(Kind::Unreadable, now).await.unwrap().pages.try_collect().await.unwrap();
    let unreadable: Vec<_> = unreadable.into_iter().flat_map(|page| page.objects).collect();
    assert!(unreadable.is_empty(), "{unreadable:?}");
    assert!(dump.audit_entries().await.unwrap().try_collect::<Vec<_>>().await.unwrap().len() >= 3);
}
