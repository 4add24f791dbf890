use proptest::prelude::*;
use serde_json::value::RawValue;

use super::*;
use crate::ports::DocumentValue;

fn document(fields: Fields) -> Document {
    let name = "projects/p/databases/(default)/documents/teams/t/apis/a".parse().unwrap();
    Document { name, create_time: Some(Moment::new(1, 500).unwrap()), update_time: None, fields }
}

fn of(fields: impl IntoIterator<Item = (&'static str, DocumentValue)>) -> Document {
    document(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn text_of(document: &Document) -> String {
    String::from_utf8(document.to_wire().unwrap()).unwrap()
}

fn read(json: &str) -> Result<Document, WireError> {
    WireDocument::read(json)?.document()
}

fn value(json: &str) -> Result<DocumentValue, WireError> {
    decode_value(&RawValue::from_string(json.to_owned()).unwrap())
}

#[test]
fn the_form_is_the_documented_one() {
    let time = |text: &str| DocumentValue::Time(Moment::parse(text).unwrap());
    let document = of([
        ("array", DocumentValue::Array(vec![DocumentValue::Integer(1), DocumentValue::Array(vec![])])),
        ("bool", DocumentValue::Bool(true)),
        ("bytes", DocumentValue::Bytes(vec![0, 255])),
        ("double", DocumentValue::Double(1.0)),
        ("geo", DocumentValue::GeoPoint { latitude: 51.5, longitude: -0.125 }),
        ("infinite", DocumentValue::Double(f64::NEG_INFINITY)),
        ("integer", DocumentValue::Integer(-(1 << 53) + 1)),
        ("large", DocumentValue::Integer(1 << 53)),
        ("map", DocumentValue::Map(Fields::from([("$timestamp".to_owned(), DocumentValue::Text("no".to_owned()))]))),
        ("nan", DocumentValue::Double(f64::NAN)),
        ("null", DocumentValue::Null),
        ("reference", DocumentValue::Reference("projects/p/databases/d/documents/a/b".to_owned())),
        ("text", DocumentValue::Text("a\"\n é\u{1}".to_owned())),
        ("time", time("9999-12-31T23:59:59.999999999Z")),
    ]);
    let expected = concat!(
        r#"{"name":"projects/p/databases/(default)/documents/teams/t/apis/a","#,
        r#""createTime":"1970-01-01T00:00:01.0000005Z","data":{"array":[1,[]],"bool":true,"#,
        r#""bytes":{"$bytes":"AP8="},"double":1.0,"geo":{"$geoPoint":{"latitude":51.5,"longitude":-0.125}},"#,
        r#""infinite":{"$double":"-Infinity"},"integer":-9007199254740991,"#,
        r#""large":{"$integer":"9007199254740992"},"map":{"$$timestamp":"no"},"nan":{"$double":"NaN"},"#,
        r#""null":null,"reference":{"$reference":"projects/p/databases/d/documents/a/b"},"#,
        r#""text":"a\"\n é\u0001","time":{"$timestamp":"9999-12-31T23:59:59.999999999Z"}}}"#,
    );
    assert_eq!(text_of(&document), expected);
    assert_eq!(read(expected), Ok(document));
}

#[test]
fn whole_numbers_and_others_are_told_apart() {
    assert_eq!(value("1"), Ok(DocumentValue::Integer(1)));
    assert_eq!(value("1.0"), Ok(DocumentValue::Double(1.0)));
    assert_eq!(value("-0.0"), Ok(DocumentValue::Double(-0.0)));
    assert_ne!(value("-0.0"), Ok(DocumentValue::Double(0.0)));
    assert_eq!(value("9223372036854775807"), Ok(DocumentValue::Integer(i64::MAX)));
    assert_eq!(value(r#"{"$integer":"-9223372036854775808"}"#), Ok(DocumentValue::Integer(i64::MIN)));
    assert_eq!(value("5e-324"), Ok(DocumentValue::Double(5e-324)));
}

#[test]
fn what_is_not_of_the_form_is_refused_with_its_place() {
    for (json, expected) in [
        ("9223372036854775808", "value: 9223372036854775808 is not a 64-bit whole number"),
        ("1e999", "value: 1e999 is not a 64-bit number"),
        (r#"{"$timestam":"x"}"#, r#"value: unknown member "$timestam", did you mean "$timestamp"?"#),
        (r#"{"a":1,"$timestamp":"x"}"#, r#"value: unknown member "$timestamp", did you mean "$timestamp"?"#),
        (r#"{"$timestamp":"x"}"#, r#"value: $timestamp is "x", expected a time in RFC 3339"#),
        (r#"{"$timestamp":1}"#, "value: 1 is not text"),
        (r#"{"$bytes":"!"}"#, r#"value: $bytes is "!", expected base64"#),
        (r#"{"$double":"1"}"#, r#"value: $double is "1", expected NaN, Infinity or -Infinity"#),
        (r#"{"$integer":"1.5"}"#, r#"value: $integer is "1.5", expected a 64-bit whole number"#),
        (r#"[{"a":[true,{"$geoPoint":{"latitude":true,"longitude":0.0}}]}]"#, "value.0.a.1: true is no angle"),
        (r#"{"a":{"b":1,"b":2}}"#, "value.a.b: it is there twice"),
    ] {
        assert_eq!(value(json).unwrap_err().to_string(), expected);
    }
    assert!(matches!(value(r#"{"$geoPoint":{"latitude":1.0}}"#), Err(WireError::Form { .. })));
    for json in ["", "1", "[]", "{}", r#"{"name":"a/b","data":{}}"#, r#"{"name":1,"data":{}}"#] {
        assert!(read(json).is_err(), "{json}");
    }
    let named = |rest: &str| read(&format!(r#"{{"name":"projects/p/databases/d/documents/a/b",{rest}}}"#));
    assert!(named(r#""data":{}"#).is_ok());
    for rest in [r#""data":[]"#, r#""data":null"#, r#""data":{},"createTime":"x""#, r#""data":{"a":1,"a":2}"#] {
        assert!(named(rest).is_err(), "{rest}");
    }
}

/// A value with that many arrays and maps within each other.
fn nested(levels: usize) -> DocumentValue {
    (0..levels).fold(DocumentValue::Null, |inner, level| match level % 2 {
        0 => DocumentValue::Array(vec![inner]),
        _ => DocumentValue::Map(Fields::from([("a".to_owned(), inner)])),
    })
}

#[test]
fn depth_and_size_are_bounded_both_ways() {
    let deepest = of([("a", nested(MAX_DOCUMENT_DEPTH))]);
    assert_eq!(read(&text_of(&deepest)), Ok(deepest));
    assert_eq!(of([("a", nested(MAX_DOCUMENT_DEPTH + 1))]).to_wire(), Err(WireError::TooDeep));
    for levels in [MAX_DOCUMENT_DEPTH + 1, 100_000] {
        let json = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(value(&format!("[{json}]")), Err(WireError::TooDeep), "{levels}");
        let json = format!("{}null{}", r#"{"a":"#.repeat(levels), "}".repeat(levels));
        assert_eq!(value(&format!("[{json}]")), Err(WireError::TooDeep), "{levels}");
    }
    let large = |bytes: usize| of([("a", DocumentValue::Text("x".repeat(bytes)))]);
    assert!(large(MAX_DOCUMENT_BYTES / 2).to_wire().is_ok());
    assert_eq!(large(MAX_DOCUMENT_BYTES).to_wire(), Err(WireError::TooLarge));
    assert_eq!(of([("a", DocumentValue::Bytes(vec![0; MAX_DOCUMENT_BYTES]))]).to_wire(), Err(WireError::TooLarge));
    assert_eq!(read(&" ".repeat(MAX_DOCUMENT_BYTES + 1)), Err(WireError::TooLarge));
}

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "\\$[a-zA-Z$]{0,10}", prop::sample::select(SPECIAL.to_vec()).prop_map(str::to_owned)]
}

fn any_value() -> impl Strategy<Value = DocumentValue> {
    let seconds = -62_135_596_800_i64..=253_402_300_799;
    let leaf = prop_oneof![
        Just(DocumentValue::Null),
        any::<bool>().prop_map(DocumentValue::Bool),
        prop_oneof![any::<i64>(), -3..3_i64, (1_i64 << 53) - 2..(1_i64 << 53) + 2].prop_map(DocumentValue::Integer),
        prop_oneof![any::<f64>(), Just(f64::NAN), Just(f64::INFINITY), Just(-0.0)].prop_map(DocumentValue::Double),
        (seconds, 0..1_000_000_000_u32).prop_map(|(s, n)| DocumentValue::Time(Moment::new(s, n).unwrap())),
        any::<String>().prop_map(DocumentValue::Text),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(DocumentValue::Bytes),
        any::<String>().prop_map(DocumentValue::Reference),
        (any::<f64>(), any::<f64>()).prop_map(|(latitude, longitude)| DocumentValue::GeoPoint { latitude, longitude }),
    ];
    leaf.prop_recursive(6, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(DocumentValue::Array),
            prop::collection::btree_map(any_name(), inner, 0..6).prop_map(DocumentValue::Map),
        ]
    })
}

proptest! {
    #[test]
    fn every_document_survives_its_wire_form(fields in prop::collection::btree_map(any_name(), any_value(), 0..6)) {
        let document = document(fields);
        let text = text_of(&document);
        prop_assert!(!text.contains('\n'), "one line");
        // Any reader of JSON takes it.
        prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
        let again = read(&text).unwrap();
        prop_assert_eq!(&again, &document);
        prop_assert_eq!(text_of(&again), text);
    }

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>(), json in "[\\[\\]{}\":,$a0-9.eE+-]{0,60}") {
        for text in [text, json] {
            if let Ok(json) = RawValue::from_string(text.clone())
                && let Ok(value) = decode_value(&json)
            {
                let document = of([("a", value)]);
                prop_assert_eq!(read(&text_of(&document)), Ok(document));
            }
            drop(read(&text));
        }
    }
}
