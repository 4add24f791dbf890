use super::*;
use crate::runtime::install_tls;
use crate::testkit::oidc::{KeyServer, Serves, Signer, key_set};

const LONG: Duration = Duration::from_secs(1000);
/// Believed long, asked for at will.
const EAGER: Pace = Pace { fresh: LONG, kept: LONG, pause: Duration::ZERO };
const UNKNOWN: Refusal = Refusal::Unauthenticated("unknown-key");

async fn serving(signers: &[&Signer], pace: Pace) -> (KeyServer, Arc<KeyCache>) {
    install_tls();
    let server = KeyServer::start(Serves::Text(key_set(signers.iter().copied()))).await;
    let cache = Arc::new(KeyCache::new(server.url().parse().unwrap(), pace).unwrap());
    (server, cache)
}

async fn refusal(cache: &Arc<KeyCache>, id: &str) -> Option<Refusal> {
    cache.key(id).await.err()
}

#[tokio::test]
async fn keys_are_read_once_for_all_who_need_them() {
    let (server, cache) = serving(&[&Signer::new("a"), &Signer::new("b")], EAGER).await;
    assert_eq!(server.reads(), 0);
    let asked = (0..50).map(|n| refusal(&cache, if n % 2 == 0 { "a" } else { "b" }));
    assert_eq!(futures::future::join_all(asked).await, vec![None; 50]);
    assert_eq!(server.reads(), 1);
}

#[tokio::test]
async fn a_new_key_is_found_and_a_withdrawn_one_is_gone_with_it() {
    let (server, cache) = serving(&[&Signer::new("old")], EAGER).await;
    assert_eq!(refusal(&cache, "old").await, None);
    server.serve(Serves::Text(key_set([&Signer::new("new")])));
    assert_eq!(refusal(&cache, "old").await, None, "nobody has asked for another yet");
    assert_eq!(refusal(&cache, "new").await, None);
    assert_eq!(refusal(&cache, "old").await, Some(UNKNOWN));
}

#[tokio::test]
async fn invented_key_ids_ask_the_issuer_once_in_a_pause() {
    let (server, cache) = serving(&[&Signer::new("a")], Pace { pause: LONG, ..EAGER }).await;
    for n in 0..100 {
        assert_eq!(refusal(&cache, &format!("invented-{n}")).await, Some(UNKNOWN));
    }
    assert_eq!((server.reads(), refusal(&cache, "a").await), (1, None));
}

#[tokio::test]
async fn in_an_outage_known_keys_serve_and_unknown_ones_are_not_called_wrong() {
    let (server, cache) = serving(&[&Signer::new("a")], Pace { fresh: Duration::ZERO, ..EAGER }).await;
    assert_eq!(refusal(&cache, "a").await, None);
    let huge = "x".repeat(LARGEST_SET + 1);
    for outage in [Serves::Status(503), Serves::Status(302), Serves::Text("<html>".to_owned()), Serves::Text(huge)] {
        server.serve(outage.clone());
        let before = server.reads();
        assert_eq!(refusal(&cache, "a").await, None, "{outage:.30?}");
        assert_eq!(refusal(&cache, "b").await, Some(Refusal::KeysAway), "{outage:.30?}");
        assert_eq!(server.reads(), before + 2, "an old set is asked for again");
    }
    server.serve(Serves::Text(key_set([&Signer::new("b")])));
    assert_eq!(refusal(&cache, "b").await, None, "when the outage is over so is the refusal");
}

#[tokio::test]
async fn keys_are_not_kept_for_ever() {
    let (server, cache) = serving(&[&Signer::new("a")], Pace { fresh: Duration::ZERO, kept: LONG, ..EAGER }).await;
    assert_eq!(refusal(&cache, "a").await, None);
    server.serve(Serves::Status(500));
    let forgetful = KeyCache::new(server.url().parse().unwrap(), Pace { kept: Duration::ZERO, ..cache.pace }).unwrap();
    *forgetful.known.write().unwrap() = cache.known.read().unwrap().clone();
    assert_eq!(refusal(&Arc::new(forgetful), "a").await, Some(Refusal::KeysAway));
}

#[tokio::test]
async fn before_the_first_keys_nobody_is_refused_for_good() {
    let (server, cache) = serving(&[&Signer::new("a")], Pace { pause: LONG, ..EAGER }).await;
    server.serve(Serves::Status(500));
    for _ in 0..3 {
        assert_eq!(refusal(&cache, "a").await, Some(Refusal::KeysAway));
    }
    assert_eq!(server.reads(), 1, "the pause holds in an outage too");
}

#[tokio::test]
async fn a_request_that_is_broken_off_leaves_its_reading_to_the_next() {
    let (server, cache) = serving(&[&Signer::new("a")], EAGER).await;
    {
        let mut first = Box::pin(cache.key("a"));
        let begun = async {
            while server.reads() == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            _ = &mut first => {}
            () = begun => {}
        }
    }
    assert_eq!(refusal(&cache, "a").await, None);
    assert_eq!(server.reads(), 1);
}
