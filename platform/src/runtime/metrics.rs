//! Metrics in Prometheus' text form, under the field's names.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Metric, Registry};

/// Bounds of the handling time's buckets: 1 ms, doubling, to about 4.5 min.
const SHORTEST_BUCKET_SECONDS: f64 = 0.001;
/// How many buckets there are.
const BUCKETS: u16 = 19;

type Labels = Vec<(String, String)>;

/// The metrics of a process. Copies share them; a metric asked for twice is one metric.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    registry: Registry,
    by_name: BTreeMap<String, Box<dyn Any + Send>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.by_name.keys()).finish()
    }
}

impl Metrics {
    /// Numbers that only grow. `_total` is added to the name.
    pub fn counters(&self, name: &str, help: &str) -> Counters {
        Counters(self.family(name, help, Family::default))
    }

    /// Numbers that rise and fall.
    pub fn gauges(&self, name: &str, help: &str) -> Gauges {
        Gauges(self.family(name, help, Family::default))
    }

    /// Durations in seconds, from a millisecond to minutes.
    pub fn durations(&self, name: &str, help: &str) -> Durations {
        let buckets: fn() -> Histogram = || Histogram::new(exponential_buckets(SHORTEST_BUCKET_SECONDS, 2.0, BUCKETS));
        Durations(self.family(name, help, || Family::new_with_constructor(buckets)))
    }

    /// Everything in OpenMetrics text.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.shared.lock().unwrap_or_else(PoisonError::into_inner).registry)?;
        Ok(text)
    }

    fn family<M: Metric + Clone>(&self, name: &str, help: &str, make: impl FnOnce() -> M) -> M {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        match shared.by_name.get(name).map(|known| known.downcast_ref::<M>()) {
            Some(Some(known)) => return known.clone(),
            Some(None) => {
                tracing::error!(metric = name, "metric asked for as another kind, will not be shown");
                return make();
            }
            None => {}
        }
        let metric = make();
        // The registry adds the full stop itself.
        shared.registry.register(name, help.trim_end_matches('.'), metric.clone());
        shared.by_name.insert(name.to_owned(), Box::new(metric.clone()));
        metric
    }
}

/// A metric of counters, one per set of labels.
#[derive(Clone, Debug)]
pub struct Counters(Family<Labels, Counter>);

impl Counters {
    /// Adds to the counter with these labels.
    pub fn add(&self, labels: &[(&str, &str)], count: u64) {
        self.0.get_or_create(&owned(labels)).inc_by(count);
    }
}

/// A metric of gauges, one per set of labels.
#[derive(Clone, Debug)]
pub struct Gauges(Family<Labels, Gauge<f64, AtomicU64>>);

impl Gauges {
    /// Sets the gauge with these labels.
    pub fn set(&self, labels: &[(&str, &str)], value: f64) {
        self.0.get_or_create(&owned(labels)).set(value);
    }

    /// Adds to (or, negative, takes from) the gauge with these labels.
    pub fn add(&self, labels: &[(&str, &str)], difference: f64) {
        self.0.get_or_create(&owned(labels)).inc_by(difference);
    }

    /// Forgets the gauge with these labels: what it measured is gone.
    pub fn remove(&self, labels: &[(&str, &str)]) {
        self.0.remove(&owned(labels));
    }

    /// Forgets all gauges.
    pub fn clear(&self) {
        self.0.clear();
    }
}

/// A metric of durations, one histogram per set of labels.
#[derive(Clone, Debug)]
pub struct Durations(Family<Labels, Histogram>);

impl Durations {
    /// Adds one duration to the histogram with these labels.
    pub fn observe(&self, labels: &[(&str, &str)], duration: std::time::Duration) {
        self.0.get_or_create(&owned(labels)).observe(duration.as_secs_f64());
    }
}

fn owned(labels: &[(&str, &str)]) -> Labels {
    labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_asked_for_twice_is_shown_once_with_both_counts() {
        let metrics = Metrics::default();
        metrics.counters("podledger_things", "Things.").add(&[("kind", "a")], 1);
        metrics.clone().counters("podledger_things", "Things.").add(&[("kind", "a")], 2);
        metrics.gauges("podledger_level", "Level.").set(&[("of", "water")], 0.5);
        let text = metrics.text().unwrap();
        assert_eq!(text.matches("podledger_things_total{kind=\"a\"} 3").count(), 1, "{text}");
        assert!(text.contains("podledger_level{of=\"water\"} 0.5"), "{text}");
    }
}
