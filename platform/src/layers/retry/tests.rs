use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use schemas::Topic;
use tokio::time::Instant;

use super::*;
use crate::layers::scripted::{ScriptedBroker, ScriptedObjects, doubt, outage};
use crate::ports::{Broker as _, ByteStream, Created, Generation, Objects as _, Outgoing};

fn refusal() -> PortError {
    PortError::never_will("scripted call", anyhow::anyhow!("scripted refusal"))
}

/// Calls once per error and then succeeds; answers how many calls were made.
async fn calls(after_doubt: AfterDoubt, errors: Vec<PortError>) -> (PortResult<()>, u32) {
    let (made, errors) = (AtomicU32::new(0), std::sync::Mutex::new(errors.into_iter()));
    let result = retry(&RetryPolicy::default(), after_doubt, || async {
        made.fetch_add(1, Ordering::SeqCst);
        errors.lock().unwrap().next().map_or(Ok(()), Err)
    })
    .await;
    (result, made.load(Ordering::SeqCst))
}

#[tokio::test(start_paused = true)]
async fn what_did_not_happen_is_always_tried_again() {
    for after_doubt in [AfterDoubt::Repeat, AfterDoubt::GiveUp] {
        let (result, made) = calls(after_doubt, vec![outage(), outage()]).await;
        assert!(result.is_ok());
        assert_eq!(made, 3);
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_have_happened_is_tried_again_only_where_that_is_the_same() {
    assert_eq!(calls(AfterDoubt::Repeat, vec![doubt()]).await.1, 2);
    let (result, made) = calls(AfterDoubt::GiveUp, vec![doubt()]).await;
    assert!(matches!(result, Err(PortError::MayHaveHappened { .. })));
    assert_eq!(made, 1);
}

#[tokio::test(start_paused = true)]
async fn what_never_will_succeed_is_not_tried_again() {
    let (result, made) = calls(AfterDoubt::Repeat, vec![refusal()]).await;
    assert!(matches!(result, Err(PortError::NeverWill { .. })));
    assert_eq!(made, 1);
}

#[tokio::test(start_paused = true)]
async fn retrying_ends_within_its_time_with_the_last_error() {
    let policy = RetryPolicy { within: Duration::from_secs(7), ..RetryPolicy::default() };
    let started = Instant::now();
    let result: PortResult<()> = retry(&policy, AfterDoubt::Repeat, || async { Err(outage()) }).await;
    assert!(matches!(result, Err(PortError::DidNotHappen { .. })));
    assert!(started.elapsed() <= policy.within);
    assert!(started.elapsed() > Duration::ZERO);
}

#[tokio::test]
async fn delays_double_with_jitter_up_to_the_greatest() {
    let policy =
        RetryPolicy { first: Duration::from_secs(1), max: Duration::from_secs(60), within: Duration::from_secs(1) };
    for (attempt, step) in [(1, 1.0), (2, 2.0), (4, 8.0)] {
        let delay = policy.after_attempt(attempt).as_secs_f64();
        assert!((step * 0.49..=step * 1.51).contains(&delay), "attempt {attempt}: {delay}");
    }
    for attempt in [7, 100, u32::MAX] {
        let delay = policy.after_attempt(attempt);
        assert!(delay >= policy.max / 2 && delay <= policy.max, "attempt {attempt}: {delay:?}");
    }
    // Attempt 0 is none that a broker counts; it is read as the first.
    assert!(policy.after_attempt(0) <= Duration::from_secs(2));
    let distinct: std::collections::BTreeSet<_> = (0..20).map(|_| policy.after_attempt(5)).collect();
    assert!(distinct.len() > 1, "no jitter");
}

fn body(pieces: &[&'static str]) -> ByteStream {
    let pieces: Vec<_> = pieces.iter().map(|piece| Ok(Bytes::from_static(piece.as_bytes()))).collect();
    Box::pin(futures::stream::iter(pieces))
}

fn retried(inner: &Arc<ScriptedObjects>) -> RetryObjects {
    RetryObjects::new(inner.clone(), RetryPolicy::default())
}

#[tokio::test(start_paused = true)]
async fn a_create_that_failed_half_way_sends_its_whole_body_again() {
    let inner = Arc::new(ScriptedObjects::default());
    inner.before.lock().unwrap().extend([outage(), doubt()]);
    inner.reads_first.store(3, Ordering::SeqCst);
    let created = retried(&inner).create("k", body(&["ab", "cd", "ef"])).await.unwrap();
    assert_eq!(created, Created::New(Generation(1)));
    assert_eq!(inner.objects.lock().unwrap()["k"], "abcdef");
}

#[tokio::test(start_paused = true)]
async fn a_create_whose_body_outgrew_the_memory_is_not_sent_in_part() {
    let inner = Arc::new(ScriptedObjects::default());
    inner.before.lock().unwrap().push_back(outage());
    inner.reads_first.store(6 << 20, Ordering::SeqCst);
    let pieces = (0..8).map(|_| Ok(Bytes::from(vec![0; 1 << 20])));
    let result = retried(&inner).create("k", Box::pin(futures::stream::iter(pieces))).await;
    assert!(matches!(result, Err(PortError::DidNotHappen { .. })));
    assert_eq!(inner.calls.load(Ordering::SeqCst), 1);
    assert!(inner.objects.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_fails_by_itself_is_not_sent_again() {
    let inner = Arc::new(ScriptedObjects::default());
    let pieces = [Ok(Bytes::from_static(b"ab")), Err(std::io::Error::other("source"))];
    let result = retried(&inner).create("k", Box::pin(futures::stream::iter(pieces))).await;
    assert!(result.is_err());
    assert!(inner.objects.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_doubtful_compare_and_swap_is_not_repeated_into_a_lost_race() {
    let inner = Arc::new(ScriptedObjects::default());
    inner.after.lock().unwrap().push_back(doubt());
    let result = retried(&inner).replace_if("k", None, Bytes::from_static(b"v")).await;
    assert!(matches!(result, Err(PortError::MayHaveHappened { .. })));
    assert_eq!(inner.calls.load(Ordering::SeqCst), 1);
    // Before the effect it is safe.
    inner.before.lock().unwrap().push_back(outage());
    assert!(retried(&inner).replace_if("k", None, Bytes::from_static(b"v")).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_publish_is_retried_after_any_outage() {
    let broker = ScriptedBroker::default();
    broker.fail_publish([outage(), doubt()]);
    let retried = RetryBroker::new(Arc::new(broker.clone()), RetryPolicy::default());
    retried.publish(Topic::RawBatches, vec![Outgoing::default()]).await.unwrap();
    assert_eq!(broker.published().len(), 1);
}
