//! Starts the real binaries.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// How long a process may take to do what a test waits for.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// What is built: all of them; of a release, where linking each takes minutes, those that benchmarks
/// start.
const WHAT: &[&str] = match cfg!(debug_assertions) {
    true => &["--workspace"],
    false => &["--release", "--package", "podledger-cli", "--package", "podledger-snapshotter"],
};

/// The folder of the built binaries. They are built first, once per test process, so that a test
/// never runs yesterday's.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let status = Command::new(env!("CARGO"))
            .args(["build", "--bins", "--quiet"])
            .args(WHAT)
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
            .status()
            .unwrap();
        assert!(status.success(), "the binaries do not build");
        // target/debug/deps/<this test> → target/debug; of a benchmark target/release
        std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned()
    })
}

/// A command that runs one of the workspace's binaries without anything of the tester's environment
/// but PATH and HOME.
pub fn command(binary: &str) -> Command {
    let mut command = Command::new(folder().join(binary));
    command.env_clear();
    for name in ["PATH", "HOME", "TMPDIR"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

/// A running process, killed when dropped.
#[derive(Debug)]
pub struct Process {
    /// Its name in messages.
    pub name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a command; what it prints goes to a file.
    pub fn start(name: &str, mut command: Command, log: &Path) -> Self {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: cannot start: {error}"));
        Self { name: name.to_owned(), child, log: log.to_owned() }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it printed so far.
    pub fn printed(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its exit status, once it ended.
    pub fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Kills it at once, as `kill -9` does.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop, as `kill` does, and waits for its end.
    pub fn stop(mut self) -> std::process::ExitStatus {
        let status = Command::new("kill").arg(self.id().to_string()).status().unwrap();
        assert!(status.success(), "{}: cannot be asked to stop", self.name);
        let started = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(started.elapsed() < PATIENCE, "{} does not stop: {}", self.name, self.printed());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.kill();
        }
    }
}
