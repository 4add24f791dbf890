use proptest::prelude::*;

use super::{Limits, Node, documents, parse};

const LIMITS: Limits = Limits { max_nodes: 10_000, max_copied_bytes: 1 << 20 };

fn json(text: &str) -> String {
    match parse(text, 1, LIMITS) {
        Ok(node) => node.as_ref().map_or_else(|| "nothing".to_owned(), Node::to_json),
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn numbers_and_text_survive_as_written() {
    let yaml = "cpu: 1e3\nmemory: 0.5\nquoted: \"4\"\nmode: 0644\nbig: 123456789012345678901234567890\nnan: .nan\ntext: \"a\\n\\\"b\\\"\\u0001\"\nnothing:\nyes: true\n8080: port\n";
    let expected = r#"{"cpu":1e3,"memory":0.5,"quoted":"4","mode":420,"big":123456789012345678901234567890,"nan":".nan","text":"a\n\"b\"\u0001","nothing":null,"yes":true,"8080":"port"}"#;
    assert_eq!(json(yaml), expected);
}

#[test]
fn anchors_aliases_and_merge_keys_are_expanded() {
    let yaml =
        "base: &base {a: 1, b: 2}\nown: {<<: *base, b: 3}\nlist: [*base, *base]\nboth: {<<: [{c: 1}, {c: 2, d: 3}]}\n";
    let expected =
        r#"{"base":{"a":1,"b":2},"own":{"b":3,"a":1},"list":[{"a":1,"b":2},{"a":1,"b":2}],"both":{"c":1,"d":3}}"#;
    assert_eq!(json(yaml), expected);
    assert_eq!(json("a: !!str 5\nb: !!int \"5\"\nc: !vault x\nd: ! 5\n"), r#"{"a":"5","b":5,"c":"x","d":"5"}"#);
}

#[test]
fn a_bomb_is_refused_before_it_goes_off() {
    let mut yaml = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..20 {
        let before = vec![format!("*a{}", level - 1); 9].join(", ");
        yaml.push_str(&format!("a{level}: &a{level} [{before}]\n"));
    }
    let refused = json(&yaml);
    assert!(refused.starts_with("error: ") && refused.contains("more than 10000 values"), "{refused}");
    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), vec!["*a"; 100].join(", "));
    assert!(json(&long).contains("copy more than 1048576 bytes"));
    assert!(json("a: &a [*a]\n").contains("within what it refers to"));
}

#[test]
fn a_key_that_is_there_twice_is_named_with_its_line() {
    assert_eq!(json("a: 1\nb:\n  c: 1\n  c: 2\n"), r#"error: line 4, column 3: key "c" is there twice"#);
    assert_eq!(json("? [a]\n: 1\n"), "error: line 1, column 3: a list or map cannot be a key");
}

#[test]
fn deep_nesting_is_refused() {
    let flow = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    assert!(json(&flow).starts_with("error: "), "{}", &json(&flow)[..60]);
    let block: String = (0..200).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    assert!(json(&block).starts_with("error: "));
}

#[test]
fn a_stream_is_cut_into_documents_that_know_their_lines() {
    let stream = b"# licence\n%YAML 1.2\n---\na: 1\n---\r\n# nothing\r\n--- {b: 2}\n...\nc: 3\n";
    let cut: Vec<(usize, String)> = documents(stream)
        .iter()
        .map(|document| {
            let text = std::str::from_utf8(document.bytes).unwrap();
            (document.first_line, json(text))
        })
        .collect();
    assert_eq!(cut, [(3, r#"{"a":1}"#.into()), (7, r#"{"b":2}"#.into()), (9, r#"{"c":3}"#.into())]);
    assert_eq!(documents(b""), []);
    assert_eq!(documents(b"text: |\n  ---\n  more\n").len(), 1);
}

#[test]
fn errors_count_lines_from_the_start_of_the_file() {
    let error = parse("a: 1\nb: [\n", 10, LIMITS).unwrap_err();
    assert!(error.line >= 11, "{error}");
}

proptest! {
    #[test]
    fn no_text_makes_reading_panic(text in "\\PC{0,200}") {
        for document in documents(text.as_bytes()) {
            if let Ok(Some(node)) = parse(std::str::from_utf8(document.bytes).unwrap(), document.first_line, LIMITS) {
                let json = node.to_json();
                prop_assert!(serde_json::from_str::<&serde_json::value::RawValue>(&json).is_ok(), "{json}");
            }
        }
    }

    #[test]
    fn yaml_like_text_never_panics(text in "[-a: {}\\[\\]&*<>|!'\"#%\n,?.0e]{0,120}") {
        for document in documents(text.as_bytes()) {
            if let Ok(Some(node)) = parse(std::str::from_utf8(document.bytes).unwrap(), document.first_line, LIMITS) {
                let json = node.to_json();
                prop_assert!(serde_json::from_str::<&serde_json::value::RawValue>(&json).is_ok(), "{json}");
            }
        }
    }
}
