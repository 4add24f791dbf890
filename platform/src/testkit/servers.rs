//! Starts the servers of `tests/servers`, which stand in for Google's services.
//!
//! A server is a program of its own, built once by `make servers`. It listens on free loopback
//! ports, says which in one line, and ends with whoever started it.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long a server may take until it says where it listens.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server that was built.
#[derive(Debug, Clone)]
pub struct Built {
    name: &'static str,
    program: PathBuf,
}

/// A running server; it ends when this goes.
#[derive(Debug)]
pub struct Server {
    built: Built,
    arguments: Vec<String>,
    /// `HOST:PORT` by what is served there.
    addresses: BTreeMap<String, String>,
    child: Option<Child>,
}

impl Built {
    /// The server of that name. Where it was not built the reason is printed and the test goes
    /// without; in CI it must be there.
    ///
    /// # Panics
    /// In CI (`CI=true`), where it was not built.
    pub fn find(name: &'static str) -> Option<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/servers/build");
        let found = Command::new("sh").arg(script).args(["--path", name]).output().expect("sh runs");
        if found.status.success() {
            let folder = String::from_utf8(found.stdout).expect("a path in UTF-8");
            return Some(Self { name, program: Path::new(folder.trim_end()).join(name) });
        }
        let reason = String::from_utf8_lossy(&found.stderr).trim_end().to_owned();
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "in CI every server must be there: {reason}");
        eprintln!("skipped: {reason}");
        None
    }

    /// Starts one on free ports.
    pub fn start(&self, arguments: &[&str]) -> Server {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let mut server = Server { built: self.clone(), arguments, addresses: BTreeMap::new(), child: None };
        server.spawn(&[]);
        server
    }
}

impl Server {
    /// Where it serves something, as `HOST:PORT`; the same after a restart.
    pub fn address(&self, what: &str) -> &str {
        self.addresses
            .get(what)
            .unwrap_or_else(|| panic!("{} serves no {what:?}: {:?}", self.built.name, self.addresses))
    }

    /// Where it serves something, as `http://HOST:PORT`.
    pub fn url(&self, what: &str) -> String {
        format!("http://{}", self.address(what))
    }

    /// Kills it.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("a child of ours can be killed");
            child.wait().expect("and waited for");
        }
    }

    /// Starts it again on the ports it had, each given under its flag. Its state is gone.
    pub fn start_again(&mut self, flags: &[(&str, &str)]) {
        self.stop();
        let ports: Vec<String> =
            flags.iter().flat_map(|(flag, what)| [(*flag).to_owned(), self.address(what).to_owned()]).collect();
        self.spawn(&ports);
    }

    /// Stops its world: connections stay open and nothing answers. It keeps its state.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Ends [`Server::freeze`].
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.as_ref().expect("it runs").id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status().expect("kill runs");
        assert!(sent.success(), "{} takes {signal}", self.built.name);
    }

    fn spawn(&mut self, ports: &[String]) {
        let mut child = Command::new(&self.built.program)
            .args(&self.arguments)
            .args(ports)
            .stdin(Stdio::piped()) // its end is the server's
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("start {}: {error}", self.built.program.display()));
        let mut out = BufReader::new(child.stdout.take().expect("it is piped"));
        self.child = Some(child);
        let (line_out, line_in) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = out.read_line(&mut line).map(|_| line);
            line_out.send(read).ok(); // nobody waits any more after the patience
        });
        let line = line_in.recv_timeout(PATIENCE).expect("it says where it listens").expect("its output can be read");
        self.addresses =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{}: {error}: {line:?}", self.built.name));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            child.kill().ok(); // it may have ended by itself
            child.wait().ok();
        }
    }
}
