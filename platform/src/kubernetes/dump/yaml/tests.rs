use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn json_text(yaml: &str) -> String {
    String::from_utf8(to_json(yaml).unwrap()).unwrap().trim_end().to_owned()
}

#[test]
fn numbers_stay_as_written_where_json_allows_it() {
    for (yaml, json) in [
        ("0.50", "0.50"),
        ("1e3", "1e3"),
        ("1E+3", "1E+3"),
        ("-7", "-7"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("+5", "5"),
        (".5", "0.5"),
        ("5.", "5"),
        ("0644", "420"),
        ("0o17", "15"),
        ("0x1F", "31"),
        ("1_000", "1000"),
        ("0899", "899"),
        ("-0", "-0"),
    ] {
        assert_eq!(json_text(&format!("a: {yaml}")), format!(r#"{{"a":{json}}}"#), "{yaml}");
        serde_json::from_str::<&RawValue>(json).unwrap();
    }
}

#[test]
fn text_stays_text() {
    for text in
        ["1.2.3", "500m", "4Gi", "1e", ".", "-x", "0xZZ", ".inf", "2020-01-01T00:00:00Z", "12:30", "0x", "1e3m", "_1"]
    {
        assert_eq!(json_text(&format!("a: {text}")), format!(r#"{{"a":"{text}"}}"#), "{text}");
    }
    assert_eq!(json_text("a: '12'"), r#"{"a":"12"}"#);
    assert_eq!(json_text("a: !!str 12"), r#"{"a":"12"}"#);
    assert_eq!(json_text("a: \"tab\\tquote\\\"\""), r#"{"a":"tab\tquote\""}"#);
    assert_eq!(json_text("a: |\n  x\n  y\n"), r#"{"a":"x\ny\n"}"#);
}

#[test]
fn words_mean_what_they_mean_to_kubectl() {
    assert_eq!(json_text("a: [yes, Off, TRUE, ~, null, y]\nb:"), r#"{"a":[true,false,true,null,null,"y"],"b":null}"#);
    assert_eq!(json_text("on: 1\n1.50: 2\n~: 3"), r#"{"on":1,"1.50":2,"~":3}"#);
}

#[test]
fn aliases_and_merges_are_written_out() {
    let yaml = "base: &b {x: 1, y: &y [2]}\nother: {<<: *b, x: 9, z: *y}\nlist: {<<: [{p: 1}, {p: 2, q: 3}]}";
    let found: Value = serde_json::from_str(&json_text(yaml)).unwrap();
    assert_eq!(found["other"], json!({"x": 9, "z": [2], "y": [2]}));
    assert_eq!(found["list"], json!({"p": 1, "q": 3}));
}

#[test]
fn what_cannot_be_json_names_its_place() {
    for (yaml, reason) in [
        ("a: 1\na: 2", "the key \"a\" is there twice at line 2, column 1"),
        ("? [a]\n: 1", "a key is a collection at line 1, column 3"),
        ("a: {<<: 5}", "what `<<` merges is no mapping at line 1, column 10"),
    ] {
        assert_eq!(to_json(yaml).unwrap_err().to_string(), reason, "{yaml}");
    }
    assert!(to_json("a: [1").unwrap_err().reason.starts_with("it is not YAML"));
    assert!(to_json("a: *b").unwrap_err().reason.starts_with("it is not YAML"));
    assert_eq!(to_json("x: 1\ny:\n  - {{ .Values.a }}").unwrap_err().line, 3);
}

#[test]
fn a_bomb_is_stopped() {
    let mut yaml = "a0: &a0 [lol,lol,lol,lol,lol,lol,lol,lol,lol,lol]\n".to_owned();
    for level in 1..30 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(",");
        yaml.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    assert!(to_json(&yaml).unwrap_err().reason.contains("grows to more than"));
    let deep = "[".repeat(5_000);
    assert!(to_json(&deep).is_err());
    let deep = (0..200).map(|level| format!("{}a:\n", " ".repeat(level))).collect::<String>();
    assert!(to_json(&deep).unwrap_err().reason.contains("nested deeper"), "{:?}", to_json(&deep));
}

#[test]
fn documents_come_on_lines() {
    assert_eq!(json_text("---\na: 1\n---\nb: 2\n"), "{\"a\":1}\n{\"b\":2}");
}

proptest! {
    #[test]
    fn json_is_yaml_and_comes_out_the_same(text in "[a-z0-9 ]{0,10}", number in any::<i64>(), list in prop::collection::vec(any::<bool>(), 0..4)) {
        let value = json!({"text": text, "number": number, "list": list, "none": null, "inner": {"a": {}, "b": []}});
        let found: Value = serde_json::from_str(&json_text(&serde_json::to_string_pretty(&value).unwrap())).unwrap();
        prop_assert_eq!(found, value);
    }

    #[test]
    fn what_is_accepted_is_json(text in "[-?: \\[\\]{},&*!|>'\"%#~<a0.\\n]{0,60}") {
        if let Ok(json) = to_json(&text) {
            for line in json.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                prop_assert!(serde_json::from_slice::<Value>(line).is_ok(), "{:?}", String::from_utf8_lossy(line));
            }
        }
    }
}
