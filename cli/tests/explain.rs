//! `explain`: every form is found by its content, every item is accounted for, nothing crashes it.
#![allow(clippy::unwrap_used)] // In a test a failed unwrap is a failed claim.

use std::io::Write as _;
use std::path::PathBuf;

use base64::Engine as _;
use podledger_cli::explain::{ExitKind, MAX_OBJECT_BYTES, Options, run};
use serde_json::{Value, json};

/// The lines for one file of those bytes, without the file's name.
fn explained(bytes: &[u8]) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("input");
    std::fs::write(&file, bytes).unwrap();
    let mut out = Vec::new();
    let exit = run(std::slice::from_ref(&file), &Options::default(), &mut out).unwrap();
    assert_eq!(exit.code(), 0);
    let lines: Vec<Value> = out
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    for line in &lines {
        let about = line.get("reject").or(line.get("skip")).unwrap_or(line);
        assert_eq!(about["file"], file.display().to_string());
    }
    lines
}

/// The lines in short: `index kind what`.
fn short(bytes: impl AsRef<[u8]>) -> Vec<String> {
    let line = |line: Value| {
        if let Some(reject) = line.get("reject") {
            format!("{} reject {}", reject["index"], reject["reason"].as_str().unwrap())
        } else if let Some(skip) = line.get("skip") {
            format!("{} skip {}", skip["index"], skip["reason"].as_str().unwrap())
        } else if let Some(topic) = line.get("topic") {
            let message = &line["message"];
            let number = message.get("new_value").or(message.get("max_replicas")).unwrap();
            format!("{} {} {number}", line["index"], topic.as_str().unwrap())
        } else {
            format!("{} {} {}", line["index"], line["table"].as_str().unwrap(), line["row"]["name"])
        }
    };
    explained(bytes.as_ref()).into_iter().map(line).collect()
}

fn entry(replicas: i64) -> Value {
    json!({
        "insertId": format!("id-{replicas}"), "timestamp": "2026-10-05 09:12:00.987654321",
        "protoPayload": {
            "methodName": "io.k8s.apps.v1.deployments.scale.patch",
            "resourceName": "apps/v1/namespaces/payments/deployments/orders-api/scale",
            "authenticationInfo": {"principalEmail": "alice@example.com"},
            "request": {"spec": {"replicas": replicas}}
        },
        "p_log_type": "GCP.AuditLog", "p_event_time": "2026-10-05 09:12:00"
    })
}

fn event(replicas: i64) -> Value {
    json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": format!("a-{replicas}"), "stage": "ResponseComplete",
        "verb": "patch", "requestURI": "/apis/apps/v1/namespaces/shop/deployments/web/scale",
        "objectRef": {"resource": "deployments", "namespace": "shop", "name": "web", "apiGroup": "apps", "subresource": "scale"},
        "requestObject": {"spec": {"replicas": replicas}}, "requestReceivedTimestamp": "2026-11-21T11:45:19Z"
    })
}

const PED: &str = "apiVersion: podledger/v1\nkind: ReplicaLimit\nmetadata: {team: payments}\nspec:\n  namespace: payments\n  deployment: orders-api\n  maxReplicas: 4\n";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn message(payload: &[u8]) -> Value {
    let data = base64::engine::general_purpose::STANDARD.encode(payload);
    json!({"message": {"data": data, "messageId": "1", "message_id": "1", "publishTime": "2026-10-05T09:12:00Z"}, "subscription": "s"})
}

#[test]
fn entries_are_found_in_every_form() {
    let (three, four) = (entry(3).to_string(), entry(4).to_string());
    let both = ["0 replica-changes 3", "1 replica-changes 4"];
    let pretty = serde_json::to_string_pretty(&entry(3)).unwrap();
    assert_eq!(short(format!("{three}\n{four}\n")), both, "json lines");
    assert_eq!(short(format!("{pretty}\n{four}")), both, "values one after the other");
    assert_eq!(short(format!("[{three},\n{four}]")), both, "array");
    assert_eq!(short(format!("---\n{three}\n---\n{four}\n")), both, "yaml documents in flow style");
    assert_eq!(short(format!("\u{feff}{three}\r\n{four}\r\n")), both, "byte order mark and CRLF");
    assert_eq!(short(gzip(format!("{three}\n{four}").as_bytes())), both, "gzip");
    let twice = [gzip(three.as_bytes()), gzip(four.as_bytes())].concat();
    assert_eq!(short(twice), both, "gzip of two members");
    let yaml = "# licence\nprotoPayload:\n  methodName: io.k8s.apps.v1.deployments.scale.update\n  resourceName: apps/v1/namespaces/a/deployments/b/scale\n  response: {kind: Scale, spec: {replicas: 3}}\ntimestamp: \"2026-10-05 09:12:00\"\n";
    assert_eq!(short(yaml), ["0 replica-changes 3"], "yaml");
    assert_eq!(short(yaml.replace('\n', "\r\n")), ["0 replica-changes 3"], "yaml with CRLF");
}

#[test]
fn events_are_found_alone_and_in_lists() {
    assert_eq!(short(event(3).to_string()), ["0 replica-changes 3"]);
    let list =
        json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": [event(3), event(4), {"kind": "Pod"}]});
    let lines = short(list.to_string());
    assert_eq!(lines[..2], ["0 replica-changes 3", "1 replica-changes 4"]);
    assert!(lines[2].starts_with("2 "), "{lines:?}");
    let untyped = |mut event: Value| {
        event.as_object_mut().unwrap().retain(|key, _| key != "kind" && key != "apiVersion");
        event
    };
    for version in [json!("audit.k8s.io/v1"), Value::Null] {
        let list = json!({"kind": "EventList", "apiVersion": version, "items": [untyped(event(3))]});
        assert_eq!(short(list.to_string()), ["0 replica-changes 3"], "{version}");
    }
    let bare = json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": [{"verb": "patch"}]});
    let line = &short(bare.to_string())[0];
    assert!(line.starts_with("0 reject audit entry"), "{line}");
    let happened = json!({"kind": "Event", "apiVersion": "v1", "metadata": {"name": "x"}, "reason": "Scaled"});
    assert_eq!(short(happened.to_string()), ["0 skip Event of v1 is not collected"]);
}

#[test]
fn an_object_of_another_group_is_another_thing() {
    let object = |kind: &str, version: &str| json!({"kind": kind, "apiVersion": version, "metadata": {"name": "a"}});
    for (kind, version) in [
        ("Deployment", "v1"),
        ("Deployment", "serving.knative.dev/v1"),
        ("Node", "longhorn.io/v1beta2"),
        ("HorizontalPodAutoscaler", "apps/v1"),
    ] {
        let line = format!("0 skip {kind} of {version} is not collected");
        assert_eq!(short(object(kind, version).to_string()), [line]);
    }
    for (kind, version, table) in [
        ("Deployment", "extensions/v1beta1", "gke_deployments"),
        ("HorizontalPodAutoscaler", "extensions/v1beta1", "hpa_data"),
        ("HorizontalPodAutoscaler", "autoscaling/v3", "hpa_data"),
        ("Deployment", "", "gke_deployments"),
    ] {
        assert_eq!(short(object(kind, version).to_string()), [format!("0 {table} \"a\"")], "{version}");
    }
}

#[test]
fn words_and_numbers_of_yaml_mean_what_they_mean_to_kubectl() {
    let deployment = |spec: &str| format!("kind: Deployment\nmetadata: {{name: d}}\nspec: {{{spec}}}\n");
    let row = |spec: &str| explained(deployment(spec).as_bytes()).remove(0)["row"].clone();
    let written = row("paused: yes, replicas: 1_000");
    assert_eq!((&written["paused"], &written["desired_replicas"]), (&json!(true), &json!(1_000)));
    let written = row("paused: off, replicas: 0b11, minReadySeconds: 089");
    assert_eq!((&written["paused"], &written["desired_replicas"]), (&json!(false), &json!(3)));
    // A declaration is not kubectl's: there a word is a word.
    let reason = explained(format!("{PED}  changeReason: yes\n").as_bytes()).remove(0);
    assert_eq!(reason["message"]["change_reason"], "yes");
}

#[test]
fn what_the_snapshotter_leaves_out_is_in_no_row() {
    let applied = "kubectl.kubernetes.io/last-applied-configuration";
    let node = json!({"kind": "Node", "metadata": {"name": "n", "annotations": {applied: "{\"password\":\"hunter2\"}", "a": "b"}}});
    let line = &explained(node.to_string().as_bytes())[0];
    assert_eq!(line["row"]["annotations"], json!({"a": "b"}));
}

#[test]
fn a_change_is_printed_with_all_its_columns() {
    let line = &explained(entry(6).to_string().as_bytes())[0];
    assert_eq!(line["topic"], "replica-changes");
    assert_eq!(line["message"]["cluster"], "explain");
    assert_eq!(line["message"]["occurred_at"], "2026-10-05T09:12:00.987654Z");
    assert_eq!(line["message"]["actor"], "alice@example.com");
    assert_eq!(line["index"], 0);
}

#[test]
fn detection_rules_hold_their_entries_in_their_tests() {
    let rule = json!({"AnalysisType": "rule", "Tests": [
        {"Name": "a", "Log": entry(3)}, {"Name": "b", "Log": event(4)}, {"Name": "c"}, {"Log": {"eventSource": "x"}},
    ]});
    assert_eq!(
        short(rule.to_string()),
        [
            "0 replica-changes 3",
            "1 replica-changes 4",
            "2 reject a test of a rule without a log entry",
            "3 reject no kind: not an object, entry, event or envelope that is known",
        ]
    );
}

#[test]
fn envelopes_are_opened_whatever_is_in_them() {
    let three = message(entry(3).to_string().as_bytes());
    assert_eq!(short(three.to_string()), ["0 replica-changes 3"]);
    let event = json!({"specversion": "1.0", "type": "google.cloud.pubsub.topic.v1.messagePublished", "data": three});
    assert_eq!(short(event.to_string()), ["0 replica-changes 3"]);
    let audit = json!({"specversion": "1.0", "type": "google.cloud.audit.log.v1.written", "data": entry(3)});
    assert_eq!(short(audit.to_string()), ["0 replica-changes 3"]);
    assert_eq!(short(message(PED.as_bytes()).to_string()), ["0 limit-declarations 4"]);
    let lines = format!("{}\n{}", entry(3), entry(4));
    assert_eq!(short(message(&gzip(lines.as_bytes())).to_string()), ["0 replica-changes 3", "1 replica-changes 4"]);
    let mut unpadded = three.clone();
    let data = unpadded["message"]["data"].as_str().unwrap().trim_end_matches('=').to_owned();
    unpadded["message"]["data"] = json!(data);
    assert_eq!(short(unpadded.to_string()), ["0 replica-changes 3"]);
}

#[test]
fn an_envelope_whose_payload_cannot_be_read_is_one_reject() {
    for (envelope, reason) in [
        (message(b"Hello there"), "payload: a text, expected an object"),
        (message(&[1, 2, 3, 4]), "payload: "),
        (message(b""), "payload: empty"),
        (message(b"{\"a\": "), "payload: JSON value of line 1"),
        (json!({"message": {"messageId": "1"}, "subscription": "s"}), "pubsub message: no data"),
        (json!({"message": {"data": 7}}), "pubsub message: data is not text"),
        (json!({"message": {"data": "%%"}}), "pubsub message: data is not base64"),
        (json!({"specversion": "1.0", "type": "x"}), "cloudevent: no data"),
    ] {
        let lines = short(envelope.to_string());
        assert!(lines.len() == 1 && lines[0].starts_with(&format!("0 reject {reason}")), "{envelope}: {lines:?}");
    }
    let mut nested = entry(3);
    for _ in 0..20 {
        nested = message(nested.to_string().as_bytes());
    }
    assert_eq!(short(nested.to_string()), ["0 reject payload: wrapped more than 8 times"]);
}

#[test]
fn declarations_are_found_and_their_errors_name_the_line() {
    assert_eq!(short(PED), ["0 limit-declarations 4"]);
    let lines = short(format!("{PED}---\n{}", PED.replace("maxReplicas: 4", "maxReplicas: 9")));
    assert_eq!(lines[0], "0 limit-declarations 4");
    assert!(lines[1].starts_with("1 reject ") && lines[1].contains(":15:16: spec.maxReplicas is 9"), "{lines:?}");
    let as_json = json!({"apiVersion": "podledger/v1", "kind": "ReplicaLimit",
        "spec": {"namespace": "a", "deployment": "b", "maxReplicas": 3}});
    assert_eq!(short(as_json.to_string()), ["0 limit-declarations 3"]);
    assert_eq!(short(json!([as_json, as_json]).to_string()), ["0 limit-declarations 3", "1 limit-declarations 3"]);
}

#[test]
fn each_item_of_a_list_is_accounted_for() {
    let list = json!({"kind": "List", "apiVersion": "v1", "items": [
        {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a"}},
        {"kind": "ConfigMapList", "apiVersion": "v1", "items": [{"metadata": {"name": "b"}}, {"metadata": {"name": "c"}}]},
        {"metadata": {"name": "no kind"}},
        null, 7, "text",
        {"kind": "ReplicaSet", "apiVersion": "apps/v1", "metadata": {"name": "r"}},
        {"kind": "Node", "apiVersion": "config.openshift.io/v1", "metadata": {"name": "n"}},
        {"kind": 7},
        {"kind": "PodList", "apiVersion": "v1", "items": null},
    ]});
    assert_eq!(
        short(list.to_string()),
        [
            "0 skip ConfigMap of v1 is not collected",
            "1 skip ConfigMap of v1 is not collected",
            "2 skip ConfigMap of v1 is not collected",
            "3 reject no kind: not an object, entry, event or envelope that is known",
            "4 reject null, expected an object",
            "5 reject a number or boolean, expected an object",
            "6 reject a text, expected an object",
            "7 skip ReplicaSet has no table: it tells which pods belong to a Deployment",
            "8 skip Node of config.openshift.io/v1 is not collected",
            "9 reject kind is 7, expected text",
            "10 skip PodList without items",
        ]
    );
    assert_eq!(
        short(r#"{"kind": "AllowList", "apiVersion": "x/v1", "spec": {}}"#),
        ["0 skip AllowList of x/v1 is not collected"]
    );
    assert_eq!(short(r#"{"kind": "PodList", "apiVersion": "v1", "items": 7}"#).len(), 1);
}

#[test]
fn broken_places_leave_their_neighbours_alone() {
    let (three, four) = (entry(3).to_string(), entry(4).to_string());
    let lines = short(format!("{three}\n{{\"insertId\": \n{four}\n"));
    assert_eq!(
        (lines.len(), lines[0].as_str(), lines[2].as_str()),
        (3, "0 replica-changes 3", "2 replica-changes 4"),
        "{lines:?}"
    );
    assert!(lines[1].starts_with("1 reject JSON value of line 2: EOF"), "{lines:?}");
    let bytes = [three.as_bytes(), b"\n{\"a\": \"\xff\"}\n", four.as_bytes()].concat();
    let lines = short(bytes);
    assert_eq!(
        (lines.len(), lines[0].as_str(), lines[2].as_str()),
        (3, "0 replica-changes 3", "2 replica-changes 4"),
        "{lines:?}"
    );
    let truncated = &serde_json::to_string_pretty(&json!({"kind": "List", "items": [entry(3)]})).unwrap()[..200];
    assert_eq!(short(truncated).len(), 1);
    let lines = short([PED.as_bytes(), b"---\na: \xff\n---\nkind: {{ .Values.kind }\n---\nkind: ConfigMap\n"].concat());
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert_eq!(lines[1], "1 reject line 9: not UTF-8");
    assert!(lines[2].starts_with("2 reject YAML, line 11"), "{lines:?}");
    assert_eq!(lines[3], "3 skip ConfigMap is not collected");
    let mut cut = gzip(format!("{three}\n{}", "x".repeat(100_000)).as_bytes());
    cut.truncate(cut.len() - 20);
    let lines = short(&cut);
    assert!(lines.last().unwrap().contains("reject gzip: "), "{lines:?}");
}

#[test]
fn hostile_bytes_give_a_line_and_no_crash() {
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(10_000), close.repeat(10_000));
    let digits = "9".repeat(10_000);
    let kind = |field: &str| {
        format!("{{\"kind\": \"Pod\", \"apiVersion\": \"v1\", \"metadata\": {{\"name\": \"a\"}}, \"x\": {field}}}")
    };
    let bomb: String = std::iter::once("a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned())
        .chain(
            (1..20).map(|level| format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 9].join(", "))),
        )
        .collect();
    let cases: Vec<Vec<u8>> = vec![
        deep("[", "]").into(),
        deep("{\"a\":", "}").into(),
        deep("- ", "").into(),
        kind(&deep("[", "]")).into(),
        kind(&digits).into(),
        format!("kind: Pod\nspec: {digits}\n").into(),
        format!("spec: {}\n", deep("[", "]")).into(),
        bomb.into(),
        kind(&format!("\"{}\"", "x".repeat(MAX_OBJECT_BYTES))).into(),
        "kind: Deployment\nspec: {replicas: ${REPLICAS:-1}}\n".into(),
        "kind: Deployment\nspec:\n  replicas: ${REPLICAS:-1}\n".into(),
        "kind: Pod\nkind: Pod\n".into(),
        "{\"kind\": \"Pod\", \"kind\": \"Pod\"}".into(),
        "kind: Pod\nspec: {a: .nan, b: -.inf}\n".into(),
        "{{- if .Values.enabled }}\nkind: Pod\n{{- end }}\n".into(),
        "\tkind: Pod\n".into(),
        "just words\nand more of them\n".into(),
        b"\xff\xfek\0i\0n\0d\0".to_vec(),
        b"\x1f\x8b\x08garbage".to_vec(),
        (0..=255).collect(),
        b"\0\0\0\0".to_vec(),
    ];
    for case in cases {
        let lines = short(&case);
        assert_eq!(lines.len(), 1, "{:?}: {lines:?}", String::from_utf8_lossy(&case[..case.len().min(60)]));
        assert!(lines[0].len() < 1_200, "{}", lines[0].len());
    }
    for empty in ["", "\n \n", "---\n", "# only a comment\n", "\u{feff}"] {
        assert_eq!(short(empty), ["0 skip nothing in it"], "{empty:?}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_told_and_the_others_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let good = folder.path().join("good");
    std::fs::write(&good, entry(3).to_string()).unwrap();
    let mut out = Vec::new();
    let files = [folder.path().join("missing"), folder.path().to_owned(), good];
    let ExitKind::SomeUnreadable(unreadable) = run(&files, &Options::default(), &mut out).unwrap() else {
        panic!("all were readable")
    };
    let paths: Vec<PathBuf> = unreadable.iter().map(|file| file.path.clone()).collect();
    assert_eq!(paths, files[..2]);
    assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1);
    assert_eq!(ExitKind::SomeUnreadable(unreadable).code(), 1);
}

#[test]
fn the_same_files_give_the_same_lines() {
    let once = explained(format!("{}\n{}", entry(3), event(4)).as_bytes());
    let strip = |mut lines: Vec<Value>| {
        lines.iter_mut().for_each(|line| line["file"] = Value::Null);
        lines
    };
    assert_eq!(strip(once), strip(explained(format!("{}\n{}", entry(3), event(4)).as_bytes())));
}
