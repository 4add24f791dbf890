//! What containers ask for and may use, and the sums that Kubernetes makes of it.
//!
//! The sums are the scheduler's: regular and restartable init containers ("sidecars") together, or
//! what the init containers need at their highest where that is more. A plain init container runs
//! beside the restartable ones started before it. Source: "Sidecar Containers", section "Resource
//! sharing within containers"
//! (<https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/>). Pod-level resources
//! and overhead are no container's and are left out.

use std::borrow::Cow;

use serde::de::{self, Deserialize, Deserializer};
use serde::{Serialize, Serializer};

use crate::document::{Entries, Fault, List, Object, Scalar, Text, or_default, present};
use crate::quantity::{Quantity, QuantityError};

/// A container, as far as the rows need it.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub(crate) struct Container<'a> {
    #[serde(borrow, default)]
    pub(crate) name: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(crate) image: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(crate) resources: Object<Resources<'a>>,
    /// `Always` makes an init container a restartable one.
    #[serde(borrow, default)]
    restart_policy: Option<Text<'a>>,
}

impl Container<'_> {
    /// Whether it runs as long as the pod does although it is an init container.
    pub(crate) fn is_restartable(&self) -> bool {
        self.restart_policy.as_ref().is_some_and(|policy| policy.as_str() == "Always")
    }
}

/// `resources` of a container.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct Resources<'a> {
    #[serde(borrow, default)]
    pub(crate) requests: Option<Amounts<'a>>,
    #[serde(borrow, default)]
    pub(crate) limits: Option<Amounts<'a>>,
}

/// Amounts by resource name. Those of cpu and memory are read, the others kept as written.
#[derive(Debug)]
pub(crate) struct Amounts<'a> {
    written: Entries<'a, Scalar<'a>>,
    pub(crate) cpu: Option<Quantity>,
    pub(crate) memory: Option<Quantity>,
}

impl Amounts<'_> {
    /// An amount as written.
    pub(crate) fn as_written(&self, resource: &str) -> Option<String> {
        self.written.get(resource).map(|amount| amount.as_str().to_owned())
    }
}

impl Serialize for Amounts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.written.serialize(serializer)
    }
}

/// An amount that is read: a quantity of at least 0.
#[derive(Debug)]
pub(crate) struct Amount<'a> {
    pub(crate) written: Scalar<'a>,
    pub(crate) quantity: Quantity,
}

impl<'de: 'a, 'a> Deserialize<'de> for Amount<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let written = Scalar::deserialize(from)?;
        let quantity = Quantity::parse(written.as_str()).map_err(de::Error::custom)?;
        if quantity.is_negative() {
            return Err(de::Error::custom("expected a quantity of at least 0"));
        }
        Ok(Self { written, quantity })
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Amounts<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Amounts<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Amounts<'de>, A::Error> {
                let mut written: Vec<(Cow<'de, str>, Scalar<'de>)> = Vec::with_capacity(2);
                let (mut cpu, mut memory) = (None, None);
                while let Some(Text(resource)) = map.next_key::<Text<'de>>()? {
                    let slot = match resource.as_ref() {
                        "cpu" => &mut cpu,
                        "memory" => &mut memory,
                        _ => {
                            written.push((resource, map.next_value()?));
                            continue;
                        }
                    };
                    let amount: Amount<'de> = map.next_value()?;
                    *slot = Some(amount.quantity);
                    written.push((resource, amount.written));
                }
                Ok(Amounts { written: Entries::of_written(written), cpu, memory })
            }
        }
        from.deserialize_map(Visitor)
    }
}

/// Sums over a pod's containers; none where no container sets the amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sums {
    /// Thousandths of a core.
    pub(crate) cpu_request: Option<i64>,
    /// Thousandths of a core.
    pub(crate) cpu_limit: Option<i64>,
    /// Bytes.
    pub(crate) memory_request: Option<i64>,
    /// Bytes.
    pub(crate) memory_limit: Option<i64>,
}

impl Sums {
    /// The sums over regular and init containers.
    pub(crate) fn of(containers: &List<Container<'_>>, init: &List<Container<'_>>) -> Result<Self, Fault> {
        type Round = fn(Quantity) -> Result<i64, QuantityError>;
        let sum = |what: &str, amount: fn(&Resources<'_>) -> Option<Quantity>, round: Round| {
            total(containers, init, amount)
                .and_then(|total| total.map(round).transpose())
                .map_err(|error| Fault(format!("the sum of {what} over all containers is out of range, {error}")))
        };
        Ok(Self {
            cpu_request: sum("cpu requests", |r| r.requests.as_ref()?.cpu, Quantity::milli_value)?,
            cpu_limit: sum("cpu limits", |r| r.limits.as_ref()?.cpu, Quantity::milli_value)?,
            memory_request: sum("memory requests", |r| r.requests.as_ref()?.memory, Quantity::value)?,
            memory_limit: sum("memory limits", |r| r.limits.as_ref()?.memory, Quantity::value)?,
        })
    }
}

/// One amount over all containers, exactly.
fn total(
    containers: &List<Container<'_>>,
    init: &List<Container<'_>>,
    amount: fn(&Resources<'_>) -> Option<Quantity>,
) -> Result<Option<Quantity>, QuantityError> {
    let (mut restartable, mut peak) = (None, None);
    for container in present(init) {
        let beside = plus(restartable, amount(&container.resources))?;
        if container.is_restartable() {
            restartable = beside;
        }
        peak = peak.max(beside);
    }
    let running =
        present(containers).try_fold(restartable, |sum, container| plus(sum, amount(&container.resources)))?;
    Ok(running.max(peak))
}

/// The sum of what is set.
fn plus(a: Option<Quantity>, b: Option<Quantity>) -> Result<Option<Quantity>, QuantityError> {
    match (a, b) {
        (Some(a), Some(b)) => a.checked_add(b).map(Some),
        (a, b) => Ok(a.or(b)),
    }
}

#[cfg(test)]
mod tests;
