//! The environment: the one place that reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::config_error::ConfigError;
use super::documented::{Documented, FieldDoc};
use super::metrics::Metrics;
use super::secret::read_secret_file;
use crate::layers::Points;
use crate::nearest::nearest;

/// What the names of all variables start with.
pub const PREFIX: &str = "PODLEDGER_";
/// What is added to a secret's variable to name a file instead.
const FILE_SUFFIX: &str = "_FILE";

/// What a stage is built from: its settings, its metrics, its fault points.
#[derive(Debug)]
pub struct Env {
    variables: BTreeMap<String, String>,
    /// Variables that somebody has asked for.
    known: Mutex<BTreeSet<String>>,
    metrics: Metrics,
    points: Points,
}

/// A variable that nobody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownVariable {
    /// Its name.
    pub name: String,
    /// The known variable most like it.
    pub nearest: Option<String>,
}

impl Env {
    /// The process' environment. A variable of ours that is not UTF-8 is an error.
    pub fn from_process() -> Result<Self, ConfigError> {
        let mut variables = BTreeMap::new();
        for (name, value) in std::env::vars_os() {
            let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
            let value = value.into_string().map_err(|_| ConfigError::new(name, "not UTF-8"))?;
            variables.insert(name.to_owned(), value);
        }
        Ok(Self::of(variables))
    }

    /// An environment of these variables, for tests and for commands that know their ports.
    pub fn from_pairs<N: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        Self::of(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    fn of(variables: BTreeMap<String, String>) -> Self {
        let known = Mutex::new(BTreeSet::new());
        Self { variables, known, metrics: Metrics::default(), points: Points::off() }
    }

    /// The same variables, with the process' metrics and a stage's fault points.
    #[must_use]
    pub fn with(mut self, metrics: Metrics, points: Points) -> Self {
        self.metrics = metrics;
        self.points = points;
        self
    }

    /// The same variables for another stage of this process, with its own fault points.
    #[must_use]
    pub fn for_stage(&self, metrics: Metrics, points: Points) -> Self {
        Self::of(self.variables.clone()).with(metrics, points)
    }

    /// Reads a struct of settings. An empty variable counts as not set.
    pub fn read<T: Documented>(&self) -> Result<T, ConfigError> {
        for field in T::FIELDS {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.insert(field.variable());
            if field.is_secret() {
                known.insert(field.variable() + FILE_SUFFIX);
            }
        }
        T::read(&|field| self.text_of(field))
    }

    /// The metrics that `/metrics` shows.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The stage's fault points.
    pub fn points(&self) -> &Points {
        &self.points
    }

    /// Variables of ours that nobody asked for so far: most likely slips of the finger.
    pub fn unknown(&self) -> Vec<UnknownVariable> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let unknown = self.variables.keys().filter(|name| !known.contains(*name));
        unknown
            .map(|name| {
                // All share the prefix, which would make all of them alike.
                let bare = |name: &str| name.trim_start_matches(PREFIX).to_owned();
                let words: Vec<String> = known.iter().map(|name| bare(name)).collect();
                let nearest = nearest(&bare(name), words.iter().map(String::as_str));
                UnknownVariable { name: name.clone(), nearest: nearest.map(|word| format!("{PREFIX}{word}")) }
            })
            .collect()
    }

    /// Warns of unknown variables.
    pub(super) fn warn_of_unknown(&self) {
        for UnknownVariable { name, nearest } in self.unknown() {
            tracing::warn!(variable = name, nearest, "unknown variable, ignored");
        }
    }

    fn text_of(&self, field: &FieldDoc) -> Result<Option<String>, ConfigError> {
        let set = |name: &str| self.variables.get(name).filter(|value| !value.is_empty()).cloned();
        let variable = field.variable();
        let value = set(&variable);
        if !field.is_secret() {
            return Ok(value);
        }
        let file_variable = format!("{variable}{FILE_SUFFIX}");
        match (value, set(&file_variable)) {
            (Some(_), Some(_)) => Err(ConfigError::new(variable, format!("set together with {file_variable}"))),
            (None, Some(path)) => {
                let read = read_secret_file(Path::new(&path));
                read.map(Some).map_err(|reason| ConfigError::new(file_variable, reason))
            }
            (value, None) => Ok(value),
        }
    }
}

#[cfg(test)]
mod tests;
