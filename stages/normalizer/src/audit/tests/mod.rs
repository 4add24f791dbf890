//! Claims about decoding, over recorded events and written entries.

mod bounds;
mod cloud;
mod handler;
mod patches;
mod recorded;

use schemas::{ClusterName, ReplicaChange};
use serde_json::Value;

use super::{AuditContext, Outcome, decode};

/// A context as a test needs it: one cluster, one pipeline identity, nothing known.
fn context() -> AuditContext {
    AuditContext::new(ClusterName::from("test")).with_pipeline("deployer@ci.iam.gserviceaccount.com")
}

/// Decodes a JSON value in the test context.
fn decoded(entry: &Value) -> Result<Vec<ReplicaChange>, Outcome> {
    decode(entry.to_string().as_bytes(), &context())
}

/// A change as one short line: field, old and new value.
fn line(change: &ReplicaChange) -> String {
    let shown = |value: Option<i64>| value.map_or_else(|| "?".to_owned(), |value| value.to_string());
    format!("{} {}→{}", change.field, shown(change.old_value), shown(change.new_value))
}

/// The changes as short lines, or the sentence that says why there are none.
fn lines(outcome: &Result<Vec<ReplicaChange>, Outcome>) -> Vec<String> {
    match outcome {
        Ok(changes) => changes.iter().map(line).collect(),
        Err(Outcome::Skip(skip)) => vec![format!("skip: {skip}")],
        Err(Outcome::Reject(reject)) => vec![format!("reject: {reject}")],
    }
}
