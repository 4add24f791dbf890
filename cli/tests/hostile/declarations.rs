//! Declarations that are wrong: refused with file, line and column; the others are in force.

use serde_json::Value;

use crate::house::House;
use crate::workload::{declaration, deployment, list};

/// Wrong files and what is said of each, after its name.
fn wrong() -> Vec<(&'static str, String, &'static str)> {
    let of = |name: &str, limit: &str| declaration(name, limit);
    let bomb = {
        let mut text = of("bomb", "3");
        text.push_str("  volumes:\n    a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..=9 {
            let reference = vec![format!("*a{}", level - 1); 10].join(", ");
            text.push_str(&format!("    a{level}: &a{level} [{reference}]\n"));
        }
        text
    };
    vec![
        (
            "unknown-field",
            of("unknown-field", "3").replace("maxReplicas", "maxReplica"),
            ":7:3: spec: \"maxReplica\" is not a known field, did you mean \"maxReplicas\"?",
        ),
        ("float", of("float", "3.0"), ":7:16: spec.maxReplicas is 3.0, expected a whole number from 2 to 8"),
        ("text", of("text", "\"3\""), ":7:16: spec.maxReplicas is the text \"3\", expected a whole number from 2 to 8"),
        ("one", of("one", "1"), ":7:16: spec.maxReplicas is 1, expected a whole number from 2 to 8"),
        ("nine", of("nine", "9"), ":7:16: spec.maxReplicas is 9, expected a whole number from 2 to 8"),
        ("twice", format!("{}  maxReplicas: 4\n", of("twice", "3")), ":8:3: "),
        ("bomb", bomb, ":"),
        ("two-a", of("two", "3"), ":1:"),
        ("two-b", of("two", "4"), ":1:"),
        ("deep", format!("{}  volumes: {}{}\n", of("deep", "3"), "[".repeat(10_000), "]".repeat(10_000)), ":8:"),
        ("digits", of("digits", &"9".repeat(10_000)), ":7:16: spec.maxReplicas is 9999"),
        ("empty", String::new(), ":1:1: the file holds no document"),
    ]
}

fn written() -> House {
    let house = House::new();
    house.write("ped/right.yaml", declaration("right", "3"));
    for (name, text, _) in wrong() {
        house.write(&format!("ped/{name}.yaml"), text);
    }
    house.write("ped/bytes.yaml", b"kind: \xff\xfe\n");
    std::os::unix::fs::symlink("/nowhere/at/all", house.path("ped/dangling.yaml")).unwrap();
    house.write("dump/right.json", list([deployment("right", 5)]).to_string());
    house
}

/// Holds the rejected entries of a command to what is wrong.
fn assert_refused(rejected: &Value) {
    let rejected = rejected.as_array().unwrap();
    let reason_of = |file: &str| {
        let found: Vec<_> = rejected.iter().filter(|one| one["file"] == file).collect();
        assert_eq!(found.len(), 1, "{file}: {rejected:?}");
        found[0]["reason"].as_str().unwrap().to_owned()
    };
    for (name, _, said) in wrong() {
        let file = format!("ped/{name}.yaml");
        let reason = reason_of(&file);
        assert!(reason.starts_with(&format!("{file}{said}")), "{reason:?} does not start with {file}{said}");
        assert!(reason.len() < 1_000, "{file}: {} bytes of reason", reason.len());
    }
    assert!(reason_of("ped/two-a.yaml").contains("ped/two-b.yaml:1"), "both places are named");
    assert!(reason_of("ped/bytes.yaml").contains("not UTF-8"));
    assert!(reason_of("ped/dangling.yaml").contains("cannot be read"));
    assert_eq!(rejected.len(), wrong().len() + 2, "{rejected:?}");
}

#[test]
fn wrong_declarations_are_refused_with_their_place() {
    let ended = written().run(&["ped", "validate", "ped", "--format", "json"]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert_eq!(ended.json()["valid"], Value::from(1));
    assert_refused(&ended.json()["rejected"]);
}

#[test]
fn the_right_one_among_wrong_declarations_is_in_force() {
    let house = written();
    let ended = house.up(&["--ped", "ped"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let report = ended.json();
    assert_eq!(report["declarations"]["registered"], Value::from(1), "{report}");
    assert_refused(&report["declarations"]["rejected"]);
    assert_eq!(house.rows("SELECT deployment_name, max_replicas FROM deployment_config"), [["right", "3"]]);
    let rules = house.column("SELECT alert_type FROM alert_log ORDER BY alert_type");
    assert_eq!(rules, ["desired-over-limit", "over-limit"], "judged by the one that is in force");
    house.assert_whole();
}

#[test]
fn registering_refuses_the_wrong_ones_and_registers_the_right_one() {
    let house = written();
    assert_eq!(house.up(&[]).code, Some(0));
    let ended =
        house.run(&["ped", "register", "ped", "--by", "alice@example.com", "--data", "data", "--format", "json"]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert_eq!(ended.json()["changes"].as_array().unwrap().len(), 1, "{ended:?}");
    assert_refused(&ended.json()["rejected"]);
}

#[test]
fn a_ped_path_that_is_not_there_is_refused_by_name() {
    let house = written();
    let ended = house.run(&["ped", "validate", "no/such/folder"]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.out.contains("no/such/folder: cannot be read"), "{ended:?}");
}

#[test]
fn a_run_on_declarations_that_are_not_there_does_not_begin() {
    let house = written();
    let ended = house.up(&["--ped", "no/such/folder"]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.err.contains("declarations no/such/folder: "), "{ended:?}");
    assert!(!house.path("data").exists(), "nothing was begun");
}

#[test]
fn a_wrong_mapping_is_wrong_configuration() {
    let house = written();
    house.write("mapping.yaml", "maxReplicaz: spec.max\n");
    for (mapping, said) in [("no/such.yaml", "mapping no/such.yaml: cannot be read"), ("mapping.yaml", "maxReplicaz")] {
        for arguments in [&["ped", "validate", "ped"][..], &["up", "--once", "--dump", "dump", "--ped", "ped"]] {
            let ended = house.run(&[arguments, &["--mapping", mapping]].concat());
            assert_eq!(ended.code, Some(2), "{ended:?}");
            assert!(ended.err.contains(said), "{ended:?}");
        }
    }
}

#[test]
fn a_file_is_no_dump() {
    let house = written();
    let ended = house.run(&["up", "--once", "--dump", "ped/right.yaml", "--data", "data"]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.err.contains("dump ped/right.yaml: a file, expected a folder of files"), "{ended:?}");
}
