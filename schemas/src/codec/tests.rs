use apache_avro::types::Value;

use super::*;
use crate::{Notification, NotificationId, SnapshotRequest, Timestamp};

fn notification() -> Notification {
    Notification {
        notification_id: NotificationId::from("n1"),
        event_id: "v1".into(),
        episode_id: "e1".into(),
        receiver: "ops".to_owned(),
        channel: "webhook".to_owned(),
        outcome: "refused".to_owned(),
        attempts: 3,
        sent_at: Timestamp::from_seconds(1_790_000_000),
        error: Some("410".to_owned()),
    }
}

/// The notification's schema as it might have been before.
fn past(change: impl FnOnce(&mut Vec<serde_json::Value>)) -> Schema {
    let mut avsc: serde_json::Value = serde_json::from_str(Notification::schema().avsc).unwrap();
    change(avsc["fields"].as_array_mut().unwrap());
    Schema::parse_str(&avsc.to_string()).unwrap()
}

/// The notification as a past version would have written it: by name, what it has.
fn written_by(past: &Schema) -> Vec<u8> {
    let current = notification().encode().unwrap().bytes;
    let reader = GenericDatumReader::builder(&Notification::schema().schema).build().unwrap();
    let Value::Record(fields) = reader.read_value(&mut current.as_slice()).unwrap() else { panic!("a record") };
    let Schema::Record(record) = past else { panic!("a record") };
    let fields = record
        .fields
        .iter()
        .map(|field| {
            let value = fields.iter().find(|(name, _)| *name == field.name).map(|(_, value)| value.clone());
            (field.name.clone(), value.unwrap_or(Value::Union(0, Box::new(Value::Null))))
        })
        .collect();
    GenericDatumWriter::builder(past).build().unwrap().write_value_to_vec(Value::Record(fields)).unwrap()
}

#[test]
fn a_version_without_a_field_reads_with_its_default() {
    let past = past(|fields| fields.retain(|field| field["name"] != "error"));
    let read: Notification = read_past(Notification::schema(), &past, &written_by(&past)).unwrap();
    assert_eq!(read, Notification { error: None, ..notification() });
}

#[test]
fn a_version_with_its_fields_in_another_order_reads_by_name() {
    let past = past(|fields| fields.reverse());
    let bytes = written_by(&past);
    assert_ne!(bytes, notification().encode().unwrap().bytes);
    let read: Notification = read_past(Notification::schema(), &past, &bytes).unwrap();
    assert_eq!(read, notification());
}

#[test]
fn a_version_with_a_field_that_was_dropped_since_reads_without_it() {
    let past = past(|fields| {
        fields.insert(2, serde_json::json!({"name": "gone", "type": ["null", "string"], "default": null}));
    });
    let read: Notification = read_past(Notification::schema(), &past, &written_by(&past)).unwrap();
    assert_eq!(read, notification());
}

#[test]
fn an_unknown_version_another_schema_and_extra_bytes_are_refused() {
    let Encoded { bytes, attributes } = notification().encode().unwrap();
    assert_eq!(Notification::decode(&bytes, &attributes).unwrap(), notification());
    assert_eq!(Notification::decode(&bytes, &BTreeMap::new()).unwrap(), notification());
    let with = |name: &str, value: &str| {
        let mut attributes = attributes.clone();
        attributes.insert(name.to_owned(), value.to_owned());
        Notification::decode(&bytes, &attributes).unwrap_err().to_string()
    };
    assert_eq!(
        with(SCHEMA_FINGERPRINT_ATTRIBUTE, "0000000000000000"),
        "not a Notification: schema version 0000000000000000 is not known here"
    );
    assert_eq!(with(SCHEMA_ATTRIBUTE, "RawBatch"), "not a Notification: the message says it is a RawBatch");
    let longer = [bytes.as_slice(), &[0]].concat();
    let error = Notification::decode(&longer, &attributes).unwrap_err().to_string();
    assert_eq!(error, "not a Notification: 1 bytes too many");
    for end in 0..bytes.len() {
        assert!(Notification::decode(&bytes[..end], &attributes).is_err(), "the first {end} bytes");
    }
}

#[test]
fn a_scheduler_may_leave_out_what_has_a_default() {
    let request = SnapshotRequest::decode(br#"{"cluster": "*"}"#, &BTreeMap::new()).unwrap();
    assert_eq!((request.cluster.as_str(), request.request_id.as_str(), request.kinds.len()), ("*", "", 0));
    assert!(SnapshotRequest::decode(b"{}", &BTreeMap::new()).is_err());
    assert!(SnapshotRequest::decode("[".repeat(100_000).as_bytes(), &BTreeMap::new()).is_err());
}
