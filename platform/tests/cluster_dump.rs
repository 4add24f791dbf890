//! Dumps: every form `kubectl` and people write, and everything that is wrong with files.

// A failed unwrap is a failed test.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use futures::TryStreamExt as _;
use podledger_platform::kubernetes::DumpCluster;
use podledger_platform::ports::{Cluster, ClusterError, Kind, RawObject};
use podledger_platform::testkit::cluster::{Subject, contract, drain};
use schemas::Timestamp;
use serde_json::{Value, json};

const AT: Timestamp = Timestamp::MIN;

/// A folder with these files.
fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}

fn pod(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "n"}})
}

fn bare(name: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "n"}})
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

async fn list(folder: &Path, kind: Kind) -> Vec<RawObject> {
    drain(&DumpCluster::open(folder).unwrap(), kind, AT).await.unwrap()
}

async fn names(folder: &Path, kind: Kind) -> Vec<String> {
    let name = |object| match object {
        RawObject::Json(bytes) => {
            let value: Value = serde_json::from_slice(&bytes).unwrap();
            value["metadata"]["name"].as_str().unwrap().to_owned()
        }
        RawObject::Unreadable { place, reason } => panic!("{place}: {reason}"),
    };
    list(folder, kind).await.into_iter().map(name).collect()
}

/// What is unreadable, as `place: reason`.
async fn unreadable(folder: &Path) -> Vec<String> {
    let tell = |object| match object {
        RawObject::Unreadable { place, reason } => format!("{place}: {reason}"),
        RawObject::Json(bytes) => panic!("readable: {bytes:?}"),
    };
    list(folder, Kind::Unreadable).await.into_iter().map(tell).collect()
}

async fn gap(folder: &Path, kind: Kind) -> Option<String> {
    DumpCluster::open(folder).unwrap().list(kind, AT).await.unwrap().known_gaps
}

#[tokio::test]
async fn it_keeps_the_ports_promises() {
    let counts = contract(async || {
        let pods: Vec<_> = (0..1300).map(|index| pod(&format!("p{index}"))).collect();
        let list = json!({"apiVersion": "v1", "items": pods, "kind": "List", "metadata": {}});
        let deployment =
            json!({"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "d", "namespace": "n"}});
        let source = folder(&[
            ("pods.json", list.to_string().as_bytes()),
            ("d.yaml", deployment.to_string().as_bytes()),
            ("version.json", br#"{"serverVersion":{"gitVersion":"v1.31.0","platform":"linux/arm64"}}"#),
        ]);
        Subject { cluster: Arc::new(DumpCluster::open(source.path()).unwrap()), at: AT, source: Box::new(source) }
    })
    .await;
    assert_eq!(counts[&Kind::Pods], 1300);
    assert_eq!(counts[&Kind::Deployments], 1);
}

#[tokio::test]
async fn every_form_is_read_whatever_the_file_is_called() {
    let typed_items_first = json!({"apiVersion": "v1", "items": [bare("b1"), bare("b2")], "kind": "PodList"});
    let typed_kind_first =
        r#"{"kind":"PodList","apiVersion":"v1","items":[{"metadata":{"name":"c1","namespace":"n"}}]}"#;
    let generic =
        json!({"kind": "List", "items": [pod("d1"), {"kind": "Node", "metadata": {"name": "node"}}, pod("d2")]});
    let pretty = serde_json::to_string_pretty(&pod("e1")).unwrap();
    let two_pretty = format!("{pretty}\n{}", pretty.replace("e1", "e2"));
    let lines = format!("{}\n\n{}\r\n", pod("f1"), pod("f2"));
    let array = json!([pod("g1"), pod("g2")]).to_string();
    let yaml = "# pods\n---\nkind: Pod\nmetadata: {name: h1, namespace: n}\n---\n---\nkind: PodList\nitems:\n- metadata:\n    name: h2\n    namespace: n\n...\n---\nkind: Pod\nmetadata: {name: h3, namespace: n}";
    let packed = gzip(json!({"kind": "List", "items": [pod("i1")]}).to_string().as_bytes());
    let nested = json!({"kind": "List", "items": [{"kind": "PodList", "items": [bare("j1")]}, pod("j2")]});
    let marked = format!("\u{feff}{}", pod("k1"));
    let folder = folder(&[
        ("a/empty.json", br#"{"kind":"PodList","items":null}"#),
        ("b.txt", typed_items_first.to_string().as_bytes()),
        ("c", typed_kind_first.as_bytes()),
        ("d.yaml", generic.to_string().as_bytes()),
        ("e.json", two_pretty.as_bytes()),
        ("f.log", lines.as_bytes()),
        ("g.json", array.as_bytes()),
        ("h.json", yaml.as_bytes()),
        ("i/deep/er/i.json", &packed),
        ("j.json", nested.to_string().as_bytes()),
        ("k.json", marked.as_bytes()),
    ]);
    let expected =
        ["b1", "b2", "c1", "d1", "d2", "e1", "e2", "f1", "f2", "g1", "g2", "h1", "h2", "h3", "i1", "j1", "j2", "k1"];
    assert_eq!(names(folder.path(), Kind::Pods).await, expected);
    assert_eq!(names(folder.path(), Kind::Nodes).await, ["node"]);
    assert_eq!(unreadable(folder.path()).await, [""; 0]);
}

#[tokio::test]
async fn objects_come_out_as_they_were_written() {
    let written =
        r#"{"metadata": {"name":"a","namespace":"n"},  "x": 0.50, "y": 1e3, "z": 123456789012345678901234567890}"#;
    let list = format!(r#"{{"items":[{written}],"kind":"PodList","apiVersion":"v1"}}"#);
    let folder = folder(&[
        ("a.json", list.as_bytes()),
        ("b.yaml", b"kind: Pod\napiVersion: v1\nmetadata: {name: b}\ncpu: 0.50\nbig: 1e3\n"),
    ]);
    let objects = list_text(folder.path()).await;
    assert_eq!(objects[0], written);
    assert_eq!(objects[1], r#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"b"},"cpu":0.50,"big":1e3}"#);
}

async fn list_text(folder: &Path) -> Vec<String> {
    let text = |object| match object {
        RawObject::Json(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        RawObject::Unreadable { place, reason } => panic!("{place}: {reason}"),
    };
    list(folder, Kind::Pods).await.into_iter().map(text).collect()
}

#[tokio::test]
async fn a_truncated_list_is_a_gap_of_its_kind_and_harms_no_neighbour() {
    let whole = json!({"kind": "DeploymentList", "items": [bare("d")]}).to_string();
    let cut = br#"{"kind":"PodList","items":[{"metadata":{"name":"p1","namespace":"n"}},{"metadata":{"na"#;
    let folder = folder(&[("cut.json", cut), ("whole.json", whole.as_bytes())]);
    assert_eq!(names(folder.path(), Kind::Pods).await, ["p1"]);
    assert_eq!(names(folder.path(), Kind::Deployments).await, ["d"]);
    let told = format!("cut.json, line 1, byte {}: the input ends inside item 1", cut.len());
    assert_eq!(unreadable(folder.path()).await, [&*told]);
    assert_eq!(gap(folder.path(), Kind::Pods).await, Some(told));
    assert_eq!(gap(folder.path(), Kind::Deployments).await, None);
}

#[tokio::test]
async fn a_generic_list_that_ends_early_is_a_gap_of_every_kind() {
    let folder = folder(&[(
        "cut.json",
        format!("{{\n\"apiVersion\": \"v1\",\n\"items\": [\n{},\n{{\"kind\"", pod("p")).as_bytes(),
    )]);
    assert_eq!(names(folder.path(), Kind::Pods).await, ["p"]);
    for kind in Kind::ALL.iter().filter(|kind| **kind != Kind::Clusters) {
        assert!(gap(folder.path(), *kind).await.unwrap().starts_with("cut.json, line 5, "), "{kind}");
    }
}

#[tokio::test]
async fn broken_items_stand_among_the_unreadable_with_their_place() {
    let text = b"{\"kind\":\"PodList\",\"items\":[\nnull,\n7,\n{\"a\":tru},\n{\"a\":\"\xff\"},\n{\"metadata\":{\"name\":\"p\",\"namespace\":\"n\"}}]}";
    let folder = folder(&[("p.json", text), ("values.yaml", b"replicas: 3\n"), ("scalar.json", b"[{}, 5]")]);
    assert_eq!(names(folder.path(), Kind::Pods).await, ["p"]);
    assert_eq!(
        unreadable(folder.path()).await,
        [
            "p.json, line 2, byte 28, item 0: it is null, expected an object",
            "p.json, line 3, byte 34, item 1: it is a number, expected an object",
            "p.json, line 4, byte 37, item 2: it is not JSON: expected ident at line 1 column 9",
            "p.json, line 5, byte 48, item 3: it is not UTF-8: invalid byte at 6 of it",
            "scalar.json, line 1, byte 1, item 0: it has no kind",
            "scalar.json, line 1, byte 5, item 1: it is a number, expected an object",
            "values.yaml, document 1, line 1: it has no kind",
        ]
    );
    assert!(gap(folder.path(), Kind::Pods).await.unwrap().contains("item 2"), "a broken object hides a pod");
    assert_eq!(gap(folder.path(), Kind::Nodes).await, None, "what is broken in a list of pods is no node");
}

#[tokio::test]
async fn a_broken_line_costs_itself() {
    let text = format!("{}\n{{\"kind\": \"Po\n{}\n", pod("a"), pod("b"));
    let folder = folder(&[("lines.json", text.as_bytes())]);
    assert_eq!(names(folder.path(), Kind::Pods).await, ["a", "b"]);
    let found = unreadable(folder.path()).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("lines.json, line 3, byte "), "{found:?}");
}

#[tokio::test]
async fn a_broken_yaml_document_costs_itself() {
    let folder = folder(&[(
        "m.yaml",
        b"kind: Pod\nmetadata: {name: a}\n---\nkind: Pod\nx: [1\n---\nkind: Pod\nkind: Pod\n---\nx: \xff\n---\nkind: Pod\nmetadata: {name: b}\n---\n{{- if .x }}\n",
    )]);
    assert_eq!(names(folder.path(), Kind::Pods).await, ["a", "b"]);
    let found = unreadable(folder.path()).await;
    assert_eq!(found.len(), 4, "{found:#?}");
    assert!(found[0].starts_with("m.yaml, document 2, line 5, column 4: "), "{found:#?}");
    assert_eq!(found[1], "m.yaml, document 3, line 8, column 1: the key \"kind\" is there twice");
    assert_eq!(found[2], "m.yaml, document 4, line 10: it is not UTF-8");
    assert!(gap(folder.path(), Kind::Pods).await.unwrap().contains("document 2"));
}

#[tokio::test]
async fn files_that_are_no_dump_are_named() {
    let whole = gzip(json!({"kind": "List", "items": vec![pod("p"); 200]}).to_string().as_bytes());
    let folder = folder(&[
        ("binary", b"\x7fELF\0\0"),
        ("empty.json", b""),
        ("half.gz", &whole[..whole.len() / 2]),
        ("utf16.json", b"\xff\xfe{\0}\0"),
        (".hidden", b"\0"),
        (".git/objects", b"\0"),
    ]);
    let found = unreadable(folder.path()).await;
    assert_eq!(found.len(), 4, "{found:#?}");
    assert_eq!(found[0], "binary: it is binary, expected JSON or YAML");
    assert_eq!(found[1], "empty.json: it is empty");
    assert!(found[2].starts_with("half.gz"), "{found:#?}");
    assert_eq!(found[3], "utf16.json: it is UTF-16, expected UTF-8");
    assert!(gap(folder.path(), Kind::Pods).await.unwrap().ends_with("; and 1 more"));
}

#[cfg(unix)]
#[tokio::test]
async fn links_out_of_the_folder_and_special_files_are_not_opened() {
    let outside = folder(&[("secret.json", pod("outside").to_string().as_bytes())]);
    let inside = folder(&[("..data/p.json", pod("inside").to_string().as_bytes())]);
    let link = |target: &Path, name: &str| std::os::unix::fs::symlink(target, inside.path().join(name)).unwrap();
    link(&outside.path().join("secret.json"), "out.json");
    link(outside.path(), "outfolder");
    link(&inside.path().join("..data/p.json"), "p.json");
    link(inside.path(), "loop");
    let socket = std::os::unix::net::UnixListener::bind(inside.path().join("socket")).unwrap();
    assert_eq!(names(inside.path(), Kind::Pods).await, ["inside"]);
    assert_eq!(
        unreadable(inside.path()).await,
        [
            "out.json: its link leads out of the folder",
            "outfolder: its link leads out of the folder",
            "socket: it is a socket, a pipe or a device",
        ]
    );
    drop(socket);
}

#[tokio::test]
async fn a_missing_or_empty_folder_is_an_error_that_never_mends() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().join("missing"), folder.path().to_owned()] {
        let error = DumpCluster::open(&path).unwrap_err();
        assert!(!error.is_outage(), "{error}");
        assert!(error.to_string().contains(&*path.to_string_lossy()), "{error}");
    }
}

#[tokio::test]
async fn objects_over_the_bound_are_left_out_and_told() {
    let big = format!(r#"{{"kind":"Pod","x":"{}"}}"#, "y".repeat(9 * 1024 * 1024));
    let text = format!(r#"{{"kind":"List","items":[{},{big},{}]}}"#, pod("a"), pod("b"));
    let yaml = format!(
        "kind: Pod\nmetadata: {{name: c}}\n---\nkind: Pod\nx: {}\n---\nkind: Pod\nmetadata: {{name: d}}\n",
        "y".repeat(17 * 1024 * 1024)
    );
    let folder = folder(&[("a.json", text.as_bytes()), ("b.json", big.as_bytes()), ("c.yaml", yaml.as_bytes())]);
    assert_eq!(names(folder.path(), Kind::Pods).await, ["a", "b", "c", "d"]);
    let found = unreadable(folder.path()).await;
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found[0].ends_with("item 1: it is larger than 8388608 bytes"), "{found:#?}");
    assert!(found[1].starts_with("b.json, line 1, byte 0: "), "{found:#?}");
    assert!(found[2].starts_with("c.yaml, document 2, line 3: it is larger than"), "{found:#?}");
    assert!(gap(folder.path(), Kind::Nodes).await.is_some());
}

#[tokio::test]
async fn the_clusters_version_is_taken_where_a_file_says_it() {
    let nodes =
        json!({"kind": "Node", "metadata": {"name": "a"}, "status": {"nodeInfo": {"kubeletVersion": "v1.30.0"}}});
    let without = folder(&[("nodes.json", nodes.to_string().as_bytes())]);
    let object = |text: &str| vec![RawObject::Json(text.to_owned().into())];
    assert_eq!(list(without.path(), Kind::Clusters).await, object(r#"{"gitVersion":null,"platform":null}"#));
    let with = folder(&[(
        "v.yaml",
        b"clientVersion: {gitVersion: v1.35.0}\nserverVersion:\n  gitVersion: v1.31.0\n  platform: linux/amd64\n",
    )]);
    assert_eq!(list(with.path(), Kind::Clusters).await, object(r#"{"gitVersion":"v1.31.0","platform":"linux/amd64"}"#));
    assert_eq!(unreadable(with.path()).await, [""; 0]);
}

#[tokio::test]
async fn audit_entries_are_streamed_and_declarations_left_alone() {
    let entry = json!({"protoPayload": {"methodName": "io.k8s.apps.v1.deployments.patch"}, "insertId": "1"});
    let event = json!({"kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": "2"});
    let events = json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": [{"auditID": "3"}]});
    let folder = folder(&[
        ("a.json", json!([entry]).to_string().as_bytes()),
        ("b.log", format!("{event}\n{event}\n").as_bytes()),
        ("c.json", events.to_string().as_bytes()),
        ("ped.yaml", b"apiVersion: podledger/v1\nkind: ReplicaLimit\nspec: {}\n"),
        ("service.yaml", b"apiVersion: v1\nkind: Service\n"),
    ]);
    let cluster = DumpCluster::open(folder.path()).unwrap();
    let entries: Vec<_> = cluster.audit_entries().await.unwrap().try_collect().await.unwrap();
    let files: Vec<_> = entries.iter().map(|entry| entry.file.as_str()).collect();
    assert_eq!(files, ["a.json", "b.log", "b.log", "c.json"]);
    assert_eq!(entries[0].entry, entry.to_string());
    assert_eq!(unreadable(folder.path()).await, [""; 0]);
}

#[tokio::test]
async fn a_file_that_changes_is_counted_again_and_never_half_read() {
    let pods = |names: &[&str]| {
        json!({"kind": "List", "items": names.iter().map(|name| pod(name)).collect::<Vec<_>>()}).to_string()
    };
    let folder = folder(&[("a.json", pods(&["p"]).as_bytes())]);
    let cluster = DumpCluster::open(folder.path()).unwrap();
    assert_eq!(drain(&cluster, Kind::Pods, AT).await.unwrap().len(), 1);
    let before = cluster.list(Kind::Pods, AT).await.unwrap();
    fs::write(folder.path().join("a.json"), pods(&["p", "q"])).unwrap();
    let error = before.pages.try_collect::<Vec<_>>().await.unwrap_err();
    assert!(matches!(error, ClusterError::Unavailable { .. }), "{error}");
    assert_eq!(drain(&cluster, Kind::Pods, AT).await.unwrap().len(), 2);
}

#[tokio::test]
async fn an_api_version_is_told_when_all_objects_share_it() {
    let folder = folder(&[
        ("a.json", br#"{"kind":"PodList","apiVersion":"v1","items":[{}]}"#),
        ("b.json", br#"{"kind":"Deployment","apiVersion":"apps/v1"}{"kind":"Deployment","apiVersion":"apps/v1beta1"}"#),
    ]);
    let cluster = DumpCluster::open(folder.path()).unwrap();
    assert_eq!(cluster.list(Kind::Pods, AT).await.unwrap().api_version, "v1");
    assert_eq!(cluster.list(Kind::Deployments, AT).await.unwrap().api_version, "");
}

/// Every file of the real data, if it is there: nothing panics, listing agrees with counting, and
/// the output says what is unreadable and why.
#[tokio::test]
async fn real_files_are_read_to_their_end() {
    let Some(root) = std::env::var_os("PODLEDGER_REAL_DATA") else {
        eprintln!("PODLEDGER_REAL_DATA is not set: skipped");
        return;
    };
    for entry in fs::read_dir(root).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_dir()) {
        let cluster = DumpCluster::open(entry.path()).unwrap();
        let mut line = format!("{:>14}:", entry.file_name().to_string_lossy());
        for kind in Kind::ALL {
            let objects = drain(&cluster, *kind, AT).await.unwrap();
            assert!(objects.iter().all(|object| matches!(object, RawObject::Json(_))));
            line.push_str(&format!(" {kind} {}", objects.len()));
        }
        let audits: Vec<_> = cluster.audit_entries().await.unwrap().try_collect().await.unwrap();
        let unreadable = drain(&cluster, Kind::Unreadable, AT).await.unwrap();
        println!("{line} audit {} unreadable {}", audits.len(), unreadable.len());
        for object in unreadable {
            if let RawObject::Unreadable { place, reason } = object {
                println!("    {place}: {reason}");
            }
        }
    }
}
