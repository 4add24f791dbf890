//! `infra/terraform` and the program say the same, as far as that can be told without Terraform.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use normalizer::audit::{AuditContext, Outcome, Reject, Skip, decode};
use platform::ports::Broker;
use podledger_cli::provision::topology::{ServiceAccount, Topology};
use regex::Regex;
use schemas::{AvroRecord, ClusterName, Message, Purpose, SnapshotRequest, Subscription, Topic};
use serde_json::{Value, json};

use crate::project::Project;
use crate::stages::{FLOW, broker, next};

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/terraform"))
}

fn file(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap()
}

/// Every `.tf` file, without comments.
fn module() -> String {
    let files = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|ending| ending == "tf"));
    let text: String = files.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    text.lines().filter(|line| !line.trim_start().starts_with('#')).map(|line| format!("{line}\n")).collect()
}

/// The texts in quotes of a list of one line.
fn listed(text: &str, name: &str) -> BTreeSet<String> {
    let list = Regex::new(&format!(r"(?m)^\s*{name}\s*=\s*\[(.*)\]$")).unwrap();
    let list = list.captures(text).unwrap_or_else(|| panic!("no list {name}"))[1].to_owned();
    list.split(',').map(|word| word.trim().trim_matches('"').to_owned()).collect()
}

fn accounts() -> BTreeMap<String, ServiceAccount> {
    Topology::read(None).unwrap().service_accounts
}

fn roles(account: &ServiceAccount) -> impl Iterator<Item = &String> {
    let named = account.topics.values().chain(account.subscriptions.values()).chain(account.service_accounts.values());
    named.chain([&account.bucket, &account.dataset, &account.project]).flatten()
}

#[test]
fn every_family_of_roles_has_its_api_and_no_other_has() {
    let families: BTreeSet<String> = accounts()
        .values()
        .flat_map(|account| roles(account).cloned().collect::<Vec<_>>())
        .map(|role| role.trim_start_matches("roles/").split('.').next().unwrap().to_owned())
        .collect();
    let text = module();
    let block = &text[text.find("  api_of = {\n").unwrap()..];
    let entry = Regex::new(r#"(?m)^    ([a-z]+)\s+= "[a-z]+\.googleapis\.com"$"#).unwrap();
    let known: BTreeSet<String> =
        entry.captures_iter(&block[..block.find("\n  }\n").unwrap() + 1]).map(|found| found[1].to_owned()).collect();
    assert_eq!(known, families);
}

#[test]
fn whatever_an_account_may_have_roles_on_is_granted_and_nothing_is_taken_from_others() {
    let text = module();
    let mut fields = listed(&text, "fields_by_name");
    fields.extend(listed(&text, "fields_of_one"));
    // The reader's own list, in the sentence it refuses an unknown field with.
    let error = Topology::parse("serviceAccounts: {x: {zzzzzzzzzzzz: 1}}", "t.yaml").unwrap_err().to_string();
    let known = Regex::new(r"zzzzzzzzzzzz: unknown field \(expected one of ([^)]*)\)").unwrap();
    let known = known.captures(&error).unwrap_or_else(|| panic!("{error}"))[1].to_owned();
    let known: BTreeSet<String> = known.split(", ").map(str::to_owned).filter(|field| field != "email").collect();
    assert_eq!(fields, known);
    for field in &fields {
        assert_eq!(text.matches(&format!("for_each = local.granted[\"{field}\"]")).count(), 1, "{field}");
    }
    // Bindings and policies replace what they find; a dataset's member loses authorized views.
    let granting = Regex::new(r#"(?m)^resource "(google_[a-z_]*(?:iam|access)[a-z_]*)""#).unwrap();
    let granting: Vec<String> = granting.captures_iter(&text).map(|found| found[1].to_owned()).collect();
    assert_eq!(granting.len(), fields.len() + 2, "and one elsewhere, and one for sinks: {granting:?}");
    for resource in granting {
        let adds = resource == "google_bigquery_dataset_access"
            || resource.ends_with("_iam_member") && resource != "google_bigquery_dataset_iam_member";
        assert!(adds, "{resource}");
    }
}

#[test]
fn accounts_and_topics_that_the_module_names_are_those_of_the_topology() {
    let (text, topology) = (module(), Topology::read(None).unwrap());
    let by_name = Regex::new(r#"name != "([a-z-]+)"|local\.emails\["([a-z-]+)"\]"#).unwrap();
    let named: BTreeSet<String> =
        by_name.captures_iter(&text).map(|found| found.get(1).or(found.get(2)).unwrap().as_str().to_owned()).collect();
    assert_eq!(named, BTreeSet::from(["pusher".to_owned(), "scheduler".to_owned()]));
    assert!(named.iter().all(|name| topology.service_accounts.contains_key(name)), "{named:?}");
    let topics = Regex::new(r#"/topics/([a-z-]+)[:"]|topic\s+= "([a-z-]+)""#).unwrap();
    let topics: BTreeSet<&str> =
        topics.captures_iter(&text).map(|found| found.get(1).or(found.get(2)).unwrap().as_str()).collect();
    assert_eq!(topics, BTreeSet::from(["audit-logs", "snapshot-requests"]));
    let known: BTreeSet<&str> = topology.topics.keys().map(|topic| topic.name()).collect();
    assert!(topics.is_subset(&known));
    let publishes = &topology.service_accounts["scheduler"].topics[&Topic::SnapshotRequests];
    assert!(publishes.contains("roles/pubsub.publisher"));
}

/// Whether the normalizer reads more of an entry than its method.
fn is_followed(method: &str) -> bool {
    let entry = json!({
        "insertId": "1", "timestamp": "2026-11-20T08:25:00Z",
        "resource": {"type": "k8s_cluster", "labels": {"cluster_name": "prod-uk"}},
        "protoPayload": {
            "serviceName": "k8s.io", "methodName": method,
            "resourceName": "apps/v1/namespaces/shop/deployments/web",
            "authenticationInfo": {"principalEmail": "bob@example.com"},
        },
    });
    let context = AuditContext::new(ClusterName::from("local"));
    let outcome = decode(entry.to_string().as_bytes(), &context);
    !matches!(
        outcome,
        Err(Outcome::Reject(Reject::Method { .. })
            | Outcome::Skip(
                Skip::OtherService { .. }
                    | Skip::OtherResource { .. }
                    | Skip::ReplicaSet
                    | Skip::Read { .. }
                    | Skip::OtherVerb { .. }
                    | Skip::StatusWrite
                    | Skip::OtherSubresource { .. }
            ))
    )
}

#[test]
fn the_sink_sends_exactly_the_methods_that_the_normalizer_follows() {
    let filter = file("audit-logs.filter");
    let method = Regex::new(r#"(?m)^protoPayload\.methodName=~"([^"\\]*)"$"#).unwrap();
    let method = Regex::new(&method.captures(&filter).unwrap()[1]).unwrap();
    let groups = ["apps", "extensions", "autoscaling", "core", "batch", "argoproj.io", "autoscaling.x-k8s.io"];
    let versions = ["v1", "v2", "v1beta1", "v2beta2"];
    let resources = [
        "deployments",
        "statefulsets",
        "replicasets",
        "horizontalpodautoscalers",
        "pods",
        "daemonsets",
        "jobs",
        "rollouts",
        "deploymentsx",
    ];
    let parts = ["", ".scale", ".status", ".rollback", ".eviction"];
    let verbs =
        ["create", "update", "patch", "delete", "deletecollection", "get", "list", "watch", "connect", "patchx"];
    let (mut followed, mut all) = (BTreeSet::new(), 0);
    for group in groups {
        for version in versions {
            for resource in resources {
                for part in parts {
                    for verb in verbs {
                        let name = format!("io.k8s.{group}.{version}.{resource}{part}.{verb}");
                        assert_eq!(method.is_match(&name), is_followed(&name), "{name}");
                        all += 1;
                        if is_followed(&name) {
                            followed.insert(format!("{resource}{part}.{verb}"));
                        }
                    }
                }
            }
        }
    }
    // Deployments and StatefulSets, whole and by their Scale, and autoscalers: by five verbs each.
    assert_eq!((followed.len(), all), (25, 12_600), "{followed:?}");
    for other in ["google.container.v1.ClusterManager.SetNodePoolSize", "io.k8s.apps.v1.deployments", "xio.k8s.apps.v1"]
    {
        assert!(!method.is_match(other), "{other}");
    }
}

#[test]
fn the_sinks_other_conditions_hold_for_the_entries_of_the_example() {
    let filter = file("audit-logs.filter");
    let entries = std::fs::read_to_string(folder().join("../../examples/cluster/audit.jsonl")).unwrap();
    for entry in entries.lines() {
        let entry: Value = serde_json::from_str(entry).unwrap();
        let log = entry["logName"].as_str().unwrap().rsplit('/').next().unwrap().replace("%2F", "/");
        let type_and_service = [&entry["resource"]["type"], &entry["protoPayload"]["serviceName"]];
        let [kind, service] = type_and_service.map(|value| value.as_str().unwrap());
        for condition in [
            format!("resource.type=\"{kind}\""),
            format!("log_id(\"{log}\")"),
            format!("protoPayload.serviceName=\"{service}\""),
        ] {
            assert_eq!(filter.lines().filter(|line| **line == condition).count(), 1, "{condition}");
        }
        assert!(is_followed(entry["protoPayload"]["methodName"].as_str().unwrap()));
    }
    assert_eq!(filter.lines().count(), 4, "a condition that no test knows");
}

#[test]
fn the_scheduled_request_leaves_its_id_and_its_time_to_the_message_and_writes_every_field() {
    let text = file("snapshot-request.json");
    let request = SnapshotRequest::decode(text.as_bytes(), &BTreeMap::new()).unwrap();
    assert_eq!((request.request_id.as_str(), request.requested_at, request.purpose), ("", 0, Purpose::Scheduled));
    assert_eq!((request.cluster.as_str(), request.kinds.len()), ("*", 0));
    let written: Value = serde_json::from_str(&text).unwrap();
    let schema: Value = serde_json::from_str(SnapshotRequest::schema().avsc).unwrap();
    let fields: BTreeSet<&str> =
        schema["fields"].as_array().unwrap().iter().map(|field| field["name"].as_str().unwrap()).collect();
    assert_eq!(written.as_object().unwrap().keys().map(String::as_str).collect::<BTreeSet<_>>(), fields);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_request_is_taken_through_pubsubs_own_interface_and_comes_again_as_the_same_message() {
    let Some(project) = Project::start("scheduler") else { return };
    project.run(&[]).await.with(0);
    let broker = broker(&project).await;
    // As the job in schedule.tf sends it: jsonencode leaves no blanks and sorts the fields.
    let text = serde_json::from_str::<BTreeMap<String, Value>>(&file("snapshot-request.json")).unwrap();
    let text = serde_json::to_string(&text).unwrap();
    let message = json!({"data": BASE64_STANDARD.encode(&text), "orderingKey": "*"});
    let published = project.post("topics/snapshot-requests:publish", json!({"messages": [message]})).await;
    let mut receiver = broker.subscribe(Subscription::new(Topic::SnapshotRequests, "snapshotter"), FLOW).await.unwrap();
    let first = next(&mut receiver).await;
    let (id, at) = (first.message.message_id.clone(), first.message.published_at);
    assert_eq!((json!([id]), first.message.payload.as_slice()), (published["messageIds"].clone(), text.as_bytes()));
    first.nack(Duration::ZERO).await.unwrap();
    let again = next(&mut receiver).await;
    assert_eq!((again.message.message_id.clone(), again.message.published_at), (id, at));
    assert!(again.ack().await.unwrap());
}
