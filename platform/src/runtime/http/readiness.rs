//! Whether the ports answer.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::ports::PortResult;
use crate::runtime::Ports;

/// How long a port may take to answer before the process counts as not ready.
const PING: Duration = Duration::from_secs(2);
/// How long an answer counts: a probe comes every few seconds and from several sides, and each
/// question to BigQuery is a job.
const ANSWER_COUNTS: Duration = Duration::from_secs(30);

/// Asks the ports, and remembers for a while that all of them answered.
pub(super) struct Readiness {
    ports: Ports,
    /// Held while the ports are asked, so that probes at once ask once.
    last: Mutex<Option<Asked>>,
}

/// What came of asking them.
struct Asked {
    ended: Instant,
    missing: Vec<String>,
}

impl Asked {
    /// Whether it answers a probe that came then: all ports answered a while ago at most, or they
    /// were being asked when it came.
    fn answers(&self, came: Instant) -> bool {
        self.ended > came || (self.missing.is_empty() && self.ended.elapsed() < ANSWER_COUNTS)
    }
}

impl Readiness {
    pub(super) fn of(ports: Ports) -> Self {
        Self { ports, last: Mutex::default() }
    }

    /// Why which port does not count as answering. What does not answer is asked again by the next
    /// probe; one that comes meanwhile waits for what this one hears.
    pub(super) async fn unanswered(&self) -> Vec<String> {
        let came = Instant::now();
        let mut last = self.last.lock().await;
        if let Some(asked) = last.as_ref().filter(|asked| asked.answers(came)) {
            return asked.missing.clone();
        }
        let missing = self.ask().await;
        *last = Some(Asked { ended: Instant::now(), missing: missing.clone() });
        missing
    }

    async fn ask(&self) -> Vec<String> {
        let warehouse = async {
            match &self.ports.warehouse {
                Some(warehouse) => warehouse.ping().await,
                None => Ok(()),
            }
        };
        let (broker, objects, warehouse) = tokio::join!(
            unanswered("broker", self.ports.broker.ping()),
            unanswered("objects", self.ports.objects.ping()),
            unanswered("warehouse", warehouse),
        );
        [broker, objects, warehouse].into_iter().flatten().collect()
    }
}

/// Why a port does not count as answering.
async fn unanswered(port: &str, ping: impl Future<Output = PortResult<()>>) -> Option<String> {
    match timeout(PING, ping).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(format!("{port}: {error}")),
        Err(_) => Some(format!("{port}: no answer within {PING:?}")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::Ordering;

    use futures::future::join_all;

    use super::*;
    use crate::layers::scripted::{ScriptedBroker, ScriptedObjects};

    #[tokio::test(start_paused = true)]
    async fn an_answer_counts_for_a_while_and_a_missing_one_is_asked_for_again() {
        let broker = ScriptedBroker::default();
        let asked = || broker.pings.load(Ordering::SeqCst);
        let readiness = Readiness::of(Ports::new(Arc::new(broker.clone()), Arc::new(ScriptedObjects::default())));
        broker.hangs.store(true, Ordering::SeqCst);
        assert_eq!(readiness.unanswered().await.len(), 1);
        broker.hangs.store(false, Ordering::SeqCst);
        let answers = join_all((0..5).map(|_| readiness.unanswered())).await;
        assert!(answers.iter().all(Vec::is_empty), "{answers:?}");
        assert_eq!(asked(), 2, "probes at once ask once");
        broker.hangs.store(true, Ordering::SeqCst);
        tokio::time::advance(ANSWER_COUNTS - Duration::from_secs(1)).await;
        assert_eq!((readiness.unanswered().await, asked()), (Vec::new(), 2));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(readiness.unanswered().await[0].starts_with("broker: "));
        assert_eq!(asked(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn probes_that_wait_for_a_port_that_hangs_wait_no_longer_than_one() {
        let objects = Arc::new(ScriptedObjects::default());
        objects.hangs.store(true, Ordering::SeqCst);
        let readiness = Readiness::of(Ports::new(Arc::new(ScriptedBroker::default()), objects));
        let began = Instant::now();
        let answers = join_all((0..5).map(|_| readiness.unanswered())).await;
        assert!(answers.iter().all(|missing| missing[0].starts_with("objects: no answer")), "{answers:?}");
        assert_eq!(began.elapsed(), PING);
    }
}
