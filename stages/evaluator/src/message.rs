//! One sentence for people about one transition.

#[cfg(test)]
mod tests;

use std::time::Duration;

use schemas::{AlertState, Cause, ClusterName, Rule, Timestamp};

use crate::policy::Range;
use crate::resolution::Resolution;
use crate::rules::Numbers;

/// Longest name, actor or reason in a sentence, in characters.
const MAX_WORD: usize = 253;

/// Gaps that a sentence names.
const MAX_GAPS: usize = 4;

/// What a sentence is made of.
#[derive(Debug, Clone)]
pub(crate) struct Telling<'a> {
    pub(crate) rule: Rule,
    pub(crate) state: AlertState,
    pub(crate) cluster: &'a ClusterName,
    /// Namespace and name; none for the cluster itself.
    pub(crate) workload: Option<(&'a str, &'a str)>,
    pub(crate) api: Option<&'a str>,
    pub(crate) team: Option<&'a str>,
    /// When the rule was last found broken.
    pub(crate) numbers: Numbers,
    pub(crate) told_before: Option<i64>,
    pub(crate) range: Range,
    pub(crate) cause: Cause,
    pub(crate) actor: Option<&'a str>,
    pub(crate) caused_at: Option<Timestamp>,
    pub(crate) previous_limit: Option<i64>,
    pub(crate) started_at: Timestamp,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) resolution: Option<Resolution>,
    pub(crate) flapping: bool,
    pub(crate) gaps: &'a [String],
}

/// The sentence, without a full stop.
pub(crate) fn sentence(telling: &Telling<'_>) -> String {
    let mut sentence = match telling.state {
        AlertState::Resolved => ended(telling),
        AlertState::Opened | AlertState::Worsened | AlertState::Reminded => broken(telling),
    };
    if telling.flapping {
        sentence.push_str("; it comes and goes (flapping)");
    }
    let belongs: Vec<String> = [("api", telling.api), ("team", telling.team)]
        .into_iter()
        .filter_map(|(what, name)| Some(format!("{what} {}", plain(name?))))
        .collect();
    if !belongs.is_empty() {
        append(&mut sentence, format_args!(" ({})", belongs.join(", ")));
    }
    sentence
}

/// Text from outside, made fit for one line: control characters escaped, length bounded.
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(MAX_WORD));
    for (count, character) in text.chars().enumerate() {
        if count == MAX_WORD {
            out.push('…');
            break;
        }
        if character.is_control() || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
            out.extend(character.escape_unicode());
        } else {
            out.push(character);
        }
    }
    out
}

/// Who it is about.
fn subject(telling: &Telling<'_>) -> String {
    match telling.workload {
        Some((namespace, name)) => format!("{}/{} on {}", plain(namespace), plain(name), telling.cluster),
        None => format!("cluster {}", telling.cluster),
    }
}

/// What is broken, since when, and why.
fn broken(telling: &Telling<'_>) -> String {
    let mut sentence = subject(telling);
    let adverb = match telling.state {
        AlertState::Worsened => " now",
        AlertState::Reminded => " still",
        AlertState::Opened | AlertState::Resolved => "",
    };
    let Numbers { observed, limit, ceiling, surge_allowance, .. } = telling.numbers;
    let observed = observed.unwrap_or(0);
    let over = |limit: Option<i64>| match limit {
        Some(limit) => format!("{} over its limit of {limit}", observed.saturating_sub(limit)),
        None => "over its limit".to_owned(),
    };
    match telling.rule {
        Rule::OverLimit => {
            append(&mut sentence, format_args!("{adverb} runs {}, {}", pods(observed), over(limit)));
            if let Some(surge) = surge_allowance.filter(|surge| *surge > 0) {
                append(&mut sentence, format_args!(" ({surge} more allowed during the rollout)"));
            }
        }
        Rule::DesiredOverLimit => {
            append(&mut sentence, format_args!("{adverb} asks for {}, {}", pods(observed), over(limit)));
        }
        Rule::CeilingOverLimit => {
            let ceiling = ceiling.unwrap_or(observed);
            append(
                &mut sentence,
                format_args!("{adverb} may be scaled to {} by its autoscaler, {}", pods(ceiling), over(limit)),
            );
        }
        Rule::OutOfRange => {
            let what = if telling.numbers.actual == telling.numbers.observed {
                format!("runs {}", pods(observed))
            } else {
                format!("has a declared limit of {observed}")
            };
            let Range { min, max } = telling.range;
            append(&mut sentence, format_args!("{adverb} {what}, outside the platform's range of {min} to {max}"));
        }
        Rule::Undeclared => {
            append(&mut sentence, format_args!("{adverb} runs {} without a declaration", pods(observed)))
        }
        Rule::EvaluationIncomplete => {
            let mut gaps: Vec<String> = telling.gaps.iter().take(MAX_GAPS).map(|gap| plain(gap)).collect();
            gaps.extend(telling.gaps.len().checked_sub(MAX_GAPS + 1).map(|more| format!("and {} more", more + 1)));
            append(&mut sentence, format_args!("{adverb} could not be judged completely: {}", gaps.join("; ")));
        }
        other => append(&mut sentence, format_args!("{adverb} breaks the rule {other}")),
    }
    match (telling.state, telling.told_before) {
        (AlertState::Worsened, Some(before)) => append(&mut sentence, format_args!(", up from {before}")),
        (AlertState::Reminded, _) => append(&mut sentence, format_args!(", since {}", minute(telling.started_at))),
        _ => {}
    }
    if !matches!(telling.rule, Rule::Undeclared | Rule::EvaluationIncomplete) {
        append(&mut sentence, format_args!(": {}", because(telling)));
    }
    sentence
}

/// The cause, as far as it is known.
fn because(telling: &Telling<'_>) -> String {
    let mut clause = match telling.cause {
        Cause::ScaledByHand => "scaled by hand".to_owned(),
        Cause::CeilingRaised => "the autoscaler's ceiling was raised".to_owned(),
        Cause::LimitLowered => match (telling.previous_limit, telling.numbers.limit) {
            (Some(from), Some(to)) => format!("the limit was lowered from {from} to {to}"),
            _ => "the limit was lowered".to_owned(),
        },
        Cause::RolloutSurge => "a rollout runs more pods than its surge allows".to_owned(),
        Cause::Autoscaler => "scaled by its autoscaler".to_owned(),
        Cause::DeployedOverLimit => "deployed so".to_owned(),
        Cause::Unknown => "cause unknown".to_owned(),
    };
    if let Some(actor) = telling.actor.filter(|_| telling.cause != Cause::Autoscaler) {
        append(&mut clause, format_args!(" by {}", plain(actor)));
    }
    if let Some(at) = telling.caused_at {
        append(&mut clause, format_args!(" at {}", minute(at)));
    }
    clause
}

/// What is over, why, and how long it took.
fn ended(telling: &Telling<'_>) -> String {
    let mut sentence = subject(telling);
    sentence.push_str(match telling.rule {
        Rule::OverLimit => " is no longer over its limit",
        Rule::DesiredOverLimit => " no longer asks for more than its limit",
        Rule::CeilingOverLimit => " can no longer be scaled over its limit",
        Rule::OutOfRange => " is back in the platform's range",
        Rule::Undeclared => " is no longer undeclared",
        Rule::EvaluationIncomplete => " is judged completely again",
        _ => " no longer breaks the rule",
    });
    let why = match telling.resolution {
        Some(Resolution::WorkloadDeleted) => "the workload was deleted".to_owned(),
        Some(Resolution::RuleSwitchedOff) => "the rule was switched off".to_owned(),
        Some(Resolution::LimitRaised { from, to }) => format!("the limit was raised from {from} to {to}"),
        Some(Resolution::LimitCorrected { to }) => format!("the limit is now {to}"),
        Some(Resolution::DeclarationRetired) => "the declaration was retired".to_owned(),
        Some(Resolution::Declared) => "it was declared".to_owned(),
        Some(Resolution::ScaledDown { from, to }) => format!("scaled down from {from} to {to}"),
        Some(Resolution::ScaledUp { from, to }) => format!("scaled up from {from} to {to}"),
        Some(Resolution::Paused) => "it was scaled to 0".to_owned(),
        Some(Resolution::CeilingLowered { from, to }) => format!("the ceiling was lowered from {from} to {to}"),
        Some(Resolution::AutoscalerRemoved) => "the autoscaler was removed".to_owned(),
        Some(Resolution::CoveredByRollout) => "a rollout's surge covers it".to_owned(),
        Some(Resolution::SnapshotComplete | Resolution::RuleHolds) | None => String::new(),
    };
    if !why.is_empty() {
        append(&mut sentence, format_args!(": {why}"));
    }
    if let Some(ended_at) = telling.ended_at {
        append(&mut sentence, format_args!(", after {}", lasted(ended_at.since(telling.started_at))));
    }
    sentence
}

fn pods(count: i64) -> String {
    if count == 1 { "1 pod".to_owned() } else { format!("{count} pods") }
}

/// A moment to the minute.
fn minute(at: Timestamp) -> String {
    at.jiff().strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// A duration in its two largest units.
fn lasted(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        (_, _, _) => format!("{days} d {hours} h"),
    }
}

/// Appends to a string.
fn append(text: &mut String, more: std::fmt::Arguments<'_>) {
    text.push_str(&std::fmt::format(more));
}
