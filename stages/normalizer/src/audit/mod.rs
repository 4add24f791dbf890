//! Audit entries into changes of replica numbers.
//!
//! Consumes one audit entry at a time: a Cloud Logging `LogEntry` with an `AuditLog` payload, or a
//! native `audit.k8s.io/v1` or `v1beta1` event. Emits a [`ReplicaChange`] for each number the call
//! set, or the sentence that says why there is none. Everything but [`AuditHandler`] is pure; it
//! never asks the warehouse or the cluster what a number was before.
//!
//! Sources of the two forms: <https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry>,
//! <https://cloud.google.com/logging/docs/reference/audit/auditlog/rest/Shared.Types/AuditLog>,
//! <https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/>.

mod actor;
mod body;
mod call;
mod change;
mod cloud;
mod context;
mod entry;
mod handler;
mod json_patch;
mod list;
mod native;
mod outcome;
mod relevance;
mod target;
#[cfg(test)]
mod tests;
mod text;

pub use context::{AuditContext, LastKnown, NumberKey};
pub use handler::AuditHandler;
pub use list::{Decoded, decode_message};
pub use outcome::{Outcome, Reject, Skip};
pub use target::Target;

use schemas::ReplicaChange;

use entry::Entry;

/// Largest entry that is read, in bytes. Cloud Logging bounds its entries to 256 KB; a native event
/// may hold an object twice (request and response), and etcd bounds an object to 1.5 MiB.
pub const MAX_ENTRY_BYTES: usize = 4 << 20;

/// What one audit entry says about replica numbers: at least one change, or why there is none.
///
/// `entry` is one JSON object. The ids of the changes depend on its `insertId` or `auditID` and the
/// field only (on its bytes where it has neither), so that the same entry delivered twice gives the
/// same changes.
///
/// # Errors
/// [`Outcome::Skip`] when the entry changed no replica number, [`Outcome::Reject`] when it cannot
/// be read.
pub fn decode(entry: &[u8], context: &AuditContext) -> Result<Vec<ReplicaChange>, Outcome> {
    if entry.len() > MAX_ENTRY_BYTES {
        return Err(Reject::TooLarge { bytes: entry.len() }.into());
    }
    let parsed = match Entry::parse(entry) {
        Ok(parsed) => parsed,
        Err(reject) => return Err(relevance::why_irrelevant(entry).map_or(Outcome::Reject(reject), Outcome::Skip)),
    };
    let call = if parsed.is_cloud() { cloud::call(&parsed)? } else { native::call(&parsed)? };
    change::changes(&call, entry, context)
}
