//! One data directory and the commands that work on it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use platform::embedded::{BrokerSettings, DirObjects, SqliteBroker, SqliteWarehouse};

use crate::binaries;
use crate::place::Place;

/// The stages, in the order of the flow.
pub const STAGES: [&str; 5] = ["snapshotter", "normalizer", "loader", "evaluator", "notifier"];

/// A data directory as `podledger up` lays it out, for processes of their own.
#[derive(Debug, Clone)]
pub struct DataDir {
    path: PathBuf,
}

impl DataDir {
    /// Makes one, marked as a data directory so that `podledger --data` takes it.
    pub fn create(path: &Path) -> Self {
        std::fs::create_dir_all(path).unwrap();
        std::fs::write(path.join("format"), "1\n").unwrap();
        Self { path: path.to_owned() }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The warehouse's file.
    pub fn warehouse(&self) -> PathBuf {
        self.path.join("warehouse.db")
    }

    /// The directory as a place for processes: its ports, and logs beside them.
    pub fn place(&self) -> Place {
        let addresses = [
            ("PODLEDGER_BROKER", format!("sqlite:{}", self.path.join("broker.db").display())),
            ("PODLEDGER_OBJECTS", format!("file:{}", self.path.join("objects").display())),
            ("PODLEDGER_WAREHOUSE", format!("sqlite:{}", self.warehouse().display())),
        ];
        Place::new(&self.path, addresses.map(|(variable, address)| (variable.to_owned(), address)))
    }

    /// Where a stage's process prints to.
    pub fn log(&self, stage: &str) -> PathBuf {
        self.place().log(stage)
    }

    /// A command that runs one stage on this directory.
    pub fn stage(&self, stage: &str) -> Command {
        self.place().stage(stage)
    }

    /// Runs `podledger` with these arguments on this directory, to its end.
    pub fn podledger(&self, arguments: &[&str]) -> Output {
        binaries::command("podledger").args(arguments).arg("--data").arg(&self.path).output().unwrap()
    }

    /// The warehouse of the directory, opened by this process.
    pub fn open_warehouse(&self) -> SqliteWarehouse {
        SqliteWarehouse::open(self.warehouse()).unwrap()
    }

    /// The objects of the directory, opened by this process.
    pub fn objects(&self) -> DirObjects {
        DirObjects::open(self.path.join("objects")).unwrap()
    }

    /// The broker of the directory, opened by this process.
    pub fn broker(&self) -> SqliteBroker {
        SqliteBroker::open(self.path.join("broker.db"), BrokerSettings::default()).unwrap()
    }
}
