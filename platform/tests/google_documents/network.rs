//! What the network does wrong: a list is whole, or it ends with an outage; none is short.

use std::time::Duration;

use podledger_platform::google::FirestoreSettings;
use podledger_platform::testkit::proxy::{ALWAYS, Fault, Proxy};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::world::{
    BRIEF, PATIENCE, assert_whole, begin, behind_a_proxy, came_to, end, list, open_with, settings, start_with,
};

/// Documents of a list of more than one page.
const SOME_PAGES: i64 = 700;

#[tokio::test(flavor = "multi_thread")]
async fn late_and_slow_answers_come_whole() {
    let Some((server, written)) = start_with(200, &[]).await else { return };
    let (proxy, source) = behind_a_proxy(&server, BRIEF).await;
    for fault in [Fault::Delay(Duration::from_millis(20)), Fault::Throttle(40_000)] {
        proxy.set(fault).await;
        assert_whole(&list(&source).await.unwrap(), &written);
    }
    let counts = proxy.counts();
    assert!(counts.delayed > 0 && counts.throttled > 0, "the faults struck: {counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_cut_at_any_place_are_read_on_to_the_end() {
    const SEEDS: u64 = 40;
    let Some((server, written)) = start_with(100, &[]).await else { return };
    let (proxy, source) = behind_a_proxy(&server, PATIENCE).await;
    assert_whole(&list(&source).await.unwrap(), &written);
    let bytes = proxy.counts().bytes_down;
    for seed in 0..SEEDS {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let (after, times) = (dice.random_range(0..bytes), dice.random_range(1..=4));
        let before = proxy.counts().cut;
        proxy.set(Fault::Cut { after, times }).await;
        // A new connection for each, so that its first bytes are among the places.
        let found = list(&open_with(settings(proxy.url(), PATIENCE))).await;
        let found = found.unwrap_or_else(|error| panic!("seed {seed}, {times} × after {after}: {error}"));
        assert_whole(&found, &written);
        let cut = proxy.counts().cut - before;
        assert!((1..=times).contains(&cut), "seed {seed}, {times} × after {after}: cut {cut} times");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_always_cut_are_read_on_as_long_as_documents_come() {
    let Some((server, written)) = start_with(100, &[]).await else { return };
    let (proxy, source) = behind_a_proxy(&server, BRIEF).await;
    proxy.set(Fault::Cut { after: 2_000, times: ALWAYS }).await;
    assert_whole(&list(&source).await.unwrap(), &written);
    let cut = proxy.counts().cut;
    assert!(cut >= 5, "the fault struck again and again: {cut}");
    proxy.set(Fault::Cut { after: 100, times: ALWAYS }).await;
    let error = list(&source).await.unwrap_err();
    assert_eq!(came_to(&error), "outage", "{error}");
    assert!(proxy.counts().cut > cut, "the fault struck");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_goes_on_where_connections_broke_or_were_refused() {
    let Some((server, written)) = start_with(SOME_PAGES, &[]).await else { return };
    let (proxy, source) = behind_a_proxy(&server, PATIENCE).await;
    let (first, rest) = begin(&source).await;
    proxy.set(Fault::Refuse).await;
    let back = async {
        proxy.until(|now| now.cut > 0).await;
        proxy.set(Fault::Pass).await;
    };
    let (found, ()) = futures::join!(end(first, rest), back);
    assert_whole(&found.unwrap(), &written);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_refuses_connections_is_an_outage_from_the_start_and_in_the_middle() {
    let Some((server, written)) = start_with(SOME_PAGES, &[]).await else { return };
    let (proxy, source) = behind_a_proxy(&server, BRIEF).await;
    proxy.set(Fault::Refuse).await;
    let error = list(&source).await.unwrap_err();
    assert_eq!(came_to(&error), "outage", "{error}");
    assert!(error.to_string().contains("firestore:test/(default)"), "{error}");
    proxy.set(Fault::Pass).await;
    let (first, rest) = begin(&source).await;
    proxy.set(Fault::Refuse).await;
    let error = end(first, rest).await.unwrap_err();
    assert_eq!(came_to(&error), "outage", "{error}");
    proxy.set(Fault::Pass).await;
    assert_whole(&list(&source).await.unwrap(), &written);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_stands_still_is_an_outage_within_the_time_set() {
    let Some((server, written)) = start_with(SOME_PAGES, &[]).await else { return };
    for fault in [Fault::Hang, Fault::Mute] {
        let proxy = Proxy::start(server.address("grpc")).await;
        let source = open_with(soon_tired(&proxy, BRIEF));
        proxy.set(fault.clone()).await;
        let error = list(&source).await.unwrap_err();
        assert_eq!(came_to(&error), "outage", "{fault:?} from the start: {error}");
        proxy.set(Fault::Pass).await;
        let (first, rest) = begin(&source).await;
        proxy.set(fault.clone()).await;
        let error = end(first, rest).await.unwrap_err();
        assert_eq!(came_to(&error), "outage", "{fault:?} in the middle: {error}");
        assert!(error.to_string().contains("700ms"), "it says how long it waited: {error}");
        assert!(proxy.counts().stood_still > 0, "the fault struck");
        proxy.set(Fault::Pass).await;
        assert_whole(&list(&source).await.unwrap(), &written);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_went_silent_is_left_and_the_list_goes_on_over_another() {
    let Some((server, written)) = start_with(SOME_PAGES, &[]).await else { return };
    for fault in [Fault::Hang, Fault::Mute] {
        let proxy = Proxy::start(server.address("grpc")).await;
        let source = open_with(soon_tired(&proxy, PATIENCE));
        let (first, rest) = begin(&source).await;
        let before = proxy.counts().connections;
        proxy.set(fault.clone()).await;
        let back = async {
            proxy.until(|now| now.connections > before).await;
            proxy.set(Fault::Pass).await;
        };
        let (found, ()) = futures::join!(end(first, rest), back);
        assert_whole(&found.unwrap_or_else(|error| panic!("{fault:?}: {error}")), &written);
    }
}

/// Settings that wait for 700 ms only.
fn soon_tired(proxy: &Proxy, within: Duration) -> FirestoreSettings {
    FirestoreSettings { answer_within: Duration::from_millis(700), ..settings(proxy.url(), within) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_goes_on_when_its_server_is_stopped_and_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("documents");
    let Some((mut server, written)) = start_with(SOME_PAGES, &["-data", data.to_str().unwrap()]).await else { return };
    let (proxy, source) = behind_a_proxy(&server, PATIENCE).await;
    for _ in 0..3 {
        let (first, rest) = begin(&source).await;
        let before = proxy.counts().unreachable;
        server.stop();
        let listing = tokio::spawn(end(first, rest));
        proxy.until(|now| now.unreachable > before).await;
        server.start_again(&[("-listen", "grpc")]);
        assert_whole(&listing.await.unwrap().unwrap(), &written);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_at_once_over_one_breaking_connection_are_each_whole() {
    const CUTS: u64 = 12;
    let Some((server, written)) = start_with(100, &[]).await else { return };
    let (proxy, source) = behind_a_proxy(&server, PATIENCE).await;
    proxy.set(Fault::Cut { after: 5_000, times: CUTS }).await;
    for found in futures::future::join_all((0..6).map(|_| list(&source))).await {
        assert_whole(&found.unwrap(), &written);
    }
    let counts = proxy.counts();
    assert!(counts.cut >= 5, "the fault struck: {counts:?}");
}
