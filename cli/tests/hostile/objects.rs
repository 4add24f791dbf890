//! Objects that are wrong, each beside neighbours that are right.

use crate::house::House;
use crate::workload::{deployment, list, list_of_texts};

/// Digits of a number that no integer holds.
const DIGITS: usize = 10_000;
/// Lists within lists.
const NESTING: usize = 10_000;

/// One wrong file.
struct Case {
    what: &'static str,
    content: Vec<u8>,
    /// Deployments of the file that must become rows all the same.
    neighbours: &'static [&'static str],
    /// What each reject says, in order of the reasons.
    reasons: Vec<String>,
}

/// Takes a snapshot of the wrong file beside a right one and holds the program to its promises.
fn check(case: &Case) {
    let what = case.what;
    let house = House::new();
    house.write("dump/right.json", list([deployment("neighbour", 3)]).to_string());
    house.write("dump/wrong.json", &case.content);
    let ended = house.up(&[]);
    assert_eq!(ended.code, Some(0), "{what}: {ended:?}");
    let report = ended.json();

    let mut expected: Vec<_> =
        case.neighbours.iter().map(ToString::to_string).chain(["neighbour".to_owned()]).collect();
    expected.sort();
    assert_eq!(house.deployments(), expected, "{what}");

    let mut told: Vec<_> = report["rejects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|reject| reject["reason"].as_str().unwrap().to_owned())
        .collect();
    told.sort();
    assert_eq!(told.len(), case.reasons.len(), "{what}: {told:?}");
    for (told, expected) in told.iter().zip(&case.reasons) {
        assert!(told.contains(expected.as_str()), "{what}: {told:?} does not say {expected:?}");
        assert!(told.len() < 2_000, "{what}: {} bytes of reason", told.len());
    }
    // The same in the warehouse, for whoever asks later.
    let mut stored = house.column("SELECT reason FROM rejected_rows");
    stored.sort();
    assert_eq!(stored, told, "{what}");
    if !case.reasons.is_empty() {
        let rules = house.column("SELECT alert_type FROM alert_log");
        assert_eq!(rules, ["evaluation-incomplete"], "{what}: operators are told, and nobody else");
    }
    house.assert_whole();
}

/// The text of a Deployment with one piece replaced.
fn edited(name: &str, piece: &str, replacement: &str) -> String {
    let text = deployment(name, 2).to_string();
    assert!(text.contains(piece), "{piece} is not in {text}");
    text.replacen(piece, replacement, 1)
}

fn right(name: &str) -> String {
    deployment(name, 2).to_string()
}

#[test]
fn json_that_breaks_off_loses_what_follows_and_nothing_before() {
    let whole = format!("{:#}", list(["first", "second", "third"].map(|name| deployment(name, 2))));
    let cut = whole.find("second").unwrap() + "second".len();
    check(&Case {
        what: "truncated",
        content: whole.as_bytes()[..cut].to_vec(),
        neighbours: &["first"],
        reasons: vec!["wrong.json, line ".into()],
    });
}

#[test]
fn null_items_are_rejected_one_by_one() {
    let items = ["null".to_owned(), right("one"), "null".to_owned()];
    check(&Case {
        what: "null items",
        content: list_of_texts(&items).into_bytes(),
        neighbours: &["one"],
        reasons: vec![
            ", item 0: it is null, expected an object".into(),
            ", item 2: it is null, expected an object".into(),
        ],
    });
}

#[test]
fn a_value_of_another_type_rejects_its_object_and_names_the_field() {
    let items = [
        edited("number-for-text", "\"name\":\"number-for-text\"", "\"name\":7"),
        edited("text-for-number", "\"replicas\":2", "\"replicas\":\"3\""),
        right("one"),
    ];
    check(&Case {
        what: "types",
        content: list_of_texts(&items).into_bytes(),
        neighbours: &["one"],
        reasons: vec![
            "deployment shop/text-for-number: spec.replicas is \"3\", expected a whole number".into(),
            "metadata.name is 7, expected a string".into(),
        ],
    });
}

#[test]
fn a_quantity_that_does_not_parse_rejects_its_object() {
    let limits = "\"name\":\"main\",\"resources\":{\"limits\":{\"cpu\":\"many\"}}";
    let items = [edited("busy", "\"name\":\"main\"", limits), right("one")];
    check(&Case {
        what: "quantity",
        content: list_of_texts(&items).into_bytes(),
        neighbours: &["one"],
        reasons: vec!["deployment shop/busy: spec.template.spec.containers[0].resources.limits.cpu is \"many\"".into()],
    });
}

#[test]
fn a_number_of_ten_thousand_digits_rejects_its_object_and_is_quoted_in_short() {
    let digits = "9".repeat(DIGITS);
    let memory = format!("\"name\":\"main\",\"resources\":{{\"limits\":{{\"memory\":\"{digits}\"}}}}");
    let items = [
        edited("replicas", "\"replicas\":2", &format!("\"replicas\":{digits}")),
        edited("quantity", "\"name\":\"main\"", &memory),
        right("one"),
    ];
    check(&Case {
        what: "digits",
        content: list_of_texts(&items).into_bytes(),
        neighbours: &["one"],
        reasons: vec![
            "deployment shop/quantity: spec".into(),
            "deployment shop/replicas: spec.replicas is 9999".into(),
        ],
    });
}

#[test]
fn nesting_ten_thousand_deep_rejects_its_object() {
    let deep = format!("\"image\":{}{}", "[".repeat(NESTING), "]".repeat(NESTING));
    let items = [edited("deep", "\"image\":\"registry.example.com/shop:1\"", &deep), right("one")];
    check(&Case {
        what: "nesting",
        content: list_of_texts(&items).into_bytes(),
        neighbours: &["one"],
        reasons: vec!["wrong.json, line 2, byte ".into()],
    });
}

#[test]
fn bytes_that_are_not_utf_8_reject_their_object() {
    let mut content = list_of_texts(&[right("brokenXXname"), right("one")]).into_bytes();
    let place = content.windows(2).position(|two| two == b"XX").unwrap();
    content[place..place + 2].copy_from_slice(&[0xff, 0xfe]);
    check(&Case { what: "UTF-8", content, neighbours: &["one"], reasons: vec!["wrong.json, line 2, byte ".into()] });
}

#[test]
fn an_object_twice_is_one_row_and_one_reject() {
    check(&Case {
        what: "duplicate",
        content: list([deployment("twin", 2), deployment("twin", 2)]).to_string().into_bytes(),
        neighbours: &["twin"],
        reasons: vec!["deployment shop/twin: it is in this part more than once".into()],
    });
}

#[test]
fn a_yaml_bomb_in_a_dump_is_one_reject() {
    let mut bomb = "kind: DeploymentList\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..=9 {
        let reference = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{reference}]\n"));
    }
    bomb.push_str("items: *a9\n");
    check(&Case {
        what: "YAML bomb",
        content: bomb.into_bytes(),
        neighbours: &[],
        reasons: vec!["wrong.json, document 1, line ".into()],
    });
}

#[test]
fn files_that_cannot_be_read_are_named_and_the_others_are_read() {
    let house = House::new();
    house.write("dump/right.json", list([deployment("neighbour", 3)]).to_string());
    house.write("dump/empty.json", "");
    house.write("dump/picture.json", b"\x89PNG\0\0\0");
    std::os::unix::fs::symlink("/nowhere/at/all", house.path("dump/dangling.json")).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", house.path("dump/leads-out.json")).unwrap();
    std::fs::create_dir(house.path("dump/folder.json")).unwrap();
    house.write("dump/folder.json/inner.json", list([deployment("inner", 3)]).to_string());
    let ended = house.up(&[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(house.deployments(), ["inner", "neighbour"]);
    let mut reasons = house.column("SELECT reason FROM rejected_rows");
    reasons.sort();
    let expected = [
        "dangling.json: its link leads nowhere",
        "empty.json: it is empty",
        "leads-out.json: its link leads out",
        "picture.json: it is binary",
    ];
    assert_eq!(reasons.len(), expected.len(), "{reasons:?}");
    for (reason, expected) in reasons.iter().zip(expected) {
        assert!(reason.starts_with(expected), "{reason:?} does not start with {expected:?}");
    }
    house.assert_whole();
}

#[test]
fn explain_gives_a_line_for_every_item_of_a_wrong_file() {
    let house = House::new();
    let digits = format!("\"replicas\":{}", "9".repeat(DIGITS));
    let items = ["null".to_owned(), edited("replicas", "\"replicas\":2", &digits), right("one")];
    house.write("wrong.json", list_of_texts(&items));
    let ended = house.run(&["explain", "wrong.json", "dump"]);
    assert_eq!(ended.code, Some(1), "a folder is no file: {ended:?}");
    assert!(ended.err.contains("dump"), "{ended:?}");
    let lines: Vec<serde_json::Value> = ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let indexes: Vec<_> =
        lines.iter().map(|line| line["index"].as_i64().or(line["reject"]["index"].as_i64())).collect();
    assert_eq!(indexes, [Some(0), Some(1), Some(2)], "{lines:?}");
    assert_eq!(lines[2]["row"]["name"], "one");
    assert!(lines[1]["reject"]["reason"].as_str().unwrap().contains("spec.replicas"), "{lines:?}");
}
