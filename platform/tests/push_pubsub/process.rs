//! A whole process whose messages are pushed to it: its settings, its readiness, its end.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use async_trait::async_trait;
use podledger_platform::google::{PubsubBroker, PubsubEmulator, PubsubSettings};
use podledger_platform::ports::{Broker as _, Incoming};
use podledger_platform::runtime::{Consumer, Handle, HandleError, MessageContext, Needs, Stage, install_tls, main};
use podledger_platform::testkit::pubsub::{Provision, PushTarget, provision, push_to, unacknowledged};
use podledger_platform::testkit::servers::{Built, Server};
use reqwest::Client;

use super::{AUDIENCE, PATIENCE, PLAIN, PROJECT, PUSHER, message};

/// Set for children only.
const CHILD: &str = "TEST_IS_CHILD";
/// Where the child says that it serves.
const SERVING: &str = "\"serving health and metrics\"";

/// A child process; killed when dropped.
struct Process {
    child: Child,
    /// Its log and output, line by line.
    lines: Receiver<String>,
}

impl Process {
    fn start(variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "process::child_is_a_stage", "--ignored", "--nocapture"]);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PODLEDGER_")) {
            command.env_remove(name);
        }
        command.env_remove("PUBSUB_EMULATOR_HOST").envs([(CHILD, "1"), ("PODLEDGER_LOG_FORMAT", "json")]);
        let piped = command.envs(variables.iter().copied()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = piped.stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let (out, errors) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        for stream in [Box::new(out) as Box<dyn std::io::Read + Send>, Box::new(errors)] {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    sender.send(line).ok(); // nobody listens any more after the test
                }
            });
        }
        Self { child, lines }
    }

    /// Waits for a line that holds this.
    fn until(&self, part: &str) -> String {
        let mut before = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(part) => return line,
                Ok(line) => before.push(line),
                Err(error) => panic!("no {part:?} ({error}) in {before:#?}"),
            }
        }
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
    }

    fn release(&mut self) {
        self.child.stdin.take().expect("once").write_all(b"go on\n").unwrap();
    }

    fn end(mut self) -> (ExitStatus, Vec<String>) {
        let status = self.child.wait().unwrap();
        (status, self.lines.iter().collect())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok(); // fails only for a child that has ended
        self.child.wait().ok();
    }
}

/// Variables of a child on that server, but for those of its audience and service account.
fn variables(server: &Server, folder: &tempfile::TempDir) -> Vec<(&'static str, String)> {
    vec![
        ("PUBSUB_EMULATOR_HOST", server.address("grpc").to_owned()),
        ("PUBSUB_EMULATOR_ADMIN_HOST", server.address("rest").to_owned()),
        ("PODLEDGER_BROKER", format!("pubsub:{PROJECT}")),
        ("PODLEDGER_OBJECTS", format!("file:{}", folder.path().display())),
        ("PODLEDGER_DELIVERY", "push".to_owned()),
        ("PODLEDGER_PUSH_JWKS_URL", format!("{}/oauth2/v3/certs", server.url("rest"))),
    ]
}

fn pairs<'a>(variables: &'a [(&'static str, String)], more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    variables.iter().map(|(name, value)| (*name, value.as_str())).chain(more.iter().copied()).collect()
}

/// A child that the plain subscription is pushed to, and its address.
async fn serving(server: &Server, variables: &[(&'static str, String)]) -> (Process, String) {
    let more =
        [("PODLEDGER_PUSH_AUDIENCE", AUDIENCE), ("PODLEDGER_PUSH_SERVICE_ACCOUNT", PUSHER), ("PODLEDGER_DRAIN", "60s")];
    let process = Process::start(&pairs(variables, &more));
    let line: serde_json::Value = serde_json::from_str(&process.until(SERVING)).unwrap();
    let address = line["address"].as_str().unwrap_or_else(|| panic!("no address in {line}")).to_owned();
    let url = format!("http://{address}/push/{PLAIN}");
    let target = PushTarget { url: &url, audience: AUDIENCE, service_account: PUSHER, wrapped: true };
    push_to(&server.url("rest"), PROJECT, PLAIN, Some(target)).await;
    (process, address)
}

async fn publish(server: &Server) {
    let emulator = Some(PubsubEmulator { data: server.url("grpc"), admin: server.url("rest") });
    let settings = PubsubSettings { emulator, ..PubsubSettings::default() };
    let broker = PubsubBroker::open(PROJECT, settings).await.unwrap();
    broker.publish(PLAIN.topic, vec![message("work", &[])]).await.unwrap();
}

async fn until_acknowledged(admin: &str) {
    let none = async { while unacknowledged(admin, PROJECT, PLAIN).await > 0 {} };
    tokio::time::timeout(PATIENCE, none).await.expect("it is acknowledged in the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_had_in_hand_comes_again() {
    install_tls();
    let Some(built) = Built::find("pubsub") else { return };
    let (server, folder) = (built.start(&[]), tempfile::tempdir().unwrap());
    let admin = server.url("rest");
    provision(&admin, PROJECT, Provision { max_delivery_attempts: 100, exactly_once: false }).await;
    let variables = variables(&server, &folder);
    let (first, _) = serving(&server, &variables).await;
    publish(&server).await;
    first.until("taken at attempt 1");
    first.signal("KILL");
    assert!(!first.end().0.success());
    assert_eq!(unacknowledged(&admin, PROJECT, PLAIN).await, 1);
    let (mut second, _) = serving(&server, &variables).await;
    second.until("taken at attempt ");
    second.release();
    until_acknowledged(&admin).await;
    second.signal("TERM");
    assert!(second.end().0.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_finishes_what_was_pushed_and_exits_with_zero() {
    install_tls();
    let Some(built) = Built::find("pubsub") else { return };
    let (server, folder) = (built.start(&[]), tempfile::tempdir().unwrap());
    let admin = server.url("rest");
    provision(&admin, PROJECT, Provision { max_delivery_attempts: 10, exactly_once: false }).await;
    let variables = variables(&server, &folder);
    let (mut process, address) = serving(&server, &variables).await;
    publish(&server).await;
    process.until("taken at attempt 1");
    process.signal("TERM");
    process.until("\"draining\"");
    let client = Client::builder().timeout(PATIENCE).build().unwrap();
    let status =
        async |path: &str| client.get(format!("http://{address}{path}")).send().await.unwrap().status().as_u16();
    assert_eq!((status("/readyz").await, status("/healthz").await), (503, 200));
    assert_eq!(unacknowledged(&admin, PROJECT, PLAIN).await, 1, "nothing is acknowledged before its work is done");
    process.release();
    process.until("done");
    let (ended, rest) = process.end();
    assert!(ended.success(), "{ended}: {rest:#?}");
    // Nobody is there to take it again: the answer was sent before the end.
    until_acknowledged(&admin).await;
}

#[test]
fn an_endpoint_is_not_served_without_saying_who_may_push() {
    let Some(built) = Built::find("pubsub") else { return };
    let (server, folder) = (built.start(&[]), tempfile::tempdir().unwrap());
    let variables = variables(&server, &folder);
    for (more, expected) in [
        (vec![], "PODLEDGER_PUSH_AUDIENCE: not set"),
        (vec![("PODLEDGER_PUSH_AUDIENCE", AUDIENCE)], "PODLEDGER_PUSH_SERVICE_ACCOUNT: not set"),
        (
            vec![("PODLEDGER_PUSH_AUTH", "none"), ("PUBSUB_EMULATOR_HOST", ""), ("PUBSUB_EMULATOR_ADMIN_HOST", "")],
            "PODLEDGER_PUSH_AUTH: none would let everybody push",
        ),
        (vec![("PODLEDGER_BROKER", "sqlite:broker.db")], "PODLEDGER_DELIVERY: push, but the embedded broker"),
    ] {
        let (ended, lines) = Process::start(&pairs(&variables, &more)).end();
        assert!(ended.success(), "the child itself only reports: {lines:#?}");
        for part in [expected, "exit status 2"] {
            assert!(lines.iter().any(|line| line.contains(part)), "no {part:?} in {lines:#?}");
        }
    }
}

/// Handles a message when the parent says so.
struct WhenReleased;

#[async_trait]
impl Handle<Incoming> for WhenReleased {
    async fn handle(&self, _: Incoming, context: &MessageContext) -> Result<(), HandleError> {
        println!("taken at attempt {}", context.delivery_attempt);
        let released = tokio::task::spawn_blocking(|| std::io::stdin().read(&mut [0]));
        assert_eq!(released.await.unwrap().unwrap(), 1);
        println!("done");
        Ok(())
    }
}

#[test]
#[ignore = "the child of other tests"]
fn child_is_a_stage() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let code = main("loader", Needs::MESSAGES_AND_OBJECTS, |_, _| {
        let consumers = vec![Consumer::new::<Incoming>(PLAIN, Arc::new(WhenReleased))];
        Ok(Stage { name: "loader", consumers })
    });
    // The only way to look into an exit code is its debug form.
    let digits: String = format!("{code:?}").chars().filter(char::is_ascii_digit).collect();
    println!("exit status {digits}");
    assert!(digits == "0" || digits == "2", "{digits}");
}
