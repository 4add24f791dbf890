//! The 78 events recorded from a real API server: each one's changes or reason, checked by hand
//! against the file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemas::ActorKind;

use super::super::{Outcome, decode};
use super::{context, line};

/// File (without `.json`), and what it gives: `KIND NAMESPACE/NAME ACTOR FIELD OLD→NEW`, one line
/// per change, or the reason why it gives none.
const EXPECTED: &[(&str, &[&str])] = &[
    ("controller-deployment-creates-replicaset", &[REPLICA_SET]),
    ("controller-deployment-scales-replicaset", &[REPLICA_SET]),
    ("controller-deployment-updates-status", &[STATUS_WRITE]),
    ("controller-garbage-collector-deletes-replicaset", &[REPLICA_SET]),
    ("controller-hpa-updates-hpa-status", &[STATUS_WRITE]),
    ("controller-hpa-updates-scale", &["Deployment shop/web autoscaler replicas ?→9"]),
    ("controller-namespace-deletecollection", &["Deployment doomed/ controller replicas ?→?"]),
    ("controller-replicaset-updates-status", &[REPLICA_SET]),
    ("deployment-apply-conflict-409", &["skip: the call failed with status code 409"]),
    ("deployment-apply-create", &["Deployment shop/applied person replicas ?→2"]),
    ("deployment-apply-forced", &["Deployment shop/web person replicas ?→7"]),
    ("deployment-create-already-exists-409", &["skip: the call failed with status code 409"]),
    ("deployment-create-bad-request-400", &["skip: the call failed with status code 400"]),
    ("deployment-create-dry-run", &[DRY_RUN]),
    ("deployment-create-forbidden-403", &[FORBIDDEN]),
    ("deployment-create-generate-name", &["Deployment shop/gen-prgng person replicas ?→2"]),
    ("deployment-create-invalid-422", &["skip: the call failed with status code 422"]),
    (
        "deployment-create-unauthenticated-401",
        &["skip: stage ResponseStarted is not the end of the call, which is logged as ResponseComplete"],
    ),
    ("deployment-create", &["Deployment shop/web person replicas ?→2"]),
    ("deployment-delete-dry-run", &[DRY_RUN]),
    ("deployment-delete-forbidden-403", &[FORBIDDEN]),
    ("deployment-delete-foreground", &["Deployment shop/applied person replicas ?→?"]),
    ("deployment-delete-not-found-404", &[NOT_FOUND]),
    ("deployment-delete-orphan", &["Deployment shop/modern person replicas ?→?"]),
    ("deployment-deletecollection-by-label", &["Deployment shop/ person replicas ?→?"]),
    ("deployment-patch-forbidden-403", &[FORBIDDEN]),
    ("deployment-patch-json-replicas", &["Deployment shop/web person replicas ?→5"]),
    ("deployment-patch-json-test-failed-422", &["skip: the call failed with status code 422"]),
    ("deployment-patch-merge-dry-run", &[DRY_RUN]),
    ("deployment-patch-merge-no-change", &["Deployment shop/web person replicas ?→4"]),
    ("deployment-patch-merge-replicas", &["Deployment shop/web person replicas ?→4"]),
    ("deployment-patch-strategic-resources", &[PATCH_SETS_NO_REPLICAS]),
    ("deployment-update-put-conflict-409", &["skip: the call failed with status code 409"]),
    ("deployment-update-put-replicas", &["Deployment shop/web person replicas ?→3"]),
    (
        "hpa-v1-create",
        &[
            "HorizontalPodAutoscaler shop/old (classic) person min_replicas ?→1",
            "HorizontalPodAutoscaler shop/old (classic) person max_replicas ?→4",
        ],
    ),
    ("hpa-v1-delete", &["HorizontalPodAutoscaler shop/old (?) person max_replicas ?→?"]),
    ("hpa-v1-patch-merge-max", &["HorizontalPodAutoscaler shop/old (classic) person max_replicas ?→6"]),
    (
        "hpa-v1-update-put",
        &[
            "HorizontalPodAutoscaler shop/old (classic) person min_replicas ?→1",
            "HorizontalPodAutoscaler shop/old (classic) person max_replicas ?→7",
        ],
    ),
    (
        "hpa-v2-apply",
        &[
            "HorizontalPodAutoscaler shop/web (web) person min_replicas ?→9",
            "HorizontalPodAutoscaler shop/web (web) person max_replicas ?→12",
        ],
    ),
    ("hpa-v2-create-dry-run", &[DRY_RUN]),
    ("hpa-v2-create-forbidden-403", &[FORBIDDEN]),
    ("hpa-v2-create-min-above-max-422", &["skip: the call failed with status code 422"]),
    (
        "hpa-v2-create",
        &[
            "HorizontalPodAutoscaler shop/web (web) person min_replicas ?→2",
            "HorizontalPodAutoscaler shop/web (web) person max_replicas ?→10",
        ],
    ),
    ("hpa-v2-deletecollection", &["HorizontalPodAutoscaler shop/ (?) person max_replicas ?→?"]),
    ("hpa-v2-patch-json-max", &["HorizontalPodAutoscaler shop/web (web) person max_replicas ?→15"]),
    ("hpa-v2-patch-merge-max", &["HorizontalPodAutoscaler shop/web (web) person max_replicas ?→20"]),
    ("hpa-v2-patch-strategic-behavior", &["skip: the patch request does not set spec.minReplicas or spec.maxReplicas"]),
    ("kubectl-apply-client-side-create", &["Deployment shop/classic person replicas ?→1"]),
    ("kubectl-apply-client-side-update", &["Deployment shop/classic person replicas ?→2"]),
    ("kubectl-apply-server-side", &["Deployment shop/modern person replicas ?→1"]),
    (
        "kubectl-autoscale",
        &[
            "HorizontalPodAutoscaler shop/api (api) person min_replicas ?→1",
            "HorizontalPodAutoscaler shop/api (api) person max_replicas ?→3",
        ],
    ),
    ("kubectl-create-deployment", &["Deployment shop/api person replicas ?→3"]),
    ("kubectl-delete-deployment", &["Deployment shop/api person replicas ?→?"]),
    ("kubectl-delete-hpa", &["HorizontalPodAutoscaler shop/api (?) person max_replicas ?→?"]),
    ("kubectl-edit-like-patch-hpa", &["HorizontalPodAutoscaler shop/api (api) person max_replicas ?→5"]),
    ("kubectl-rollout-pause", &[PATCH_SETS_NO_REPLICAS]),
    ("kubectl-rollout-restart", &[PATCH_SETS_NO_REPLICAS]),
    ("kubectl-rollout-undo", &[PATCH_SETS_NO_REPLICAS]),
    ("kubectl-scale-current-replicas", &["Deployment shop/api person replicas ?→2"]),
    ("kubectl-scale-impersonated", &["Deployment shop/api person replicas ?→4"]),
    ("kubectl-scale", &["Deployment shop/api person replicas ?→5"]),
    ("kubectl-set-image", &[PATCH_SETS_NO_REPLICAS]),
    ("kubectl-set-resources", &[PATCH_SETS_NO_REPLICAS]),
    ("level-metadata-scale-patch", &["Deployment shop/web person replicas ?→?"]),
    ("level-request-deployment-patch", &["Deployment shop/web person replicas ?→4"]),
    (
        "omit-managed-fields-update-stage-RequestReceived",
        &["skip: stage RequestReceived is not the end of the call, which is logged as ResponseComplete"],
    ),
    ("omit-managed-fields-update-stage-ResponseComplete", &["Deployment shop/web person replicas ?→5"]),
    ("scale-apply", &["Deployment shop/web person replicas ?→4"]),
    ("scale-patch-dry-run", &[DRY_RUN]),
    ("scale-patch-forbidden-403", &[FORBIDDEN]),
    ("scale-patch-json", &["Deployment shop/web person replicas ?→2"]),
    ("scale-patch-merge", &["Deployment shop/web person replicas ?→8"]),
    ("scale-patch-negative-422", &["skip: the call failed with status code 422"]),
    ("scale-patch-not-found-404", &[NOT_FOUND]),
    ("scale-patch-to-zero", &["Deployment shop/web person replicas ?→0"]),
    ("scale-update-put-conflict-409", &["skip: the call failed with status code 409"]),
    ("scale-update-put", &["Deployment shop/web person replicas ?→6"]),
    ("stage-ResponseStarted-watch", &["skip: verb watch only reads"]),
];

const REPLICA_SET: &str = "skip: replicasets follow their deployment: only the deployment's own replicas are followed";
const STATUS_WRITE: &str = "skip: a write of the status changes no wish";
const DRY_RUN: &str = "skip: the call was a dry run";
const FORBIDDEN: &str = "skip: the call failed with status code 403";
const NOT_FOUND: &str = "skip: the call failed with status code 404";
const PATCH_SETS_NO_REPLICAS: &str = "skip: the patch request does not set spec.replicas";

/// The recorded files by name, without `.json`.
fn recorded() -> BTreeMap<String, Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/audit-native");
    std::fs::read_dir(&folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap()))
        .collect()
}

#[test]
fn every_recorded_event_gives_what_it_should() {
    let files = recorded();
    let expected: BTreeMap<_, _> = EXPECTED.iter().copied().collect();
    assert_eq!(expected.len(), 78);
    assert_eq!(files.keys().map(String::as_str).collect::<Vec<_>>(), expected.keys().copied().collect::<Vec<_>>());
    for (name, bytes) in &files {
        let found: Vec<String> = match decode(bytes, &context()) {
            Ok(changes) => changes
                .iter()
                .map(|change| {
                    let scaled = match change.target_kind.as_str() {
                        "HorizontalPodAutoscaler" => {
                            format!(" ({})", change.deployment_name.as_deref().unwrap_or("?"))
                        }
                        _ => {
                            let own = Some(change.target_name.as_str()).filter(|name| !name.is_empty());
                            assert_eq!(change.deployment_name.as_deref(), own, "{name}");
                            String::new()
                        }
                    };
                    let (kind, actor) = (&change.target_kind, change.actor_kind);
                    let place = format!("{}/{}", change.namespace, change.target_name);
                    format!("{kind} {place}{scaled} {actor} {}", line(change))
                })
                .collect(),
            Err(Outcome::Skip(skip)) => vec![format!("skip: {skip}")],
            Err(Outcome::Reject(reject)) => vec![format!("reject: {reject}")],
        };
        assert_eq!(found, expected[name.as_str()], "{name}");
    }
}

#[test]
fn an_impersonated_user_is_named_beside_the_caller() {
    let changes = decode(&recorded()["kubectl-scale-impersonated"], &context()).unwrap();
    assert_eq!(changes[0].actor, "kubernetes-admin");
    assert_eq!(changes[0].on_behalf_of.as_deref(), Some("carol"));
    assert_eq!(changes[0].actor_kind, ActorKind::Person);
}

#[test]
fn the_rest_of_a_change_is_as_recorded() {
    let changes = decode(&recorded()["scale-patch-to-zero"], &context()).unwrap();
    let change = &changes[0];
    assert_eq!(change.occurred_at.to_string(), "2026-11-21T11:45:19.25105Z");
    assert_eq!(change.code, Some(200));
    assert_eq!(change.verb, "patch");
    assert_eq!(change.user_agent.as_deref(), Some("make-samples/1"));
    assert_eq!(change.cluster.as_str(), "test");
    assert_eq!(change.event_id.as_str().len(), 32);
    assert_eq!(change.source, schemas::ChangeSource::Audit);
}

#[test]
fn the_same_event_gives_the_same_ids_and_each_number_its_own() {
    let bytes = &recorded()["hpa-v2-create"];
    let (once, again) = (decode(bytes, &context()).unwrap(), decode(bytes, &context()).unwrap());
    assert_eq!(once, again);
    assert_ne!(once[0].event_id, once[1].event_id);
}
