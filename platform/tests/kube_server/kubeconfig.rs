//! `kube:` as people write it: a context, the current one, a pod's own service account.

use std::path::Path;
use std::process::Command;

use podledger_platform::testkit::kubernetes::ControlPlane;
use serde_json::json;

use crate::child::{self, answer};
use crate::{SHARED_PODS, shared};

/// A home with a kubeconfig of two users, `reader` being the current one.
fn home(plane: &ControlPlane) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let user = |name: &str| json!({"name": name, "user": {"token": plane.token(name)}});
    let context = |name: &str| json!({"name": format!("as-{name}"), "context": {"cluster": "here", "user": name}});
    let cluster = json!({"server": plane.url(), "certificate-authority": plane.file("ca.crt")});
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "as-reader",
        "clusters": [{"name": "here", "cluster": cluster}],
        "contexts": [context("reader"), context("nobody")],
        "users": [user("reader"), user("nobody")],
    });
    std::fs::create_dir(home.path().join(".kube")).unwrap();
    std::fs::write(home.path().join(".kube/config"), kubeconfig.to_string()).unwrap();
    home
}

#[tokio::test(flavor = "multi_thread")]
async fn a_context_is_taken_by_its_name_and_the_current_one_without() {
    let Some(plane) = shared().await else { return };
    let home = home(plane);
    let as_said = async |address: &str| answer(child::command(address, home.path())).await;
    assert_eq!(as_said("kube:").await, format!("listed {SHARED_PODS}"));
    assert_eq!(as_said("kube:as-reader").await, format!("listed {SHARED_PODS}"));
    let denied = as_said("kube:as-nobody").await;
    assert!(denied.contains(r#"rule {apiGroups: [""], resources: ["pods"], verbs: ["list"]}"#), "{denied}");
    assert!(denied.contains(r#"User "nobody" cannot list"#), "the server's own words follow: {denied}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_variable_names_another_kubeconfig() {
    let Some(plane) = shared().await else { return };
    let empty = tempfile::tempdir().unwrap();
    let mut command = child::command("kube:", empty.path());
    command.env("KUBECONFIG", plane.kubeconfig("admin"));
    assert_eq!(answer(command).await, format!("listed {SHARED_PODS}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_context_that_is_not_there_is_told_with_the_nearest_one() {
    let Some(plane) = shared().await else { return };
    let home = home(plane);
    let failed = answer(child::command("kube:as-raeder", home.path())).await;
    assert!(failed.contains(r#"no context "as-raeder", did you mean "as-reader"?"#), "{failed}");
    let empty = tempfile::tempdir().unwrap();
    let failed = answer(child::command("kube:", empty.path())).await;
    assert!(failed.contains("neither a kubeconfig nor a pod's service account"), "{failed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn within_a_cluster_the_pods_own_account_is_taken() {
    let Some(plane) = shared().await else { return };
    if !can_have_mounts_of_its_own() {
        eprintln!("skipped: a process of its own mounts (unshare --map-root-user --mount) is not allowed here");
        return;
    }
    let (home, account) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let token = plane.token("reader");
    for (file, content) in [("token", token.as_bytes()), ("ca.crt", &plane.authority()), ("namespace", b"team")] {
        std::fs::write(account.path().join(file), content).unwrap();
    }
    let (host, port) = plane.address().split_once(':').unwrap();
    let mut command = within(account.path());
    child::with_environment(&mut command, "kube:", home.path());
    command.env("KUBERNETES_SERVICE_HOST", host).env("KUBERNETES_SERVICE_PORT", port);
    assert_eq!(answer(command).await, format!("listed {SHARED_PODS}"));
}

/// This program as a child that sees the account where a pod does. Nobody else sees its mount.
fn within(account: &Path) -> Command {
    let script = "mount -t tmpfs none /run && at=/var/run/secrets/kubernetes.io/serviceaccount && mkdir -p $at && \
                  cp \"$0\"/* $at && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", script]).arg(account);
    command.arg(std::env::current_exe().unwrap()).args(child::arguments());
    command
}

fn can_have_mounts_of_its_own() -> bool {
    let script = "mount -t tmpfs none /run && mkdir -p /var/run/secrets/kubernetes.io";
    let tried = Command::new("unshare").args(["--map-root-user", "--mount", "sh", "-c", script]).output();
    tried.is_ok_and(|tried| tried.status.success())
}
