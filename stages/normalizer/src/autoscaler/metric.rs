//! Metrics of any shape as one: what is measured, the target, the measurement; and which
//! measurement is of which target.

use serde_json::Value;
use serde_json::value::RawValue;

use super::shape::{Entry, Source};
use crate::document::{Scalar, Whole, text_of};

/// The resource that v1 has a field for.
const CPU: &str = "cpu";

/// What is measured.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Metric<'o, 'a> {
    pub(super) r#type: Option<&'o str>,
    pub(super) name: Option<&'o str>,
    pub(super) container: Option<&'o str>,
    pub(super) selector: Option<&'a RawValue>,
    /// Kind and name of the object an Object metric describes.
    described: Option<(Option<&'o str>, Option<&'o str>)>,
}

impl<'o, 'a> Metric<'o, 'a> {
    fn of(entry: &'o Entry<'a>) -> Self {
        let (r#type, source) = source(entry);
        let Some(source) = source else { return Self { r#type, ..Self::default() } };
        let named = source.metric.as_deref();
        let described = source.described_object.as_ref().map(|object| (text_of(&object.kind), text_of(&object.name)));
        let flat = source.target.as_ref().filter(|target| target.kind.is_some() || target.name.is_some());
        Self {
            r#type,
            name: named
                .and_then(|metric| text_of(&metric.name))
                .or(text_of(&source.metric_name))
                .or(text_of(&source.name)),
            container: text_of(&source.container),
            selector: named.and_then(|metric| metric.selector).or(source.metric_selector).or(source.selector),
            described: described.or(flat.map(|target| (text_of(&target.kind), text_of(&target.name)))),
        }
    }

    /// Whether it is what v1's fields are about.
    pub(super) fn is_cpu(&self) -> bool {
        self.r#type == Some("Resource") && self.name == Some(CPU)
    }

    /// Whether both are the same metric. Objects are compared only where both say which.
    fn is_same(&self, other: &Self) -> bool {
        let described = match (self.described, other.described) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        };
        self.r#type == other.r#type
            && self.name == other.name
            && self.container == other.container
            && described
            && same_selector(self.selector, other.selector)
    }
}

/// Whether two selectors select the same, written with keys in any order. An empty one selects as
/// none does.
fn same_selector(one: Option<&RawValue>, other: Option<&RawValue>) -> bool {
    let text = |raw: Option<&RawValue>| raw.map_or("{}", RawValue::get).to_owned();
    let (one, other) = (text(one), text(other));
    if one == other {
        return true;
    }
    match (serde_json::from_str::<Value>(&one), serde_json::from_str::<Value>(&other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// Type and source of an entry. The type as written, else the one its source stands under.
fn source<'o, 'a>(entry: &'o Entry<'a>) -> (Option<&'o str>, Option<&'o Source<'a>>) {
    let slots = [
        ("Resource", &entry.resource),
        ("ContainerResource", &entry.container_resource),
        ("Pods", &entry.pods),
        ("Object", &entry.object),
        ("External", &entry.external),
    ];
    let mut filled = slots.iter().filter_map(|(word, slot)| slot.as_deref().map(|source| (*word, source)));
    match text_of(&entry.r#type) {
        Some(word) => {
            let all: Vec<_> = filled.collect();
            let own = all.iter().find(|(slot, _)| *slot == word).or(all.first());
            (Some(word), own.map(|(_, source)| *source))
        }
        None => filled.next().map_or((None, None), |(word, source)| (Some(word), Some(source))),
    }
}

/// A metric to reach.
#[derive(Debug)]
pub(super) struct Target<'o, 'a> {
    /// Position in the list, from 0.
    pub(super) index: i64,
    pub(super) metric: Metric<'o, 'a>,
    /// Utilization, Value or AverageValue; as written, else by what is set.
    pub(super) r#type: Option<&'o str>,
    /// Percent of the request.
    pub(super) utilization: Option<i64>,
    /// As written; none for Utilization.
    pub(super) value: Option<&'o str>,
}

impl<'o, 'a> Target<'o, 'a> {
    /// The target of an entry at a position; none beyond what a position can be.
    pub(super) fn of(index: usize, entry: &'o Entry<'a>) -> Option<Self> {
        let index = i64::try_from(index).ok()?;
        let metric = Metric::of(entry);
        let (_, Some(source)) = source(entry) else {
            return Some(Self { index, metric, r#type: None, utilization: None, value: None });
        };
        let target = source.target.as_ref();
        let percent = target.and_then(|target| target.average_utilization).or(source.target_average_utilization);
        let value = written(target.and_then(|target| target.value.as_ref()).or(source.target_value.as_ref()));
        let average = target
            .and_then(|target| target.average_value.as_ref())
            .or(source.target_average_value.as_ref())
            .or(source.average_value.as_ref());
        let average = written(average);
        let inferred = match (percent, average, value) {
            (Some(_), _, _) => Some("Utilization"),
            (None, Some(_), _) => Some("AverageValue"),
            (None, None, Some(_)) => Some("Value"),
            (None, None, None) => None,
        };
        let r#type = target.and_then(|target| text_of(&target.r#type)).or(inferred);
        let value = match r#type {
            Some("Utilization") => None,
            Some("Value") => value.or(average),
            _ => average.or(value),
        };
        Some(Self { index, metric, r#type, utilization: percent.map(|Whole(percent)| percent), value })
    }

    /// The target that v1's field sets.
    pub(super) fn of_cpu(index: i64, percent: i64) -> Self {
        let metric = Metric { r#type: Some("Resource"), name: Some(CPU), ..Metric::default() };
        Self { index, metric, r#type: Some("Utilization"), utilization: Some(percent), value: None }
    }

    /// Where it stands.
    pub(super) fn path(&self) -> String {
        format!("spec.metrics[{}]", self.index)
    }
}

/// A measurement.
#[derive(Debug)]
pub(super) struct Measured<'o, 'a> {
    metric: Metric<'o, 'a>,
    /// Percent of the request.
    pub(super) utilization: Option<i64>,
    /// Value, else average value, as written.
    pub(super) value: Option<&'o str>,
}

impl<'o, 'a> Measured<'o, 'a> {
    pub(super) fn of(entry: &'o Entry<'a>) -> Self {
        let metric = Metric::of(entry);
        let (_, Some(source)) = source(entry) else { return Self { metric, utilization: None, value: None } };
        let current = source.current.as_ref();
        let value = current.and_then(|current| current.value.as_ref()).or(source.current_value.as_ref());
        let average = current
            .and_then(|current| current.average_value.as_ref())
            .or(source.current_average_value.as_ref())
            .or(source.average_value.as_ref());
        let percent = current.and_then(|current| current.average_utilization).or(source.current_average_utilization);
        Self { metric, utilization: percent.map(|Whole(percent)| percent), value: written(value.or(average)) }
    }

    /// Whether it is of that target.
    pub(super) fn is_of(&self, target: &Target<'_, '_>) -> bool {
        self.metric.is_same(&target.metric)
    }
}

/// A quantity as written.
fn written<'o>(scalar: Option<&'o Scalar<'_>>) -> Option<&'o str> {
    scalar.map(Scalar::as_str)
}
