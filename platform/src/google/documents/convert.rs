//! From Firestore's messages to documents.

use firestore::FirestoreDocument;
use firestore::gcloud_sdk::google::firestore::v1::Value;
use firestore::gcloud_sdk::google::firestore::v1::value::ValueType;
use firestore::gcloud_sdk::prost_types::Timestamp;

use crate::ports::{Document, DocumentValue, Fields, Moment};

/// Arrays and maps within each other that are looked into; the wire form allows fewer.
const MAX_DEPTH: usize = 64;

/// A document, or in one sentence why it is none.
pub(super) fn document(document: FirestoreDocument) -> Result<Document, String> {
    let time = |what: &str, time: Option<Timestamp>| {
        time.map(moment).transpose().map_err(|reason| format!("{what} time: {reason}"))
    };
    Ok(Document {
        name: document.name.parse().map_err(|error| format!("name {error}"))?,
        create_time: time("create", document.create_time)?,
        update_time: time("update", document.update_time)?,
        fields: fields(document.fields, 0)?,
    })
}

fn fields(fields: impl IntoIterator<Item = (String, Value)>, depth: usize) -> Result<Fields, String> {
    fields.into_iter().map(|(name, found)| value(found, depth).map(|value| (name, value))).collect()
}

fn value(value_of: Value, depth: usize) -> Result<DocumentValue, String> {
    if depth > MAX_DEPTH {
        return Err(format!("it is nested more than {MAX_DEPTH} levels deep"));
    }
    let Some(value_type) = value_of.value_type else { return Err("a value has no type".to_owned()) };
    Ok(match value_type {
        ValueType::NullValue(_) => DocumentValue::Null,
        ValueType::BooleanValue(value) => DocumentValue::Bool(value),
        ValueType::IntegerValue(value) => DocumentValue::Integer(value),
        ValueType::DoubleValue(value) => DocumentValue::Double(value),
        ValueType::TimestampValue(value) => DocumentValue::Time(moment(value)?),
        ValueType::StringValue(value) => DocumentValue::Text(value),
        ValueType::BytesValue(value) => DocumentValue::Bytes(value),
        ValueType::ReferenceValue(value) => DocumentValue::Reference(value),
        ValueType::GeoPointValue(value) => {
            DocumentValue::GeoPoint { latitude: value.latitude, longitude: value.longitude }
        }
        ValueType::ArrayValue(array) => {
            let values = array.values.into_iter().map(|item| value(item, depth + 1));
            DocumentValue::Array(values.collect::<Result<_, _>>()?)
        }
        ValueType::MapValue(map) => DocumentValue::Map(fields(map.fields, depth + 1)?),
        // Values of queries and pipelines, which no document holds.
        other => return Err(format!("a value of a type that no document holds: {}", shown(&other))),
    })
}

fn moment(time: Timestamp) -> Result<Moment, String> {
    let nanos = u32::try_from(time.nanos).map_err(|_| format!("{} nanoseconds", time.nanos))?;
    Moment::new(time.seconds, nanos).map_err(|error| format!("{} s: {error}", time.seconds))
}

/// The name of a type.
fn shown(value: &ValueType) -> String {
    format!("{value:?}").chars().take_while(char::is_ascii_alphanumeric).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use firestore::gcloud_sdk::google::firestore::v1::{ArrayValue, MapValue};

    use super::*;

    fn of(value_type: ValueType) -> Value {
        Value { value_type: Some(value_type) }
    }

    fn with(value: Value) -> FirestoreDocument {
        let name = "projects/p/databases/(default)/documents/a/b".to_owned();
        FirestoreDocument {
            name,
            fields: HashMap::from([("f".to_owned(), value)]),
            create_time: None,
            update_time: None,
        }
    }

    #[test]
    fn whole_numbers_beyond_what_a_double_holds_are_exact() {
        for number in [i64::MIN, i64::MAX, (1 << 53) + 1] {
            let found = document(with(of(ValueType::IntegerValue(number)))).unwrap();
            assert_eq!(found.fields["f"], DocumentValue::Integer(number));
        }
    }

    #[test]
    fn what_no_document_can_hold_is_refused_in_a_sentence() {
        let time = |seconds, nanos| of(ValueType::TimestampValue(Timestamp { seconds, nanos }));
        let deep = (0..200).fold(of(ValueType::NullValue(0)), |inner, level| match level % 2 {
            0 => of(ValueType::ArrayValue(ArrayValue { values: vec![inner] })),
            _ => of(ValueType::MapValue(MapValue { fields: HashMap::from([("a".to_owned(), inner)]) })),
        });
        for (value, expected) in [
            (Value { value_type: None }, "a value has no type"),
            (of(ValueType::FieldReferenceValue("x".to_owned())), "FieldReferenceValue"),
            (time(i64::MAX, 0), "9223372036854775807 s"),
            (time(0, -1), "-1 nanoseconds"),
            (deep, "nested more than"),
        ] {
            let reason = document(with(value)).unwrap_err();
            assert!(reason.contains(expected), "{reason}");
        }
        let nameless = FirestoreDocument { name: "a/b".to_owned(), ..with(of(ValueType::NullValue(0))) };
        assert!(document(nameless).unwrap_err().contains("projects/PROJECT"));
    }
}
