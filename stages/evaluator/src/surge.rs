//! The surge allowance: how many pods above desired a running rollout may have.
//!
//! Source of the formula: <https://kubernetes.io/docs/concepts/workloads/controllers/deployment/>
//! (`maxSurge` is a number, or a percentage of the desired pods rounded up, 25 % by default).

use std::borrow::Cow;
use std::time::Duration;

use schemas::Timestamp;

use crate::workload::Rollout;

/// Kubernetes' own default of `maxSurge`, in percent.
const DEFAULT_PERCENT: i64 = 25;
/// Kubernetes' own default of `progressDeadlineSeconds`.
const DEFAULT_PROGRESS_DEADLINE_SECONDS: i64 = 600;

/// What a rollout may add at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Surge {
    /// Pods above desired.
    pub(crate) pods: i64,
    /// What a reader should know of how it was found.
    pub(crate) note: Option<Cow<'static, str>>,
}

/// The allowance of a rollout at `observed_at` for a wish of `desired` pods. None outside a
/// rollout, for Recreate, and once `progressDeadlineSeconds` have passed since it began.
pub(crate) fn allowance(rollout: &Rollout, desired: i64, observed_at: Timestamp) -> Surge {
    if !rollout.progressing || rollout.strategy == "Recreate" {
        return Surge::default();
    }
    let mut surge = match (&rollout.max_surge, rollout.strategy.as_str()) {
        (Some(written), _) => written_surge(written, desired),
        (None, "RollingUpdate") => Surge { pods: share(DEFAULT_PERCENT, desired), note: None },
        (None, _) => Surge { pods: 0, note: Some("the strategy is not known: no surge allowed".into()) },
    };
    let deadline = rollout.progress_deadline_seconds.unwrap_or(DEFAULT_PROGRESS_DEADLINE_SECONDS);
    let deadline = Duration::from_secs(u64::try_from(deadline).unwrap_or(0));
    match rollout.progressing_since {
        Some(since) if observed_at.since(since) > deadline => {
            surge.pods = 0;
            surge.note = Some("the rollout is past its progress deadline: no surge allowed".into());
        }
        None if surge.note.is_none() => surge.note = Some("the start of the rollout is not known".into()),
        Some(_) | None => {}
    }
    surge
}

/// Reads `maxSurge` as written.
fn written_surge(written: &str, desired: i64) -> Surge {
    let digits =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<i64>().ok()).flatten();
    let pods = match written.strip_suffix('%') {
        Some(percent) => digits(percent).map(|percent| share(percent, desired)),
        None => digits(written),
    };
    match pods {
        Some(pods) => Surge { pods, note: None },
        None => {
            let shown: String = written.chars().take(40).collect();
            Surge { pods: 0, note: Some(format!("maxSurge {shown:?} cannot be read: no surge allowed").into()) }
        }
    }
}

/// A percentage of the desired pods, rounded up.
fn share(percent: i64, desired: i64) -> i64 {
    let hundredths = i128::from(percent.max(0)) * i128::from(desired.max(0));
    i64::try_from((hundredths + 99) / 100).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_790_000_000 + seconds)
    }

    fn rollout(max_surge: Option<&str>) -> Rollout {
        Rollout {
            strategy: "RollingUpdate".into(),
            max_surge: max_surge.map(str::to_owned),
            progress_deadline_seconds: Some(600),
            progressing: true,
            progressing_since: Some(at(0)),
        }
    }

    #[test]
    fn numbers_and_percentages_are_read_as_kubernetes_does() {
        for (written, desired, pods) in [
            (Some("25%"), 4, 1),
            (Some("25%"), 5, 2),
            (Some("25%"), 1, 1),
            (Some("25%"), 0, 0),
            (Some("100%"), 3, 3),
            (Some("0%"), 3, 0),
            (Some("3"), 1, 3),
            (Some("0"), 10, 0),
            (None, 8, 2),
            (Some("200%"), i64::MAX, i64::MAX),
        ] {
            assert_eq!(
                allowance(&rollout(written), desired, at(1)),
                Surge { pods, note: None },
                "{written:?} of {desired}"
            );
        }
    }

    #[test]
    fn what_cannot_be_read_allows_nothing_and_says_so() {
        for written in ["", "%", "-1", "-5%", "1.5", "many", "25 %", "99999999999999999999", "+1"] {
            let surge = allowance(&rollout(Some(written)), 4, at(1));
            assert_eq!(surge.pods, 0, "{written}");
            assert!(surge.note.is_some_and(|note| note.contains("cannot be read")), "{written}");
        }
    }

    #[test]
    fn only_a_rollout_within_its_deadline_may_surge() {
        assert_eq!(allowance(&rollout(Some("25%")), 4, at(600)).pods, 1);
        let late = allowance(&rollout(Some("25%")), 4, at(601));
        assert_eq!(late.pods, 0);
        assert!(late.note.is_some());
        let still = Rollout { progressing: false, ..rollout(Some("25%")) };
        assert_eq!(allowance(&still, 4, at(1)), Surge::default());
        let recreate = Rollout { strategy: "Recreate".into(), max_surge: None, ..rollout(None) };
        assert_eq!(allowance(&recreate, 4, at(1)), Surge::default());
        let default_deadline = Rollout { progress_deadline_seconds: None, ..rollout(Some("25%")) };
        assert_eq!(allowance(&default_deadline, 4, at(601)).pods, 0);
    }
}
