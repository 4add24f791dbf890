//! Firestore, as its stand-in serves it, keeps the port's promises.
#![allow(clippy::unwrap_used, clippy::expect_used)] // A failed call is a failed test, also outside its function.

#[path = "google_documents/answers.rs"]
mod answers;
#[path = "google_documents/expiry.rs"]
mod expiry;
#[path = "google_documents/network.rs"]
mod network;
#[path = "google_documents/world.rs"]
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::{StreamExt as _, TryStreamExt as _};
use podledger_platform::google::{FirestoreDocuments, FirestoreSettings};
use podledger_platform::ports::{
    CollectionId, Document, DocumentPage, DocumentPages, Documents, DocumentsError, Fields, RawObject,
};
use podledger_platform::testkit::documents::{Abilities, contract, document, documents, ids, many, pages, read};
use podledger_platform::testkit::firestore::{delete, write};

use world::{FEW, open, start};

/// The same documents in another project and database.
fn moved(documents: &[Document], project: &str, database: &str) -> Vec<Document> {
    let name = |document: &Document| {
        format!("projects/{project}/databases/{database}/documents/{}", document.name.path()).parse().unwrap()
    };
    documents.iter().map(|document| Document { name: name(document), ..document.clone() }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_keeps_the_contract() {
    let Some(server) = start(&[]) else { return };
    let databases = AtomicU32::new(0);
    let make = async |documents: Vec<Document>| {
        // A database of its own for each promise, and queries of few documents for every second one.
        let number = databases.fetch_add(1, Ordering::Relaxed);
        let database = format!("promise-{number}");
        write(&server.url("grpc"), &moved(&documents, "test", &database)).await;
        let query_documents = if number.is_multiple_of(2) { FEW } else { FirestoreSettings::default().query_documents };
        let source: Arc<dyn Documents> = Arc::new(InFirst(open(&server, "test", Some(&database), query_documents)));
        source
    };
    contract(make, Abilities { exact_integers: false, ..Abilities::default() }).await;
}

/// A database whose documents are named as those of the first one, as the contract expects them.
struct InFirst(FirestoreDocuments);

#[async_trait::async_trait]
impl Documents for InFirst {
    async fn list(&self, collections: &[CollectionId]) -> Result<DocumentPages, DocumentsError> {
        let pages = self.0.list(collections).await?;
        let renamed = |page: Result<DocumentPage, DocumentsError>| {
            let mut page = page?;
            for object in &mut page.documents {
                let found = read(object);
                // Times are the server's own.
                let first =
                    Document { create_time: None, update_time: None, ..moved(&[found], "test", "(default)").remove(0) };
                *object = RawObject::Json(first.to_wire().unwrap().into());
            }
            Ok(page)
        };
        Ok(pages.map(renamed).boxed())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_of_few_documents_give_all_of_them() {
    let Some(server) = start(&[]) else { return };
    let written = many("apis", 2_500);
    write(&server.url("grpc"), &written).await;
    // A number that divides the count, so that the last query finds nothing, and one that does not.
    for query_documents in [50, 333] {
        let found = documents(&open(&server, "test", None, query_documents), &["apis"]).await;
        assert!(found.is_sorted_by(|one, other| one.name < other.name), "in the order of names, none twice");
        assert_eq!(found.len(), written.len());
        assert!(found.iter().all(|document| document.create_time.is_some() && document.update_time.is_some()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_shows_one_moment_whatever_is_written_meanwhile() {
    let Some(server) = start(&[]) else { return };
    let (apis, routes) = (many("apis", 1_200), many("routes", 5));
    write(&server.url("grpc"), &[apis.clone(), routes.clone()].concat()).await;
    let source = open(&server, "test", None, FEW);
    let mut listing = source.list(&ids(&["apis", "routes"])).await.unwrap();
    let first = listing.next().await.unwrap().unwrap();
    assert!(first.documents.len() < apis.len());
    // Meanwhile documents go, come, and change, also in the collection that is read last.
    delete(&server.url("grpc"), &apis[1_000..]).await;
    delete(&server.url("grpc"), &routes).await;
    write(&server.url("grpc"), &many("routes", 9)[6..]).await;
    write(&server.url("grpc"), &[Document { fields: Fields::new(), ..apis[3].clone() }]).await;
    let rest: Vec<DocumentPage> = listing.try_collect().await.unwrap();
    let pages: Vec<&DocumentPage> = [&first].into_iter().chain(&rest).collect();
    assert!(pages.iter().all(|page| page.read_time == first.read_time && !page.read_time.is_empty()));
    let found: Vec<Document> = pages.iter().flat_map(|page| &page.documents).map(read).collect();
    assert_eq!(found.len(), apis.len() + routes.len());
    let changed = found.iter().find(|document| document.name == apis[3].name).unwrap();
    assert_eq!(changed.fields, apis[3].fields);
    // A list begun now shows what is now.
    assert_eq!(documents(&source, &["apis", "routes"]).await.len(), 1_000 + 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moment_too_long_ago_ends_a_list_as_expired() {
    let Some(server) = start(&["-history", "0"]) else { return };
    write(&server.url("grpc"), &many("apis", 50)).await;
    let error = pages(&open(&server, "test", None, FEW), &["apis"]).await.unwrap_err();
    assert!(matches!(error, DocumentsError::Expired), "{error}");
    // A list of one query needs no past.
    assert_eq!(documents(&open(&server, "test", None, 100), &["apis"]).await.len(), 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_breaks_off_goes_on_after_its_last_document() {
    let Some(server) = start(&["-break-after", "7"]) else { return };
    let written = many("apis", 100);
    write(&server.url("grpc"), &written).await;
    let found = documents(&open(&server, "test", None, 100), &["apis"]).await;
    let names = |documents: &[Document]| documents.iter().map(|found| found.name.to_string()).collect::<Vec<_>>();
    let mut expected = names(&written);
    expected.sort();
    assert_eq!(names(&found), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_never_gets_on_is_given_up() {
    let Some(server) = start(&["-break-after", "0"]) else { return };
    write(&server.url("grpc"), &many("apis", 3)).await;
    let error = pages(&open(&server, "test", None, 100), &["apis"]).await.unwrap_err();
    assert!(matches!(error, DocumentsError::Unavailable { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_in_the_middle_ends_the_list_with_an_outage_and_comes_back() {
    let Some(mut server) = start(&[]) else { return };
    write(&server.url("grpc"), &many("apis", 2_500)).await;
    let source = open(&server, "test", None, FEW);
    let mut listing = source.list(&ids(&["apis"])).await.unwrap();
    let first = listing.next().await.unwrap().unwrap();
    assert!(!first.documents.is_empty());
    server.stop();
    let rest: Result<Vec<DocumentPage>, _> = listing.try_collect().await;
    assert!(matches!(rest, Err(DocumentsError::Unavailable { .. })), "never a part that passes for the whole");
    assert!(pages(&source, &["apis"]).await.is_err(), "nor an empty list");
    server.start_again(&[("-listen", "grpc")]);
    write(&server.url("grpc"), &many("apis", 30)).await; // it was in memory
    assert_eq!(documents(&source, &["apis"]).await.len(), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_at_first_is_read_once_it_is_there() {
    let Some(mut server) = start(&[]) else { return };
    let source = open(&server, "test", None, FEW);
    server.stop();
    let error = pages(&source, &["apis"]).await.unwrap_err();
    assert!(matches!(&error, DocumentsError::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains("firestore:test/(default)"), "{error}");
    server.start_again(&[("-listen", "grpc")]);
    write(&server.url("grpc"), &[document("apis/a", Fields::new())]).await;
    assert_eq!(documents(&source, &["apis"]).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_and_databases_are_kept_apart() {
    let Some(server) = start(&["-denied", "secret"]) else { return };
    let places = [("one", "(default)", 3), ("one", "eu", 4), ("two", "(default)", 5)];
    for (project, database, count) in places {
        write(&server.url("grpc"), &moved(&many("apis", count), project, database)).await;
    }
    for (project, database, count) in places {
        let found = documents(&open(&server, project, Some(database), FEW), &["apis"]).await;
        assert_eq!(found.len() as i64, count, "{project}/{database}");
        assert!(found.iter().all(|found| found.name.project() == project && found.name.database() == database));
    }
    assert_eq!(documents(&open(&server, "one", None, FEW), &["apis"]).await.len(), 3);
    let denied = pages(&open(&server, "secret", None, FEW), &["apis"]).await.unwrap_err();
    assert!(matches!(&denied, DocumentsError::Refused { .. }), "{denied}");
    assert!(denied.to_string().contains("datastore.entities.list"), "{denied}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_cursor_is_not_read_for_ever() {
    let Some(server) = start(&["-cursors", "no"]) else { return };
    write(&server.url("grpc"), &many("apis", 50)).await;
    let error = pages(&open(&server, "test", None, FEW), &["apis"]).await.unwrap_err();
    assert!(matches!(&error, DocumentsError::Refused { .. }), "{error}");
    assert!(error.to_string().contains("does not order by name"), "{error}");
}
