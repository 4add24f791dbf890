//! Deployments as an API server would print them.

use serde_json::{Value, json};

/// A Deployment of namespace `shop` with as many pods as it asks for.
pub(crate) fn deployment(name: &str, replicas: i64) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": format!("uid-{name}"),
            "resourceVersion": "100",
            "generation": 1,
            "creationTimestamp": "2026-10-01T00:00:00Z",
        },
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "x"}},
            "template": {
                "metadata": {"labels": {"app": "x"}},
                "spec": {"containers": [{"name": "main", "image": "registry.example.com/shop:1"}]},
            },
        },
        "status": {
            "observedGeneration": 1,
            "replicas": replicas,
            "updatedReplicas": replicas,
            "readyReplicas": replicas,
            "availableReplicas": replicas,
        },
    })
}

/// A list of them.
pub(crate) fn list(items: impl IntoIterator<Item = Value>) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "DeploymentList", "items": items.into_iter().collect::<Vec<_>>()})
}

/// A list whose items are written out already, right or wrong.
pub(crate) fn list_of_texts(items: &[String]) -> String {
    format!("{{\"apiVersion\": \"apps/v1\", \"kind\": \"DeploymentList\", \"items\": [\n{}\n]}}\n", items.join(",\n"))
}

/// A declaration.
pub(crate) fn declaration(deployment: &str, max_replicas: &str) -> String {
    format!(
        "apiVersion: podledger/v1\nkind: ReplicaLimit\nmetadata: {{api: {deployment}, team: shop}}\nspec:\n  \
         namespace: shop\n  deployment: {deployment}\n  maxReplicas: {max_replicas}\n"
    )
}
