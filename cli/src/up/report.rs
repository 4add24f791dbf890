//! The report of one run: what was collected, rejected, declared and found.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::Result;
use schemas::{ClusterName, Severity, SnapshotId, Timestamp, Violation};
use serde::Serialize;

use crate::args::Format;
use crate::output::{Cell, Grid, printable, write_json};

/// Everything a person or a program learns from `up --once`.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The snapshot.
    pub snapshot_id: SnapshotId,
    /// The cluster.
    pub cluster: ClusterName,
    /// When it was observed.
    pub observed_at: Timestamp,
    /// Whether this snapshot was judged; not when a newer one was judged before.
    pub judged: bool,
    /// Counts by kind.
    pub kinds: BTreeMap<String, KindCounts>,
    /// Objects that were rejected.
    pub rejects: Vec<RejectedObject>,
    /// What became of the PED files.
    pub declarations: Declarations,
    /// Open episodes, by their newest transition; the worst first.
    pub violations: Vec<Violation>,
    /// Rules that are broken but still within their grace time.
    pub in_grace: Vec<InGrace>,
    /// Notifications sent in this run.
    pub notifications: u64,
    /// Messages that will never succeed, of this run.
    pub dead_letters: u64,
    /// Where the data lies.
    pub data: String,
    /// How long it took.
    pub elapsed_ms: u64,
}

/// One kind's counts.
#[derive(Debug, Serialize)]
pub struct KindCounts {
    /// Objects listed, unreadable ones included.
    pub objects: i64,
    /// Rows made of them.
    pub rows: i64,
    /// Objects rejected.
    pub rejects: i64,
    /// Whether the list was complete.
    pub complete: bool,
    /// Why it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap: Option<String>,
    /// Objects left out because their namespace is excluded.
    pub excluded: i64,
}

/// One rejected object.
#[derive(Debug, Serialize)]
pub struct RejectedObject {
    /// Its kind.
    pub kind: String,
    /// Its namespace and name, where they could be read.
    pub object: Option<String>,
    /// Why.
    pub reason: String,
}

/// What became of the PED files.
#[derive(Debug, Default, Serialize)]
pub struct Declarations {
    /// Newly registered.
    pub registered: usize,
    /// Said what was in force already.
    pub unchanged: usize,
    /// Refused.
    pub rejected: Vec<RejectedFile>,
}

/// One refused PED file.
#[derive(Debug, Serialize)]
pub struct RejectedFile {
    /// The file.
    pub file: String,
    /// Why.
    pub reason: String,
}

/// One broken rule that nobody is told of yet.
#[derive(Debug, Serialize)]
pub struct InGrace {
    /// The rule.
    pub rule: schemas::Rule,
    /// Namespace of the workload.
    pub namespace: String,
    /// The workload.
    pub deployment_name: String,
    /// Since when the rule was found broken.
    pub since: Timestamp,
}

impl Report {
    /// Whether a violation of that severity or worse is open.
    pub fn reaches(&self, severity: Severity) -> bool {
        self.violations.iter().any(|violation| violation.severity >= severity)
    }

    /// Writes the report; CSV is the violations only.
    pub fn write(&self, format: Format, out: &mut impl Write) -> Result<()> {
        match format {
            Format::Json => write_json(self, out),
            Format::Csv => self.violations_grid().write_csv(out),
            Format::Text => self.write_text(out),
        }
    }

    /// Writes it for people.
    fn write_text(&self, out: &mut impl Write) -> Result<()> {
        writeln!(out, "Cluster {} as of {}, snapshot {}\n", self.cluster, self.observed_at, self.snapshot_id)?;
        self.kinds_grid().write_text(out)?;
        for (kind, counts) in &self.kinds {
            if let Some(gap) = &counts.gap {
                writeln!(out, "  {kind}: not complete: {}", printable(gap))?;
            }
        }
        if !self.rejects.is_empty() {
            writeln!(out, "\nRejected: {}", count(self.rejects.len(), "object"))?;
            for reject in &self.rejects {
                writeln!(out, "  {}", printable(&reject.reason))?;
            }
        }
        let declarations = &self.declarations;
        writeln!(
            out,
            "\nDeclarations: {} registered, {} unchanged, {} rejected",
            declarations.registered,
            declarations.unchanged,
            declarations.rejected.len()
        )?;
        for rejected in &declarations.rejected {
            writeln!(out, "  {}", printable(&rejected.reason))?;
        }
        self.write_violations(out)?;
        writeln!(
            out,
            "\n{} sent, {}. Data: {}. {:.1} s.",
            count(usize::try_from(self.notifications).unwrap_or(usize::MAX), "notification"),
            count(usize::try_from(self.dead_letters).unwrap_or(usize::MAX), "dead letter"),
            self.data,
            self.elapsed_ms as f64 / 1000.0
        )?;
        Ok(())
    }

    /// Violations with cause and evidence, and what is still in grace.
    fn write_violations(&self, out: &mut impl Write) -> Result<()> {
        if !self.judged {
            writeln!(out, "\nThis snapshot was not judged: one as new as this, or newer, was judged before it.")?;
        }
        if self.violations.is_empty() {
            writeln!(out, "\nNo violations.")?;
        } else {
            writeln!(out, "\nViolations: {}", self.violations.len())?;
        }
        for violation in &self.violations {
            writeln!(out, "\n  {:<8}  {}", violation.severity, violation.alert_type)?;
            writeln!(out, "    {}", printable(&violation.message))?;
            writeln!(out, "    cause {}, {} since {}", violation.cause, violation.state, violation.started_at)?;
            for line in super::evidence::lines(&violation.evidence) {
                writeln!(out, "    - {}", printable(&line))?;
            }
        }
        if !self.in_grace.is_empty() {
            writeln!(out, "\nWithin their grace time (nobody is told yet):")?;
        }
        for waiting in &self.in_grace {
            let workload = format!("{}/{}", waiting.namespace, waiting.deployment_name);
            writeln!(out, "  {}  {}  since {}", waiting.rule, printable(&workload), waiting.since)?;
        }
        Ok(())
    }

    fn kinds_grid(&self) -> Grid {
        let mut grid = Grid::new(["kind", "objects", "rows", "rejects", "excluded", "complete"]);
        for (kind, counts) in &self.kinds {
            grid.push([
                Cell::from(kind.as_str()),
                Cell::from(counts.objects),
                Cell::from(counts.rows),
                Cell::from(counts.rejects),
                Cell::from(counts.excluded),
                Cell::from(if counts.complete { "yes" } else { "no" }),
            ]);
        }
        grid
    }

    fn violations_grid(&self) -> Grid {
        let mut grid = Grid::new(["severity", "rule", "cause", "namespace", "deployment_name", "observed", "limit", "message"]);
        for violation in &self.violations {
            grid.push([
                Cell::from(violation.severity.as_str()),
                Cell::from(violation.alert_type.as_str()),
                Cell::from(violation.cause.as_str()),
                Cell::from(violation.namespace.as_deref()),
                Cell::from(violation.deployment_name.as_deref()),
                Cell::from(violation.observed),
                Cell::from(violation.limit_value),
                Cell::from(violation.message.as_str()),
            ]);
        }
        grid
    }
}

/// `1 object`, `2 objects`.
fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
