use serde::Deserialize;

use super::*;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct Sample<'a> {
    #[serde(default)]
    count: Option<Count>,
    #[serde(default)]
    ready: Option<bool>,
    #[serde(default)]
    at: Option<Moment>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    labels: Entries<'a, Text<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    items: List<Item<'a>>,
    #[serde(borrow, default)]
    raw: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "an object")]
struct Item<'a> {
    #[serde(borrow)]
    amount: Scalar<'a>,
}

#[test]
fn a_fault_names_the_place_the_value_and_what_was_expected() {
    let cases = [
        (r#"{"count": "three"}"#, r#"count is "three", expected a whole number"#),
        (r#"{"count": 2.5}"#, "count is 2.5, expected a whole number"),
        (r#"{"count": -1}"#, "count is -1, expected a whole number of at least 0"),
        (r#"{"count": 2147483648}"#, "count is 2147483648, expected a whole number of at most 2147483647"),
        (r#"{"count": [1]}"#, "count is [1], expected a whole number"),
        (r#"{"ready": "yes"}"#, r#"ready is "yes", expected true or false"#),
        (r#"{"at": "noon"}"#, r#"at is "noon", expected a time such as 2026-10-01T12:00:00Z"#),
        (r#"{"at": 5}"#, "at is 5, expected a time such as 2026-10-01T12:00:00Z"),
        (r#"{"labels": {"app": 1}}"#, "labels.app is 1, expected a string"),
        (r#"{"labels": {"a.b/c": true}}"#, r#"labels["a.b/c"] is true, expected a string"#),
        (r#"{"labels": []}"#, "labels is [], expected an object"),
        (r#"{"items": {}}"#, "items is {}, expected a list"),
        (r#"{"items": [null, {"amount": {"x": 1}}]}"#, r#"items[1].amount is {"x": 1}, expected a string or a number"#),
        (r#"{"items": [{}]}"#, "items[0].amount is missing, expected a value"),
        ("[]", "it is [], expected an object"),
        (r#"{"count": 1} x"#, "not one JSON value: trailing characters at line 1 column 14"),
        (r#"{"count": 1"#, "not readable as JSON: EOF while parsing an object at line 1 column 11"),
    ];
    for (json, expected) in cases {
        assert_eq!(decode::<Object<Sample<'_>>>(json, "").unwrap_err().0, expected, "{json}");
    }
    assert_eq!(
        decode::<Object<Sample<'_>>>(r#"{"count": -1}"#, "spec").unwrap_err().0,
        "spec.count is -1, expected a whole number of at least 0"
    );
}

#[test]
fn a_value_of_any_size_is_shown_short() {
    let digits = "9".repeat(10_000);
    let fault = decode::<Object<Sample<'_>>>(&format!(r#"{{"count": {digits}}}"#), "").unwrap_err();
    assert!(fault.0.starts_with("count is 999") && fault.0.len() < 200, "{fault}");
    let fault = decode::<Object<Sample<'_>>>(&format!(r#"{{"count": "{}"}}"#, "x".repeat(1_000_000)), "").unwrap_err();
    assert!(fault.0.len() < 200, "{fault}");
}

#[test]
fn nesting_is_no_danger_where_nobody_looks() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let json = format!(r#"{{"ignored": {deep}, "raw": {deep}, "count": 1}}"#);
    let sample: Object<Sample<'_>> = decode(&json, "").unwrap();
    assert_eq!(sample.count, Some(Whole(1)));
    let fault = storable(sample.raw.unwrap(), "raw").unwrap_err();
    assert!(fault.0.ends_with("expected at most 100 levels"), "{fault}");
    assert!(storable(&RawValue::from_string(r#"{"a": "[[[\"{{"}"#.into()).unwrap(), "raw").is_ok());
    let fault = decode::<Object<Sample<'_>>>(&format!(r#"{{"count": {deep}}}"#), "").unwrap_err();
    assert!(fault.0.starts_with("count is [[["), "{fault}");
}

#[test]
fn scalars_are_kept_as_written() {
    let json = r#"{"items": [{"amount": "500m"}, {"amount": 1.50}, {"amount": 1e3}, null, {"amount": "a\"b"}]}"#;
    let sample: Object<Sample<'_>> = decode(json, "").unwrap();
    let written: Vec<&str> = present(&sample.items).map(|item| item.amount.as_str()).collect();
    assert_eq!(written, ["500m", "1.50", "1e3", "a\"b"]);
}

#[test]
fn the_last_of_equal_keys_holds() {
    let sample: Object<Sample<'_>> = decode(r#"{"labels": {"b": "1", "a": "2", "b": "3"}}"#, "").unwrap();
    assert_eq!(sample.labels.get("b").map(Text::as_str), Some("3"));
    assert_eq!(serde_json::to_string(&sample.labels).unwrap(), r#"{"a":"2","b":"3"}"#);
    assert!(sample.labels.get("c").is_none());
}

#[test]
fn null_reads_like_absent() {
    let sample: Sample<'_> =
        decode(r#"{"count": null, "labels": null, "items": null, "ready": null, "at": null}"#, "").unwrap();
    assert!(sample.count.is_none() && sample.ready.is_none() && sample.at.is_none() && sample.items.is_empty());
}
