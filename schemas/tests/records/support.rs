//! Records made from their own schemas: what a field holds follows from its Avro type and its
//! `rust` attribute, so that a new field is tested without being named here.

use podledger_schemas::{AvroRecord, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A record from the JSON of its fields.
pub(crate) fn record<R: AvroRecord>(fields: &Value) -> R {
    let text = fields.to_string();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}: {text}", R::schema().name))
}

/// Every record a schema allows: unicode, extremes, absent options.
pub(crate) fn any_record<R: AvroRecord + std::fmt::Debug>() -> BoxedStrategy<R> {
    let fields: Vec<BoxedStrategy<(String, Value)>> = fields::<R>()
        .into_iter()
        .map(|field| {
            let name = field["name"].as_str().unwrap().to_owned();
            any_field(&field).prop_map(move |value| (name.clone(), value)).boxed()
        })
        .collect();
    fields.prop_map(|fields| record(&Value::Object(fields.into_iter().collect()))).boxed()
}

/// One fixed record with everything, or with nothing that can be left out.
pub(crate) fn sample<R: AvroRecord>(full: bool) -> R {
    let fields = fields::<R>().into_iter().enumerate().map(|(number, field)| {
        let name = field["name"].as_str().unwrap().to_owned();
        let value = sample_field(&field, number, full);
        (name, value)
    });
    record(&Value::Object(fields.collect()))
}

fn fields<R: AvroRecord>() -> Vec<Value> {
    let avsc: Value = serde_json::from_str(R::schema().avsc).unwrap();
    avsc["fields"].as_array().unwrap().clone()
}

/// The type without its null branch, and whether it had one.
fn required(field: &Value) -> (&Value, bool) {
    match field["type"].as_array() {
        Some(branches) => (&branches[1], true),
        None => (&field["type"], false),
    }
}

fn any_field(field: &Value) -> BoxedStrategy<Value> {
    let (avro, optional) = required(field);
    let value = match (field["rust"].as_str(), type_name(avro).as_str()) {
        (Some("Json"), _) => any_json(),
        (Some(word), _) if !vocabulary(word).is_empty() => {
            prop::sample::select(vocabulary(word)).prop_map(|word| json!(word)).boxed()
        }
        (_, "string") => any_text().prop_map(Value::String).boxed(),
        (_, "long") => {
            prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX), -3..3_i64].prop_map(|n| json!(n)).boxed()
        }
        (_, "boolean") => any::<bool>().prop_map(Value::Bool).boxed(),
        (_, "timestamp-micros") => any_time(),
        (_, "bytes") => prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| json!(base64(&bytes))).boxed(),
        (_, "array of string") => prop::collection::vec(any_text(), 0..4).prop_map(|texts| json!(texts)).boxed(),
        (_, "array of Condition") => prop::collection::vec(any_condition(), 0..3).prop_map(Value::Array).boxed(),
        (rust, other) => panic!("a field of type {other} ({rust:?}) has no strategy yet"),
    };
    if optional { prop_oneof![Just(Value::Null), value].boxed() } else { value }
}

fn any_text() -> BoxedStrategy<String> {
    let awkward = ["", "\0", "=1+1", "'\"`;--", "\u{10ffff}\u{202e}é日本", "line\r\nbreak", "null"];
    prop_oneof![any::<String>(), prop::sample::select(awkward.to_vec()).prop_map(str::to_owned)].boxed()
}

fn any_time() -> BoxedStrategy<Value> {
    let (first, last) = (Timestamp::MIN.micros(), Timestamp::MAX.micros());
    prop_oneof![first..=last, Just(first), Just(last), Just(0)]
        .prop_map(|micros| json!(Timestamp::from_micros(micros).to_string()))
        .boxed()
}

fn any_json() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|n| json!(n)),
        any_text().prop_map(Value::String)
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map(any_text(), inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
    .boxed()
}

fn any_condition() -> BoxedStrategy<Value> {
    let text = || prop::option::of(any_text());
    (any_text(), text(), text(), text(), prop::option::of(any_time()))
        .prop_map(|(kind, status, reason, message, time)| {
            json!({"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": time})
        })
        .boxed()
}

fn sample_field(field: &Value, number: usize, full: bool) -> Value {
    let (avro, optional) = required(field);
    if optional && !full {
        return Value::Null;
    }
    let name = field["name"].as_str().unwrap();
    match (field["rust"].as_str(), type_name(avro).as_str()) {
        (Some("Json"), _) if full => json!({"k": [1, "é", null, {"\u{0}": -9_223_372_036_854_775_808_i64}]}),
        (Some("Json"), _) => json!({}),
        (Some(word), _) if !vocabulary(word).is_empty() => {
            let words = vocabulary(word);
            json!(words[number % words.len()])
        }
        (_, "string") if full => json!(format!("{name} \"é\" 🦀\0\n")),
        (_, "string") => json!(""),
        (_, "long") if full => json!([i64::MAX, i64::MIN, 300, -1][number % 4]),
        (_, "long") => json!(0),
        (_, "boolean") => json!(full),
        (_, "timestamp-micros") if full => json!("2026-10-01T12:34:56.789012Z"),
        (_, "timestamp-micros") => json!("0001-01-01T00:00:00Z"),
        (_, "bytes") => json!(if full { base64(&[0, 255, 128, 10]) } else { String::new() }),
        (_, "array of string") if full => json!(["pods", ""]),
        (_, "array of Condition") if full => json!([
            {"type": "Available", "status": "True", "reason": "é", "message": "\0",
             "lastTransitionTime": "2026-10-01T12:34:56.789012Z"},
            {"type": "", "status": null, "reason": null, "message": null, "lastTransitionTime": null}
        ]),
        (_, "array of string" | "array of Condition") => json!([]),
        (rust, other) => panic!("a field of type {other} ({rust:?}) has no sample yet"),
    }
}

fn type_name(avro: &Value) -> String {
    match (avro.as_str(), avro["logicalType"].as_str(), avro["items"]["name"].as_str(), avro["items"].as_str()) {
        (Some(primitive), ..) => primitive.to_owned(),
        (_, Some(logical), ..) => logical.to_owned(),
        (_, _, Some(record), _) => format!("array of {record}"),
        (_, _, _, Some(item)) => format!("array of {item}"),
        _ => avro.to_string(),
    }
}

/// The words of a closed vocabulary; none where the name is not one.
fn vocabulary(rust: &str) -> Vec<&'static str> {
    macro_rules! words {
        ($($name:ident),+) => {
            match rust {
                $(stringify!($name) => podledger_schemas::$name::ALL.iter().map(|word| word.as_str()).collect(),)+
                _ => Vec::new(),
            }
        };
    }
    words!(ActorKind, AlertState, Cause, ChangeSource, DeclarationStatus, Purpose, ReplicaField, Rule, Severity)
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Calls a macro with every message and every row.
macro_rules! every_record {
    ($callback:ident) => {
        $callback! {
            messages: LimitDeclaration, Notification, RawBatch, ReplicaChange, RowBatch, SnapshotRequest, Violation;
            rows: DeadLetters, FirestoreApis, FirestoreBackendservices, FirestoreCapextchannels, FirestoreDocuments,
                GkeClusters, GkeDeployments, GkeNodes, GkePodUsage, GkePods, HpaData, PipelineLedger, RejectedRows,
                LimitDeclaration, Notification, ReplicaChange, Violation;
        }
    };
}
pub(crate) use every_record;
