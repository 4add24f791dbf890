//! The command line: what can be asked for, and how.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use schemas::{Severity, Timestamp};

/// What runs on your Kubernetes clusters, what was declared, where the two differ.
#[derive(Debug, Parser)]
#[command(
    name = "podledger",
    version,
    max_term_width = 100,
    after_help = "Examples:\n  \
        podledger up --once --dump examples/cluster --ped examples/ped   one look, with a report\n  \
        podledger up --kube                                              watch a live cluster\n  \
        podledger explain pods.json audit.json                           what becomes of files\n  \
        podledger ped validate teams/                                    check declarations\n\n\
        Exit codes: 0 fine, 1 something failed, 2 wrong usage or configuration, 3 the policy says no."
)]
pub struct Cli {
    /// How to print results.
    #[arg(long, value_enum, default_value = "text", global = true)]
    pub format: Format,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// How to print results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Tables for people.
    Text,
    /// JSON with stable names.
    Json,
    /// Comma-separated values with a header.
    Csv,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run all five stages in this process, on a data directory or on real services.
    Up(UpArgs),
    /// Show what the pipeline would make of files: rows, changes, rejects and skips as NDJSON.
    Explain(ExplainArgs),
    /// Ask for a snapshot of a cluster.
    Snapshot(SnapshotArgs),
    /// Check, register and compare declarations (PED files).
    #[command(subcommand)]
    Ped(PedCommand),
    /// The limit in force.
    #[command(subcommand)]
    Limit(LimitCommand),
    /// Episodes of broken rules.
    #[command(subcommand)]
    Alerts(AlertsCommand),
    /// Prove that nothing was lost: objects listed = rows + rejects = rows loaded.
    Verify(VerifyArgs),
    /// Make topics, schemas, subscriptions, the bucket, tables and views, as the topology lists them.
    Provision(ProvisionArgs),
    /// The schemas of messages and tables.
    #[command(subcommand)]
    Schema(SchemaCommand),
}

/// Where the data lies.
#[derive(Debug, Clone, Args)]
pub struct DataArgs {
    /// Data directory of the embedded adapters; a port whose PODLEDGER_ variable is set is opened
    /// there instead.
    #[arg(long, value_name = "DIR", default_value = "podledger-data")]
    pub data: PathBuf,
}

/// `up`
#[derive(Debug, Args)]
pub struct UpArgs {
    /// Where the data lies.
    #[command(flatten)]
    pub data: DataArgs,
    /// Take one snapshot, carry it through all stages, print the report and stop.
    #[arg(long)]
    pub once: bool,
    /// Observe a folder of files as kubectl prints them (JSON or YAML, lists or objects, gzip too).
    /// A file `taken-at` in it holds the time the dump was taken; otherwise it is now.
    #[arg(long, value_name = "DIR", conflicts_with = "kube")]
    pub dump: Option<PathBuf>,
    /// Observe a live cluster: the current context of the kubeconfig, or the one named.
    #[arg(long, value_name = "CONTEXT", num_args = 0..=1, default_missing_value = "")]
    pub kube: Option<String>,
    /// Declarations to register first: a file or a folder.
    #[arg(long, value_name = "PATH")]
    pub ped: Option<PathBuf>,
    /// Field mapping for PED files of another shape.
    #[arg(long, value_name = "FILE", requires = "ped")]
    pub mapping: Option<PathBuf>,
    /// Name of the cluster [default: the dump folder's name, the context, or `local`].
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,
    /// The time it is taken to be, for reproducible runs (RFC 3339); with --once.
    #[arg(long, value_name = "TIME", requires = "once")]
    pub at: Option<Timestamp>,
    /// Alerting policy (YAML) [default: the rules' defaults].
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Exit with 3 when a violation of this severity or worse is open; with --once.
    #[arg(long, value_name = "SEVERITY", requires = "once")]
    pub fail_on: Option<Severity>,
    /// How often to take a snapshot: a number with s, m or h.
    #[arg(long, value_name = "INTERVAL", default_value = "5m", conflicts_with = "once", value_parser = interval)]
    pub every: std::time::Duration,
    /// Give up waiting for the pipeline to become idle after that long; with --once.
    #[arg(long, value_name = "INTERVAL", default_value = "5m", value_parser = interval)]
    pub timeout: std::time::Duration,
}

/// `explain`
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Files: Kubernetes lists or objects, audit entries, Pub/Sub envelopes, PED files.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Cluster name to put into rows.
    #[arg(long, value_name = "NAME", default_value = "explain")]
    pub cluster: String,
}

/// `snapshot`
#[derive(Debug, Args)]
pub struct SnapshotArgs {
    /// Where the data lies.
    #[command(flatten)]
    pub data: DataArgs,
    /// Configured cluster, or * for all of them.
    #[arg(long, value_name = "NAME")]
    pub cluster: String,
    /// Kinds to take, separated by commas [default: all].
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    pub kinds: Vec<String>,
    /// Id of the snapshot: the same id twice is the same snapshot [default: a fresh one].
    #[arg(long)]
    pub id: Option<String>,
    /// Wait until its rows are in the warehouse, at most 10 minutes.
    #[arg(long)]
    pub wait: bool,
}

/// `ped …`
#[derive(Debug, Subcommand)]
pub enum PedCommand {
    /// Check PED files; exits with 3 when one is not right.
    Validate(PedValidateArgs),
    /// Publish declarations.
    Register(PedRegisterArgs),
    /// Show what registering would change.
    Diff(PedRegisterArgs),
}

/// `ped validate`
#[derive(Debug, Args)]
pub struct PedValidateArgs {
    /// Files or folders.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Field mapping for files of another shape.
    #[arg(long, value_name = "FILE")]
    pub mapping: Option<PathBuf>,
    /// Print GitHub workflow annotations.
    #[arg(long)]
    pub github: bool,
}

/// `ped register` and `ped diff`
#[derive(Debug, Args)]
pub struct PedRegisterArgs {
    /// Where the data lies.
    #[command(flatten)]
    pub data: DataArgs,
    /// Files or folders.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Field mapping for files of another shape.
    #[arg(long, value_name = "FILE")]
    pub mapping: Option<PathBuf>,
    /// Who declares [default: the author of the file's last commit].
    #[arg(long, value_name = "WHO", value_parser = said)]
    pub by: Option<String>,
    /// From when on it holds (RFC 3339) [default: the time of the file's last commit, else now].
    #[arg(long, value_name = "TIME")]
    pub at: Option<Timestamp>,
    /// Commit [default: the file's last commit].
    #[arg(long, value_name = "COMMIT", value_parser = said)]
    pub commit: Option<String>,
    /// Wait until the declarations are in force.
    #[arg(long)]
    pub wait: bool,
}

/// `limit …`
#[derive(Debug, Subcommand)]
pub enum LimitCommand {
    /// The limit in force for a workload, or for all of a cluster's.
    Get(LimitGetArgs),
}

/// `limit get`
#[derive(Debug, Args)]
pub struct LimitGetArgs {
    /// Where the data lies.
    #[command(flatten)]
    pub data: DataArgs,
    /// The workload as NAMESPACE/DEPLOYMENT [default: all of them].
    #[arg(value_name = "WORKLOAD")]
    pub workload: Option<String>,
    /// The cluster.
    #[arg(long, value_name = "NAME")]
    pub cluster: String,
    /// As of that time (RFC 3339) [default: now].
    #[arg(long, value_name = "TIME")]
    pub at: Option<Timestamp>,
}

/// `alerts …`
#[derive(Debug, Subcommand)]
pub enum AlertsCommand {
    /// Open and past episodes.
    List(AlertsListArgs),
}

/// `alerts list`
#[derive(Debug, Args)]
pub struct AlertsListArgs {
    /// Where the data lies.
    #[command(flatten)]
    pub data: DataArgs,
    /// Past episodes too.
    #[arg(long)]
    pub all: bool,
    /// Only of this cluster.
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,
    /// Only those with a change at or after this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    pub since: Option<Timestamp>,
}

/// `verify`
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Where the data lies.
    #[command(flatten)]
    pub data: DataArgs,
    /// From this time on (RFC 3339) [default: the beginning].
    #[arg(long, value_name = "TIME")]
    pub from: Option<Timestamp>,
    /// Before this time (RFC 3339) [default: the end].
    #[arg(long, value_name = "TIME")]
    pub to: Option<Timestamp>,
}

/// `provision`
#[derive(Debug, Args)]
#[command(
    after_help = "The ports' places come from PODLEDGER_BROKER, PODLEDGER_OBJECTS and PODLEDGER_WAREHOUSE; those not \
        set are left out. Nothing is ever deleted or narrowed: exits with 3, before anything is changed, where \
        the topology would need that. Service accounts, their roles and APIs are not made here."
)]
pub struct ProvisionArgs {
    /// The list of what is needed (YAML) [default: the one built in, infra/topology.yaml].
    #[arg(long, value_name = "FILE")]
    pub topology: Option<PathBuf>,
    /// Print what would be made and changed, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Like --dry-run, and exit with 3 when anything is to be done.
    #[arg(long)]
    pub check: bool,
    /// Project to make the bucket in [default: that of PODLEDGER_BROKER, else of PODLEDGER_WAREHOUSE].
    #[arg(long, value_name = "PROJECT")]
    pub project: Option<String>,
}

/// `schema …`
#[derive(Debug, Subcommand)]
pub enum SchemaCommand {
    /// Check that every past version of every message stays readable; exits with 1 when not.
    Check,
    /// Print the tables and views.
    Ddl(SchemaDdlArgs),
}

/// `schema ddl`
#[derive(Debug, Args)]
pub struct SchemaDdlArgs {
    /// The dialect.
    #[arg(long, value_enum, default_value = "bigquery")]
    pub dialect: DialectArg,
    /// BigQuery dataset, as PROJECT.DATASET or DATASET.
    #[arg(long, value_name = "DATASET", default_value = "podledger")]
    pub dataset: String,
}

/// A dialect of SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DialectArg {
    /// BigQuery.
    Bigquery,
    /// SQLite, as the embedded warehouse uses it.
    Sqlite,
}

/// Text that says something: an unset variable of a pipeline must not become nobody.
fn said(text: &str) -> Result<String, String> {
    let trimmed = text.trim();
    if trimmed.is_empty() { Err("it is empty: leave the option out, or say it".into()) } else { Ok(trimmed.into()) }
}

/// Reads `30s`, `5m`, `2h`.
fn interval(text: &str) -> Result<std::time::Duration, String> {
    let expected = || format!("{text:?} is not an interval: expected a whole number with s, m or h, such as 5m");
    let unit = text.chars().next_back().ok_or_else(expected)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        _ => return Err(expected()),
    };
    let number: u64 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| expected())?;
    match number.checked_mul(seconds) {
        Some(total @ 1..=604_800) => Ok(std::time::Duration::from_secs(total)),
        _ => Err(format!("{text:?} is out of bounds: expected 1 second to 7 days")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn who_and_which_commit_are_said_or_left_out() {
        for option in ["--by", "--commit"] {
            let asked = |value| Cli::try_parse_from(["podledger", "ped", "register", "a.yaml", option, value]);
            assert!(asked("alice").is_ok());
            assert!(asked("").is_err() && asked(" ").is_err(), "{option}");
        }
    }

    #[test]
    fn intervals_have_units_and_bounds() {
        assert_eq!(interval("5m"), Ok(std::time::Duration::from_secs(300)));
        for bad in ["", "5", "m", "-1m", "0s", "8000h", "5é", "99999999999999999999s"] {
            assert!(interval(bad).is_err(), "{bad:?}");
        }
    }
}
