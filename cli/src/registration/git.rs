//! Who declared a file, when, and in which commit: asked of git.

use std::path::Path;
use std::process::Command;

use schemas::Timestamp;

/// The last commit that touched a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastCommit {
    /// The commit.
    pub commit: String,
    /// Its author's e-mail.
    pub author: String,
    /// When it was committed.
    pub committed_at: Timestamp,
    /// Remote `origin`, without credentials.
    pub repository: Option<String>,
}

/// The last commit of a file; none where git is not installed, the file is in no repository, or it
/// was never committed or has been changed since.
pub fn last_commit(file: &Path) -> Option<LastCommit> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = file.file_name()?;
    let git = |arguments: &[&str]| -> Option<String> {
        let output = Command::new("git").arg("-C").arg(folder).args(arguments).arg("--").arg(name).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    if !git(&["status", "--porcelain"])?.is_empty() {
        return None;
    }
    let line = git(&["log", "-1", "--format=%H%x09%ae%x09%cI"])?;
    let mut fields = line.split('\t');
    let (commit, author, time) = (fields.next()?, fields.next()?, fields.next()?);
    let remote = Command::new("git").arg("-C").arg(folder).args(["remote", "get-url", "origin"]).output().ok();
    let repository = remote
        .filter(|output| output.status.success())
        .map(|output| without_credentials(String::from_utf8_lossy(&output.stdout).trim()));
    Some(LastCommit {
        commit: commit.to_owned(),
        author: author.to_owned(),
        committed_at: Timestamp::parse(time).ok()?,
        repository,
    })
}

/// `https://user:token@host/path` without what stands before the `@`.
fn without_credentials(url: &str) -> String {
    match url.split_once("://").and_then(|(scheme, rest)| rest.split_once('@').map(|(_, place)| (scheme, place))) {
        Some((scheme, place)) => format!("{scheme}://{place}"),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_of_a_remote_are_not_kept() {
        assert_eq!(without_credentials("https://u:secret@example.com/a.git"), "https://example.com/a.git");
        assert_eq!(without_credentials("git@example.com:a.git"), "git@example.com:a.git");
    }

    #[test]
    fn a_file_outside_any_repository_has_no_commit() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.yaml");
        std::fs::write(&file, "x").unwrap();
        assert_eq!(last_commit(&file), None);
    }
}
