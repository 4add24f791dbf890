//! What dashboards see of the evaluator, set after each judged snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use platform::runtime::{Gauges, Metrics};
use schemas::ClusterName;

use crate::stage::Report;

/// Namespace and name of a Deployment.
type Place = (String, String);

/// The evaluator's gauges.
pub(crate) struct Dashboard {
    open: Gauges,
    desired: Gauges,
    actual: Gauges,
    limit: Gauges,
    /// What is shown of each cluster, so that what vanished is forgotten.
    shown: Mutex<BTreeMap<ClusterName, BTreeSet<Place>>>,
}

impl Dashboard {
    /// Registers the gauges.
    pub(crate) fn new(metrics: &Metrics) -> Self {
        Self {
            open: metrics.gauges("podledger_open_episodes", "Open episodes"),
            desired: metrics.gauges("deployment_replicas_desired", "spec.replicas of a Deployment"),
            actual: metrics.gauges("deployment_replicas_actual", "status.replicas of a Deployment"),
            limit: metrics.gauges("deployment_replicas_max", "Declared limit of a Deployment"),
            shown: Mutex::default(),
        }
    }

    /// Shows a judged snapshot.
    pub(crate) fn show(&self, report: &Report<'_>) {
        let cluster = report.cluster.as_str();
        for (rule, open) in &report.summary.open {
            self.open.set(&[("cluster", cluster), ("rule", rule.as_str())], *open as f64);
        }
        let mut present = BTreeSet::new();
        for workload in report.workloads {
            let labels = labels(cluster, &workload.namespace, &workload.name);
            self.desired.set(&labels, workload.desired as f64);
            self.actual.set(&labels, workload.actual as f64);
            match workload.limit_value() {
                Some(limit) => self.limit.set(&labels, limit as f64),
                None => self.limit.remove(&labels),
            }
            present.insert((workload.namespace.clone(), workload.name.clone()));
        }
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let before = shown.insert(report.cluster.clone(), present.clone()).unwrap_or_default();
        for (namespace, name) in before.difference(&present) {
            let labels = labels(cluster, namespace, name);
            for gauges in [&self.desired, &self.actual, &self.limit] {
                gauges.remove(&labels);
            }
        }
    }
}

fn labels<'a>(cluster: &'a str, namespace: &'a str, deployment: &'a str) -> [(&'static str, &'a str); 3] {
    [("cluster", cluster), ("namespace", namespace), ("deployment", deployment)]
}
