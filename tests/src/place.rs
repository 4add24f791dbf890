//! Where processes keep what they share.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::binaries;

/// Addresses of ports, as variables, and a folder for logs.
#[derive(Debug, Clone)]
pub struct Place {
    folder: PathBuf,
    variables: BTreeMap<String, String>,
    of_stages: BTreeMap<&'static str, BTreeMap<String, String>>,
}

impl Place {
    /// A place whose processes are told these variables. The folder is there already.
    pub fn new(folder: &Path, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { folder: folder.to_owned(), variables: variables.into_iter().collect(), of_stages: BTreeMap::new() }
    }

    /// Tells every process some more; what was said of a variable before no longer counts.
    #[must_use]
    pub fn with<'a>(mut self, variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        self.variables.extend(variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
        self
    }

    /// Tells one stage a variable of its own.
    pub fn tell(&mut self, stage: &'static str, variable: &str, value: String) {
        self.of_stages.entry(stage).or_default().insert(variable.to_owned(), value);
    }

    /// Where a stage's process prints to.
    pub fn log(&self, stage: &str) -> PathBuf {
        self.folder.join(format!("{stage}.log"))
    }

    /// A command that runs one stage here: ports, HTTP on a free port, JSON logs.
    pub fn stage(&self, stage: &str) -> Command {
        let mut command = binaries::command(&format!("podledger-{stage}"));
        command.env("PODLEDGER_HTTP", "127.0.0.1:0").env("PODLEDGER_LOG_FORMAT", "json").envs(&self.variables);
        if let Some(own) = self.of_stages.get(stage) {
            command.envs(own);
        }
        command
    }

    /// Runs `podledger` with these arguments here, to its end.
    pub fn podledger(&self, arguments: &[&str]) -> Output {
        binaries::command("podledger").envs(&self.variables).args(arguments).output().unwrap()
    }
}
