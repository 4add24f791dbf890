use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures::TryStreamExt as _;
use schemas::Topic;
use tokio::time::Instant;

use super::*;
use crate::layers::scripted::{ScriptedBroker, ScriptedObjects};
use crate::ports::{Broker as _, ByteStream, Objects as _, Outgoing};

#[tokio::test(start_paused = true)]
async fn a_hanging_call_fails_in_time_and_says_whether_it_may_have_happened() {
    let inner = Arc::new(ScriptedObjects::default());
    inner.hangs.store(true, Ordering::SeqCst);
    let limits = Timeouts::default();
    let objects = TimeoutObjects::new(inner, limits);
    let started = Instant::now();
    assert!(matches!(objects.read("k").await, Err(PortError::DidNotHappen { .. })));
    assert_eq!(started.elapsed().as_secs(), limits.call.as_secs());
    let empty: ByteStream = Box::pin(futures::stream::empty());
    let Err(error) = objects.create("k", empty).await else { panic!("a hanging create succeeded") };
    assert!(matches!(error, PortError::MayHaveHappened { .. }));
    assert_eq!(error.to_string(), "create object k: may have happened: no answer within 600s");
    assert_eq!(started.elapsed().as_secs(), (limits.call + limits.transfer).as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_hanging_publish_may_have_happened() {
    let inner = ScriptedBroker::default();
    inner.hangs.store(true, Ordering::SeqCst);
    let broker = TimeoutBroker::new(Arc::new(inner), Timeouts::default());
    let result = broker.publish(Topic::RawBatches, vec![Outgoing::default()]).await;
    assert!(matches!(result, Err(PortError::MayHaveHappened { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stops_coming_is_an_error_and_not_the_end() {
    use futures::StreamExt as _;
    let pieces = futures::stream::iter([Ok(Bytes::from_static(b"ab"))]).chain(futures::stream::pending());
    let mut body = objects::piecewise(Box::pin(pieces), Duration::from_secs(3));
    assert_eq!(body.try_next().await.unwrap().unwrap(), "ab");
    assert_eq!(body.try_next().await.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
    assert!(body.try_next().await.unwrap().is_none());
}
