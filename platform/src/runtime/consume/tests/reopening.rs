//! How soon a receiver that ended is opened again.

use super::*;

/// How often it ends: doubling, the delay would long have reached its greatest.
const ENDS: usize = 10;

/// From the end of a receiver that lasted so long until the next one is there, the longest of all times.
async fn longest_gap(lasted: Duration) -> Duration {
    let running = start(ScriptedBroker::default(), &[]);
    let opened = |count: usize| {
        let broker = running.broker.clone();
        async move {
            while broker.subscriptions.load(Ordering::SeqCst) < count {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    };
    let mut longest = Duration::ZERO;
    for end in 1..=ENDS {
        opened(end).await;
        tokio::time::sleep(lasted).await;
        let ended = Instant::now();
        running.broker.fail_receiver();
        opened(end + 1).await;
        longest = longest.max(ended.elapsed());
    }
    running.stop().await;
    longest
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_the_service_ends_now_and_then_is_opened_at_once_though_nothing_came() {
    let gap = longest_gap(Duration::from_secs(1800)).await;
    assert!(gap < Duration::from_millis(200), "{gap:?}");
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_fails_again_and_again_is_opened_less_and_less_often() {
    let gap = longest_gap(Duration::ZERO).await;
    assert!(gap > RESUBSCRIBE.max / 3 && gap <= RESUBSCRIBE.max + Duration::from_millis(10), "{gap:?}");
}
