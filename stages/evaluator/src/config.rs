//! Configuration of the stage.

use std::path::PathBuf;

use serde::Deserialize;

/// Settings of the evaluator, read from the environment with the prefix `PODLEDGER_`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Config {
    /// YAML file with the policy: rules, graces, overrides. Default: none, the built-in policy. It
    /// is read once at start-up; a change needs a restart.
    pub policy: Option<PathBuf>,
    /// Objects of one snapshot that are read at once. Default 4. More shortens the reading of many
    /// small parts; memory grows with it by one part each.
    pub evaluator_parallel_reads: usize,
    /// Largest rows object that is read, in MiB. Default 256. A larger one is a dead letter.
    pub evaluator_max_part_mib: u64,
    /// Largest state of one cluster, in MiB. Default 256. About 1 KiB per open episode; beyond it
    /// the cluster is not judged any more until the bound is raised.
    pub evaluator_max_state_mib: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { policy: None, evaluator_parallel_reads: 4, evaluator_max_part_mib: 256, evaluator_max_state_mib: 256 }
    }
}
