use platform::ports::Kind;
use schemas::ColumnType;
use serde_json::{Value, json};

use super::*;
use crate::map::Rows;
use crate::testing::{at, map};

fn wire(path: &str, data: &Value) -> Value {
    json!({
        "name": format!("projects/acme/databases/(default)/documents/{path}"),
        "createTime": "2026-09-01T00:00:00.000000001Z",
        "data": data,
    })
}

fn document(kind: Kind, path: &str, data: &Value) -> Result<DocumentRow, String> {
    match map(kind, &wire(path, data))? {
        Rows::Document(row) => Ok(*row),
        other => panic!("{other:?}"),
    }
}

fn api(data: &Value) -> FirestoreApis {
    match document(Kind::Collection(TabledCollection::Apis), "teams/payments/apis/orders", data) {
        Ok(DocumentRow::Api(row)) => row,
        other => panic!("{other:?}"),
    }
}

#[test]
fn any_document_is_a_row_with_all_its_fields() {
    let data = json!({"teamId": "payments", "at": {"$timestamp": "2026-10-01T00:00:00Z"}, "n": 1.5});
    let Ok(DocumentRow::Any(row)) = document(Kind::Documents, "teams/payments/apis/orders", &data) else {
        panic!("expected a document")
    };
    let seat = (row.cluster.as_str(), row.snapshot_id.as_str(), row.observed_at);
    assert_eq!(seat, ("prod-uk", "s1", at("2026-10-01T12:00:00Z")));
    let place = (row.project.as_str(), row.database.as_str(), row.collection.as_str(), row.document_id.as_str());
    assert_eq!(place, ("acme", "(default)", "apis", "orders"));
    assert_eq!(row.path, "teams/payments/apis/orders");
    assert_eq!((row.create_time, row.update_time), (Some(at("2026-09-01T00:00:00Z")), None));
    assert_eq!(row.data.as_str(), data.to_string());
}

#[test]
fn columns_come_from_fields_of_their_name_in_either_case() {
    let row = api(&json!({
        "api_id": "orders", "teamId": "payments", "maxReplicas": 4, "enabled": true,
        "created_at": {"$timestamp": "2026-01-01T00:00:00Z"}, "updatedAt": "2026-02-01T01:00:00+01:00",
        "backendService": {"$reference": "projects/acme/databases/(default)/documents/backendservices/b"},
        "labels": {"tier": [1, {"$integer": "9223372036854775807"}]}, "user_id": null, "unknown": "kept",
    }));
    let text = (row.api_id.as_deref(), row.team_id.as_deref(), row.user_id.as_deref(), row.version.as_deref());
    assert_eq!(text, (Some("orders"), Some("payments"), None, None));
    assert_eq!((row.max_replicas, row.enabled), (Some(4), Some(true)));
    let times = (row.created_at, row.updated_at);
    assert_eq!(times, (Some(at("2026-01-01T00:00:00Z")), Some(at("2026-02-01T00:00:00Z"))));
    assert_eq!(row.backend_service.as_deref(), Some("projects/acme/databases/(default)/documents/backendservices/b"));
    assert_eq!(row.labels.unwrap().as_str(), r#"{"tier":[1,{"$integer":"9223372036854775807"}]}"#);
    assert_eq!(row.mistyped, None);
    assert!(row.data.as_str().contains(r#""unknown":"kept""#));
}

#[test]
fn a_field_that_does_not_fit_leaves_its_column_null_and_the_rest_of_the_row_alone() {
    let row = api(&json!({
        "api_id": 7, "name": "orders", "max_replicas": "four", "enabled": 1, "created_at": "yesterday",
        "team_id": {"$bytes": "AA=="}, "version": {"$unknown": 1},
    }));
    assert_eq!(row.name.as_deref(), Some("orders"));
    assert_eq!((row.api_id, row.max_replicas, row.enabled, row.created_at), (None, None, None, None));
    assert_eq!((row.team_id, row.version), (None, None));
    let mistyped = row.mistyped.unwrap();
    for expected in [
        "api_id is 7, expected text",
        "max_replicas is \"four\", expected a whole number",
        "enabled is 1, expected true or false",
        "created_at is \"yesterday\", expected a time",
        "team_id is {\"$bytes\":\"AA==\"}, expected text",
        "version is {\"$unknown\":1}, expected text",
    ] {
        assert!(mistyped.contains(expected), "{mistyped}");
    }
    assert!(row.data.as_str().contains(r#""max_replicas":"four""#), "the value stays in data");
}

#[test]
fn whole_numbers_are_exact_however_they_are_written() {
    let of = |number: Value| {
        let row = api(&json!({"max_replicas": number}));
        (row.max_replicas, row.mistyped.is_some())
    };
    assert_eq!(of(json!({"$integer": i64::MIN.to_string()})), (Some(i64::MIN), false));
    assert_eq!(of(json!(3.0)), (Some(3), false));
    assert_eq!(of(json!(3.5)), (None, true));
    assert_eq!(of(json!(1e300)), (None, true));
    assert_eq!(of(json!({"$double": "NaN"})), (None, true));
}

#[test]
fn what_is_no_document_is_rejected_by_its_name() {
    let reject = |json: &Value| map(Kind::Documents, json).unwrap_err();
    let name = "projects/acme/databases/(default)/documents/apis/a";
    assert_eq!(reject(&json!({"name": name, "data": []})), format!("document {name}: data: [] is not an object"));
    assert!(reject(&json!({"name": "apis/a", "data": {}})).contains("projects/PROJECT"));
    assert!(reject(&json!({"data": {}})).contains("missing field `name`"));
    assert!(reject(&json!([])).starts_with("document: "));
    let other = document(Kind::Collection(TabledCollection::Apis), "teams/t", &json!({})).unwrap_err();
    assert!(other.contains("it is of the collection teams, expected apis"), "{other}");
}

#[test]
fn every_column_of_a_collection_is_one_that_a_field_can_fill() {
    let frame = ["cluster", "snapshot_id", "observed_at", "project", "database", "document_id", "path", "data"];
    for tabled in TabledCollection::ALL {
        for column in tabled.table().columns().iter().filter(|column| !frame.contains(&column.name.as_str())) {
            assert!(column.nullable, "{}.{}", tabled.table(), column.name);
            let unfit = matches!(column.column_type, ColumnType::Bytes | ColumnType::Conditions);
            assert!(!unfit, "{}.{}", tabled.table(), column.name);
        }
        let row = document(Kind::Collection(*tabled), &format!("{}/x", tabled.id()), &json!({})).unwrap();
        assert_eq!((row.table(), row.path()), (tabled.table(), format!("{}/x", tabled.id()).as_str()));
    }
}
