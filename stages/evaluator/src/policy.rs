//! The policy: what is judged, how strictly, and for whom differently.

mod duration;
mod file;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use schemas::{Rule, Severity};

use crate::rules::RULES;

pub use file::InvalidPolicy;

/// How one rule is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Whether it is judged at all.
    pub enabled: bool,
    /// How bad breaking it is.
    pub severity: Severity,
    /// Pods beyond what the rule allows that are tolerated.
    pub threshold: i64,
    /// How long it may be broken before an episode opens.
    pub grace: Duration,
}

/// The platform's range of replicas, both ends allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// Fewest.
    pub min: i64,
    /// Most.
    pub max: i64,
}

/// When an episode counts as flapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flapping {
    /// Openings and endings within `within` that make it flapping.
    pub times: usize,
    /// The time they are counted in.
    pub within: Duration,
    /// How long the rule must hold before a flapping episode resolves.
    pub quiet: Duration,
}

/// Namespaces whose workloads must be declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespaces {
    /// Only these, where there are any; else all.
    pub watched: BTreeSet<String>,
    /// Never these.
    pub excluded: BTreeSet<String>,
}

impl Namespaces {
    /// Whether the platform answers for undeclared workloads of a namespace.
    pub fn watches(&self, namespace: &str) -> bool {
        !self.excluded.contains(namespace) && (self.watched.is_empty() || self.watched.contains(namespace))
    }
}

/// Settings of every rule, in the order of [`RULES`].
pub(crate) type RuleTable = [Settings; RULES.len()];

/// What an override changes of one rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Change {
    enabled: Option<bool>,
    severity: Option<Severity>,
    threshold: Option<i64>,
    grace: Option<Duration>,
}

impl Change {
    fn apply(self, settings: &mut Settings) {
        settings.enabled = self.enabled.unwrap_or(settings.enabled);
        settings.severity = self.severity.unwrap_or(settings.severity);
        settings.threshold = self.threshold.unwrap_or(settings.threshold);
        settings.grace = self.grace.unwrap_or(settings.grace);
    }
}

/// Changes of rules, by position in [`RULES`].
type Changes = Vec<(usize, Change)>;

/// Overrides by what they are for; the later one wins over the earlier, the workload's over the
/// namespace's, the namespace's over the team's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Overrides {
    teams: HashMap<String, Changes>,
    namespaces: HashMap<String, Changes>,
    workloads: HashMap<String, HashMap<String, Changes>>,
}

/// Everything that verdicts depend on besides what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Age below which a workload is never judged for having too few pods.
    pub cold_start: Duration,
    /// Time after which an open episode is told again.
    pub repeat_interval: Duration,
    /// Grace where the limit fell below what already ran.
    pub limit_lowered_grace: Duration,
    /// When an episode counts as flapping.
    pub flapping: Flapping,
    /// The platform's range.
    pub range: Range,
    /// Namespaces whose workloads must be declared.
    pub namespaces: Namespaces,
    /// The operators' notice that judging was not possible.
    pub evaluation_incomplete: Settings,
    rules: RuleTable,
    overrides: Overrides,
}

impl Default for Policy {
    fn default() -> Self {
        let minutes = |count: u64| Duration::from_secs(count * 60);
        Self {
            cold_start: minutes(10),
            repeat_interval: minutes(24 * 60),
            limit_lowered_grace: minutes(24 * 60),
            flapping: Flapping { times: 3, within: minutes(60), quiet: minutes(30) },
            range: Range { min: 2, max: 8 },
            namespaces: Namespaces {
                watched: BTreeSet::new(),
                excluded: ["kube-system", "aibang-core", "default"].map(str::to_owned).into(),
            },
            evaluation_incomplete: Settings {
                enabled: true,
                severity: Severity::Warning,
                threshold: 0,
                grace: Duration::ZERO,
            },
            rules: std::array::from_fn(|position| RULES[position].defaults),
            overrides: Overrides::default(),
        }
    }
}

impl Policy {
    /// Reads a policy file; what it does not say is as by default.
    pub fn parse(text: &str) -> Result<Self, InvalidPolicy> {
        file::parse(text)
    }

    /// The settings of one rule before any override; none for a rule that is not judged here.
    pub fn rule(&self, rule: Rule) -> Option<&Settings> {
        if rule == Rule::EvaluationIncomplete {
            return Some(&self.evaluation_incomplete);
        }
        RULES.iter().position(|known| known.rule == rule).map(|position| &self.rules[position])
    }

    /// Changes the settings of one rule for everybody.
    #[must_use]
    pub fn with_rule(mut self, rule: Rule, settings: Settings) -> Self {
        if let Some(position) = RULES.iter().position(|known| known.rule == rule) {
            self.rules[position] = settings;
        } else if rule == Rule::EvaluationIncomplete {
            self.evaluation_incomplete = settings;
        }
        self
    }

    /// The settings of every rule for one workload.
    pub(crate) fn settings(&self, namespace: &str, deployment: &str, team: Option<&str>) -> RuleTable {
        let mut table = self.rules;
        let Overrides { teams, namespaces, workloads } = &self.overrides;
        let changes = [
            if teams.is_empty() { None } else { team.and_then(|team| teams.get(team)) },
            if namespaces.is_empty() { None } else { namespaces.get(namespace) },
            if workloads.is_empty() { None } else { workloads.get(namespace).and_then(|names| names.get(deployment)) },
        ];
        for (position, change) in changes.into_iter().flatten().flatten() {
            change.apply(&mut table[*position]);
        }
        table
    }
}
