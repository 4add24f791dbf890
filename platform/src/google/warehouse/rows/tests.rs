use bytes::Bytes;
use futures::StreamExt as _;
use schemas::GkePods;

use super::*;
use crate::testkit::memory::MemoryObjects;
use crate::testkit::warehouse::parts::{file, file_without, put, stored};
use crate::testkit::warehouse::rows::{change, october, pod};

fn pods() -> Vec<GkePods> {
    vec![pod("s1", "a"), pod("s1", "b")]
}

async fn check(objects: &dyn Objects, key: &str, rows: i64) -> PortResult<()> {
    let part = SnapshotPart { object: key.to_owned(), rows };
    check_part(objects, Table::GkePods, &"s1".into(), &part).await
}

#[tokio::test]
async fn a_part_that_is_what_it_says_is_fine_and_any_other_is_named() {
    let objects = MemoryObjects::default();
    stored(&objects, "good", &pods()).await;
    check(&objects, "good", 2).await.unwrap();
    put(&objects, "old", file_without(&pods(), &["labels"])).await;
    check(&objects, "old", 2).await.unwrap();
    stored(&objects, "foreign", &[pod("s1", "a"), pod("s2", "b")]).await;
    stored(&objects, "change", &[change("e", october(1, 0), 1)]).await;
    put(&objects, "lacks", file_without(&pods(), &["ready"])).await;
    put(&objects, "cut", file(&pods())[..file(&pods()).len() - 20].to_vec()).await;
    for (key, reason) in [
        ("missing", "no such object"),
        ("foreign", "row 1: it is not of snapshot s1"),
        ("change", "expected GkePods"),
        ("lacks", "column \"ready\" is missing"),
        ("cut", "row"),
    ] {
        let error = check(&objects, key, 2).await.unwrap_err();
        assert!(matches!(error, PortError::NeverWill { .. }), "{error}");
        assert!(error.to_string().contains(key) && error.to_string().contains(reason), "{error}");
    }
    let error = check(&objects, "good", 3).await.unwrap_err();
    assert!(error.to_string().contains("it holds 2 rows, expected 3"), "{error}");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_outage_and_no_wrong_file() {
    struct Breaking(Bytes);

    #[async_trait::async_trait]
    impl Objects for Breaking {
        async fn create(&self, _: &str, _: crate::ports::ByteStream) -> PortResult<crate::ports::Created> {
            unreachable!("a check only reads")
        }
        async fn replace_if(
            &self,
            _: &str,
            _: Option<crate::ports::Generation>,
            _: Bytes,
        ) -> PortResult<crate::ports::Replaced> {
            unreachable!("a check only reads")
        }
        async fn read(&self, _: &str) -> PortResult<Option<crate::ports::StoredObject>> {
            let pieces = [Ok(self.0.clone()), Err(std::io::Error::other("cut"))];
            let body = futures::stream::iter(pieces).boxed();
            Ok(Some(crate::ports::StoredObject { generation: crate::ports::Generation(1), size: 9, body }))
        }
        async fn list(&self, _: &str) -> PortResult<Vec<crate::ports::ObjectMeta>> {
            unreachable!("a check only reads")
        }
        async fn delete(&self, _: &str) -> PortResult<()> {
            unreachable!("a check only reads")
        }
        async fn ping(&self) -> PortResult<()> {
            unreachable!("a check only reads")
        }
    }

    let bytes = file(&pods());
    let error = check(&Breaking(bytes[..bytes.len() / 2].to_vec().into()), "p", 2).await.unwrap_err();
    assert!(matches!(error, PortError::DidNotHappen { .. }), "{error}");
}

#[test]
fn values_travel_as_text_and_null_as_none() {
    let row = schemas::ReplicaChange { code: None, ..change("e'1", october(1, 0), -3) };
    let texts = texts(Table::ReplicaChanges, &file(&[row]), None).unwrap();
    let of = |name: &str| {
        let place = Table::ReplicaChanges.columns().iter().position(|column| column.name == name).unwrap();
        texts[0][place].as_deref()
    };
    assert_eq!(of("event_id"), Some("e'1"));
    assert_eq!(of("occurred_at"), Some("2026-10-01T00:00:00Z"));
    assert_eq!(of("new_value"), Some("-3"));
    assert_eq!(of("code"), None);
}

#[test]
fn json_is_parsed_where_it_arrives_and_other_columns_are_left_alone() {
    let column = |name: &str| Table::GkePods.columns().iter().find(|column| column.name == name).unwrap();
    assert_eq!(from_file(column("phase"), "`phase`"), "`phase`");
    assert!(from_file(column("labels"), "`labels`").contains("SAFE.PARSE_JSON(`labels`"));
    assert_eq!(from_parameter(column("labels"), "r.`labels`"), "PARSE_JSON(r.`labels`)");
    assert_eq!(parameter_type(column("labels")), "STRING");
    assert_eq!(parameter_type(column("restart_count")), "INT64");
}

#[test]
fn json_travels_in_a_form_that_always_parses() {
    for (text, expected) in [
        (r#"{"b": 1, "a": [null, 1.50]}"#, r#"{"a":[null,1.5],"b":1}"#),
        ("9223372036854775807", "9223372036854775807"),
        ("0.12345678901234567890123", "0.12345678901234568"),
        ("1e999", r#""1e999""#),
        ("not json", r#""not json""#),
        ("", r#""""#),
        ("null", "null"),
        (r#""nul\u0000""#, r#""nul\u0000""#),
    ] {
        assert_eq!(plain_json(text), expected);
    }
}
