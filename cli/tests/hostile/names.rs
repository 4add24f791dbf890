//! Names that are meant to break out of where they are printed or stored.

use serde_json::Value;

use crate::house::{House, UP};
use crate::workload::{deployment, list};

/// Names no API server would accept; a dump may hold anything.
const NAMES: [&str; 9] = [
    "it's",
    "say \"hi\", twice",
    "two\nlines",
    "'); DROP TABLE gke_deployments; --",
    "=HYPERLINK(\"http://example.com\")",
    "@SUM(A1)",
    "+1",
    "-2",
    "\u{1b}[2Jcleared",
];
/// Every undeclared workload is told of at once.
const POLICY: &str = "apiVersion: podledger/v1\nkind: Policy\nrules: {undeclared: {grace: 0s}}\n";

fn hostile() -> House {
    let house = House::new();
    let items = NAMES.map(|name| {
        let mut workload = deployment(name, 3);
        workload["metadata"]["namespace"] = name.into();
        workload["metadata"]["labels"] = serde_json::json!({"api_id": name, "team_id": name});
        workload
    });
    house.write("dump/names.json", list(items).to_string());
    house.write("policy.yaml", POLICY);
    house
}

fn sorted() -> Vec<String> {
    let mut names: Vec<_> = NAMES.iter().map(ToString::to_string).collect();
    names.sort();
    names
}

#[test]
fn hostile_names_are_stored_as_they_are() {
    let house = hostile();
    let ended = house.up(&["--policy", "policy.yaml"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for column in ["name", "namespace"] {
        assert_eq!(house.column(&format!("SELECT {column} FROM gke_deployments ORDER BY {column}")), sorted());
    }
    assert_eq!(house.column("SELECT deployment_name FROM alert_log ORDER BY deployment_name"), sorted());
    house.assert_whole();
}

#[test]
fn hostile_names_stay_within_json() {
    let house = hostile();
    let report = house.up(&["--policy", "policy.yaml"]).json();
    let listed = house.run(&["alerts", "list", "--data", "data", "--format", "json"]).json();
    for found in [&report["violations"], &listed] {
        let mut names: Vec<_> =
            found.as_array().unwrap().iter().map(|one| one["deployment_name"].as_str().unwrap().to_owned()).collect();
        names.sort();
        assert_eq!(names, sorted());
    }
}

#[test]
fn hostile_names_are_no_formulas_in_csv() {
    let house = hostile();
    let ended = house.run(&[UP, &["--policy", "policy.yaml", "--format", "csv"]].concat());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let listed = house.run(&["alerts", "list", "--data", "data", "--format", "csv"]);
    for out in [&ended.out, &listed.out] {
        let mut table = csv::Reader::from_reader(out.as_bytes());
        let column = table.headers().unwrap().iter().position(|name| name == "deployment_name").unwrap();
        let mut names = Vec::new();
        for record in table.records() {
            let record = record.unwrap();
            for cell in &record {
                assert!(!cell.starts_with(['=', '+', '@', '\t', '\r']), "{cell:?} is a formula");
                assert!(!cell.starts_with('-') || cell.parse::<i64>().is_ok() && cell != "-2", "{cell:?} is a formula");
            }
            let name = &record[column];
            let defused = name.strip_prefix('\'').filter(|name| name.starts_with(['=', '+', '-', '@']));
            names.push(defused.unwrap_or(name).to_owned());
        }
        names.sort();
        assert_eq!(names, sorted());
    }
}

#[test]
fn hostile_names_cannot_steer_a_terminal_or_forge_a_line() {
    let house = hostile();
    let ended = house.run(&[UP, &["--policy", "policy.yaml"]].concat());
    let listed = house.run(&["alerts", "list", "--data", "data"]);
    for out in [&ended.out, &listed.out] {
        assert!(!out.contains('\u{1b}'), "{out}");
        assert!(!out.lines().any(|line| line.starts_with("lines")), "{out}");
    }
}

#[test]
fn names_on_the_command_line_are_checked() {
    let house = hostile();
    assert_eq!(house.up(&[]).code, Some(0));
    for arguments in [
        &["limit", "get", "--cluster", "a'b", "--data", "data"][..],
        &["limit", "get", "no-slash", "--cluster", "shop", "--data", "data"],
        &["alerts", "list", "--cluster", "x\ny", "--data", "data"],
        &["up", "--once", "--dump", "dump", "--cluster", "../up", "--data", "other"],
        &["snapshot", "--cluster", "a b", "--data", "data"],
    ] {
        let ended = house.run(arguments);
        assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:?}");
        assert!(ended.out.is_empty() && !ended.err.is_empty(), "{arguments:?}: {ended:?}");
    }
    // A question about a name that is not there is an answer, not an injection.
    let ended =
        house.run(&["limit", "get", "x/' OR '1'='1", "--cluster", "shop", "--data", "data", "--format", "json"]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""), "{ended:?}");
    assert_eq!(house.deployments(), sorted());
}

#[test]
fn one_name_for_two_clusters_is_a_start_up_error() {
    let house = hostile();
    let mut command = house.command(UP);
    let ended = crate::house::ended(command.env("PODLEDGER_CLUSTERS", "shop=dump:dump,shop=sim:1"));
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.err.contains("PODLEDGER_CLUSTERS: cluster shop: configured twice"), "{ended:?}");
    assert!(!house.path("data/warehouse.db").exists(), "nothing was begun");
}

#[test]
fn a_report_that_is_json_holds_every_field_a_program_needs() {
    let house = hostile();
    let report = house.up(&["--policy", "policy.yaml", "--fail-on", "warning"]);
    assert_eq!(report.code, Some(3), "{report:?}");
    let report = report.json();
    assert_eq!(report["kinds"]["deployments"]["rows"], Value::from(NAMES.len()));
    assert_eq!(report["kinds"]["deployments"]["rejects"], Value::from(0));
}
