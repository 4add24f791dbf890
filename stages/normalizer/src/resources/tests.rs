use serde_json::{Value, json};

use super::*;

fn sums(containers: Value, init: Value) -> Sums {
    let (containers, init) = (containers.to_string(), init.to_string());
    Sums::of(&serde_json::from_str(&containers).unwrap(), &serde_json::from_str(&init).unwrap()).unwrap()
}

fn cpu(request: &str) -> Value {
    json!({"resources": {"requests": {"cpu": request}}})
}

fn sidecar(request: &str) -> Value {
    json!({"restartPolicy": "Always", "resources": {"requests": {"cpu": request}}})
}

#[test]
fn cpu_is_summed_as_kubernetes_does() {
    let cases = [
        ("nothing set", json!([{}]), json!([]), None),
        ("no containers", json!([]), json!([]), None),
        ("one", json!([cpu("500m")]), json!([]), Some(500)),
        ("two", json!([cpu("500m"), cpu("1.5")]), json!([]), Some(2000)),
        ("one of two set", json!([cpu("500m"), {}]), json!([]), Some(500)),
        ("a null item", json!([null, cpu("500m")]), json!([null]), Some(500)),
        ("zero is set", json!([cpu("0")]), json!([]), Some(0)),
        ("smaller plain init", json!([cpu("500m")]), json!([cpu("200m")]), Some(500)),
        ("larger plain init", json!([cpu("500m")]), json!([cpu("2"), cpu("1")]), Some(2000)),
        ("only init sets it", json!([{}]), json!([cpu("100m")]), Some(100)),
        ("restartable init", json!([cpu("500m")]), json!([sidecar("100m")]), Some(600)),
        (
            "plain init after a sidecar runs beside it",
            json!([cpu("200m")]),
            json!([sidecar("100m"), cpu("500m")]),
            Some(600),
        ),
        (
            "plain init before a sidecar runs alone",
            json!([cpu("200m")]),
            json!([cpu("500m"), sidecar("100m")]),
            Some(500),
        ),
        ("rounded once", json!([cpu("0.1m"), cpu("0.1m"), cpu("0.1m")]), json!([]), Some(1)),
    ];
    for (case, containers, init, expected) in cases {
        assert_eq!(sums(containers, init).cpu_request, expected, "{case}");
    }
}

#[test]
fn each_amount_is_summed_for_itself() {
    let container = json!({"resources": {"requests": {"memory": "1Gi"}, "limits": {"cpu": 2, "memory": "4G"}}});
    let expected = Sums {
        cpu_request: None,
        cpu_limit: Some(4000),
        memory_request: Some(2 << 30),
        memory_limit: Some(8_000_000_000),
    };
    assert_eq!(sums(json!([container, container]), json!([])), expected);
}

#[test]
fn amounts_are_kept_as_written_numbers_and_unknown_resources_too() {
    let text = r#"{"memory": 1.50, "cpu": 0.5, "nvidia.com/gpu": 1}"#;
    let amounts: Amounts<'_> = serde_json::from_str(text).unwrap();
    assert_eq!(amounts.as_written("memory").as_deref(), Some("1.50"));
    assert_eq!(amounts.cpu.unwrap().milli_value(), Ok(500));
    assert_eq!(serde_json::to_string(&amounts).unwrap(), r#"{"cpu":0.5,"memory":1.50,"nvidia.com/gpu":1}"#);
}
