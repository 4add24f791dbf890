//! Configuration of the normalizer.

use platform::runtime::ConfigError;
use schemas::ClusterName;

use crate::audit::AuditContext;
use crate::labels::LabelKeys;

/// Variable that names the clusters of audit entries.
const AUDIT_CLUSTERS: &str = "PODLEDGER_AUDIT_CLUSTERS";

platform::settings! {
    /// What the normalizer is told besides what every process is told.
    pub struct Config {
        /// Label keys that name an object's API; the first that is set counts.
        api_id_labels: Vec<String> = "api_id", "KEY,…", "";
        /// Label keys that name an object's team; the first that is set counts.
        team_id_labels: Vec<String> = "team_id", "KEY,…", "";
        /// Parts mapped at the same time; 0 is one per core.
        mapping_threads: usize = "0", "parts", "more wait for each other; each holds the rows of one part in memory";
        /// Snapshots whose manifest and owners are kept in memory.
        cached_snapshots: usize = "4", "snapshots", "more memory, against reading them again when parts of many snapshots interleave";
        /// Users and service accounts through which changes are meant to come.
        pipeline_identities: Vec<String> = "", "IDENTITY,…", "";
        /// Our names of the clusters that audit entries tell of, by `project/location/name` or `name`; `*` is every other one. A cluster that is not listed keeps its own name.
        audit_clusters: Vec<String> = "", "LABEL=CLUSTER,…", "";
        /// The cluster of audit entries that name none, as those of a self-hosted API server.
        audit_default_cluster: String = "local", "cluster", "";
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

    /// What decoding audit entries may know.
    pub(crate) fn audit_context(&self) -> Result<AuditContext, ConfigError> {
        let default = ClusterName::parse(&self.audit_default_cluster)
            .map_err(|error| ConfigError::new("PODLEDGER_AUDIT_DEFAULT_CLUSTER", error.to_string()))?;
        let mut context = AuditContext::new(default);
        for identity in self.pipeline_identities.iter().filter(|identity| !identity.is_empty()) {
            context = context.with_pipeline(identity.clone());
        }
        for pair in self.audit_clusters.iter().filter(|pair| !pair.is_empty()) {
            let (label, name) = pair
                .rsplit_once('=')
                .ok_or_else(|| ConfigError::new(AUDIT_CLUSTERS, format!("{pair:?} is not LABEL=CLUSTER")))?;
            let name =
                ClusterName::parse(name).map_err(|error| ConfigError::new(AUDIT_CLUSTERS, error.to_string()))?;
            context = context.with_cluster(label, name);
        }
        Ok(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use platform::runtime::Env;

    #[test]
    fn clusters_of_audit_entries_are_read_or_refused_by_name() {
        let read = |value: &str| Env::from_pairs([(AUDIT_CLUSTERS, value)]).read::<Config>().unwrap().audit_context();
        assert_eq!(read("p/l/n=prod-uk,*=rest").unwrap().clusters["p/l/n"].as_str(), "prod-uk");
        assert_eq!(read("").unwrap().default_cluster.as_str(), "local");
        assert!(read("prod").unwrap_err().to_string().contains("LABEL=CLUSTER"));
        assert!(read("x=Not/Ok").is_err());
    }
}
