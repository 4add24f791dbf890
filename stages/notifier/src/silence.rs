//! Silences: what nobody wants to be told of for a while.
//!
//! Each is an object `silences/<id>.json`:
//! ```json
//! {
//!   "format": 1,
//!   "matchers": {"cluster": "prod-uk", "namespace": "payments", "deployment": "orders-api", "rule": "over-limit"},
//!   "until": "2026-10-01T12:00:00Z",
//!   "by": "alice@example.com",
//!   "comment": "planned load test"
//! }
//! ```
//! A matcher that is left out fits everything; at least one is needed. It holds for violations
//! whose own time is before `until`. A silence that cannot be read silences nothing.

use std::collections::HashMap;

use platform::ports::{Generation, Objects, PortResult};
use schemas::{ClusterName, Rule, Timestamp, Violation};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

/// Where silences are.
const PREFIX: &str = "silences/";
/// Largest silence that is read, in bytes.
const MAX_BYTES: u64 = 16 << 10;
/// Silences that are looked at; more are a mistake, and the rest silence nothing.
const MAX_SILENCES: usize = 1_000;
/// Version of the format.
const FORMAT: u32 = 1;

/// One silence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Silence {
    /// Version of this format: 1.
    pub format: u32,
    /// What it is for.
    pub matchers: Matchers,
    /// It holds for violations before that time.
    pub until: Timestamp,
    /// Who asked for it.
    pub by: String,
    /// Why.
    pub comment: String,
}

/// What a silence is for: all that are set must fit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Matchers {
    /// Cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterName>,
    /// Namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name of the Deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment: Option<String>,
    /// Rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<Rule>,
}

impl Silence {
    /// Reads a silence strictly.
    pub fn parse(bytes: &[u8]) -> anyhow::Result<Self> {
        let silence: Self = serde_json::from_slice(bytes)?;
        anyhow::ensure!(silence.format == FORMAT, "format {} is not known, expected {FORMAT}", silence.format);
        anyhow::ensure!(silence.matchers != Matchers::default(), "no matcher is set: it would silence everything");
        Ok(silence)
    }

    /// Whether a violation is silenced.
    pub fn fits(&self, violation: &Violation) -> bool {
        let Matchers { cluster, namespace, deployment, rule } = &self.matchers;
        let fits = |wanted: &Option<String>, found: &Option<String>| wanted.is_none() || wanted == found;
        violation.timestamp < self.until
            && cluster.as_ref().is_none_or(|cluster| *cluster == violation.cluster)
            && fits(namespace, &violation.namespace)
            && fits(deployment, &violation.deployment_name)
            && rule.is_none_or(|rule| rule == violation.alert_type)
    }
}

/// The silences of the object store. Each version of one is read once.
#[derive(Default)]
pub(crate) struct Silences {
    known: Mutex<HashMap<String, (Generation, Option<Silence>)>>,
}

impl Silences {
    /// Whether any silence fits. A store that does not answer is an error: telling somebody who
    /// asked for silence and staying silent are both wrong.
    pub(crate) async fn silence(&self, objects: &(dyn Objects + 'static), violation: &Violation) -> PortResult<bool> {
        let mut listed = objects.list(PREFIX).await?;
        listed.retain(|object| object.key.ends_with(".json"));
        if listed.len() > MAX_SILENCES {
            tracing::warn!(silences = listed.len(), looked_at = MAX_SILENCES, "too many silences, the rest is ignored");
            listed.truncate(MAX_SILENCES);
        }
        let mut known = self.known.lock().await;
        known.retain(|key, (generation, _)| {
            listed.iter().any(|object| object.key == *key && object.generation == *generation)
        });
        for object in listed {
            if known.contains_key(&object.key) {
                continue;
            }
            let read = match objects.read_bytes(&object.key, MAX_BYTES).await {
                Ok(Some((generation, bytes))) => Some((generation, Silence::parse(&bytes))),
                // Removed since it was listed.
                Ok(None) => None,
                Err(error) if !error.is_outage() => Some((object.generation, Err(error.into()))),
                Err(error) => return Err(error),
            };
            let Some((generation, silence)) = read else { continue };
            if let Err(error) = &silence {
                tracing::warn!(key = object.key, error = format!("{error:#}"), "silence cannot be read, ignored");
            }
            known.insert(object.key, (generation, silence.ok()));
        }
        Ok(known.values().any(|(_, silence)| silence.as_ref().is_some_and(|silence| silence.fits(violation))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::violation;

    fn silence(matchers: &str) -> Vec<u8> {
        format!(r#"{{"format": 1, "matchers": {matchers}, "until": "2026-10-01T13:00:00Z", "by": "a", "comment": ""}}"#)
            .into_bytes()
    }

    #[test]
    fn every_matcher_that_is_set_must_fit() {
        let violation = violation("e1");
        for (matchers, fits) in [
            (r#"{"cluster": "prod-uk"}"#, true),
            (r#"{"namespace": "payments", "deployment": "orders-api", "rule": "over-limit"}"#, true),
            (r#"{"namespace": "payments", "rule": "undeclared"}"#, false),
            (r#"{"cluster": "prod-us"}"#, false),
            (r#"{"deployment": "orders"}"#, false),
        ] {
            assert_eq!(Silence::parse(&silence(matchers)).unwrap().fits(&violation), fits, "{matchers}");
        }
        let mut late = violation;
        late.timestamp = Timestamp::parse("2026-10-01T13:00:00Z").unwrap();
        assert!(!Silence::parse(&silence(r#"{"cluster": "prod-uk"}"#)).unwrap().fits(&late));
    }

    #[test]
    fn a_silence_that_is_not_exactly_right_is_refused() {
        for matchers in ["{}", r#"{"cluter": "prod-uk"}"#, r#"{"rule": "over-limits"}"#, "[]", "null", r#"{"rule": 1}"#]
        {
            assert!(Silence::parse(&silence(matchers)).is_err(), "{matchers}");
        }
        assert!(Silence::parse(b"").is_err());
        let newer =
            String::from_utf8(silence(r#"{"cluster": "a"}"#)).unwrap().replace("\"format\": 1", "\"format\": 2");
        assert!(Silence::parse(newer.as_bytes()).is_err());
    }
}
