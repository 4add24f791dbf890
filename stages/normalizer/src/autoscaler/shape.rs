//! The union of what the four versions of the API write.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::document::{Count, List, Moment, Object, Scalar, Text, or_default};
use crate::metadata::{Metadata, WrittenCondition};

#[derive(Deserialize)]
#[serde(expecting = "an object")]
pub(super) struct Autoscaler<'a> {
    #[serde(borrow, default)]
    pub(super) kind: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) metadata: Object<Metadata<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) spec: Object<Spec<'a>>,
    #[serde(borrow, default)]
    pub(super) status: Option<Object<Status<'a>>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub(super) struct Spec<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) scale_target_ref: Object<Referent<'a>>,
    #[serde(default)]
    pub(super) min_replicas: Option<Count>,
    #[serde(default)]
    pub(super) max_replicas: Option<Count>,
    /// v1, and by hand under any other version.
    #[serde(default, rename = "targetCPUUtilizationPercentage")]
    pub(super) target_cpu_utilization_percentage: Option<Count>,
    #[serde(borrow, default)]
    pub(super) metrics: Option<List<Entry<'a>>>,
    #[serde(borrow, default)]
    pub(super) behavior: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub(super) struct Status<'a> {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) current_replicas: Count,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) desired_replicas: Count,
    #[serde(default)]
    pub(super) last_scale_time: Option<Moment>,
    /// v1.
    #[serde(default, rename = "currentCPUUtilizationPercentage")]
    pub(super) current_cpu_utilization_percentage: Option<Count>,
    #[serde(borrow, default)]
    pub(super) current_metrics: Option<List<Entry<'a>>>,
    #[serde(borrow, default)]
    pub(super) conditions: Option<List<WrittenCondition<'a>>>,
}

/// An object that is pointed at.
#[derive(Debug, Default, Deserialize)]
#[serde(expecting = "an object")]
pub(super) struct Referent<'a> {
    #[serde(borrow, default)]
    pub(super) kind: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) name: Option<Text<'a>>,
}

/// One metric, of the specification or of the status.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub(super) struct Entry<'a> {
    #[serde(borrow, default)]
    pub(super) r#type: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) resource: Option<Object<Source<'a>>>,
    #[serde(borrow, default)]
    pub(super) container_resource: Option<Object<Source<'a>>>,
    #[serde(borrow, default)]
    pub(super) pods: Option<Object<Source<'a>>>,
    #[serde(borrow, default)]
    pub(super) object: Option<Object<Source<'a>>>,
    #[serde(borrow, default)]
    pub(super) external: Option<Object<Source<'a>>>,
}

/// Where a metric comes from, with its target or its current value.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub(super) struct Source<'a> {
    #[serde(borrow, default)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) container: Option<Text<'a>>,
    /// v2beta2 and v2.
    #[serde(borrow, default)]
    pub(super) metric: Option<Object<NamedMetric<'a>>>,
    /// v2beta1.
    #[serde(borrow, default)]
    pub(super) metric_name: Option<Text<'a>>,
    /// v2beta1, of Pods and Object.
    #[serde(borrow, default)]
    pub(super) selector: Option<&'a RawValue>,
    /// v2beta1, of External.
    #[serde(borrow, default)]
    pub(super) metric_selector: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) described_object: Option<Object<Referent<'a>>>,
    /// A target of v2beta2 and v2; the described object of an Object metric in v2beta1.
    #[serde(borrow, default)]
    pub(super) target: Option<Object<WrittenTarget<'a>>>,
    #[serde(default)]
    pub(super) target_average_utilization: Option<Count>,
    #[serde(borrow, default)]
    pub(super) target_average_value: Option<Scalar<'a>>,
    #[serde(borrow, default)]
    pub(super) target_value: Option<Scalar<'a>>,
    /// v2beta1, of Object: the target's in the specification, the current one in the status.
    #[serde(borrow, default)]
    pub(super) average_value: Option<Scalar<'a>>,
    #[serde(borrow, default)]
    pub(super) current: Option<Object<Current<'a>>>,
    #[serde(default)]
    pub(super) current_average_utilization: Option<Count>,
    #[serde(borrow, default)]
    pub(super) current_average_value: Option<Scalar<'a>>,
    #[serde(borrow, default)]
    pub(super) current_value: Option<Scalar<'a>>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
pub(super) struct NamedMetric<'a> {
    #[serde(borrow, default)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) selector: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub(super) struct WrittenTarget<'a> {
    #[serde(borrow, default)]
    pub(super) r#type: Option<Text<'a>>,
    #[serde(default)]
    pub(super) average_utilization: Option<Count>,
    #[serde(borrow, default)]
    pub(super) average_value: Option<Scalar<'a>>,
    #[serde(borrow, default)]
    pub(super) value: Option<Scalar<'a>>,
    #[serde(borrow, default)]
    pub(super) kind: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) name: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub(super) struct Current<'a> {
    #[serde(default)]
    pub(super) average_utilization: Option<Count>,
    #[serde(borrow, default)]
    pub(super) average_value: Option<Scalar<'a>>,
    #[serde(borrow, default)]
    pub(super) value: Option<Scalar<'a>>,
}
