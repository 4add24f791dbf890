//! The policy as a YAML file, read strictly.
//!
//! ```yaml
//! apiVersion: podledger/v1
//! kind: Policy
//! coldStart: 10m              # no verdict on too few pods for a younger workload
//! repeatInterval: 24h         # an open episode is told again after that time
//! limitLoweredGrace: 24h      # where the limit fell below what already ran
//! flapping: {times: 3, within: 1h, quiet: 30m}
//! range: {min: 2, max: 8}     # the platform's range of replicas
//! namespaces:
//!   watched: []               # must be declared; none named means all
//!   excluded: [kube-system, aibang-core, default]
//! rules:
//!   over-limit: {enabled: true, severity: critical, threshold: 0, grace: 0s}
//! overrides:
//!   - match: {team: payments}             # or {namespace: …}, or {namespace: …, deployment: …}
//!     rules:
//!       over-limit: {grace: 5m}
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use schemas::{Rule, Severity};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{Change, Changes, Namespaces, Policy, duration};
use crate::rules::RULES;

/// Largest policy that is read, in bytes.
pub(crate) const MAX_POLICY_BYTES: u64 = 1 << 20;

/// A policy that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("policy: {0}")]
pub struct InvalidPolicy(pub(super) String);

/// A field's place in the file and what may stand in it.
enum Shape {
    Value,
    Fields(&'static [(&'static str, &'static Self)]),
    PerRule(&'static Self),
    List(&'static Self),
}

const SETTINGS: Shape = Shape::Fields(&[
    ("enabled", &Shape::Value),
    ("severity", &Shape::Value),
    ("threshold", &Shape::Value),
    ("grace", &Shape::Value),
]);
const MATCH: Shape =
    Shape::Fields(&[("team", &Shape::Value), ("namespace", &Shape::Value), ("deployment", &Shape::Value)]);
const OVERRIDE: Shape = Shape::Fields(&[("match", &MATCH), ("rules", &Shape::PerRule(&SETTINGS))]);
const POLICY: Shape = Shape::Fields(&[
    ("apiVersion", &Shape::Value),
    ("kind", &Shape::Value),
    ("coldStart", &Shape::Value),
    ("repeatInterval", &Shape::Value),
    ("limitLoweredGrace", &Shape::Value),
    ("flapping", &Shape::Fields(&[("times", &Shape::Value), ("within", &Shape::Value), ("quiet", &Shape::Value)])),
    ("range", &Shape::Fields(&[("min", &Shape::Value), ("max", &Shape::Value)])),
    ("namespaces", &Shape::Fields(&[("watched", &Shape::Value), ("excluded", &Shape::Value)])),
    ("rules", &Shape::PerRule(&SETTINGS)),
    ("overrides", &Shape::List(&OVERRIDE)),
]);

impl Shape {
    /// Refuses words that do not belong, naming the nearest that does.
    fn check(&self, value: &Value, place: &str) -> Result<(), String> {
        let below = |key: &str| if place.is_empty() { key.to_owned() } else { format!("{place}.{key}") };
        match (self, value) {
            (Self::Fields(fields), Value::Object(map)) => map.iter().try_for_each(|(key, value)| {
                let Some((_, shape)) = fields.iter().find(|(name, _)| name == key) else {
                    return Err(unknown(&below(key), key, "field", fields.iter().map(|(name, _)| *name)));
                };
                shape.check(value, &below(key))
            }),
            (Self::PerRule(settings), Value::Object(map)) => map.iter().try_for_each(|(key, value)| {
                if !judged().any(|rule| rule == key) {
                    return Err(unknown(&below(key), key, "rule", judged()));
                }
                settings.check(value, &below(key))
            }),
            (Self::List(item), Value::Array(items)) => {
                items.iter().enumerate().try_for_each(|(index, value)| item.check(value, &format!("{place}[{index}]")))
            }
            // A wrong type is told by the typed reading, which knows line and column.
            _ => Ok(()),
        }
    }
}

/// Names of the rules that a policy can set.
fn judged() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|rule| rule.rule.as_str()).chain([Rule::EvaluationIncomplete.as_str()])
}

/// Says that a word is not known, and which one was probably meant.
fn unknown(place: &str, word: &str, what: &str, known: impl Iterator<Item = &'static str>) -> String {
    let place: String = place.chars().take(120).collect();
    if what == "rule" && word.parse::<Rule>().is_ok() {
        let judged = known.collect::<Vec<_>>().join(", ");
        return format!("{place}: this version does not judge that rule, only {judged}");
    }
    let nearest = known
        .map(|name| (strsim::damerau_levenshtein(&word.to_lowercase(), &name.to_lowercase()), name))
        .min_by_key(|(distance, _)| *distance);
    match nearest {
        Some((_, name)) => format!("{place}: unknown {what}, did you mean {name:?}?"),
        None => format!("{place}: unknown {what}"),
    }
}

/// A duration in the file.
#[derive(Debug, Clone, Copy)]
struct Written(Duration);

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        duration::parse(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PolicyFile {
    api_version: String,
    kind: String,
    cold_start: Option<Written>,
    repeat_interval: Option<Written>,
    limit_lowered_grace: Option<Written>,
    flapping: Option<FlappingFile>,
    range: Option<RangeFile>,
    namespaces: Option<NamespacesFile>,
    rules: Option<BTreeMap<Rule, SettingsFile>>,
    overrides: Option<Vec<OverrideFile>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FlappingFile {
    times: Option<u32>,
    within: Option<Written>,
    quiet: Option<Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RangeFile {
    min: Option<i64>,
    max: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NamespacesFile {
    watched: Option<BTreeSet<String>>,
    excluded: Option<BTreeSet<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SettingsFile {
    enabled: Option<bool>,
    severity: Option<Severity>,
    threshold: Option<i64>,
    grace: Option<Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OverrideFile {
    r#match: MatchFile,
    rules: BTreeMap<Rule, SettingsFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MatchFile {
    team: Option<String>,
    namespace: Option<String>,
    deployment: Option<String>,
}

/// Reads a policy file.
pub(super) fn parse(text: &str) -> Result<Policy, InvalidPolicy> {
    policy(text).map_err(InvalidPolicy)
}

fn policy(text: &str) -> Result<Policy, String> {
    if text.len() as u64 > MAX_POLICY_BYTES {
        return Err(format!("{} bytes, more than the {MAX_POLICY_BYTES} allowed", text.len()));
    }
    let words: Value = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    POLICY.check(&words, "")?;
    let file: PolicyFile = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    if file.api_version != "podledger/v1" || file.kind != "Policy" {
        return Err(format!(
            "apiVersion {:?} and kind {:?}: expected podledger/v1 and Policy",
            shortened(&file.api_version),
            shortened(&file.kind)
        ));
    }
    let mut policy = Policy::default();
    let set = |field: &mut Duration, written: Option<Written>| *field = written.map_or(*field, |written| written.0);
    set(&mut policy.cold_start, file.cold_start);
    set(&mut policy.repeat_interval, file.repeat_interval);
    set(&mut policy.limit_lowered_grace, file.limit_lowered_grace);
    if policy.repeat_interval.is_zero() {
        return Err("repeatInterval: 0s would tell every episode with every snapshot; expected a longer time".into());
    }
    if let Some(flapping) = file.flapping {
        set(&mut policy.flapping.within, flapping.within);
        set(&mut policy.flapping.quiet, flapping.quiet);
        if let Some(times) = flapping.times {
            policy.flapping.times = usize::try_from(times)
                .ok()
                .filter(|times| (2..=1_000).contains(times))
                .ok_or_else(|| format!("flapping.times: {times} is not between 2 and 1000"))?;
        }
    }
    if let Some(range) = file.range {
        policy.range.min = range.min.unwrap_or(policy.range.min);
        policy.range.max = range.max.unwrap_or(policy.range.max);
        if policy.range.min < 0 || policy.range.max < policy.range.min {
            return Err(format!("range: {} to {} is not a range", policy.range.min, policy.range.max));
        }
    }
    if let Some(NamespacesFile { watched, excluded }) = file.namespaces {
        let Namespaces { watched: default_watched, excluded: default_excluded } = policy.namespaces;
        policy.namespaces =
            Namespaces { watched: watched.unwrap_or(default_watched), excluded: excluded.unwrap_or(default_excluded) };
    }
    for (rule, settings) in file.rules.unwrap_or_default() {
        let change = change(rule, settings, "rules")?;
        match RULES.iter().position(|known| known.rule == rule) {
            Some(position) => change.apply(&mut policy.rules[position]),
            None => change.apply(&mut policy.evaluation_incomplete),
        }
    }
    for (index, entry) in file.overrides.unwrap_or_default().into_iter().enumerate() {
        add_override(&mut policy, entry, &format!("overrides[{index}]"))?;
    }
    Ok(policy)
}

/// Adds one override where it belongs.
fn add_override(policy: &mut Policy, entry: OverrideFile, place: &str) -> Result<(), String> {
    let mut changes = Changes::new();
    for (rule, settings) in entry.rules {
        let Some(position) = RULES.iter().position(|known| known.rule == rule) else {
            return Err(format!("{place}.rules.{rule}: it is of the cluster, not of a workload: set it under rules"));
        };
        changes.push((position, change(rule, settings, &format!("{place}.rules"))?));
    }
    let overrides = &mut policy.overrides;
    let target = match (entry.r#match.team, entry.r#match.namespace, entry.r#match.deployment) {
        (Some(team), None, None) => overrides.teams.entry(team).or_default(),
        (None, Some(namespace), None) => overrides.namespaces.entry(namespace).or_default(),
        (None, Some(namespace), Some(deployment)) => {
            overrides.workloads.entry(namespace).or_default().entry(deployment).or_default()
        }
        _ => return Err(format!("{place}.match: expected a team, a namespace, or a namespace and a deployment")),
    };
    target.extend(changes);
    Ok(())
}

/// Checks what the file says of one rule.
fn change(rule: Rule, settings: SettingsFile, place: &str) -> Result<Change, String> {
    let takes_threshold = RULES.iter().any(|known| known.rule == rule && known.takes_threshold);
    match settings.threshold {
        Some(_) if !takes_threshold => return Err(format!("{place}.{rule}.threshold: that rule has none")),
        Some(threshold) if threshold < 0 => {
            return Err(format!("{place}.{rule}.threshold: {threshold} is negative, expected a number of pods"));
        }
        Some(_) | None => {}
    }
    Ok(Change {
        enabled: settings.enabled,
        severity: settings.severity,
        threshold: settings.threshold,
        grace: settings.grace.map(|grace| grace.0),
    })
}

fn shortened(text: &str) -> String {
    text.chars().take(60).collect()
}
