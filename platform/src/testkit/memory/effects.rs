//! Effects of a process, some of which fail, and one of which may be its last.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::anyhow;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::ports::{PortError, PortResult};

/// When an effect fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It does not happen, and says so.
    Before,
    /// It happens, and the caller does not learn of it.
    After,
}

/// The effects (writes and publications) of one process, counted from 1.
#[derive(Debug, Default)]
pub struct Effects {
    /// Where the process ends, if it does.
    end: Option<(usize, Fault)>,
    counted: Mutex<Counted>,
    /// When it ended.
    ended: watch::Sender<Option<Instant>>,
}

#[derive(Debug, Default)]
struct Counted {
    made: usize,
    /// Effects that fail, by number; the process goes on.
    faults: BTreeMap<usize, Fault>,
}

/// What becomes of one effect.
#[derive(Clone, Copy)]
enum Fate {
    Happens,
    Fails(Fault),
    /// The process ends here.
    Last(Fault),
    /// The process has ended.
    Dead,
}

impl Effects {
    /// Nothing fails.
    pub fn sound() -> Arc<Self> {
        Arc::default()
    }

    /// The process ends at its n-th effect, from 1 (at none for 0): that one happens only where it is
    /// to end `after` it, and from then on everything fails.
    pub fn crash_at(effect: usize, after: bool) -> Arc<Self> {
        let fault = if after { Fault::After } else { Fault::Before };
        Arc::new(Self { end: (effect > 0).then_some((effect, fault)), ..Self::default() })
    }

    /// Lets the n-th effect from now on fail, from 1.
    pub fn fail(&self, nth: usize, fault: Fault) {
        let mut counted = self.counted.lock().unwrap();
        let number = counted.made + nth;
        counted.faults.insert(number, fault);
    }

    /// How many effects were tried.
    pub fn made(&self) -> usize {
        self.counted.lock().unwrap().made
    }

    /// Whether the process has ended.
    pub fn has_crashed(&self) -> bool {
        self.end.is_some_and(|(end, _)| self.made() >= end)
    }

    /// How long ago it ended, if it did.
    pub fn crashed_ago(&self) -> Option<Duration> {
        self.ended.borrow().map(|ended| ended.elapsed())
    }

    /// Waits until it has ended.
    pub async fn until_crashed(&self) {
        let mut ended = self.ended.subscribe();
        ended.wait_for(Option::is_some).await.unwrap();
    }

    /// Makes an effect, or what becomes of it.
    ///
    /// # Errors
    /// What the effect itself gives, and the fault that it meets.
    pub async fn around<T>(&self, what: &str, effect: impl Future<Output = PortResult<T>>) -> PortResult<T> {
        // Somebody else may act in between.
        tokio::task::yield_now().await;
        let unheard = |reason: &str| Err(PortError::may_have_happened(what, anyhow!("{reason}")));
        match self.fate() {
            Fate::Happens => effect.await,
            Fate::Fails(Fault::Before) => Err(PortError::did_not_happen(what, anyhow!("a fault before it"))),
            Fate::Fails(Fault::After) => effect.await.and_then(|_| unheard("a fault after it")),
            Fate::Dead => unheard("the process is dead"),
            Fate::Last(fault) => {
                if fault == Fault::After {
                    // Nobody hears how it went.
                    effect.await.ok();
                }
                self.ended.send_replace(Some(Instant::now()));
                unheard("the process is dead")
            }
        }
    }

    fn fate(&self) -> Fate {
        let mut counted = self.counted.lock().unwrap();
        counted.made += 1;
        let number = counted.made;
        match self.end {
            Some((end, fault)) if number == end => Fate::Last(fault),
            Some((end, _)) if number > end => Fate::Dead,
            _ => counted.faults.remove(&number).map_or(Fate::Happens, Fate::Fails),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn made(effects: &Effects) -> (bool, PortResult<()>) {
        let mut happened = false;
        let effect = async {
            happened = true;
            Ok(())
        };
        let result = effects.around("it", effect).await;
        (happened, result)
    }

    #[tokio::test]
    async fn a_process_ends_before_or_after_an_effect_and_makes_none_from_then_on() {
        for after in [false, true] {
            let effects = Effects::crash_at(2, after);
            assert!(matches!(made(&effects).await, (true, Ok(()))));
            assert!(!effects.has_crashed() && effects.crashed_ago().is_none());
            let (happened, result) = made(&effects).await;
            assert_eq!(happened, after);
            assert!(matches!(result, Err(PortError::MayHaveHappened { .. })));
            effects.until_crashed().await;
            assert!(effects.has_crashed() && effects.crashed_ago().is_some());
            assert!(matches!(made(&effects).await, (false, Err(PortError::MayHaveHappened { .. }))));
        }
    }

    #[tokio::test]
    async fn a_fault_strikes_one_effect_counted_from_now() {
        let effects = Effects::sound();
        made(&effects).await.1.unwrap();
        effects.fail(1, Fault::Before);
        effects.fail(3, Fault::After);
        assert!(matches!(made(&effects).await, (false, Err(PortError::DidNotHappen { .. }))));
        assert!(matches!(made(&effects).await, (true, Ok(()))));
        assert!(matches!(made(&effects).await, (true, Err(PortError::MayHaveHappened { .. }))));
        assert!(matches!(made(&effects).await, (true, Ok(()))));
        assert_eq!(effects.made(), 5);
        assert!(!effects.has_crashed());
    }
}
