//! What the service answers amiss: a list is whole, or it ends with an error of the right kind.

use podledger_platform::google::FirestoreSettings;
use podledger_platform::testkit::documents::many;

use super::world::{
    BRIEF, PATIENCE, assert_whole, came_to, drift, fault, list, open_with, settings, start, start_with, tokens_shown,
};

const OK: i32 = 0;
const PERMISSION_DENIED: i32 = 7;
const RESOURCE_EXHAUSTED: i32 = 8;
const INTERNAL: i32 = 13;
const UNAVAILABLE: i32 = 14;
const UNAUTHENTICATED: i32 = 16;
/// Queries that no list lives to begin.
const ALWAYS: u32 = 1_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn bursts_of_refusals_are_ridden_out_before_and_within_an_answer() {
    const BURST: u32 = 6;
    let Some((server, written)) = start_with(100, &[]).await else { return };
    let source = open_with(settings(server.url("grpc"), PATIENCE));
    for code in [UNAVAILABLE, RESOURCE_EXHAUSTED, UNAUTHENTICATED, INTERNAL] {
        for after in [0, 1, 7] {
            let before = tokens_shown(&server).await.len();
            fault(&server, code, BURST, after).await;
            assert_whole(&list(&source).await.unwrap(), &written);
            let queries = tokens_shown(&server).await.len() - before;
            assert!(queries > written.len().div_ceil(20) + 1, "the fault struck: {queries} queries");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_without_an_end_are_an_outage_that_says_why() {
    let Some((server, _)) = start_with(50, &[]).await else { return };
    let source = open_with(settings(server.url("grpc"), BRIEF));
    for (code, word) in [
        (UNAVAILABLE, "currently unavailable"),
        (RESOURCE_EXHAUSTED, "ResourceExhausted"),
        (UNAUTHENTICATED, "Unauthenticated"),
    ] {
        fault(&server, code, ALWAYS, 0).await;
        let error = list(&source).await.unwrap_err();
        assert_eq!(came_to(&error), "outage", "{error}");
        let text = error.to_string();
        assert!(text.contains("firestore:test/(default)") && text.contains(word), "{text}");
    }
    fault(&server, OK, 0, 0).await;
    assert_eq!(list(&source).await.unwrap().len(), 50, "and is over when they are");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_query_ends_the_list_at_once_and_names_the_permission() {
    let Some((server, _)) = start_with(50, &[]).await else { return };
    let source = open_with(settings(server.url("grpc"), PATIENCE));
    for after in [0, 5] {
        let before = tokens_shown(&server).await.len();
        fault(&server, PERMISSION_DENIED, 1, after).await;
        let error = list(&source).await.unwrap_err();
        assert_eq!(came_to(&error), "refused", "{error}");
        assert!(error.to_string().contains("datastore.entities.list"), "{error}");
        assert_eq!(tokens_shown(&server).await.len() - before, 1, "nothing was tried again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_ends_without_a_word_is_no_empty_collection() {
    let Some((server, written)) = start_with(30, &[]).await else { return };
    fault(&server, OK, 3, 0).await;
    assert_whole(&list(&open_with(settings(server.url("grpc"), PATIENCE))).await.unwrap(), &written);
    fault(&server, OK, ALWAYS, 0).await;
    let error = list(&open_with(settings(server.url("grpc"), BRIEF))).await.unwrap_err();
    assert_eq!(came_to(&error), "outage", "{error}");
    assert!(error.to_string().contains("without an answer"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_whose_end_is_not_confirmed_is_not_the_end() {
    // All bytes of every answer come, and none says that it is over.
    let Some((server, _)) = start_with(30, &[]).await else { return };
    let before = tokens_shown(&server).await.len();
    for query_documents in [20, 1_000] {
        let settings = FirestoreSettings { query_documents, ..settings(server.url("front"), BRIEF) };
        let error = list(&open_with(settings)).await.unwrap_err();
        assert_eq!(came_to(&error), "outage", "{error}");
    }
    assert!(tokens_shown(&server).await.len() > before + 2, "queries came through");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_query_that_passes_on_to_a_later_moment_does_not_take_the_list_with_it() {
    let Some(server) = start(&[]) else { return };
    let written = many("apis", 60);
    podledger_platform::testkit::firestore::write(&server.url("grpc"), &written).await;
    let settings = FirestoreSettings { query_documents: 1_000, ..settings(server.url("grpc"), BRIEF) };
    drift(&server, 1).await;
    // All pages say the moment of the first document: `list` sees to that.
    assert_whole(&list(&open_with(settings)).await.unwrap(), &written);
    assert_eq!(tokens_shown(&server).await.len(), 2, "what came after the first document was read again");
}
