//! Loads of complete snapshots: staged by one load job, then moved by one transaction, once.

use std::collections::BTreeMap;

use anyhow::{anyhow, ensure};
use futures::{StreamExt as _, TryStreamExt as _};
use schemas::ddl::{DATASET, Dialect};
use schemas::{Column, ColumnType, IdBuilder, SnapshotId, Table, Timestamp};

use super::Inner;
use super::bookkeeping::{LOADS, is_loaded_by_snapshot, transaction};
use super::failure::Complaint;
use super::query::Query;
use super::staging::{MAX_URIS, Parts, Stage};
use super::{cell, parameter, rows};
use crate::ports::{LoadJob, LoadOutcome, Loaded, Objects, PortError, PortResult, SnapshotRows};

/// Parts read at the same time.
const PARALLEL_PARTS: usize = 4;
/// How often a load may be overtaken before it is given back to be tried again.
const MOST_OVERTAKEN: usize = 8;
/// What stands for the revision of a snapshot that is not loaded; real ones are not negative.
const NOT_LOADED: i64 = -1;
/// What the transaction says when what it was to replace is no longer what is there.
const OVERTAKEN: &str = "podledger: another load was faster";
/// What it says when the stage does not hold what was to be loaded.
const NOT_STAGED: &str = "podledger: the staged rows are not those of the job";

/// A snapshot's rows of the table as they are there now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Existing {
    revision: i64,
    /// First and last time of its rows; none where it has none.
    times: Option<(Timestamp, Timestamp)>,
}

/// A snapshot to be loaded.
struct Wanted<'a> {
    snapshot: &'a SnapshotRows,
    rows: i64,
    replaces: Option<Existing>,
}

impl Inner {
    /// Loads what of the job is not there yet.
    pub(super) async fn load(&self, job: &LoadJob, objects: &dyn Objects) -> PortResult<LoadOutcome> {
        let attempted = format!("load {} by job {} into {}", job.table, job.id, self.shown);
        let never = |reason: anyhow::Error| PortError::never_will(&attempted, reason);
        if !is_loaded_by_snapshot(job.table) {
            return Err(never(anyhow!("table {} is not loaded by snapshot", job.table)));
        }
        let chosen = newest(&job.snapshots);
        let mut checked = Vec::new();
        let mut attempts_made = 0;
        loop {
            let wanted = self.wanted(job.table, &chosen, &attempted).await?;
            if wanted.is_empty() {
                return Ok(LoadOutcome::AlreadyLoaded);
            }
            let ids: Vec<&SnapshotId> = wanted.iter().map(|wanted| &wanted.snapshot.snapshot_id).collect();
            if checked != ids {
                check_parts(job.table, &wanted, objects).await?;
                // What is wanted changed, so other jobs are meant.
                attempts_made = 0;
                checked = ids;
            }
            let uris = uris(&wanted, objects).map_err(never)?;
            let total = wanted.iter().try_fold(0_i64, |sum, wanted| sum.checked_add(wanted.rows));
            let total = total.ok_or_else(|| never(anyhow!("more rows than can be counted")))?;
            let stage = if uris.is_empty() {
                None
            } else {
                let digest = digest(self, job, &wanted, &uris);
                let parts = Parts { table: job.table, digest, uris: &uris, rows: total, attempted: &attempted };
                let Some(stage) = self.stage(&parts, &mut attempts_made).await? else { continue };
                Some(stage)
            };
            let outcome = self.move_rows(job, &chosen, wanted, stage.as_ref(), &attempted).await?;
            if let Some(stage) = stage {
                self.drop_stage(&stage.table).await;
            }
            return Ok(outcome);
        }
    }

    /// Moves what is still wanted out of the stage. Loads that share snapshots come between each other;
    /// what one has done the other need not do.
    async fn move_rows(
        &self,
        job: &LoadJob,
        chosen: &BTreeMap<&SnapshotId, &SnapshotRows>,
        mut wanted: Vec<Wanted<'_>>,
        stage: Option<&Stage>,
        attempted: &str,
    ) -> PortResult<LoadOutcome> {
        for _ in 0..MOST_OVERTAKEN {
            if wanted.is_empty() {
                return Ok(LoadOutcome::AlreadyLoaded);
            }
            if self.commit(job, &wanted, stage, attempted).await? {
                let rows = wanted.iter().map(|wanted| wanted.rows).sum();
                return Ok(LoadOutcome::Loaded(Loaded { rows }));
            }
            // What is wanted now was wanted before, so that the stage holds it.
            wanted = self.wanted(job.table, chosen, attempted).await?;
        }
        let reason = anyhow!("other loads were faster, {MOST_OVERTAKEN} times");
        Err(PortError::did_not_happen(attempted, reason))
    }

    /// Those of the snapshots that are not there at their revision or a higher one.
    async fn wanted<'a>(
        &self,
        table: Table,
        chosen: &BTreeMap<&SnapshotId, &'a SnapshotRows>,
        attempted: &str,
    ) -> PortResult<Vec<Wanted<'a>>> {
        let sql = format!(
            "SELECT snapshot_id, revision, first_at, last_at FROM {DATASET}.`{LOADS}`\n\
             WHERE table_name = @table AND snapshot_id IN UNNEST(@snapshots)"
        );
        let query = Query::reading(format!("{attempted}, see what is there"), sql).with(vec![
            parameter::text("table", Some(table.name())),
            parameter::texts("snapshots", chosen.keys().map(|id| id.as_str())),
        ]);
        let never = |reason| PortError::never_will(&query.attempted, reason);
        let mut existing = BTreeMap::new();
        for row in self.queries.run(&query).await? {
            let (snapshot, found) = existing_of(row).map_err(never)?;
            existing.insert(snapshot, found);
        }
        let mut wanted = Vec::new();
        for (id, snapshot) in chosen {
            let replaces = existing.get(id.as_str()).copied();
            if replaces.is_none_or(|existing| existing.revision < snapshot.revision) {
                let rows = count(snapshot).map_err(|reason| PortError::never_will(attempted, reason))?;
                wanted.push(Wanted { snapshot, rows, replaces });
            }
        }
        Ok(wanted)
    }

    /// Moves staged rows to their table and notes that they are there, in one transaction; false if another
    /// load was faster, so that it is no longer what is to be done.
    async fn commit(
        &self,
        job: &LoadJob,
        wanted: &[Wanted<'_>],
        stage: Option<&Stage>,
        attempted: &str,
    ) -> PortResult<bool> {
        let replaced = wanted.iter().filter_map(|wanted| wanted.replaces.map(|_| wanted.snapshot.snapshot_id.as_str()));
        let times: Vec<_> = wanted.iter().filter_map(|wanted| wanted.replaces?.times).collect();
        let script = script(job.table, stage.map(|stage| stage.table.as_str()), wanted, !times.is_empty());
        let query = Query::writing(attempted, transaction(job.table, &script)).with(vec![
            parameter::text("table", Some(job.table.name())),
            parameter::text("job", Some(&job.id)),
            wanted_parameter(wanted),
            parameter::texts("snapshots", wanted.iter().map(|wanted| wanted.snapshot.snapshot_id.as_str())),
            parameter::texts("replaced", replaced),
            parameter::moment("first", times.iter().map(|(first, _)| *first).min()),
            parameter::moment("last", times.iter().map(|(_, last)| *last).max()),
        ]);
        let _turn = self.turn(job.table).await;
        let Err(failed) = self.queries.run(&query).await else { return Ok(true) };
        let says = |words: &str| failed.complaint.as_ref().is_some_and(|complaint| complaint.says(words));
        if says(OVERTAKEN) {
            return Ok(false);
        }
        let is_missing = failed.complaint.as_ref().is_some_and(Complaint::is_not_found);
        // Whoever finished the load removes the stage; and that of an earlier call may have expired.
        if let Some(stage) = stage
            && ((is_missing && says(&stage.table)) || (!stage.own && says(NOT_STAGED)))
        {
            return Err(PortError::did_not_happen(attempted, anyhow!("the stage is gone: {}", failed.error)));
        }
        Err(failed.error)
    }
}

/// Of each snapshot the rows of its highest revision.
fn newest(snapshots: &[SnapshotRows]) -> BTreeMap<&SnapshotId, &SnapshotRows> {
    let mut newest: BTreeMap<&SnapshotId, &SnapshotRows> = BTreeMap::new();
    for rows in snapshots {
        let kept = newest.entry(&rows.snapshot_id).or_insert(rows);
        if kept.revision < rows.revision {
            *kept = rows;
        }
    }
    newest
}

/// Rows of a snapshot in all its parts.
fn count(snapshot: &SnapshotRows) -> anyhow::Result<i64> {
    let id = &snapshot.snapshot_id;
    ensure!(snapshot.revision > NOT_LOADED, "snapshot {id}: revision {} is negative", snapshot.revision);
    let total = snapshot.parts.iter().try_fold(0_i64, |sum, part| sum.checked_add(part.rows));
    total.ok_or_else(|| anyhow!("snapshot {id}: more rows than can be counted"))
}

/// Reads every part before anything is loaded: the service tells neither which of many files is not
/// whole nor whether a row is of the snapshot it came with.
async fn check_parts(table: Table, wanted: &[Wanted<'_>], objects: &dyn Objects) -> PortResult<()> {
    let mut checks = Vec::new();
    for SnapshotRows { snapshot_id, parts, .. } in wanted.iter().map(|wanted| wanted.snapshot) {
        checks.extend(parts.iter().map(|part| rows::check_part(objects, table, snapshot_id, part)));
    }
    futures::stream::iter(checks).buffered(PARALLEL_PARTS).try_collect().await
}

/// Where the service reads the parts.
fn uris(wanted: &[Wanted<'_>], objects: &dyn Objects) -> anyhow::Result<Vec<String>> {
    let mut uris = Vec::new();
    for key in wanted.iter().flat_map(|wanted| &wanted.snapshot.parts).map(|part| part.object.as_str()) {
        let uri = objects.uri(key).filter(|uri| uri.starts_with("gs://")).ok_or_else(|| {
            anyhow!(
                "object {key}: BigQuery loads from Cloud Storage only (expected PODLEDGER_OBJECTS=gs://BUCKET/PREFIX)"
            )
        })?;
        // The service reads a star as "any name".
        ensure!(!uri.contains('*'), "object {key}: BigQuery cannot load an object with a star in its name");
        uris.push(uri);
    }
    ensure!(uris.len() <= MAX_URIS, "it has {} parts, more than the {MAX_URIS} of one load job", uris.len());
    uris.sort_unstable();
    if let Some(twice) = uris.windows(2).find(|pair| pair[0] == pair[1]) {
        anyhow::bail!("object {}: it is listed twice", twice[0]);
    }
    Ok(uris)
}

/// What the load is about, for the ids of its jobs.
fn digest(inner: &Inner, job: &LoadJob, wanted: &[Wanted<'_>], uris: &[String]) -> String {
    let mut id = IdBuilder::new("bigquery-load")
        .part("dataset", &inner.dataset)
        .part("table", job.table.name())
        .part("job", &job.id);
    for Wanted { snapshot, rows, replaces } in wanted {
        let replaces = replaces.map_or(NOT_LOADED, |existing| existing.revision);
        id = id.part("snapshot", snapshot.snapshot_id.as_str());
        for number in [snapshot.revision, *rows, replaces] {
            id = id.part("number", number.to_string());
        }
    }
    uris.iter().fold(id, |id, uri| id.part("uri", uri)).finish()
}

fn wanted_parameter(wanted: &[Wanted<'_>]) -> gcp_bigquery_client::model::query_parameter::QueryParameter {
    let fields = [("snapshot_id", "STRING"), ("revision", "INT64"), ("row_count", "INT64"), ("replaces", "INT64")];
    let rows = wanted
        .iter()
        .map(|Wanted { snapshot, rows, replaces }| {
            let replaces = replaces.map_or(NOT_LOADED, |existing| existing.revision);
            let numbers = [snapshot.revision, *rows, replaces].map(|number| Some(number.to_string()));
            std::iter::once(Some(snapshot.snapshot_id.to_string())).chain(numbers).collect()
        })
        .collect();
    parameter::structs("wanted", &fields, rows)
}

/// What the transaction does after its turn was taken.
fn script(table: Table, stage: Option<&str>, wanted: &[Wanted<'_>], has_old_rows: bool) -> String {
    let dialect = Dialect::BigQuery;
    let name = dialect.relation_name(table.name());
    let time = dialect.quote(table.time_column());
    let staged = stage.map_or_else(
        || format!("(SELECT CAST(NULL AS STRING) AS snapshot_id, CAST(NULL AS TIMESTAMP) AS {time} LIMIT 0)"),
        |stage| format!("{DATASET}.{}", dialect.quote(stage)),
    );
    let mut script = format!(
        "SELECT IF(EXISTS(\n\
           SELECT 1 FROM UNNEST(@wanted) AS w\n\
           LEFT JOIN {DATASET}.`{LOADS}` AS l ON l.table_name = @table AND l.snapshot_id = w.snapshot_id\n\
           WHERE COALESCE(l.revision, {NOT_LOADED}) <> w.replaces\n\
         ), ERROR('{OVERTAKEN}'), 0);\n\
         SELECT IF(EXISTS(\n\
           SELECT 1 FROM UNNEST(@wanted) AS w\n\
           LEFT JOIN (SELECT snapshot_id, COUNT(*) AS row_count FROM {staged} GROUP BY snapshot_id) AS s\n\
           ON s.snapshot_id = w.snapshot_id\n\
           WHERE COALESCE(s.row_count, 0) <> w.row_count\n\
         ), ERROR('{NOT_STAGED}'), 0);\n"
    );
    if has_old_rows {
        // Within the times of the old rows, so that no other partition is read.
        script.push_str(&format!(
            "DELETE FROM {name} WHERE snapshot_id IN UNNEST(@replaced) AND {time} BETWEEN @first AND @last;\n"
        ));
    }
    if stage.is_some() {
        let columns = table.columns();
        let targets: Vec<String> = columns.iter().map(|column| dialect.quote(&column.name)).collect();
        let values: Vec<String> =
            columns.iter().zip(&targets).map(|(column, quoted)| rows::from_file(column, quoted)).collect();
        script.push_str(&format!(
            "INSERT INTO {name} ({})\nSELECT {}\nFROM {staged}\nWHERE snapshot_id IN UNNEST(@snapshots);\n",
            targets.join(", "),
            values.join(", ")
        ));
    }
    if wanted.iter().any(|wanted| wanted.replaces.is_some()) {
        script.push_str(&format!(
            "DELETE FROM {DATASET}.`{LOADS}` WHERE table_name = @table AND snapshot_id IN UNNEST(@replaced);\n"
        ));
    }
    script.push_str(&format!(
        "INSERT INTO {DATASET}.`{LOADS}` (table_name, snapshot_id, revision, row_count, job_id, first_at, last_at)\n\
         SELECT @table, w.snapshot_id, w.revision, w.row_count, @job, s.first_at, s.last_at\n\
         FROM UNNEST(@wanted) AS w\n\
         LEFT JOIN (SELECT snapshot_id, MIN({time}) AS first_at, MAX({time}) AS last_at FROM {staged} \
         GROUP BY snapshot_id) AS s\n\
         ON s.snapshot_id = w.snapshot_id;"
    ));
    script
}

fn existing_of(row: gcp_bigquery_client::model::table_row::TableRow) -> anyhow::Result<(String, Existing)> {
    let column =
        |name: &str, column_type| Column { name: name.to_owned(), column_type, nullable: true, doc: String::new() };
    let columns = [
        column("snapshot_id", ColumnType::String),
        column("revision", ColumnType::Int64),
        column("first_at", ColumnType::Timestamp),
        column("last_at", ColumnType::Timestamp),
    ];
    let values = cell::values(row, &columns)?;
    let moment = |value: &serde_json::Value| value.as_str().map(Timestamp::parse).transpose();
    match &values[..] {
        [serde_json::Value::String(snapshot), revision, first, last] => {
            let revision = revision.as_i64().ok_or_else(|| anyhow!("snapshot {snapshot} is loaded at no revision"))?;
            let times = moment(first)?.zip(moment(last)?);
            Ok((snapshot.clone(), Existing { revision, times }))
        }
        _ => Err(anyhow!("a load without a snapshot is noted")),
    }
}
