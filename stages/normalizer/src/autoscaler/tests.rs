use serde_json::{Value, json};

use crate::testing::{at, autoscaler, map};
use platform::ports::Kind;

/// Type, name, target type, target utilization, target value, current utilization, current value.
type Seen<'r> =
    (Option<&'r str>, Option<&'r str>, Option<&'r str>, Option<i64>, Option<&'r str>, Option<i64>, Option<&'r str>);

fn seen(row: &schemas::HpaData) -> Seen<'_> {
    (
        row.metric_type.as_deref(),
        row.metric_name.as_deref(),
        row.target_type.as_deref(),
        row.target_utilization,
        row.target_value.as_deref(),
        row.current_utilization,
        row.current_value.as_deref(),
    )
}

fn of(spec: Value, status: Value) -> Vec<schemas::HpaData> {
    autoscaler(&json!({"metadata": {"name": "orders", "namespace": "payments"}, "spec": spec, "status": status}))
}

#[test]
fn one_cpu_target_is_one_row_in_all_four_shapes() {
    let expected: Seen<'_> =
        (Some("Resource"), Some("cpu"), Some("Utilization"), Some(80), None, Some(45), Some("225m"));
    let current = json!([{"type": "Resource", "resource": {"name": "cpu", "currentAverageUtilization": 45, "currentAverageValue": "225m"}}]);
    let v1 = autoscaler(&json!({
        "apiVersion": "autoscaling/v1",
        "metadata": {"name": "orders", "annotations": {
            "autoscaling.alpha.kubernetes.io/current-metrics": current.to_string(),
            "autoscaling.alpha.kubernetes.io/conditions": r#"[{"type": "AbleToScale", "status": "True", "lastTransitionTime": "2026-10-01T10:00:00Z"}]"#,
            "autoscaling.alpha.kubernetes.io/behavior": r#"{"ScaleUp": {"Policies": []}}"#,
        }},
        "spec": {"maxReplicas": 5, "targetCPUUtilizationPercentage": 80},
        "status": {"currentReplicas": 2, "desiredReplicas": 2, "currentCPUUtilizationPercentage": 45},
    }));
    assert_eq!((v1.len(), seen(&v1[0]), v1[0].metric_index), (1, expected, Some(0)));
    assert_eq!(v1[0].behavior.as_ref().map(schemas::Json::as_str), Some(r#"{"ScaleUp": {"Policies": []}}"#));
    assert_eq!(v1[0].scaling_conditions[0].last_transition_time, Some(at("2026-10-01T10:00:00Z")));
    let flat = of(
        json!({"metrics": [{"type": "Resource", "resource": {"name": "cpu", "targetAverageUtilization": 80}}]}),
        json!({"currentMetrics": current}),
    );
    assert_eq!((flat.len(), seen(&flat[0])), (1, expected));
    let v2 = of(
        json!({"metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}]}),
        json!({"currentMetrics": [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 45, "averageValue": "225m"}}}]}),
    );
    assert_eq!((v2.len(), seen(&v2[0])), (1, expected));
}

#[test]
fn v1_fields_count_under_any_version_once() {
    let row = &of(json!({"targetCPUUtilizationPercentage": 60}), json!({"currentCPUUtilizationPercentage": 30}))[0];
    assert_eq!(seen(row), (Some("Resource"), Some("cpu"), Some("Utilization"), Some(60), None, Some(30), None));
    let cpu = json!({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}});
    assert_eq!(of(json!({"targetCPUUtilizationPercentage": 60, "metrics": [cpu]}), json!({})).len(), 1);
    let pods = json!({"type": "Pods", "pods": {"metricName": "rps", "targetAverageValue": "10"}});
    let rows = of(json!({"targetCPUUtilizationPercentage": 60, "metrics": [pods]}), json!({}));
    let names: Vec<_> = rows.iter().map(|row| (row.metric_name.as_deref(), row.metric_index)).collect();
    assert_eq!(names, [(Some("rps"), Some(0)), (Some("cpu"), Some(1))]);
}

#[test]
fn v1_annotations_hold_the_other_metrics() {
    let metrics = r#"[{"type":"Pods","pods":{"metricName":"rps","targetAverageValue":"10"}}]"#;
    let rows = autoscaler(&json!({
        "metadata": {"name": "a", "annotations": {"autoscaling.alpha.kubernetes.io/metrics": metrics}},
        "spec": {"maxReplicas": 3, "targetCPUUtilizationPercentage": 50},
    }));
    assert_eq!(rows.len(), 2);
    assert_eq!(seen(&rows[0]), (Some("Pods"), Some("rps"), Some("AverageValue"), None, Some("10"), None, None));
    assert_eq!(rows[1].target_utilization, Some(50));
}

#[test]
fn an_annotation_that_does_not_read_is_a_reject_that_names_it() {
    let of = |text: &str| {
        let annotations = json!({"autoscaling.alpha.kubernetes.io/metrics": text});
        let object = json!({"metadata": {"name": "a", "annotations": annotations}});
        map(Kind::HorizontalPodAutoscalers, &object).unwrap_err()
    };
    let place = r#"horizontalpodautoscaler default/a: metadata.annotations["autoscaling.alpha.kubernetes.io/metrics"]"#;
    assert!(of("[{").starts_with(&format!("{place} is not readable as JSON: EOF")), "{}", of("[{"));
    assert_eq!(of(r#"[{"type": 5}]"#), format!("{place}[0].type is 5, expected a string"));
}

#[test]
fn each_metric_type_is_read_in_each_shape() {
    let selector = json!({"matchLabels": {"queue": "q1"}});
    let cases = [
        (
            json!({"type": "Resource", "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "4Gi"}}}),
            json!({"type": "Resource", "resource": {"name": "memory", "current": {"averageValue": "3Gi"}}}),
            (Some("Resource"), Some("memory"), Some("AverageValue"), None, Some("4Gi"), None, Some("3Gi")),
        ),
        (
            json!({"type": "Resource", "resource": {"name": "memory", "targetAverageValue": 1048576}}),
            json!({"type": "Resource", "resource": {"name": "memory", "currentAverageValue": 1048570}}),
            (Some("Resource"), Some("memory"), Some("AverageValue"), None, Some("1048576"), None, Some("1048570")),
        ),
        (
            json!({"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "app", "target": {"type": "Utilization", "averageUtilization": 70}}}),
            json!({"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "app", "current": {"averageUtilization": 35, "averageValue": "1m"}}}),
            (Some("ContainerResource"), Some("cpu"), Some("Utilization"), Some(70), None, Some(35), Some("1m")),
        ),
        (
            json!({"type": "Pods", "pods": {"metric": {"name": "rps"}, "target": {"type": "AverageValue", "averageValue": "1k"}}}),
            json!({"type": "Pods", "pods": {"metric": {"name": "rps"}, "current": {"averageValue": "500"}}}),
            (Some("Pods"), Some("rps"), Some("AverageValue"), None, Some("1k"), None, Some("500")),
        ),
        (
            json!({"type": "Object", "object": {"metric": {"name": "hits"}, "describedObject": {"kind": "Ingress", "name": "main"}, "target": {"type": "Value", "value": "10k"}}}),
            json!({"type": "Object", "object": {"metric": {"name": "hits"}, "describedObject": {"kind": "Ingress", "name": "main"}, "current": {"value": "5k", "averageValue": "1k"}}}),
            (Some("Object"), Some("hits"), Some("Value"), None, Some("10k"), None, Some("5k")),
        ),
        (
            json!({"type": "Object", "object": {"metricName": "hits", "target": {"kind": "Ingress", "name": "main"}, "targetValue": "10k"}}),
            json!({"type": "Object", "object": {"metricName": "hits", "target": {"kind": "Ingress", "name": "main"}, "currentValue": "5k"}}),
            (Some("Object"), Some("hits"), Some("Value"), None, Some("10k"), None, Some("5k")),
        ),
        (
            json!({"type": "External", "external": {"metric": {"name": "depth", "selector": selector}, "target": {"type": "Value", "value": 30}}}),
            json!({"type": "External", "external": {"metric": {"name": "depth", "selector": selector}, "current": {"value": 12}}}),
            (Some("External"), Some("depth"), Some("Value"), None, Some("30"), None, Some("12")),
        ),
        (
            json!({"type": "External", "external": {"metricName": "depth", "metricSelector": selector, "targetAverageValue": "30"}}),
            json!({"type": "External", "external": {"metricName": "depth", "metricSelector": selector, "currentValue": "0", "currentAverageValue": "12"}}),
            (Some("External"), Some("depth"), Some("AverageValue"), None, Some("30"), None, Some("0")),
        ),
        (
            json!({"type": "Weather", "weather": {"name": "rain"}}),
            json!({"type": "Weather", "weather": {"name": "rain"}}),
            (Some("Weather"), None, None, None, None, None, None),
        ),
        (
            json!({"pods": {"metric": {"name": "untyped"}, "target": {"averageValue": "1"}}}),
            json!(null),
            (Some("Pods"), Some("untyped"), Some("AverageValue"), None, Some("1"), None, None),
        ),
    ];
    for (metric, current, expected) in cases {
        let rows = of(json!({"metrics": [metric]}), json!({"currentMetrics": [current]}));
        assert_eq!((rows.len(), seen(&rows[0])), (1, expected), "{metric}");
    }
}

#[test]
fn measurements_are_matched_by_what_they_measure_and_never_by_position() {
    let external = |queue: &str| json!({"name": "depth", "selector": {"matchLabels": {"queue": queue, "env": "prod"}}});
    let container = |name: &str| json!({"name": "cpu", "container": name});
    let with = |mut source: Value, key: &str, value: Value| {
        source[key] = value;
        source
    };
    let metrics = json!([
        {"type": "External", "external": {"metric": external("q1"), "target": {"type": "Value", "value": "1"}}},
        {"type": "External", "external": {"metric": external("q2"), "target": {"type": "Value", "value": "1"}}},
        {"type": "ContainerResource", "containerResource": with(container("app"), "target", json!({"averageUtilization": 50}))},
        {"type": "ContainerResource", "containerResource": with(container("proxy"), "target", json!({"averageUtilization": 50}))},
        {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 50}}},
        {"type": "Object", "object": {"metric": {"name": "hits"}, "describedObject": {"kind": "Ingress", "name": "a"}, "target": {"value": "1"}}},
        {"type": "Object", "object": {"metric": {"name": "hits"}, "describedObject": {"kind": "Ingress", "name": "b"}, "target": {"value": "1"}}},
        {"type": "Pods", "pods": {"metric": {"name": "nobody-measures"}, "target": {"averageValue": "1"}}},
    ]);
    let current = json!([
        null,
        {"type": "Object", "object": {"metric": {"name": "hits"}, "describedObject": {"kind": "Ingress", "name": "b"}, "current": {"value": "of b"}}},
        {"type": "Object", "object": {"metric": {"name": "hits"}, "describedObject": {"kind": "Ingress", "name": "a"}, "current": {"value": "of a"}}},
        {"type": "ContainerResource", "containerResource": with(container("proxy"), "current", json!({"averageUtilization": 4}))},
        {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 5}}},
        {"type": "ContainerResource", "containerResource": with(container("app"), "current", json!({"averageUtilization": 3}))},
        {"type": "External", "external": {"metric": {"name": "depth", "selector": {"matchLabels": {"env": "prod", "queue": "q2"}}}, "current": {"value": "of q2"}}},
    ]);
    let rows = of(json!({"metrics": metrics}), json!({"currentMetrics": current}));
    let got: Vec<_> = rows.iter().map(|row| (row.current_utilization, row.current_value.as_deref())).collect();
    let expected = [
        (None, None),
        (None, Some("of q2")),
        (Some(3), None),
        (Some(4), None),
        (Some(5), None),
        (None, Some("of a")),
        (None, Some("of b")),
        (None, None),
    ];
    assert_eq!(got, expected);
    assert_eq!(rows[2].metric_container.as_deref(), Some("app"));
    let selector: Value = serde_json::from_str(rows[0].metric_selector.as_ref().unwrap().as_str()).unwrap();
    assert_eq!(selector, json!({"matchLabels": {"queue": "q1", "env": "prod"}}));
}

#[test]
fn absent_and_null_measurements_are_none() {
    let spec =
        json!({"metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 50}}}]});
    for status in [
        json!(null),
        json!({}),
        json!({"currentMetrics": null}),
        json!({"currentMetrics": [null]}),
        json!({"currentMetrics": []}),
    ] {
        let rows = of(spec.clone(), status.clone());
        assert_eq!(
            (rows.len(), rows[0].current_utilization, rows[0].current_value.as_deref()),
            (1, None, None),
            "{status}"
        );
    }
}

#[test]
fn an_autoscaler_without_metrics_is_one_row() {
    for metrics in [json!(null), json!([]), json!([null])] {
        let rows = of(
            json!({"maxReplicas": 4, "metrics": metrics, "scaleTargetRef": {"kind": "Rollout", "name": "x"}}),
            json!(null),
        );
        assert_eq!(rows.len(), 1, "{metrics}");
        let row = &rows[0];
        assert_eq!(
            (row.metric_index, row.metric_type.as_deref(), row.min_replicas, row.max_replicas),
            (None, None, Some(1), Some(4))
        );
        assert_eq!((row.scale_target_kind.as_deref(), row.scale_target_name.as_deref()), (Some("Rollout"), Some("x")));
        assert_eq!((row.current_replicas, row.desired_replicas), (None, None), "no status says nothing");
    }
    let zero =
        &of(json!({"minReplicas": 0}), json!({"desiredReplicas": 2, "lastScaleTime": "2026-10-01T10:00:00Z"}))[0];
    assert_eq!((zero.min_replicas, zero.current_replicas, zero.desired_replicas), (Some(0), Some(0), Some(2)));
    assert_eq!(zero.last_scale_time, Some(at("2026-10-01T10:00:00Z")));
}

#[test]
fn rows_that_would_take_too_much_are_refused() {
    let metrics = vec![json!({"type": "Resource"}); 20_000];
    let object = json!({"metadata": {"name": "a"}, "spec": {"metrics": metrics}});
    let reason = map(Kind::HorizontalPodAutoscalers, &object).unwrap_err();
    assert!(reason.contains("the number of metrics is 20000"), "{reason}");
}
