//! What `up` observes when its arguments name it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use platform::kubernetes::TAKEN_AT;
use platform::runtime::{ClusterAddress, ClusterAddresses, RuntimeSettings};
use schemas::{ClusterName, Timestamp};

use crate::args::UpArgs;
use crate::exit::UsageError;

/// One cluster named by the arguments.
#[derive(Debug)]
pub(super) struct Source {
    /// Its name.
    pub(super) cluster: ClusterName,
    /// Where it is.
    pub(super) address: ClusterAddress,
    /// When the dump was taken, if it says so.
    pub(super) taken_at: Option<Timestamp>,
}

impl Source {
    /// Makes it the only cluster of the process.
    pub(super) fn apply(&self, settings: &mut RuntimeSettings) {
        settings.clusters = ClusterAddresses(BTreeMap::from([(self.cluster.clone(), self.address.clone())]));
    }

    /// The dump's folder, where it is one.
    pub(super) fn dump(&self) -> Option<&Path> {
        match &self.address {
            ClusterAddress::Dump(folder) => Some(folder),
            _ => None,
        }
    }
}

/// The cluster that `--dump` or `--kube` names; none when neither is given.
pub(super) fn of(args: &UpArgs) -> Result<Option<Source>> {
    let (address, derived) = match (&args.dump, &args.kube) {
        (Some(folder), _) => (ClusterAddress::Dump(folder.clone()), folder_name(folder)?),
        (None, Some(context)) => {
            let context = Some(context.clone()).filter(|context| !context.is_empty());
            let name = context.clone().unwrap_or_else(|| "local".into());
            (ClusterAddress::Kube { context }, name)
        }
        (None, None) => return Ok(None),
    };
    let cluster = match &args.cluster {
        Some(name) => ClusterName::parse(name).map_err(|error| UsageError(error.to_string()))?,
        None => ClusterName::parse(&plain(&derived))
            .map_err(|_| UsageError(format!("{derived:?} gives no cluster name: name the cluster with --cluster")))?,
    };
    let taken_at = args.dump.as_deref().map(taken_at).transpose()?.flatten();
    Ok(Some(Source { cluster, address, taken_at }))
}

/// Name of a dump's folder.
fn folder_name(folder: &Path) -> Result<String> {
    let absolute: PathBuf =
        folder.canonicalize().map_err(|error| UsageError(format!("dump {}: {error}", folder.display())))?;
    if !absolute.is_dir() {
        return Err(UsageError(format!("dump {}: a file, expected a folder of files", folder.display())).into());
    }
    Ok(absolute.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default())
}

/// A name with what cluster names cannot hold replaced.
fn plain(name: &str) -> String {
    name.to_lowercase()
        .chars()
        .map(|character| if character.is_ascii_alphanumeric() || "-_.".contains(character) { character } else { '-' })
        .take(63)
        .collect()
}

/// The time a dump says it was taken.
fn taken_at(folder: &Path) -> Result<Option<Timestamp>> {
    let file = folder.join(TAKEN_AT);
    match std::fs::read_to_string(&file) {
        Ok(text) => {
            text.trim().parse().map(Some).map_err(|error| UsageError(format!("{}: {error}", file.display())).into())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{}: cannot be read", file.display())),
    }
}
