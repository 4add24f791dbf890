//! Configuration of the stage.

use serde::Deserialize;

use crate::labels::LabelKeys;

/// Settings of the normalizer, read from variables that start with `PODLEDGER_`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Config {
    /// `PODLEDGER_API_ID_LABELS`: label keys that name an object's API, separated by commas, the
    /// first that is set counts. Default `api_id`.
    pub api_id_labels: Vec<String>,
    /// `PODLEDGER_TEAM_ID_LABELS`: label keys that name an object's team, separated by commas, the
    /// first that is set counts. Default `team_id`.
    pub team_id_labels: Vec<String>,
    /// `PODLEDGER_MAPPING_THREADS`: parts mapped at the same time; 0 (default) is one per core.
    /// More wait for each other; each holds the rows of one part in memory.
    pub mapping_threads: usize,
    /// `PODLEDGER_CACHED_SNAPSHOTS`: snapshots whose manifest and owners are kept in memory.
    /// Default 4. More memory, against reading them again when parts of many snapshots interleave.
    pub cached_snapshots: usize,
}

impl Default for Config {
    fn default() -> Self {
        let LabelKeys { api_id, team_id } = LabelKeys::default();
        Self { api_id_labels: api_id, team_id_labels: team_id, mapping_threads: 0, cached_snapshots: 4 }
    }
}

impl Config {
    /// The label keys.
    pub(crate) fn label_keys(&self) -> LabelKeys {
        LabelKeys { api_id: self.api_id_labels.clone(), team_id: self.team_id_labels.clone() }
    }

    /// Parts mapped at the same time, at least 1.
    pub(crate) fn mapping_threads(&self) -> usize {
        match self.mapping_threads {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get),
            threads => threads,
        }
    }
}
