//! A process of its own, for what is read from the process' environment and files.

use std::process::{Command, Stdio};

use podledger_platform::kubernetes::{GkeCluster, GkeName, GkeRoute, GkeSettings};
use podledger_platform::ports::Cluster;
use podledger_platform::runtime::{Env, Needs, RuntimeSettings, install_tls, open};
use schemas::ClusterName;

use crate::pods;

/// Set for the children of this test only.
const CHILD: &str = "KUBE_SERVER_CHILD";
/// Where a child finds the Container API.
const CONTAINER_API: &str = "KUBE_SERVER_CONTAINER_API";
/// What a child's answer begins with.
const ANSWER: &str = "child: ";

/// This program again, to list pods; with nothing of the tester's environment but PATH.
pub(crate) fn command(cluster: &str, home: &std::path::Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    with_environment(&mut command, cluster, home);
    command.args(arguments());
    command
}

/// What makes the program a child.
pub(crate) fn arguments() -> [&'static str; 4] {
    ["--exact", "child::lists_pods_as_a_child", "--ignored", "--nocapture"]
}

/// Gives a command a child's environment.
pub(crate) fn with_environment(command: &mut Command, cluster: &str, home: &std::path::Path) {
    command.env_clear().env("HOME", home).env(CHILD, "1").stdin(Stdio::null());
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
        .env("PODLEDGER_CLUSTERS", format!("c={cluster}"))
        .env("PODLEDGER_BROKER", format!("sqlite:{}", home.join("broker.db").display()))
        .env("PODLEDGER_OBJECTS", format!("file:{}", home.join("objects").display()));
}

/// Has a child look clusters up there, with its default credentials.
pub(crate) fn with_container_api(command: &mut Command, url: &str) {
    command.env(CONTAINER_API, url);
}

/// What a child answered: `listed N` or `failed: …`.
pub(crate) async fn answer(mut command: Command) -> String {
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let answered = text.lines().find_map(|line| Some(line.split_once(ANSWER)?.1.to_owned()));
    answered.unwrap_or_else(|| panic!("no answer: {text}{}", String::from_utf8_lossy(&output.stderr)))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by other tests, as a process of its own"]
async fn lists_pods_as_a_child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    install_tls();
    match list().await {
        Ok(count) => println!("{ANSWER}listed {count}"),
        Err(error) => println!("{ANSWER}failed: {}", format!("{error:#}").replace('\n', " ")),
    }
}

async fn list() -> anyhow::Result<usize> {
    if let Ok(container_api) = std::env::var(CONTAINER_API) {
        let name = GkeName { project: "p".to_owned(), location: "l".to_owned(), cluster: "c".to_owned() };
        let settings = GkeSettings { container_api, ..GkeSettings::default() };
        let cluster = GkeCluster::open(name, GkeRoute::Endpoint, settings)?;
        return Ok(pods(&cluster).await?.len());
    }
    let settings: RuntimeSettings = Env::from_process()?.read()?;
    let ports = open(&settings, Needs::MESSAGES_AND_OBJECTS.and_clusters()).await?;
    let cluster: &dyn Cluster = &*ports.clusters[&ClusterName::from("c")];
    Ok(pods(cluster).await?.len())
}
