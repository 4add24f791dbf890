//! Credentials that expire, are refused, or cannot be had while a list goes on.

use std::process::Command;
use std::time::Duration;

use podledger_platform::google::{FirestoreDocuments, FirestoreSettings};
use podledger_platform::testkit::servers::Server;
use podledger_platform::testkit::tokens::TokenServer;

use super::world::{
    BRIEF, PATIENCE, accept, assert_whole, begin, came_to, end, list, open_with, settings, start_with, tokens_shown,
};

/// Documents of a list of more than one page.
const SOME_PAGES: i64 = 700;
/// More tokens than any of these tests lives to see.
const MANY: u64 = 100;
/// So long that no test outlives a token; renewed every 10 s nevertheless, as all that live for less
/// than four minutes.
const LIFETIME: Duration = Duration::from_secs(120);

/// How many queries showed the n-th token.
fn shown(tokens: &[String], number: u64) -> usize {
    tokens.iter().filter(|token| **token == TokenServer::token(number)).count()
}

/// The database with credentials of a token server, which lives as long as the test holds it.
async fn open_with_tokens(server: &Server, within: Duration) -> (TokenServer, FirestoreDocuments) {
    let tokens = TokenServer::start(LIFETIME).await;
    let credentials = Some(tokens.credentials());
    (tokens, open_with(FirestoreSettings { credentials, ..settings(server.url("grpc"), within) }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_renewed_in_the_middle_of_a_list_is_shown_by_its_later_queries() {
    let Some((server, written)) = start_with(SOME_PAGES, &[]).await else { return };
    let (tokens, source) = open_with_tokens(&server, PATIENCE).await;
    accept(&server, [1]).await;
    let (first, rest) = begin(&source).await;
    let before = tokens_shown(&server).await;
    assert_eq!(shown(&before, 1), before.len(), "so far every query showed the first: {before:?}");
    tokens.until_issued(2).await;
    accept(&server, 2..MANY).await;
    assert_whole(&end(first, rest).await.unwrap(), &written);
    let after = tokens_shown(&server).await;
    let renewed = after.len() - shown(&after, 1);
    assert!(renewed >= 10, "200 documents in queries of 20: {renewed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_refused_before_its_time_delays_a_list_until_it_is_renewed() {
    let Some((server, written)) = start_with(SOME_PAGES, &[]).await else { return };
    let (tokens, source) = open_with_tokens(&server, PATIENCE).await;
    accept(&server, [1]).await;
    let (first, rest) = begin(&source).await;
    accept(&server, 2..MANY).await;
    let good = tokens_shown(&server).await.len();
    assert_whole(&end(first, rest).await.unwrap(), &written);
    let after = tokens_shown(&server).await;
    assert!(shown(&after, 1) > good, "the first was shown once more, and refused");
    assert!(shown(&after, 1) < after.len(), "and the list went on with another");
    assert!(tokens.issued() >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_nobody_accepts_is_an_outage() {
    let Some((server, _)) = start_with(50, &[]).await else { return };
    let (_tokens, source) = open_with_tokens(&server, BRIEF).await;
    accept(&server, []).await;
    let error = list(&source).await.unwrap_err();
    assert_eq!(came_to(&error), "outage", "{error}");
    assert!(error.to_string().contains("Unauthenticated"), "{error}");
    assert!(!error.to_string().contains(&TokenServer::token(1)), "the token is not told: {error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_service_that_is_away_from_the_start_is_an_outage_that_says_so() {
    let Some((server, _)) = start_with(50, &[]).await else { return };
    let credentials = Some(TokenServer::gone().await);
    let source = open_with(FirestoreSettings { credentials, ..settings(server.url("grpc"), BRIEF) });
    let error = list(&source).await.unwrap_err();
    assert_eq!(came_to(&error), "outage", "{error}");
    let text = error.to_string();
    assert!(text.contains("firestore:test/(default): get a Google access token"), "{text}");
    assert_eq!(tokens_shown(&server).await, Vec::<String>::new(), "nothing was asked without a token");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_service_that_goes_away_is_an_outage_once_the_token_has_expired_and_no_list_is_short() {
    let Some((server, written)) = start_with(100, &[]).await else { return };
    let tokens = TokenServer::start(Duration::from_secs(3)).await;
    let credentials = Some(tokens.credentials());
    let source =
        open_with(FirestoreSettings { credentials, answer_within: BRIEF, ..settings(server.url("grpc"), BRIEF) });
    assert_whole(&list(&source).await.unwrap(), &written);
    drop(tokens);
    let lists = async {
        loop {
            match list(&source).await {
                Ok(found) => assert_whole(&found, &written),
                Err(error) => return error,
            }
        }
    };
    let error = tokio::time::timeout(PATIENCE, lists).await.expect("the token expires");
    assert_eq!(came_to(&error), "outage", "{error}");
    assert!(error.to_string().contains("get a Google access token"), "{error}");
}

/// Runs in a process of its own, whose environment names the credentials.
#[test]
fn default_credentials_that_cannot_be_read_end_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("credentials.json");
    std::fs::write(&file, r#"{"type": "authorized_user"}"#).unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["expiry::child_opens_with_default_credentials", "--exact", "--ignored", "--nocapture"])
        .env("GOOGLE_APPLICATION_CREDENTIALS", &file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(said.contains("report open firestore:test/eu: will not succeed"), "{said}");
    assert!(said.contains("read the application default credentials"), "{said}");
}

#[tokio::test]
#[ignore = "does nothing on its own: see default_credentials_that_cannot_be_read_end_the_start"]
async fn child_opens_with_default_credentials() {
    if let Err(error) = FirestoreDocuments::open("test", Some("eu"), FirestoreSettings::default()) {
        println!("report {error}");
    }
}
