//! A folder with a dump, declarations and a data directory, and the program run on them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use tempfile::TempDir;

/// The program under test.
const PODLEDGER: &str = env!("CARGO_BIN_EXE_podledger");
/// The time of every run: the same files at the same time are the same snapshot.
const NOW: &str = "2026-11-20T09:00:00Z";
/// One snapshot of `dump/` as cluster `shop`; what else is to be said of it follows.
pub(crate) const UP: &[&str] = &["up", "--once", "--dump", "dump", "--cluster", "shop", "--at", NOW, "--data", "data"];

/// A place to run in.
pub(crate) struct House {
    folder: TempDir,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    /// The output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl House {
    /// An empty one.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("dump")).unwrap();
        std::fs::create_dir(folder.path().join("ped")).unwrap();
        Self { folder }
    }

    /// A path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// The program, to be run in the house, without settings of the machine's user.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(PODLEDGER);
        command.args(arguments);
        self.settle(&mut command);
        command
    }

    /// Puts a command into the house.
    pub(crate) fn settle(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PODLEDGER_") {
                command.env_remove(name);
            }
        }
        command.current_dir(self.folder.path()).env("PODLEDGER_LOG", "error").stdin(Stdio::null());
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        ended(&mut self.command(arguments))
    }

    /// Takes one snapshot of `dump/` as cluster `shop` and returns the report as JSON.
    pub(crate) fn up(&self, more: &[&str]) -> Ended {
        self.run(&[UP, &["--format", "json"], more].concat())
    }

    /// Rows of the warehouse, every value as text.
    pub(crate) fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        rows_of(&self.path("data/warehouse.db"), sql)
    }

    /// One column of the warehouse.
    pub(crate) fn column(&self, sql: &str) -> Vec<String> {
        self.rows(sql).into_iter().flatten().collect()
    }

    /// Names of the Deployments that became rows, in order.
    pub(crate) fn deployments(&self) -> Vec<String> {
        self.column("SELECT name FROM gke_deployments ORDER BY name")
    }

    /// The counts add up, and no file is left half-written.
    pub(crate) fn assert_whole(&self) {
        let verified = self.run(&["verify", "--data", "data", "--format", "json"]);
        assert_eq!(verified.code, Some(0), "{verified:?}");
        assert_eq!(verified.json()["proven"], Value::Bool(true), "{verified:?}");
        let staging = self.path("data/objects/.staging");
        let left: Vec<_> = std::fs::read_dir(staging).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(left.is_empty(), "half-written: {left:?}");
    }
}

/// Runs a command to its end.
pub(crate) fn ended(command: &mut Command) -> Ended {
    let output = command.output().unwrap();
    Ended {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).expect("output is UTF-8"),
        err: String::from_utf8(output.stderr).expect("errors are UTF-8"),
    }
}

/// Rows of a SQLite file, every value as text.
pub(crate) fn rows_of(database: &Path, sql: &str) -> Vec<Vec<String>> {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut statement = connection.prepare(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let width = statement.column_count();
    let text = |row: &rusqlite::Row<'_>| {
        (0..width)
            .map(|column| {
                Ok(match row.get_ref(column)? {
                    rusqlite::types::ValueRef::Null => "null".to_owned(),
                    rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                    rusqlite::types::ValueRef::Real(number) => number.to_string(),
                    rusqlite::types::ValueRef::Text(text) => String::from_utf8(text.to_vec()).unwrap(),
                    rusqlite::types::ValueRef::Blob(bytes) => format!("{bytes:?}"),
                })
            })
            .collect::<rusqlite::Result<Vec<_>>>()
    };
    statement.query_map([], text).unwrap().collect::<rusqlite::Result<_>>().unwrap()
}
