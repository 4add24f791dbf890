use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::testing::{map, pod, seated};

const KINDS: [Kind; 7] = [
    Kind::Pods,
    Kind::Deployments,
    Kind::ReplicaSets,
    Kind::HorizontalPodAutoscalers,
    Kind::Nodes,
    Kind::Clusters,
    Kind::Unreadable,
];

#[test]
fn a_reject_names_the_object_the_place_the_value_and_what_was_expected() {
    let named = |spec: Value| json!({"metadata": {"name": "orders-api", "namespace": "payments"}, "spec": spec});
    let container = |resources: Value| json!({"containers": [{"name": "app", "resources": resources}]});
    let cases = [
        (
            Kind::Deployments,
            named(json!({"replicas": "three"})),
            r#"deployment payments/orders-api: spec.replicas is "three", expected a whole number"#,
        ),
        (
            Kind::Deployments,
            named(json!({"replicas": -1})),
            "deployment payments/orders-api: spec.replicas is -1, expected a whole number of at least 0",
        ),
        (
            Kind::Deployments,
            named(json!({"replicas": 2.5})),
            "deployment payments/orders-api: spec.replicas is 2.5, expected a whole number",
        ),
        (
            Kind::Pods,
            named(container(json!({"requests": {"cpu": "lots"}}))),
            r#"pod payments/orders-api: spec.containers[0].resources.requests.cpu is "lots", expected a quantity such as 500m, 1.5 or 4Gi"#,
        ),
        (
            Kind::Pods,
            named(container(json!({"limits": {"memory": "-1Gi"}}))),
            r#"pod payments/orders-api: spec.containers[0].resources.limits.memory is "-1Gi", expected a quantity of at least 0"#,
        ),
        (
            Kind::Pods,
            named(container(json!({"limits": {"memory": {"value": 1}}}))),
            r#"pod payments/orders-api: spec.containers[0].resources.limits.memory is {"value":1}, expected a string or a number"#,
        ),
        (
            Kind::Pods,
            named(container(json!({"limits": {"memory": "1e30"}}))),
            "pod payments/orders-api: the sum of memory limits over all containers is out of range, expected a quantity within 64 bits",
        ),
        (
            Kind::HorizontalPodAutoscalers,
            named(json!({"maxReplicas": "5"})),
            r#"horizontalpodautoscaler payments/orders-api: spec.maxReplicas is "5", expected a whole number"#,
        ),
        (Kind::Pods, json!({"metadata": {}}), "pod: metadata.name is missing, expected a name"),
        (Kind::Pods, json!({}), "pod: metadata.name is missing, expected a name"),
        (Kind::Pods, json!({"metadata": {"name": ""}}), r#"pod: metadata.name is "", expected a name"#),
        (Kind::Pods, json!({"metadata": {"name": 7}}), "pod: metadata.name is 7, expected a string"),
        (
            Kind::Pods,
            json!({"metadata": {"name": "a", "uid": ""}}),
            r#"pod default/a: metadata.uid is "", expected a uid"#,
        ),
        (
            Kind::Nodes,
            json!({"metadata": {"name": "n1", "labels": {"a.b/c": 1}}}),
            r#"node n1: metadata.labels["a.b/c"] is 1, expected a string"#,
        ),
        (
            Kind::Nodes,
            json!({"metadata": {"name": "n1", "annotations": {"a": false}}}),
            "node n1: metadata.annotations.a is false, expected a string",
        ),
        (
            Kind::Deployments,
            json!({"kind": "Pod", "metadata": {"name": "a"}}),
            r#"deployment default/a: kind is "Pod", expected an object of the list of deployments"#,
        ),
        (Kind::Pods, json!(null), "pod: it is null, expected an object"),
        (Kind::Pods, json!({"metadata": ["a"]}), r#"pod: metadata is ["a"], expected an object"#),
        (
            Kind::Pods,
            named(json!({"containers": [["app"]]})),
            r#"pod payments/orders-api: spec.containers[0] is ["app"], expected an object"#,
        ),
        (
            Kind::HorizontalPodAutoscalers,
            named(json!({"metrics": [{"resource": ["cpu"]}]})),
            r#"horizontalpodautoscaler payments/orders-api: spec.metrics[0].resource is ["cpu"], expected an object"#,
        ),
        (Kind::Pods, json!([]), "pod: it is [], expected an object"),
        (Kind::Unreadable, json!({}), "object: not readable as an object of any kind"),
    ];
    for (kind, object, expected) in cases {
        assert_eq!(map(kind, &object).unwrap_err(), expected, "{object}");
    }
}

#[test]
fn bytes_that_are_no_json_or_no_text_are_rejects() {
    let reason = |json: &[u8]| seated(&Owners::new(), |seat| object(Kind::Pods, json, seat)).unwrap_err().reason;
    assert_eq!(reason(b"{\"metadata\": {\"name\": \"a\xff\"}}"), "pod: byte 24 is not UTF-8");
    assert!(reason(br#"{"metadata": {"name""#).starts_with("pod: not readable as JSON: EOF while parsing"));
    assert!(reason(b"").starts_with("pod: not readable as JSON"));
    let digits = format!(r#"{{"metadata": {{"name": "a", "generation": {}}}}}"#, "9".repeat(10_000));
    assert!(reason(digits.as_bytes()).starts_with("pod default/a: metadata.generation is 9999"));
    let deep = format!(r#"{{"metadata": {}{}}}"#, "{\"a\":".repeat(10_000), "1".to_owned() + &"}".repeat(10_000));
    assert_eq!(reason(deep.as_bytes()), "pod: metadata.name is missing, expected a name");
}

#[test]
fn names_of_any_letters_are_kept_and_shown_on_one_line() {
    let name = "a\"b'; DROP TABLE x;--\n=cmd()";
    assert_eq!(pod(&json!({"metadata": {"name": name}})).name, name);
    let reject = map(Kind::Pods, &json!({"metadata": {"name": name, "uid": 1}})).unwrap_err();
    assert!(!reject.contains('\n'), "{reject}");
    let long = map(Kind::Pods, &json!({"metadata": {"name": "x".repeat(254)}})).unwrap_err();
    assert!(long.ends_with("expected a name of at most 253 bytes") && long.len() < 250, "{long}");
}

#[test]
fn a_missing_namespace_is_default() {
    for metadata in
        [json!({"name": "a"}), json!({"name": "a", "namespace": null}), json!({"name": "a", "namespace": ""})]
    {
        assert_eq!(pod(&json!({"metadata": metadata})).namespace, "default");
    }
}

#[test]
fn the_cluster_is_one_row() {
    let row = |json: Value| match map(Kind::Clusters, &json) {
        Ok(Rows::Cluster(row)) => *row,
        other => panic!("{other:?}"),
    };
    let full = row(
        json!({"name": "gke-1", "gitVersion": "v1.31.2", "platform": "linux/amd64", "project": "p", "location": "l"}),
    );
    assert_eq!((full.name.as_str(), full.version.as_deref(), full.node_count), ("gke-1", Some("v1.31.2"), Some(3)));
    assert_eq!(
        (full.platform.as_deref(), full.project.as_deref(), full.location.as_deref()),
        (Some("linux/amd64"), Some("p"), Some("l"))
    );
    let unknown = row(json!({"gitVersion": null, "platform": null}));
    assert_eq!((unknown.name.as_str(), unknown.version), ("prod-uk", None));
}

#[test]
fn rows_print_with_the_columns_of_their_table() {
    for (kind, json) in [
        (Kind::Pods, json!({"metadata": {"name": "a"}})),
        (Kind::Deployments, json!({"metadata": {"name": "a"}})),
        (Kind::HorizontalPodAutoscalers, json!({"metadata": {"name": "a"}})),
        (Kind::Nodes, json!({"metadata": {"name": "a"}})),
        (Kind::Clusters, json!({"name": "a"})),
    ] {
        let rows = map(kind, &json).unwrap();
        let printed = rows.to_json().unwrap();
        let printed: serde_json::Map<String, Value> = serde_json::from_str(printed[0].as_str()).unwrap();
        let mut columns: Vec<&str> =
            rows.table().unwrap().columns().iter().map(|column| column.name.as_str()).collect();
        columns.sort_unstable();
        assert_eq!(printed.keys().collect::<Vec<_>>(), columns, "{kind}");
        assert_eq!(rows.table(), table_of(kind));
    }
}

/// Any JSON value, with the words the mapper looks at among its keys.
fn any_json() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "metadata",
        "name",
        "namespace",
        "uid",
        "labels",
        "annotations",
        "generation",
        "ownerReferences",
        "controller",
        "spec",
        "status",
        "replicas",
        "containers",
        "initContainers",
        "resources",
        "requests",
        "limits",
        "cpu",
        "memory",
        "strategy",
        "rollingUpdate",
        "maxSurge",
        "metrics",
        "type",
        "resource",
        "target",
        "averageValue",
        "selector",
        "currentMetrics",
        "conditions",
        "lastTransitionTime",
        "capacity",
        "behavior",
        "template",
        "kind",
        "current",
        "autoscaling.alpha.kubernetes.io/metrics",
        "containerStatuses",
        "restartCount",
        "external",
        "metric",
        "other",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop::sample::select(vec![
            "500m",
            "4Gi",
            "Always",
            "True",
            "Resource",
            "[{}]",
            "2026-10-01T12:00:00Z",
            "Recreate"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(word.clone().prop_map(str::to_owned), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_is_rows_or_a_reject_with_a_short_reason(value in any_json(), named: bool) {
        let mut value = value;
        if named && let Value::Object(map) = &mut value {
            map.insert("metadata".to_owned(), json!({"name": "a", "namespace": "b"}));
        }
        for kind in KINDS {
            if let Err(reason) = map(kind, &value) {
                prop_assert!(!reason.contains('\n') && reason.len() < 1_000, "{}", reason);
            }
        }
    }

    #[test]
    fn any_bytes_are_rows_or_a_reject(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0_usize..400) {
        let whole = json!({"metadata": {"name": "a", "labels": {"x": "y"}}, "spec": {"replicas": 3, "containers": [{"name": "c"}]}}).to_string();
        for kind in KINDS {
            let hostile = seated(&Owners::new(), |seat| object(kind, &bytes, seat));
            let truncated = &whole.as_bytes()[..cut.min(whole.len() - 1)];
            prop_assert!(hostile.is_err() && seated(&Owners::new(), |seat| object(kind, truncated, seat)).is_err());
        }
    }
}
