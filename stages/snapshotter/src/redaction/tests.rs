use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// What every planted secret contains.
const SECRET: &str = "hunter2";
const CONTAINERS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

fn redacted(object: &str) -> Result<String, NotAnObject> {
    let mut line = Vec::new();
    redact(object.as_bytes(), &mut line)?;
    Ok(String::from_utf8(line).unwrap())
}

/// The same redaction on a tree: slow and plain.
fn reference(value: &Value, key: &str, env: bool) -> Value {
    match value {
        Value::Array(elements) => elements.iter().map(|element| reference(element, key, env)).collect(),
        Value::Object(members) => members
            .iter()
            .filter(|(name, _)| {
                let managed = key == "metadata" && *name == "managedFields";
                let applied = key == "annotations" && *name == "kubectl.kubernetes.io/last-applied-configuration";
                !(managed || applied || (env && *name == "value"))
            })
            .map(|(name, value)| (name.clone(), reference(value, name, CONTAINERS.contains(&key) && name == "env")))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        scalar => scalar.clone(),
    }
}

/// JSON as somebody may write it: any order, keys given twice.
#[derive(Debug, Clone)]
enum Written {
    Scalar(String),
    Array(Vec<Written>),
    Object(Vec<(String, Written)>),
}

impl Written {
    /// As text, with white space and escapes in keys drawn from `dice`.
    fn text(&self, dice: &mut impl Iterator<Item = u8>, text: &mut String) {
        let space = |text: &mut String, dice: &mut dyn Iterator<Item = u8>| {
            text.push_str(["", "", "", " ", "\n", "\t\r ", "", ""][usize::from(dice.next().unwrap_or(0) % 8)]);
        };
        space(text, dice);
        match self {
            Self::Scalar(scalar) => text.push_str(scalar),
            Self::Array(elements) => {
                text.push('[');
                space(text, dice);
                for (index, element) in elements.iter().enumerate() {
                    text.push_str(if index == 0 { "" } else { "," });
                    element.text(dice, text);
                }
                text.push(']');
            }
            Self::Object(members) => {
                text.push('{');
                for (index, (key, value)) in members.iter().enumerate() {
                    text.push_str(if index == 0 { "" } else { "," });
                    space(text, dice);
                    text.push('"');
                    for character in key.encode_utf16() {
                        match char::from_u32(character.into()) {
                            Some(plain) if plain != '"' && plain != '\\' && !dice.next().unwrap_or(0).is_multiple_of(16) => {
                                text.push(plain);
                            }
                            _ => text.push_str(&format!("\\u{character:04x}")),
                        }
                    }
                    text.push('"');
                    space(text, dice);
                    text.push(':');
                    value.text(dice, text);
                }
                space(text, dice);
                text.push('}');
            }
        }
        space(text, dice);
    }
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::sample::select(vec![
            "metadata", "managedFields", "annotations", "kubectl.kubernetes.io/last-applied-configuration",
            "containers", "initContainers", "ephemeralContainers", "env", "value", "valueFrom", "name", "namespace",
            "spec", "template", "jobTemplate",
        ]).prop_map(str::to_owned),
        1 => "[a-z\"\\\\é😀]{0,6}",
    ]
}

fn scalar() -> impl Strategy<Value = Written> {
    prop_oneof![
        prop::sample::select(vec![
            "null",
            "true",
            "false",
            "0",
            "-0.5e+3",
            "12345678901234567890",
            "\"\\ud83d\\ude00\\n\""
        ])
        .prop_map(str::to_owned),
        any::<i64>().prop_map(|number| number.to_string()),
        ".{0,12}".prop_map(|text| Value::from(text).to_string()),
    ]
    .prop_map(Written::Scalar)
}

fn object() -> impl Strategy<Value = Written> {
    let value = scalar().prop_recursive(7, 96, 6, |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(Written::Array),
            3 => prop::collection::vec((key(), inner), 0..6).prop_map(Written::Object),
        ]
    });
    prop::collection::vec((key(), value), 0..6).prop_map(Written::Object)
}

/// A path from an object to a value that must not be stored.
fn secret_path() -> impl Strategy<Value = Vec<&'static str>> {
    let above = prop::sample::select(vec![
        vec!["spec"],
        vec!["spec", "template", "spec"],
        vec!["spec", "jobTemplate", "spec", "template", "spec"],
    ]);
    let env = (above, prop::sample::select(CONTAINERS.to_vec()))
        .prop_map(|(above, containers)| [above, vec![containers, "[]", "env", "[]", "value"]].concat());
    let metadata = prop::sample::select(vec![
        vec!["metadata", "managedFields"],
        vec!["metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration"],
        vec!["spec", "template", "metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration"],
    ]);
    prop_oneof![env, metadata]
}

/// Plants a value at a path, beside whatever is there.
fn plant(path: &[&'static str], secret: Written, into: Option<Written>) -> Written {
    let Some((first, rest)) = path.split_first() else { return secret };
    match (*first, into) {
        ("[]", Some(Written::Array(mut elements))) => {
            elements.push(plant(rest, secret, None));
            Written::Array(elements)
        }
        ("[]", _) => Written::Array(vec![plant(rest, secret, None)]),
        (key, Some(Written::Object(mut members))) => {
            members.insert(members.len() / 2, (key.to_owned(), plant(rest, secret, None)));
            Written::Object(members)
        }
        (key, _) => Written::Object(vec![(key.to_owned(), plant(rest, secret, None))]),
    }
}

fn text(written: &Written, dice: Vec<u8>) -> String {
    let mut text = String::new();
    written.text(&mut dice.into_iter().cycle(), &mut text);
    text
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn redaction_is_what_a_tree_without_the_secrets_says(written in object(), dice in prop::collection::vec(any::<u8>(), 1..64)) {
        let text = text(&written, dice);
        let line = redacted(&text).unwrap();
        prop_assert!(!line.contains(['\n', '\r', '\t']), "{line}");
        let tree: Value = serde_json::from_str(&text).unwrap();
        let expected = reference(&tree, "", false);
        prop_assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), expected);
        prop_assert_eq!(redacted(&line).unwrap(), line);
    }

    #[test]
    fn a_planted_secret_never_comes_out(
        written in object(),
        plants in prop::collection::vec((secret_path(), 0..4), 1..4),
        dice in prop::collection::vec(any::<u8>(), 1..64),
    ) {
        let planted = plants.into_iter().fold(written, |written, (path, form)| {
            let secret = Written::Scalar(match form {
                0 => format!("\"{SECRET}\""),
                1 => format!("{{\"a\":[\"{SECRET}\"],\"name\":\"{SECRET}\"}}"),
                2 => format!("[{{\"metadata\":{{\"name\" : \"{SECRET}\"}} }}, \"\\\"{SECRET}\"]"),
                _ => format!("\"\\u0041{SECRET}\\\\\""),
            });
            plant(&path, secret, Some(written))
        });
        let line = redacted(&text(&planted, dice)).unwrap();
        prop_assert!(!line.contains(SECRET), "{line}");
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_leave_no_trace_when_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let mut line = b"before".to_vec();
        match redact(&bytes, &mut line) {
            Ok(_) => prop_assert!(serde_json::from_slice::<Value>(&line[6..]).is_ok_and(|value| value.is_object())),
            Err(_) => prop_assert_eq!(line, b"before"),
        }
    }

    #[test]
    fn what_is_json_is_what_serde_json_says(
        written in object(),
        dice in prop::collection::vec(any::<u8>(), 1..32),
        place in any::<prop::sample::Index>(),
        damage in prop::option::of(any::<u8>()),
    ) {
        let mut bytes = text(&written, dice).into_bytes();
        let place = place.index(bytes.len());
        match damage {
            Some(byte) => bytes[place] = byte,
            None => bytes.truncate(place),
        }
        let ours = redact(&bytes, &mut Vec::new()).is_ok();
        let theirs = match serde_json::from_slice::<Value>(&bytes) {
            Ok(value) => value.is_object(),
            // A number too large for a float has a number's form.
            Err(error) => error.to_string().starts_with("number out of range"),
        };
        prop_assert_eq!(ours, theirs, "{}", String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn names_and_references_of_variables_stay_and_every_value_goes() {
    let object = r#" {"kind": "Deployment", "metadata": {"name": "a", "managedFields": [{"x": 1}], "namespace": "n"},
        "spec": {"template": {"spec": {"containers": [{"name": "c", "env": [
            {"name": "A", "value": "hunter2"}, {"value": "hunter2", "name": "B"}, {"value": "hunter2"},
            {"name": "C", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}], "\u0065nv": [{"v\u0061lue":"hunter2"}],
            "args": ["--value", "1.50"]}]}}}} "#;
    assert_eq!(
        redacted(object).unwrap(),
        concat!(
            r#"{"kind":"Deployment","metadata":{"name":"a","namespace":"n"},"spec":{"template":{"spec":{"containers":[{"name":"c","env":["#,
            r#"{"name":"A"},{"name":"B"},{},{"name":"C","valueFrom":{"secretKeyRef":{"name":"s","key":"k"}}}],"#,
            r#""\u0065nv":[{}],"args":["--value","1.50"]}]}}}}"#
        )
    );
}

#[test]
fn the_identity_is_that_of_the_object_and_not_of_its_template() {
    let object = json!({
        "spec": {"template": {"metadata": {"name": "inner", "namespace": "inner"}}},
        "metadata": {"name": "outer", "namespace": "te\u{e9}am"},
        "status": {"metadata": {"name": "later"}},
    });
    let escaped =
        object.to_string().replace('\u{e9}', "\\u00e9").replace("\"namespace\":\"te", "\"n\\u0061mespace\":\"te");
    for object in [object.to_string(), escaped] {
        let mut line = Vec::new();
        let identity = redact(object.as_bytes(), &mut line).unwrap();
        assert_eq!(identity, Identity { namespace: Some("te\u{e9}am".into()), name: Some("outer".into()) });
    }
    assert_eq!(redact(br#"{"metadata":{"name":5,"namespace":null}}"#, &mut Vec::new()), Ok(Identity::default()));
}

#[test]
fn nesting_is_bounded_and_numbers_stay_as_written() {
    let nested = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    assert!(redacted(&nested(MAX_DEPTH)).is_ok());
    assert!(serde_json::from_str::<Value>(&nested(MAX_DEPTH)).is_ok());
    for depth in [MAX_DEPTH + 1, 100_000] {
        assert_eq!(redacted(&nested(depth)).unwrap_err().reason, "nested too deeply");
    }
    let number = format!("{{\"a\":{}}}", "9".repeat(10_000));
    assert_eq!(redacted(&number).unwrap(), number);
}

#[test]
fn errors_say_where_and_never_what() {
    for (object, offset) in [
        (&b""[..], 0),
        (b"[]", 0),
        (b"{\"a\":hunter2}", 5),
        (b"{\"a\":\"hunter2", 13),
        (b"{\"a\":1}x", 7),
        (b"{\"a\":\"\xff\"}", 6),
        (b"{\"a\":\"\\ud800\"}", 6),
        (b"{\"a\":01}", 6),
        (b"{\"a\":1,}", 7),
    ] {
        let error = redact(object, &mut Vec::new()).unwrap_err();
        assert_eq!(error.offset, offset, "{}", String::from_utf8_lossy(object));
        assert!(!error.to_string().contains(SECRET));
    }
}
