//! The manifests for Cloud Run are settings that the stages read, and fit what Cloud Run does.

use std::collections::BTreeMap;
use std::time::Duration;

use platform::runtime::{DeliveryMode, Env, PushSettings, RuntimeSettings};
use serde::Deserialize;

use crate::markdown::{read, repository};

const STAGES: [&str; 5] = ["evaluator", "loader", "normalizer", "notifier", "snapshotter"];
/// How long Cloud Run waits between SIGTERM and SIGKILL.
/// <https://cloud.google.com/run/docs/container-contract#instance-shutdown>
const UNTIL_KILLED: Duration = Duration::from_secs(10);
/// What a pushed message may need while it is read, in MiB: its body and its payload.
const MESSAGE_MIB: usize = 25;

#[derive(Deserialize)]
struct Service {
    metadata: Metadata,
    spec: ServiceSpec,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct ServiceSpec {
    template: Template,
}

#[derive(Deserialize)]
struct Template {
    spec: Revision,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Revision {
    service_account_name: String,
    container_concurrency: usize,
    timeout_seconds: u64,
    containers: Vec<Container>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Container {
    ports: Vec<Port>,
    resources: Resources,
    startup_probe: Probe,
    liveness_probe: Probe,
    env: Vec<Variable>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Port {
    container_port: u16,
}

#[derive(Deserialize)]
struct Resources {
    limits: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Probe {
    http_get: Get,
}

#[derive(Deserialize)]
struct Get {
    path: String,
    port: u16,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Variable {
    name: String,
    value: Option<String>,
    value_from: Option<Secret>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Secret {
    secret_key_ref: BTreeMap<String, String>,
}

fn service(stage: &str) -> Service {
    let name = format!("infra/cloudrun/{stage}.yaml");
    serde_saphyr::from_str(&read(&name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The environment that a container gets; what is a secret is only there.
fn env(container: &Container) -> Env {
    Env::from_pairs(container.env.iter().map(|variable| {
        let value = match (&variable.value, &variable.value_from) {
            (Some(value), None) => value.clone(),
            (None, Some(secret)) if secret.secret_key_ref.contains_key("name") => {
                "https://secret.example.com".to_owned()
            }
            _ => panic!("{}: expected a value or a secret", variable.name),
        };
        (variable.name.clone(), value)
    }))
}

/// Has the stage read its own settings.
fn read_config(stage: &str, env: &Env) {
    let read = match stage {
        "snapshotter" => env.read::<snapshotter::Config>().map(drop),
        "normalizer" => env.read::<normalizer::Config>().map(drop),
        "loader" => env.read::<loader::Config>().map(drop),
        "evaluator" => env.read::<evaluator::Config>().map(drop),
        "notifier" => env.read::<notifier::Config>().map(drop),
        other => panic!("no stage {other}"),
    };
    read.unwrap_or_else(|error| panic!("{stage}: {error}"));
}

#[test]
fn each_stage_has_one_manifest() {
    let folder = std::fs::read_dir(repository().join("infra/cloudrun")).unwrap();
    let mut names: Vec<_> = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, STAGES.map(|stage| format!("{stage}.yaml")));
}

#[test]
fn manifests_hold_settings_that_a_stage_starts_with() {
    for stage in STAGES {
        let Service { metadata, spec } = service(stage);
        let revision = spec.template.spec;
        let [container] = revision.containers.as_slice() else { panic!("{stage}: one container") };
        let env = env(container);
        let settings =
            env.read::<RuntimeSettings>().unwrap().checked().unwrap_or_else(|error| panic!("{stage}: {error}"));
        let push: PushSettings = env.read().unwrap();
        read_config(stage, &env);
        assert_eq!(env.unknown(), [], "{stage}");
        assert_eq!(settings.delivery, DeliveryMode::Push);
        assert!(settings.broker.is_some() && settings.objects.is_some());
        assert_eq!(settings.warehouse.is_some(), ["loader", "evaluator"].contains(&stage), "{stage}");
        assert_eq!(settings.clusters.0.is_empty(), stage != "snapshotter", "{stage}");
        assert_eq!(metadata.name, format!("podledger-{stage}"));
        assert!(revision.service_account_name.starts_with(&format!("podledger-{stage}@")));
        assert!(!push.push_service_account.contains(&revision.service_account_name), "{stage} pushes to itself");
        let deadline = push.push_deadline.duration();
        push.checked(false).unwrap_or_else(|error| panic!("{stage}: {error}"));
        assert!(deadline < Duration::from_secs(revision.timeout_seconds), "{stage}: the platform cuts first");
        assert!(settings.drain.duration() < UNTIL_KILLED, "{stage}: killed while it drains");
        assert!(revision.container_concurrency <= settings.max_outstanding, "{stage}: some get 429");
    }
}

#[test]
fn manifests_let_the_stage_see_what_it_checks() {
    for stage in STAGES {
        let annotations = service(stage).metadata.annotations;
        let is = |name: &str| annotations.get(&format!("run.googleapis.com/{name}")).map(String::as_str);
        assert_eq!(is("invoker-iam-disabled"), Some("true"), "{stage}: tokens would come without signatures");
        assert_eq!(is("ingress"), Some("internal"), "{stage}");
    }
}

#[test]
fn probes_and_memory_of_manifests_fit_the_process() {
    for stage in STAGES {
        let revision = service(stage).spec.template.spec;
        let container = &revision.containers[0];
        let port = env(container).read::<RuntimeSettings>().unwrap().http.port();
        let probes = [&container.startup_probe.http_get, &container.liveness_probe.http_get];
        assert_eq!(probes.map(|probe| probe.path.as_str()), ["/readyz", "/healthz"], "{stage}");
        let ports: Vec<u16> = probes.iter().map(|probe| probe.port).collect();
        assert_eq!((ports, container.ports[0].container_port), (vec![port, port], port), "{stage}");
        let memory = &container.resources.limits["memory"];
        let mebibytes: usize = match (memory.strip_suffix("Gi"), memory.strip_suffix("Mi")) {
            (Some(number), _) => number.parse::<usize>().unwrap() * 1024,
            (_, Some(number)) => number.parse().unwrap(),
            _ => panic!("{stage}: {memory}"),
        };
        assert!(revision.container_concurrency * MESSAGE_MIB < mebibytes, "{stage}: {memory}");
    }
}
