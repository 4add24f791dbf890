//! What `PODLEDGER_FAULTS` says.

use std::str::FromStr;

use super::points::all_points;
use crate::nearest::did_you_mean;

/// The words before the `=`.
const KEYS: &[&str] = &["crash", "fail", "when", "duplicate", "reorder", "seed"];
/// The words after `when=`.
const WHEN: &[&str] = &["before", "after", "both"];

/// Faults to inject; see the module's documentation for the notation.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FaultSpec {
    /// Where the process ends.
    pub crash: Option<CrashAt>,
    /// Probability that a call fails, 0 to 1.
    pub fail: f64,
    /// On which side of the effect calls fail.
    pub when: When,
    /// Probability that a publish is done twice, 0 to 1.
    pub duplicate: f64,
    /// Probability that a delivery is held back, 0 to 1.
    pub reorder: f64,
    /// Where the dice start.
    pub seed: u64,
}

/// A crash point, and how often it is passed before the process ends there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrashAt {
    /// The point's name.
    pub point: String,
    /// The time, from 1, at which it is deadly.
    pub nth: u64,
}

/// On which side of the effect a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum When {
    /// The effect did not happen.
    Before,
    /// The effect happened, and the caller is not told.
    After,
    /// Either.
    #[default]
    Both,
}

/// A specification that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("fault {entry:?}: {reason}")]
pub struct FaultSpecError {
    /// The entry as written.
    pub entry: String,
    /// What is wrong, with the nearest right word.
    pub reason: String,
}

impl FromStr for FaultSpec {
    type Err = FaultSpecError;

    fn from_str(text: &str) -> Result<Self, FaultSpecError> {
        let mut spec = Self::default();
        let mut seen = Vec::new();
        for entry in text.split(',').map(str::trim) {
            let error = |reason: String| FaultSpecError { entry: entry.to_owned(), reason };
            let (key, value) = entry.split_once('=').ok_or_else(|| error("expected NAME=VALUE".to_owned()))?;
            if seen.contains(&key) {
                return Err(error(format!("{key} is given twice")));
            }
            seen.push(key);
            match key {
                "crash" => spec.crash = Some(crash_at(value).map_err(error)?),
                "fail" => spec.fail = probability(value).map_err(error)?,
                "when" => spec.when = when(value).map_err(error)?,
                "duplicate" => spec.duplicate = probability(value).map_err(error)?,
                "reorder" => spec.reorder = probability(value).map_err(error)?,
                "seed" => spec.seed = value.parse().map_err(|_| error("expected a whole number".to_owned()))?,
                _ => {
                    let hint = did_you_mean(key, KEYS.iter().copied());
                    return Err(error(format!("unknown name {key:?}{hint} (known: {})", KEYS.join(", "))));
                }
            }
        }
        Ok(spec)
    }
}

fn crash_at(value: &str) -> Result<CrashAt, String> {
    let (point, nth) = match value.split_once(':') {
        None => (value, 1),
        Some((point, nth)) => match nth.parse() {
            Ok(nth @ 1..) => (point, nth),
            _ => return Err(format!("{nth:?} is not a count: expected a whole number from 1 on")),
        },
    };
    let known = all_points();
    if known.iter().any(|name| name == point) {
        return Ok(CrashAt { point: point.to_owned(), nth });
    }
    Err(format!("unknown crash point {point:?}{}", did_you_mean(point, known.iter().map(String::as_str))))
}

fn probability(value: &str) -> Result<f64, String> {
    match value.parse::<f64>() {
        Ok(probability) if (0.0..=1.0).contains(&probability) => Ok(probability),
        _ => Err(format!("{value:?} is not a probability: expected a number from 0 to 1")),
    }
}

fn when(value: &str) -> Result<When, String> {
    match value {
        "before" => Ok(When::Before),
        "after" => Ok(When::After),
        "both" => Ok(When::Both),
        _ => Err(format!("expected before, after or both{}", did_you_mean(value, WHEN.iter().copied()))),
    }
}
