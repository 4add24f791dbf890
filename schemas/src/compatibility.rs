//! Compatibility: the current schemas must read everything that was ever written.

use std::collections::BTreeMap;

use apache_avro::Schema;
use apache_avro::schema_compatibility::SchemaCompatibility;

use crate::codec::RecordSchema;
use crate::generated::history::HISTORY;
use crate::{
    AvroRecord, LimitDeclaration, Notification, RawBatch, ReplicaChange, RowBatch, SnapshotRequest, Violation,
};

/// A past version of a message that the current version cannot read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{schema}, version {fingerprint}: {reason}")]
pub struct Incompatibility {
    /// Name of the schema.
    pub schema: String,
    /// Fingerprint of the past version; empty where it could not be parsed.
    pub fingerprint: String,
    /// Why, in one sentence.
    pub reason: String,
}

/// Compares the current version of every message with every version it ever had
/// (`schemas/avro/history`). Empty means that all of them can be read.
pub fn check_compatibility() -> Vec<Incompatibility> {
    let current: BTreeMap<&str, &RecordSchema> = messages().into_iter().map(|schema| (schema.name, schema)).collect();
    HISTORY.iter().filter_map(|past| incompatibility(past, &current)).collect()
}

/// The current schema of every message.
fn messages() -> [&'static RecordSchema; 7] {
    [
        LimitDeclaration::schema(),
        Notification::schema(),
        RawBatch::schema(),
        ReplicaChange::schema(),
        RowBatch::schema(),
        SnapshotRequest::schema(),
        Violation::schema(),
    ]
}

/// What stands in the way of reading one past version.
fn incompatibility(past: &str, current: &BTreeMap<&str, &RecordSchema>) -> Option<Incompatibility> {
    let schema = match Schema::parse_str(past) {
        Ok(schema) => schema,
        Err(error) => {
            return Some(Incompatibility {
                schema: String::new(),
                fingerprint: String::new(),
                reason: format!("a file of the history is not a schema: {error}"),
            });
        }
    };
    let Schema::Record(record) = &schema else {
        return Some(found(&schema, "", "a file of the history is not a record".to_owned()));
    };
    let name = record.name.name();
    let Some(now) = current.get(name) else {
        return Some(found(&schema, name, "no message has that name any more".to_owned()));
    };
    SchemaCompatibility::can_read(&schema, &now.schema).err().map(|error| found(&schema, name, error.to_string()))
}

fn found(schema: &Schema, name: &str, reason: String) -> Incompatibility {
    let fingerprint = schema.fingerprint::<apache_avro::rabin::Rabin>().to_string();
    Incompatibility { schema: name.to_owned(), fingerprint, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The notification schema with its fields changed.
    fn notification(change: impl FnOnce(&mut Vec<serde_json::Value>)) -> String {
        let mut avsc: serde_json::Value = serde_json::from_str(Notification::schema().avsc).unwrap();
        change(avsc["fields"].as_array_mut().unwrap());
        avsc.to_string()
    }

    fn against_current(past: &str) -> Option<Incompatibility> {
        incompatibility(past, &BTreeMap::from([("Notification", Notification::schema())]))
    }

    #[test]
    fn every_past_version_can_be_read() {
        assert_eq!(check_compatibility(), []);
    }

    #[test]
    fn every_message_is_in_the_history() {
        for schema in messages() {
            let kept = HISTORY.iter().any(|past| {
                Schema::parse_str(past)
                    .is_ok_and(|past| past.fingerprint::<apache_avro::rabin::Rabin>().to_string() == schema.fingerprint)
            });
            assert!(kept, "{}: run `cargo run -p podledger-schemas-generate`", schema.name);
        }
    }

    #[test]
    fn a_past_version_without_a_nullable_field_is_compatible() {
        let past = notification(|fields| fields.retain(|field| field["name"] != "error"));
        assert_eq!(against_current(&past), None);
    }

    #[test]
    fn a_past_version_without_a_required_field_or_of_another_type_is_not() {
        let missing = notification(|fields| fields.retain(|field| field["name"] != "receiver"));
        let other_type = notification(|fields| fields[3]["type"] = "long".into());
        for past in [missing, other_type] {
            let found = against_current(&past).unwrap();
            assert_eq!(found.schema, "Notification");
            assert!(!found.reason.is_empty() && found.fingerprint.len() == 16, "{found}");
        }
    }

    #[test]
    fn what_is_no_schema_or_no_message_is_said() {
        for past in ["{", r#""string""#, r#"{"type":"record","name":"Gone","fields":[]}"#] {
            assert!(against_current(past).is_some(), "{past}");
        }
    }
}
