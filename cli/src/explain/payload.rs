//! Audit entries and declarations as messages.

use std::io::Write;

use normalizer::audit::{AuditContext, Outcome, decode};
use schemas::Topic;

use super::line::Lines;
use crate::ped::{self, Stamp};
use crate::yaml::Node;

/// The changes of an audit entry.
pub(super) fn audit(entry: &str, context: &AuditContext, lines: &mut Lines<'_, impl Write>) {
    match decode(entry.as_bytes(), context) {
        Ok(changes) => changes.iter().for_each(|change| lines.message(Topic::ReplicaChanges, change)),
        Err(Outcome::Skip(reason)) => lines.skip(reason),
        Err(Outcome::Reject(reason)) => lines.reject(reason),
    }
}

/// The declaration of a PED document.
pub(super) fn ped(document: &Node, stamp: &Stamp, lines: &mut Lines<'_, impl Write>) {
    let file = lines.file().to_owned();
    match ped::read_node(document, &file, None) {
        Ok(document) => lines.message(Topic::LimitDeclarations, document.declaration(stamp)),
        Err(error) => lines.reject(error),
    }
}
