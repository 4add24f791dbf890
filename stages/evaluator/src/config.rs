//! Configuration of the evaluator.

use std::path::PathBuf;

platform::settings! {
    /// What the evaluator is told besides what every process is told.
    pub struct Config {
        /// YAML file with the policy: rules, graces, overrides. Without it the built-in policy holds. Read once at start-up.
        policy: Option<PathBuf>, "path", "";
        /// Objects of one snapshot that are read at once.
        evaluator_parallel_reads: usize = "4", "objects", "more shortens the reading of many small parts; memory grows by one part each";
        /// Largest rows object that is read; a larger one is a dead letter.
        evaluator_max_part_mib: u64 = "256", "MiB", "more accepts larger parts and needs the memory for them";
        /// Largest state of one cluster, about 1 KiB per open episode; beyond it the cluster is not judged until the bound is raised.
        evaluator_max_state_mib: u64 = "256", "MiB", "more accepts more open episodes and needs the memory for them";
    }
}

#[cfg(test)]
impl Default for Config {
    /// The documented defaults.
    fn default() -> Self {
        platform::runtime::Env::from_pairs([("PODLEDGER_POLICY", "")]).read().unwrap()
    }
}
