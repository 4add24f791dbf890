//! What a whole process does: exit codes, signals, crash points. Each test starts this test binary
//! again as a child that runs one of the `child_…` tests, which do nothing on their own.

#![allow(clippy::unwrap_used)] // Helpers of tests: a failed unwrap is a failed test.

#[path = "runtime_process/one_message.rs"]
mod one_message;

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Arc;

use async_trait::async_trait;
use podledger_platform::layers::FaultyBroker;
use podledger_platform::ports::{Broker as _, Incoming, Outgoing};
use podledger_platform::runtime::{
    Consumer, Env, Handle, HandleError, MessageContext, Needs, Ports, RuntimeSettings, Shutdown, Stage,
};
use schemas::{Subscription, Topic};

use one_message::{NoObjects, OneMessage};

/// Set for children only.
const CHILD: &str = "TEST_IS_CHILD";
/// Set to make the child's handler never end.
const ENDLESS: &str = "TEST_ENDLESS_HANDLER";
/// What the child that is a binary needs.
const NEEDS: Needs = Needs::MESSAGES_AND_OBJECTS.and_warehouse();
/// What `kill -9` sends.
const SIGKILL: i32 = 9;

/// A child that runs one test of this file. Killed when dropped.
struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Running {
    fn start(test: &str, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", test, "--ignored", "--nocapture"]).env(CHILD, "1").envs(variables.iter().copied());
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PODLEDGER_")) {
            if !variables.iter().any(|(given, _)| name == *given) {
                command.env_remove(name);
            }
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout }
    }

    /// Waits until the child prints a line that ends so.
    fn until(&mut self, end: &str) {
        let mut lines = Vec::new();
        while lines.last().is_none_or(|line: &String| !line.ends_with(end)) {
            let mut line = String::new();
            let read = self.stdout.read_line(&mut line).unwrap();
            assert_ne!(read, 0, "the child ended without {end:?}: {lines:?}");
            lines.push(line.trim_end().to_owned());
        }
    }

    fn terminate(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    /// Waits for the end: status, rest of standard output, standard error.
    fn end(mut self) -> (ExitStatus, String, String) {
        let (mut rest, mut errors) = (String::new(), String::new());
        self.stdout.read_to_string(&mut rest).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        (self.child.wait().unwrap(), rest, errors)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails only for a child that has ended, which is what is wanted.
        drop(self.child.kill());
    }
}

#[test]
fn sigterm_finishes_what_is_in_hand_and_exits_with_zero() {
    let mut child = Running::start("child_consumes", &[("PODLEDGER_DRAIN", "60s")]);
    child.until("taken");
    child.terminate();
    child.until("acked");
    let (status, _, errors) = child.end();
    assert!(status.success(), "{status} {errors}");
}

#[test]
fn what_outlasts_the_drain_is_given_back_before_the_exit() {
    let mut child = Running::start("child_consumes", &[("PODLEDGER_DRAIN", "50ms"), (ENDLESS, "1")]);
    child.until("taken");
    child.terminate();
    child.until("nacked");
    assert!(child.end().0.success());
}

#[test]
fn a_second_signal_exits_at_once() {
    let mut child = Running::start("child_consumes", &[("PODLEDGER_DRAIN", "1h"), (ENDLESS, "1")]);
    child.until("taken");
    child.terminate();
    child.until("stopping");
    child.terminate();
    let (status, rest, _) = child.end();
    assert_eq!(status.code(), Some(1));
    assert!(!rest.contains("nacked"), "{rest}");
}

#[test]
fn a_process_that_cannot_open_its_ports_yet_stops_when_it_is_asked_to() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (folder, silent) = (tempfile::tempdir().unwrap(), listener.local_addr().unwrap().to_string());
    let (broker, objects) = (folder.path().join("broker.db"), folder.path().join("objects"));
    let child = Running::start(
        "child_is_a_binary",
        &[
            ("PODLEDGER_BROKER", &format!("sqlite:{}", broker.display())),
            ("PODLEDGER_OBJECTS", &format!("file:{}", objects.display())),
            ("PODLEDGER_WAREHOUSE", "bigquery:test.ledger"),
            ("BIGQUERY_EMULATOR_HOST", &silent),
        ],
    );
    // It asks the warehouse, which never answers.
    let (_asked, _) = listener.accept().unwrap();
    child.terminate();
    let (_, output, errors) = child.end();
    assert!(output.contains("exit status 0"), "{output}{errors}");
}

#[test]
fn a_crash_point_kills_the_process_on_its_side_of_the_effect() {
    for (point, effects, returns) in [
        ("loader.broker.publish.before:2", 1, 1),
        ("loader.broker.publish.after:2", 2, 1),
        ("loader.broker.publish.after", 1, 0),
    ] {
        let faults = format!("crash={point}");
        let (status, output, _) = Running::start("child_publishes", &[("PODLEDGER_FAULTS", &faults)]).end();
        assert_eq!(status.signal(), Some(SIGKILL), "{point}: {status}");
        assert_eq!(output.matches("effect").count(), effects, "{point}");
        assert_eq!(output.matches("returned").count(), returns, "{point}");
    }
}

#[test]
fn wrong_configuration_exits_with_two_and_names_the_variable() {
    let local = [
        ("PODLEDGER_BROKER", "pubsub:acme"),
        ("PODLEDGER_OBJECTS", "gs://acme"),
        ("PODLEDGER_WAREHOUSE", "bigquery:acme.d"),
        ("PUBSUB_EMULATOR_HOST", "nowhere"),
    ];
    let cases: [(&[(&str, &str)], &str); 5] = [
        (&local, "open the broker: PUBSUB_EMULATOR_HOST: "),
        (&[], "PODLEDGER_BROKER: not set (expected: sqlite:PATH or pubsub:PROJECT)"),
        (&[("PODLEDGER_BROKER", "sqlte:x")], "did you mean \"sqlite\"?"),
        (&[("PODLEDGER_FAULTS", "fial=0.1")], "did you mean \"fail\"?"),
        (&[("PODLEDGER_LOG", "a=[")], "PODLEDGER_LOG: "),
    ];
    for (variables, expected) in cases {
        let (_, output, errors) = Running::start("child_is_a_binary", variables).end();
        assert!(output.contains("exit status 2"), "{variables:?}: {output}{errors}");
        assert!(errors.contains(expected), "{variables:?}: {errors}");
    }
}

fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

#[test]
#[ignore = "the child of other tests"]
fn child_is_a_binary() {
    if is_child() {
        let code = podledger_platform::runtime::main("loader", NEEDS, |_, _| unreachable!());
        // The only way to look into an exit code is its debug form.
        let digits: String = format!("{code:?}").chars().filter(char::is_ascii_digit).collect();
        println!("exit status {digits}");
    }
}

#[test]
#[ignore = "the child of other tests"]
fn child_publishes() {
    const PUBLISHES: usize = 10;
    if !is_child() {
        return;
    }
    let settings: RuntimeSettings = Env::from_process().unwrap().read().unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let broker = FaultyBroker::new(Arc::new(OneMessage), settings.injected_faults().points("loader"));
        for _ in 0..PUBLISHES {
            broker.publish(Topic::RawBatches, vec![Outgoing::default()]).await.unwrap();
            println!("returned");
        }
    });
}

#[test]
#[ignore = "the child of other tests"]
fn child_consumes() {
    if !is_child() {
        return;
    }
    let settings: RuntimeSettings = Env::from_process().unwrap().read().unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let shutdown = Shutdown::new();
        shutdown.on_signals().unwrap();
        let ports = Ports::new(Arc::new(OneMessage), Arc::new(NoObjects));
        let handler = Arc::new(UntilStopped(shutdown.clone()));
        let subscription = Subscription::new(Topic::RowBatches, "loader");
        let stage = Stage { name: "loader", consumers: vec![Consumer::new::<Incoming>(subscription, handler)] };
        podledger_platform::runtime::run(stage, &ports, &settings, shutdown).await.unwrap();
    });
}

/// Handles a message until the process is asked to stop, or for ever.
struct UntilStopped(Shutdown);

#[async_trait]
impl Handle<Incoming> for UntilStopped {
    async fn handle(&self, _: Incoming, _: &MessageContext) -> Result<(), HandleError> {
        println!("taken");
        self.0.requested().await;
        println!("stopping");
        if std::env::var_os(ENDLESS).is_some() {
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}
