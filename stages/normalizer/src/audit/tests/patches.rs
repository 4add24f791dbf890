//! Every form in which a request can set a number, and those in which it does not.

use serde_json::{Value, json};

use super::{decoded, lines};

/// A log entry of a patch of a Deployment, with a request and perhaps a response.
fn patch(request: Value, response: Option<Value>) -> Value {
    let mut entry = super::cloud::scale_entry();
    entry["protoPayload"]["methodName"] = json!("io.k8s.apps.v1.deployments.patch");
    entry["protoPayload"]["resourceName"] = json!("apps/v1/namespaces/payments/deployments/orders-api");
    entry["protoPayload"]["request"] = request;
    match response {
        Some(response) => entry["protoPayload"]["response"] = response,
        None => drop(entry["protoPayload"].as_object_mut().unwrap().remove("response")),
    }
    entry
}

/// A whole Deployment with that many replicas.
fn deployment(replicas: i64) -> Value {
    json!({
        "@type": "apps.k8s.io/v1.Deployment", "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "orders-api", "namespace": "payments"},
        "spec": {"replicas": replicas, "template": {"spec": {"containers": []}}}
    })
}

const UNTOUCHED: &str = "skip: the patch request does not set spec.replicas";

#[test]
fn object_patches_of_every_form_are_read() {
    let table = [
        // merge patch, strategic merge patch, with null, with nothing of ours
        (json!({"spec": {"replicas": 4}}), "replicas ?→4"),
        (json!({"@type": "k8s.io/Patch", "spec": {"replicas": 4.0}}), "replicas ?→4"),
        (json!({"spec": {"replicas": null}}), "replicas ?→1"),
        (json!({"spec": null}), "replicas ?→1"),
        (json!({"spec": {"template": {"spec": {"replicas": 4}}}}), UNTOUCHED),
        (json!({"spec": {"$setElementOrder/containers": [{"name": "a"}], "paused": true}}), UNTOUCHED),
        (json!({"metadata": {"annotations": {"replicas": "4"}}}), UNTOUCHED),
        (json!({}), UNTOUCHED),
        // directives of strategic merge patches
        (json!({"spec": {"$patch": "replace", "replicas": 4, "template": {}}}), "replicas ?→4"),
        (json!({"spec": {"$patch": "replace", "template": {}}}), "replicas ?→1"),
        (json!({"spec": {"$patch": "delete"}}), "replicas ?→1"),
        (json!({"$patch": "replace", "spec": {"template": {}}}), "replicas ?→1"),
        (json!({"$patch": "replace", "metadata": {}}), "replicas ?→1"),
        (json!({"spec": {"$retainKeys": ["template"], "template": {}}}), "replicas ?→1"),
        (json!({"spec": {"$retainKeys": ["replicas", "template"], "template": {}}}), UNTOUCHED),
        (json!({"spec": {"$retainKeys": ["replicas"], "replicas": 4}}), "replicas ?→4"),
        (json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}), UNTOUCHED),
        // server-side apply: a whole object, which need not hold the number
        (
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "orders-api"}, "spec": {"replicas": 4}}),
            "replicas ?→4",
        ),
        (
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "orders-api"}, "spec": {"template": {}}}),
            UNTOUCHED,
        ),
    ];
    for (request, expected) in table {
        assert_eq!(lines(&decoded(&patch(request.clone(), None))), [expected], "{request}");
    }
}

#[test]
fn json_patches_are_read_operation_by_operation() {
    let table = [
        (json!([{"op": "replace", "path": "/spec/replicas", "value": 4}]), "replicas ?→4"),
        (json!([{"op": "add", "path": "/spec/replicas", "value": 4}]), "replicas ?→4"),
        (json!([{"op": "remove", "path": "/spec/replicas"}]), "replicas ?→1"),
        (json!([{"op": "test", "path": "/spec/replicas", "value": 4}]), UNTOUCHED),
        (
            json!([{"op": "test", "path": "/spec/replicas", "value": 3}, {"op": "replace", "path": "/spec/replicas", "value": 4}]),
            "replicas ?→4",
        ),
        (
            json!([{"op": "replace", "path": "/spec/replicas", "value": 4}, {"op": "test", "path": "/spec/replicas", "value": 4}]),
            "replicas ?→4",
        ),
        (
            json!([{"op": "test", "path": "/spec/replicas", "value": 4}, {"op": "replace", "path": "/spec/replicas", "value": 4}]),
            "replicas ?→4",
        ),
        (
            json!([{"op": "replace", "path": "/spec/replicas", "value": 4}, {"op": "replace", "path": "/spec/replicas", "value": 7}]),
            "replicas ?→7",
        ),
        (json!([{"op": "replace", "path": "/spec", "value": {"replicas": 4, "template": {}}}]), "replicas ?→4"),
        (json!([{"op": "add", "path": "/spec", "value": {"template": {}}}]), "replicas ?→1"),
        (
            json!([{"op": "replace", "path": "", "value": {"kind": "Deployment", "spec": {"replicas": 4}}}]),
            "replicas ?→4",
        ),
        (json!([{"op": "remove", "path": "/spec"}]), "replicas ?→1"),
        (json!([{"op": "copy", "from": "/metadata/generation", "path": "/spec/replicas"}]), "replicas ?→?"),
        (json!([{"op": "move", "from": "/spec/replicas", "path": "/metadata/annotations/x"}]), "replicas ?→1"),
        (json!([{"op": "replace", "path": "/spec/template/spec/replicas", "value": 4}]), UNTOUCHED),
        (json!([{"op": "replace", "path": "/spec/replicasX", "value": 4}]), UNTOUCHED),
        (json!([{"op": "replace", "path": "/spec/maxReplicas", "value": 4}]), UNTOUCHED),
        (json!([]), UNTOUCHED),
    ];
    for (request, expected) in table {
        assert_eq!(lines(&decoded(&patch(request.clone(), None))), [expected], "{request}");
        let wrapped = json!({"@type": "k8s.io/Patch", "value": request});
        assert_eq!(lines(&decoded(&patch(wrapped, None))), [expected], "{request}, wrapped");
    }
    let unknown = patch(json!([{"op": "double", "path": "/spec/replicas"}]), None);
    assert_eq!(lines(&decoded(&unknown)), [r#"reject: audit entry: request: "double" is not a JSON patch operation"#]);
}

#[test]
fn the_response_has_the_last_word_on_the_value() {
    for request in [
        json!({"spec": {"replicas": 4}}),
        json!([{"op": "replace", "path": "/spec/replicas", "value": 4}]),
        json!([{"op": "copy", "from": "/metadata/generation", "path": "/spec/replicas"}]),
        json!({"spec": {"replicas": null}}),
    ] {
        assert_eq!(lines(&decoded(&patch(request.clone(), Some(deployment(3))))), ["replicas ?→3"], "{request}");
    }
    let answered = |response| lines(&decoded(&patch(json!({"spec": {"replicas": 4}}), Some(response))));
    assert_eq!(answered(json!({"kind": "Status", "status": "Success"})), ["replicas ?→4"]);
    assert_eq!(answered(json!({"kind": "PartialObjectMetadata", "metadata": {}})), ["replicas ?→4"]);
    assert_eq!(answered(json!({"kind": "Deployment", "spec": {"template": {}}})), ["replicas ?→1"]);
}

#[test]
fn a_create_tells_each_number_it_sets_and_no_other() {
    let mut entry = patch(deployment(3), Some(deployment(3)));
    entry["protoPayload"]["methodName"] = json!("io.k8s.apps.v1.deployments.create");
    assert_eq!(lines(&decoded(&entry)), ["replicas ?→3"]);
    entry["protoPayload"]["methodName"] = json!("io.k8s.autoscaling.v1.horizontalpodautoscalers.create");
    entry["protoPayload"]["resourceName"] = json!("autoscaling/v1/namespaces/payments/horizontalpodautoscalers/orders");
    entry["protoPayload"]["request"] =
        json!({"spec": {"maxReplicas": 9, "scaleTargetRef": {"kind": "Deployment", "name": "orders-api"}}});
    entry["protoPayload"]["response"] = json!({"kind": "HorizontalPodAutoscaler", "spec": {
        "minReplicas": 1, "maxReplicas": 9, "scaleTargetRef": {"kind": "Deployment", "name": "orders-api"}}});
    assert_eq!(lines(&decoded(&entry)), ["max_replicas ?→9"]);
    assert_eq!(decoded(&entry).unwrap()[0].deployment_name.as_deref(), Some("orders-api"));
}

#[test]
fn an_autoscaler_of_something_else_concerns_no_deployment() {
    let mut entry = patch(json!({"spec": {"maxReplicas": 9, "minReplicas": null}}), None);
    entry["protoPayload"]["methodName"] = json!("io.k8s.autoscaling.v2.horizontalpodautoscalers.patch");
    entry["protoPayload"]["resourceName"] = json!("autoscaling/v2/namespaces/payments/horizontalpodautoscalers/orders");
    assert_eq!(lines(&decoded(&entry)), ["min_replicas ?→1", "max_replicas ?→9"]);
    assert_eq!(decoded(&entry).unwrap()[0].deployment_name, None);
    entry["protoPayload"]["response"] = json!({"kind": "HorizontalPodAutoscaler", "spec": {"maxReplicas": 9, "scaleTargetRef": {"kind": "StatefulSet", "name": "db"}}});
    assert_eq!(decoded(&entry).unwrap()[0].deployment_name, None);
}

#[test]
fn a_stateful_set_is_followed_without_a_deployment() {
    let mut entry = patch(json!({"spec": {"replicas": 4}}), None);
    entry["protoPayload"]["methodName"] = json!("io.k8s.apps.v1.statefulsets.scale.patch");
    entry["protoPayload"]["resourceName"] = json!("apps/v1/namespaces/payments/statefulsets/db/scale");
    let changes = decoded(&entry).unwrap();
    assert_eq!((changes[0].target_kind.as_str(), changes[0].target_name.as_str()), ("StatefulSet", "db"));
    assert_eq!(changes[0].deployment_name, None);
}
