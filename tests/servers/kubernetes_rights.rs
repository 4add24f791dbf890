//! The ClusterRole of `infra/kubernetes/rbac.yaml` is enough, and no rule of it is too much.

use std::sync::Arc;

use platform::kubernetes::{KubeCluster, KubeSettings};
use platform::ports::{Cluster, ClusterError, Kind};
use platform::testkit::cluster::drain;
use platform::testkit::kubernetes::{ControlPlane, ROLES_PATH, until};
use schemas::Timestamp;
use serde_json::Value;

use crate::kubernetes_lab::Lab;
use crate::turn;

const RBAC: &str = include_str!("../../infra/kubernetes/rbac.yaml");
/// The role and the account of the file.
const ROLE: &str = "podledger-snapshotter";
const NAMESPACE: &str = "podledger";

/// The cluster as the file's service account sees it, and that account's token.
async fn as_snapshotter(plane: &ControlPlane) -> (Arc<dyn Cluster>, String) {
    plane.create_namespace(NAMESPACE).await;
    let token = plane.service_account_token(NAMESPACE, ROLE).await;
    plane.create_roles(RBAC).await;
    // By default everybody may ask for the version; without that it takes the file's own rule.
    for binding in ["system:public-info-viewer", "system:discovery"] {
        plane.delete(&format!("{ROLES_PATH}/clusterrolebindings/{binding}")).await;
    }
    let config = plane.config_with_token(&token).await;
    (Arc::new(KubeCluster::with_config(config, KubeSettings::default()).unwrap()), token)
}

/// The kinds a rule of the role lets read.
fn kinds_of(rule: &Value) -> Vec<Kind> {
    match rule["nonResourceURLs"].as_array() {
        Some(_) => vec![Kind::Clusters],
        None => rule["resources"].as_array().unwrap().iter().map(|name| kind_of(name.as_str().unwrap())).collect(),
    }
}

fn kind_of(plural: &str) -> Kind {
    Kind::from_name(plural).unwrap_or_else(|| panic!("{plural:?} is no kind that is collected"))
}

/// Waits until exactly these kinds are refused: rights take effect a moment after they change.
async fn refused_are(cluster: &dyn Cluster, refused: &[Kind]) {
    until("rights are as they were changed", async || {
        for kind in Kind::ALL {
            let denied = match drain(cluster, *kind, Timestamp::MIN).await {
                Ok(_) => false,
                Err(ClusterError::Refused { .. }) => true,
                Err(error) => panic!("{error}"),
            };
            if denied != refused.contains(kind) {
                return false;
            }
        }
        true
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_is_enough_and_without_one_rule_its_kinds_alone_are_a_gap() {
    let _turn = turn().await;
    let Some(plane) = ControlPlane::start(&["--nodes=1", "--pod-delay=0s"]) else { return };
    plane.create_namespace("team").await;
    plane.create_pods("team", 0..3).await;
    let (cluster, _) = as_snapshotter(&plane).await;
    refused_are(&*cluster, &[]).await;

    let lab = Lab::new();
    let whole = lab.snapshot("whole", Arc::clone(&cluster)).await.unwrap();
    assert_eq!(whole.kinds.len(), Kind::ALL.len());
    assert!(whole.kinds.values().all(|kind| kind.complete && kind.gap.is_none()), "{whole:?}");
    assert_eq!((whole.kinds["pods"].object_count, whole.kinds["nodes"].object_count), (3, 1));

    let path = format!("{ROLES_PATH}/clusterroles/{ROLE}");
    let rules = plane.get(&path).await["rules"].as_array().unwrap().clone();
    assert_eq!(rules.iter().flat_map(kinds_of).count(), Kind::ALL.len(), "a kind is in one rule");
    for (index, rule) in rules.iter().enumerate() {
        let mut role = plane.get(&path).await;
        let left: Vec<_> = rules.iter().enumerate().filter(|(at, _)| *at != index).map(|(_, rule)| rule).collect();
        role["rules"] = serde_json::to_value(left).unwrap();
        plane.replace(&path, &role).await;
        let missing = kinds_of(rule);
        refused_are(&*cluster, &missing).await;

        let manifest = lab.snapshot(&format!("without-{index}"), Arc::clone(&cluster)).await.unwrap();
        for kind in Kind::ALL {
            let listed = &manifest.kinds[kind.name()];
            assert_eq!(listed.complete, !missing.contains(kind), "{kind}: {listed:?}");
            match missing.contains(kind) {
                true => {
                    assert!(listed.parts.is_empty(), "{kind}: nothing of it is stored");
                    names_the_rule(*kind, rule, listed.gap.as_deref().unwrap());
                }
                false => assert_eq!(listed.object_count, whole.kinds[kind.name()].object_count, "{kind}"),
            }
        }
    }
}

/// The gap says which rule a ClusterRole needs: verb, resource and API group as the file has them.
fn names_the_rule(kind: Kind, rule: &Value, gap: &str) {
    let written = match rule["nonResourceURLs"][0].as_str() {
        Some(url) => format!(r#"ClusterRole gives it with the rule {{nonResourceURLs: ["{url}"], verbs: ["get"]}}"#),
        None => format!(
            r#"ClusterRole gives it with the rule {{apiGroups: [{}], resources: ["{kind}"], verbs: ["list"]}}"#,
            rule["apiGroups"][0]
        ),
    };
    assert!(gap.contains(&written), "{gap}");
    assert!(gap.contains("podledger:podledger-snapshotter"), "who lacks it: {gap}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_gives_nothing_else() {
    let _turn = turn().await;
    let Some(plane) = ControlPlane::start_api_server_alone(&[]) else { return };
    plane.create_namespace("team").await;
    plane.create_pods("team", 0..1).await;
    let (cluster, token) = as_snapshotter(&plane).await;
    refused_are(&*cluster, &[]).await;
    for (method, path) in [
        ("GET", "/api/v1/secrets"),
        ("GET", "/api/v1/configmaps"),
        ("GET", "/api/v1/namespaces"),
        ("GET", "/api/v1/namespaces/team/pods/pod-000000"),
        ("GET", "/api/v1/namespaces/team/pods/pod-000000/log"),
        ("GET", "/api/v1/pods?watch=true"),
        ("DELETE", "/api/v1/namespaces/team/pods/pod-000000"),
        ("DELETE", "/api/v1/namespaces/team/pods"),
        ("POST", "/api/v1/namespaces/team/pods"),
        ("PATCH", "/apis/apps/v1/namespaces/team/deployments/x/scale"),
        ("GET", "/metrics"),
    ] {
        assert_eq!(plane.status_for(&token, method, path).await, 403, "{method} {path}");
    }
    assert_eq!(plane.status_for(&token, "GET", "/version").await, 200);
}
