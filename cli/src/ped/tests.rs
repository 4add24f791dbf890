use proptest::prelude::*;
use schemas::Timestamp;

use super::{Mapping, PedDocument, Stamp, read, read_paths, read_with};

const GOOD: &str = "\
apiVersion: podledger/v1
kind: ReplicaLimit
metadata: {api: orders, team: payments, user: alice@example.com}
spec:
  namespace: payments
  deployment: orders-api
  cluster: prod-uk
  maxReplicas: 4
  image: registry.example/orders:1.4
  resources:
    limits: {cpu: 2, memory: 4Gi}
    requests: {cpu: 1e-1, memory: \"1.5Gi\"}
  environment: {LOG: debug, RATE: 0.50}
  volumes: [{name: tmp, emptyDir: {}}]
  changeReason: expected peak in November
";

fn stamp() -> Stamp {
    Stamp {
        declared_at: Timestamp::parse("2026-10-01T09:00:00Z").unwrap(),
        registered_at: Timestamp::parse("2026-10-01T09:05:00Z").unwrap(),
        by: "alice@example.com".to_owned(),
        source: schemas::Json::from(
            serde_json::json!({"repository": "acme/ped", "path": "ped.yaml", "commit": "4f0c"}),
        ),
    }
}

/// The one document of a text.
fn one(text: &str) -> Result<PedDocument, String> {
    let mut documents = read(text, "ped.yaml");
    assert_eq!(documents.len(), 1);
    documents.remove(0).map_err(|error| error.to_string())
}

/// The good document with one piece of text replaced.
fn with(old: &str, new: &str) -> Result<PedDocument, String> {
    assert!(GOOD.contains(old), "{old}");
    one(&GOOD.replace(old, new))
}

#[test]
fn a_whole_document_becomes_a_declaration() {
    let document = one(GOOD).unwrap();
    let declaration = document.declaration(&stamp());
    assert_eq!((declaration.namespace.as_str(), declaration.deployment_name.as_str()), ("payments", "orders-api"));
    assert_eq!(declaration.max_replicas, 4);
    assert_eq!(declaration.cluster.as_ref().map(|cluster| cluster.as_str()), Some("prod-uk"));
    assert_eq!(declaration.resources_limits.as_deref(), Some(r#"{"cpu":"2","memory":"4Gi"}"#));
    assert_eq!(declaration.resources_requests.as_deref(), Some(r#"{"cpu":"1e-1","memory":"1.5Gi"}"#));
    assert_eq!(declaration.environment.as_deref(), Some(r#"{"LOG":"debug","RATE":0.50}"#));
    assert_eq!(declaration.volumes.as_deref(), Some(r#"[{"name":"tmp","emptyDir":{}}]"#));
    assert_eq!(declaration.user_id.as_deref(), Some("alice@example.com"));
    assert_eq!(declaration.initial_max_replicas, None);
    assert_eq!(declaration.created_at.to_string(), "2026-10-01T09:05:00Z");
    let source: serde_json::Value = serde_json::from_str(declaration.source.unwrap().as_str()).unwrap();
    assert_eq!(source, serde_json::json!({"repository": "acme/ped", "path": "ped.yaml", "commit": "4f0c"}));
}

#[test]
fn the_id_is_of_workload_content_and_time() {
    let id = |document: &PedDocument, at: &str| {
        document.declaration(&Stamp { declared_at: Timestamp::parse(at).unwrap(), ..stamp() }).declaration_id
    };
    let (now, later) = ("2026-10-01T09:00:00Z", "2026-10-01T10:00:00Z");
    let good = one(GOOD).unwrap();
    assert_eq!(id(&good, now), id(&one(GOOD).unwrap(), now));
    assert_ne!(id(&good, now), id(&good, later));
    assert_ne!(id(&good, now), id(&with("maxReplicas: 4", "maxReplicas: 5").unwrap(), now));
    assert_ne!(id(&good, now), id(&with("  cluster: prod-uk\n", "").unwrap(), now));
    let moved = PedDocument { file: "elsewhere.yaml".to_owned(), line: 9, ..good.clone() };
    assert_eq!(id(&good, now), id(&moved, now));
}

#[test]
fn a_limit_is_a_whole_number_from_2_to_8() {
    for limit in 2..=8 {
        assert_eq!(with("maxReplicas: 4", &format!("maxReplicas: {limit}")).unwrap().max_replicas, limit);
    }
    let digits = "9".repeat(10_000);
    for (written, shown) in [
        ("1", "1"),
        ("9", "9"),
        ("0", "0"),
        ("-4", "-4"),
        ("4.0", "4.0"),
        ("4.5", "4.5"),
        ("4e0", "4e0"),
        ("true", "true"),
        ("\"4\"", "the text \"4\""),
        ("four", "the text \"four\""),
        (".inf", "the text \".inf\""),
        ("[4]", "a list"),
        (digits.as_str(), &digits[..80]),
        ("${REPLICAS:-1}", "the text \"${REPLICAS:-1}\""),
    ] {
        let error = with("maxReplicas: 4", &format!("maxReplicas: {written}")).unwrap_err();
        assert_eq!(error, format!("ped.yaml:8:16: spec.maxReplicas is {shown}, expected a whole number from 2 to 8"));
    }
    assert_eq!(with("maxReplicas: 4", "maxReplicas:").unwrap_err(), "ped.yaml:1:1: spec.maxReplicas is missing");
}

#[test]
fn errors_name_place_field_and_the_nearest_right_word() {
    let table = [
        (
            "  maxReplicas: 4",
            "  maxReplica: 4",
            "ped.yaml:8:3: spec: \"maxReplica\" is not a known field, did you mean \"maxReplicas\"?; ped.yaml:1:1: spec.maxReplicas is missing",
        ),
        (
            "team: payments",
            "tema: payments",
            "ped.yaml:3:25: metadata: \"tema\" is not a known field, did you mean \"team\"?",
        ),
        (
            "    limits:",
            "    limit:",
            "ped.yaml:11:5: spec.resources: \"limit\" is not a known field, did you mean \"limits\"?",
        ),
        ("kind: ReplicaLimit", "kind: Limit", "ped.yaml:2:7: kind is the text \"Limit\", expected \"ReplicaLimit\""),
        ("apiVersion: podledger/v1\n", "", "ped.yaml:1:1: apiVersion is missing, expected \"podledger/v1\""),
        (
            "namespace: payments",
            "namespace: Payments",
            "ped.yaml:5:14: spec.namespace is the text \"Payments\", expected a DNS label: 1 to 63 lower-case letters, digits and '-', beginning and ending with a letter or digit",
        ),
        (
            "namespace: payments",
            "namespace: 7",
            "ped.yaml:5:14: spec.namespace is 7, expected text: write it in quotes",
        ),
        (
            "deployment: orders-api",
            "deployment: \"=cmd()\\n\"",
            "ped.yaml:6:15: spec.deployment is the text \"=cmd()\\n\", expected a DNS name: lower-case letters, digits, '-' and '.', beginning and ending with a letter or digit",
        ),
        (
            "cluster: prod-uk",
            "cluster: Prod",
            "ped.yaml:7:12: spec.cluster: \"Prod\" cannot be a cluster name: expected 1 to 63 lower-case letters, digits, '-', '_' or '.'",
        ),
        (
            "memory: 4Gi",
            "memory: 4GiB",
            "ped.yaml:11:30: spec.resources.limits.memory is the text \"4GiB\", expected a quantity such as 500m, 1.5 or 4Gi",
        ),
        (
            "{LOG: debug, RATE: 0.50}",
            "debug",
            "ped.yaml:13:16: spec.environment is the text \"debug\", expected a map or a list",
        ),
        ("user: alice@example.com", "user: \"\"", "ped.yaml:3:47: metadata.user is empty"),
        ("  maxReplicas: 4", "  maxReplicas: 4\n  maxReplicas: 5", "ped.yaml:9:3: key \"maxReplicas\" is there twice"),
    ];
    for (old, new, expected) in table {
        assert_eq!(with(old, new).unwrap_err(), expected);
    }
    assert!(one("- a\n").unwrap_err().contains("the document is a list, expected a map"));
    assert!(one("").unwrap_err().contains("holds no document"));
    assert!(one(&format!("a: {}", "x".repeat(super::MAX_FILE_BYTES))).unwrap_err().contains("more than the 1048576"));
    assert!(
        with("spec:\n", "spec: !!binary aGk=\nx:\n").unwrap_err().contains("spec is the text \"aGk=\", expected a map")
    );
}

#[test]
fn one_bad_document_leaves_its_neighbours_alone() {
    let text = format!("\u{feff}{GOOD}---\r\nkind: [\n---\n{}---\n# nothing\n", GOOD.replace("orders-api", "other"));
    let documents = read(&text, "ped.yaml");
    let good: Vec<&str> =
        documents.iter().filter_map(|one| one.as_ref().ok()).map(|one| one.deployment.as_str()).collect();
    assert_eq!((documents.len(), good), (3, vec!["orders-api", "other"]));
    assert_eq!(documents[2].as_ref().unwrap().line, 19);
}

#[test]
fn what_need_not_be_declared_need_not_be_there() {
    let document =
        one("apiVersion: podledger/v1\nkind: ReplicaLimit\nspec: {namespace: a, deployment: b.c, maxReplicas: 2}\n")
            .unwrap();
    assert_eq!((document.cluster, document.image, document.team), (None, None, None));
}

#[test]
fn a_bomb_is_an_error() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        text.push_str(&format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 9].join(", ")));
    }
    assert!(one(&text).unwrap_err().contains("more than 20000 values, aliases expanded"));
}

#[test]
fn a_team_keeps_its_own_shape_with_a_mapping() {
    let mapping = "namespace: app.kubernetes.namespace\ndeployment: app.names.0\nmaxReplicas: scaling.max\nresources.limits: app.limits\nteam: owner\n";
    let mapping = Mapping::parse(mapping, "mapping.yaml").unwrap();
    let theirs = "owner: payments\napp: {kubernetes: {namespace: pay}, names: [orders], limits: {cpu: 1}, other: 1}\nscaling: {max: 6}\n";
    let document = read_with(theirs, "t.yaml", Some(&mapping)).remove(0).unwrap();
    assert_eq!(
        (document.namespace.as_str(), document.deployment.as_str(), document.max_replicas),
        ("pay", "orders", 6)
    );
    assert_eq!((document.team.as_deref(), document.api), (Some("payments"), None));
    let error = read_with("scaling: {max: 9}\n", "t.yaml", Some(&mapping)).remove(0).unwrap_err().to_string();
    assert!(error.contains("app.kubernetes.namespace is missing"), "{error}");
    assert!(error.contains("t.yaml:1:16: scaling.max is 9, expected a whole number from 2 to 8"), "{error}");
}

#[test]
fn a_mapping_is_checked_itself() {
    let error = |text: &str| Mapping::parse(text, "m.yaml").unwrap_err().to_string();
    let all = error("namespace: a\nmaxReplica: b\ndeployment: 7\n");
    assert!(
        all.contains("m.yaml:2:1: \"maxReplica\" is not podledger's field, did you mean \"maxReplicas\"?"),
        "{all}"
    );
    assert!(all.contains("m.yaml:3:13: deployment: expected a path"), "{all}");
    assert!(all.contains("maxReplicas is not mapped"), "{all}");
    assert!(error("[a]").contains("a map from podledger's fields"));
    assert!(error("namespace: a..b").contains("expected a path"));
}

#[test]
fn folders_are_walked_and_what_is_wrong_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &[u8]| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("b/good.yml", GOOD.replace("orders-api", "good").as_bytes());
    write("a/bad.yaml", GOOD.replace("maxReplicas: 4", "maxReplicas: 9").as_bytes());
    write("a/bytes.yaml", b"a: \xff\n");
    write("README.md", b"not a declaration");
    write(".git/x.yaml", b"not: one");
    write("one.yaml", GOOD.as_bytes());
    write("two.yaml", format!("{}---\n{GOOD}", GOOD.replace("prod-uk", "prod-de")).as_bytes());
    let read = read_paths(&[folder.path().to_owned(), folder.path().join("missing")], None);
    let good: Vec<String> = read.documents.iter().map(|found| found.document.workload()).collect();
    assert_eq!(good, ["payments/good on prod-uk", "payments/orders-api on prod-de"]);
    let reasons: Vec<&str> = read.rejected.iter().map(|rejected| rejected.reason.as_str()).collect();
    assert_eq!(reasons.len(), 5, "{reasons:?}");
    let (one, two) = (folder.path().join("one.yaml"), folder.path().join("two.yaml"));
    let both = format!("is declared more than once: in {}:1 and {}:17", one.display(), two.display());
    assert_eq!(reasons.iter().filter(|reason| reason.contains(&both)).count(), 2, "{reasons:?}");
    assert!(reasons.iter().any(|reason| reason.contains("missing: cannot be read: ")));
    assert!(reasons.iter().any(|reason| reason.contains("bytes.yaml: cannot be read: ")));
    assert!(reasons.iter().any(|reason| reason.contains("bad.yaml:8:16: spec.maxReplicas is 9")));
}

proptest! {
    #[test]
    fn no_text_makes_reading_panic(text in "\\PC{0,300}") {
        prop_assert!(read(&text, "x").iter().all(Result::is_err));
    }

    #[test]
    fn no_change_of_a_good_file_makes_reading_panic(at in 0usize..600, put in "[-:{}\\[\\]&*'\"#\n a0]{0,3}") {
        let at = GOOD.char_indices().map(|(at, _)| at).nth(at % GOOD.len()).unwrap_or(0);
        let text = format!("{}{put}{}", &GOOD[..at], &GOOD[at..]);
        prop_assert!(!read(&text, "x").is_empty());
    }

    #[test]
    fn what_is_declared_is_what_was_written(
        namespace in "[a-z]([-a-z0-9]{0,20}[a-z0-9])?",
        deployment in "[a-z]([-a-z0-9]{0,20}[a-z0-9])?",
        max_replicas in 2i64..=8,
        team in "[ -~]{1,30}",
        reason in "\\PC{1,30}",
    ) {
        prop_assume!(!team.trim().is_empty() && !reason.trim().is_empty());
        let text = serde_json::json!({
            "apiVersion": "podledger/v1", "kind": "ReplicaLimit", "metadata": {"team": team},
            "spec": {"namespace": namespace, "deployment": deployment, "maxReplicas": max_replicas, "changeReason": reason},
        });
        let document = one(&text.to_string()).unwrap();
        prop_assert_eq!(document.namespace, namespace);
        prop_assert_eq!(document.deployment, deployment);
        prop_assert_eq!(document.max_replicas, max_replicas);
        prop_assert_eq!(document.team, Some(team));
        prop_assert_eq!(document.change_reason, Some(reason));
    }
}
