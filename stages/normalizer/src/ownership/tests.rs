use serde_json::{Value, json};

use super::*;
use crate::map::{Rows, object};
use crate::testing::seated;

fn replica_set(uid: &str, owner: Value) -> Vec<u8> {
    json!({"metadata": {"name": "orders-api-5d4f", "namespace": "payments", "uid": uid, "ownerReferences": [owner]}})
        .to_string()
        .into_bytes()
}

fn owners() -> Owners {
    let mut owners = Owners::new();
    owners.learn(&replica_set("rs-1", json!({"kind": "Deployment", "name": "orders", "controller": true}))).unwrap();
    owners.learn(&replica_set("rs-2", json!({"kind": "Rollout", "name": "canary", "controller": true}))).unwrap();
    owners.learn(&replica_set("rs-3", json!({"kind": "Deployment", "name": "not-in-control"}))).unwrap();
    owners.learn(br#"{"metadata": {"name": "manifest-without-uid"}}"#).unwrap();
    owners
}

/// Deployment and method of a pod with that owner and template hash.
fn found(owner: Value, hash: &str) -> (Option<String>, String) {
    let pod = json!({"metadata": {
        "name": "orders-api-5d4f-x2x4z", "namespace": "payments",
        "labels": {"pod-template-hash": hash}, "ownerReferences": [owner],
    }});
    match seated(&owners(), |seat| object(Kind::Pods, pod.to_string().as_bytes(), seat)).unwrap() {
        Rows::Pod(row) => (row.deployment_name, row.owner_method),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_pod_belongs_to_the_deployment_of_its_controller() {
    let set = |uid: &str, name: &str| json!({"kind": "ReplicaSet", "uid": uid, "name": name, "controller": true});
    let cases = [
        ("through the uid", set("rs-1", "orders-api-5d4f"), "5d4f", Some("orders"), "uid"),
        ("the uid needs no hash", set("rs-1", "anything"), "", Some("orders"), "uid"),
        ("a known set of no Deployment", set("rs-2", "canary-5d4f"), "5d4f", None, "none"),
        ("an owner that is not in control", set("rs-3", "orders-api-5d4f"), "5d4f", None, "none"),
        ("an unknown set with the hash", set("rs-9", "orders-api-5d4f"), "5d4f", Some("orders-api"), "hash"),
        ("an unknown set with another hash", set("rs-9", "orders-api-5d4f"), "77aa", None, "none"),
        ("no hash", set("rs-9", "orders-api-5d4f"), "", None, "none"),
        ("a hash without its dash", set("rs-9", "orders-api5d4f"), "5d4f", None, "none"),
        ("nothing left", set("rs-9", "-5d4f"), "5d4f", None, "none"),
        ("another kind", json!({"kind": "StatefulSet", "name": "db-5d4f", "controller": true}), "5d4f", None, "none"),
        (
            "not the controller",
            json!({"kind": "ReplicaSet", "uid": "rs-1", "name": "orders-5d4f"}),
            "5d4f",
            None,
            "none",
        ),
        ("controller false", json!({"kind": "ReplicaSet", "uid": "rs-1", "controller": false}), "5d4f", None, "none"),
        ("a null in the list", json!(null), "5d4f", None, "none"),
    ];
    for (case, owner, hash, deployment, method) in cases {
        assert_eq!(found(owner, hash), (deployment.map(str::to_owned), method.to_owned()), "{case}");
    }
}

#[test]
fn a_replica_set_that_does_not_read_teaches_nothing() {
    let mut owners = owners();
    let before = owners.len();
    let reject = owners.learn(br#"{"metadata": {"name": 5}}"#).unwrap_err();
    assert_eq!(reject.reason, "replicaset: metadata.name is 5, expected a string");
    assert_eq!(owners.len(), before);
}
