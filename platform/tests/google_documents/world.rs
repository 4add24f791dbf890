//! What the tests of the Firestore adapter share: a server, a database on it, what a list came to.

use std::time::Duration;

use futures::TryStreamExt as _;
use podledger_platform::google::{FirestoreDocuments, FirestoreSettings};
use podledger_platform::layers::RetryPolicy;
use podledger_platform::ports::{Document, DocumentPage, DocumentPages, Documents as _, DocumentsError};
use podledger_platform::testkit::documents::{ids, many, read};
use podledger_platform::testkit::firestore::write;
use podledger_platform::testkit::proxy::Proxy;
use podledger_platform::testkit::servers::{Built, Server};
use podledger_platform::testkit::tokens::TokenServer;

/// Documents of one query: so few that every test needs many queries.
pub(crate) const FEW: u32 = 20;
/// How long something that must come is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How long a query is begun again where that must not help.
pub(crate) const BRIEF: Duration = Duration::from_millis(500);

pub(crate) fn start(arguments: &[&str]) -> Option<Server> {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok(); // as `main` does; another test may have
    Built::find("firestore").map(|firestore| firestore.start(arguments))
}

/// A server with that many documents of `apis`, and these.
pub(crate) async fn start_with(count: i64, arguments: &[&str]) -> Option<(Server, Vec<Document>)> {
    let server = start(arguments)?;
    let written = many("apis", count);
    write(&server.url("grpc"), &written).await;
    Some((server, written))
}

/// Settings with short delays, for a server at `http://HOST:PORT`, whose queries are begun again for
/// so long.
pub(crate) fn settings(endpoint: String, within: Duration) -> FirestoreSettings {
    let retry = RetryPolicy { first: Duration::from_millis(10), max: Duration::from_millis(200), within };
    FirestoreSettings { emulator: Some(endpoint), query_documents: FEW, retry, ..FirestoreSettings::default() }
}

pub(crate) fn open(server: &Server, project: &str, database: Option<&str>, query_documents: u32) -> FirestoreDocuments {
    let settings = FirestoreSettings { query_documents, ..settings(server.url("grpc"), BRIEF) };
    FirestoreDocuments::open(project, database, settings).unwrap()
}

/// The database `test` with those settings.
pub(crate) fn open_with(settings: FirestoreSettings) -> FirestoreDocuments {
    FirestoreDocuments::open("test", None, settings).unwrap()
}

/// The database `test` through a proxy, its queries begun again for so long.
pub(crate) async fn behind_a_proxy(server: &Server, within: Duration) -> (Proxy, FirestoreDocuments) {
    let proxy = Proxy::start(server.address("grpc")).await;
    let source = open_with(settings(proxy.url(), within));
    (proxy, source)
}

/// Begins a list of `apis` and takes its first page.
pub(crate) async fn begin(source: &FirestoreDocuments) -> (DocumentPage, DocumentPages) {
    let mut pages = source.list(&ids(&["apis"])).await.unwrap();
    let first = in_time(pages.try_next()).await.unwrap().expect("there are pages");
    (first, pages)
}

/// The rest of a list and its first page, as its documents.
pub(crate) async fn end(first: DocumentPage, pages: DocumentPages) -> Result<Vec<Document>, DocumentsError> {
    let rest: Vec<DocumentPage> = in_time(pages.try_collect()).await?;
    let pages: Vec<DocumentPage> = [first].into_iter().chain(rest).collect();
    Ok(of_one_moment(&pages))
}

/// A list of `apis` that ends in time, however.
pub(crate) async fn list(source: &FirestoreDocuments) -> Result<Vec<Document>, DocumentsError> {
    let listing = async { source.list(&ids(&["apis"])).await?.try_collect::<Vec<DocumentPage>>().await };
    in_time(listing).await.map(|pages| of_one_moment(&pages))
}

async fn in_time<T>(call: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, call).await.expect("a list ends in time")
}

/// The documents of pages that show one moment.
fn of_one_moment(pages: &[DocumentPage]) -> Vec<Document> {
    let Some(first) = pages.first() else { return Vec::new() };
    assert!(!first.read_time.is_empty(), "a page says its moment");
    assert!(pages.iter().all(|page| page.read_time == first.read_time), "all show one moment");
    pages.iter().flat_map(|page| &page.documents).map(read).collect()
}

/// Each of these documents was found, once, and no other.
#[track_caller]
pub(crate) fn assert_whole(found: &[Document], written: &[Document]) {
    assert!(found.is_sorted_by(|one, other| one.name < other.name), "in the order of names, none twice");
    let mut expected: Vec<_> = written.iter().map(|document| &document.name).collect();
    expected.sort();
    assert_eq!(found.iter().map(|document| &document.name).collect::<Vec<_>>(), expected);
}

/// What a failed list came to, in a word.
pub(crate) fn came_to(error: &DocumentsError) -> &'static str {
    match error {
        DocumentsError::Expired => "expired",
        DocumentsError::Unavailable { .. } => "outage",
        DocumentsError::Refused { .. } => "refused",
    }
}

/// Makes so many queries end after so many documents of their answers, with that code.
pub(crate) async fn fault(server: &Server, code: i32, times: u32, after: u32) {
    set(server, "fault", serde_json::json!({"code": code, "times": times, "after": after})).await;
}

/// Lets the service take these tokens only.
pub(crate) async fn accept(server: &Server, tokens: impl IntoIterator<Item = u64>) {
    let tokens: Vec<String> = tokens.into_iter().map(TokenServer::token).collect();
    set(server, "tokens", serde_json::json!({"accept": tokens})).await;
}

/// Makes so many queries that are told no moment pass on to later ones while they go on.
pub(crate) async fn drift(server: &Server, queries: u32) {
    set(server, "drift", serde_json::json!({"queries": queries})).await;
}

async fn set(server: &Server, what: &str, value: serde_json::Value) {
    let url = format!("{}/_test/{what}", server.url("rest"));
    reqwest::Client::new().post(url).json(&value).send().await.unwrap().error_for_status().unwrap();
}

/// The token that each query showed so far; empty where it showed none.
pub(crate) async fn tokens_shown(server: &Server) -> Vec<String> {
    let url = format!("{}/_test/queries", server.url("rest"));
    let queries: serde_json::Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    serde_json::from_value(queries["tokens"].clone()).unwrap()
}
