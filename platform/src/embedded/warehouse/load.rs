//! Loads of complete snapshots: all or nothing, once.

use std::io::Read;

use anyhow::{Context as _, anyhow};
use apache_avro::types::Value as Avro;
use apache_avro::{Reader, Schema};
use rusqlite::{OptionalExtension as _, Statement, Transaction};
use schemas::ddl::Dialect;
use schemas::{Column, ColumnType, SnapshotId, Table};

use super::failure::Failure;
use super::parts::PartSource;
use super::value::bind;
use crate::ports::{LoadJob, LoadOutcome, Loaded, SnapshotPart, SnapshotRows};

/// Loads what of the job is not there yet, within the transaction.
pub(super) fn load(transaction: &Transaction<'_>, job: &LoadJob, source: &PartSource) -> Result<LoadOutcome, Failure> {
    let table = job.table;
    if !is_loaded_by_snapshot(table) {
        return Err(anyhow!("table {table} is not loaded by snapshot").into());
    }
    let mut insert = transaction.prepare(&insert_into(table))?;
    let (mut rows, mut written) = (0_i64, false);
    for snapshot in &job.snapshots {
        if is_done(transaction, table, snapshot)? {
            continue;
        }
        let count = load_snapshot(transaction, &mut insert, table, snapshot, source)?;
        transaction.prepare_cached(
            "INSERT INTO podledger_loads (table_name, snapshot_id, revision, row_count, job_id) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (table_name, snapshot_id) DO UPDATE SET
             revision = excluded.revision, row_count = excluded.row_count, job_id = excluded.job_id",
        )?.execute((table.name(), snapshot.snapshot_id.as_str(), snapshot.revision, count, &job.id))?;
        rows = rows.checked_add(count).ok_or_else(|| anyhow!("more rows than can be counted"))?;
        written = true;
    }
    Ok(if written { LoadOutcome::Loaded(Loaded { rows }) } else { LoadOutcome::AlreadyLoaded })
}

/// Tables whose unit is the snapshot: those without a key, but for rejects, whose unit is the part.
fn is_loaded_by_snapshot(table: Table) -> bool {
    table.key().is_empty() && table != Table::RejectedRows
}

/// Whether the snapshot is there at that or a higher revision.
fn is_done(transaction: &Transaction<'_>, table: Table, snapshot: &SnapshotRows) -> Result<bool, Failure> {
    let loaded: Option<i64> = transaction
        .prepare_cached("SELECT revision FROM podledger_loads WHERE table_name = ?1 AND snapshot_id = ?2")?
        .query_row((table.name(), snapshot.snapshot_id.as_str()), |row| row.get(0))
        .optional()?;
    Ok(loaded.is_some_and(|revision| revision >= snapshot.revision))
}

/// Replaces the snapshot's rows by those of its parts; returns how many.
fn load_snapshot(
    transaction: &Transaction<'_>,
    insert: &mut Statement<'_>,
    table: Table,
    snapshot: &SnapshotRows,
    source: &PartSource,
) -> Result<i64, Failure> {
    transaction
        .prepare_cached(&format!("DELETE FROM {} WHERE snapshot_id = ?1", Dialect::Sqlite.quote(table.name())))?
        .execute([snapshot.snapshot_id.as_str()])?;
    let mut total = 0_i64;
    for SnapshotPart { object, rows } in &snapshot.parts {
        let reader = source.open(object)?;
        let count = insert_rows(insert, table, reader, Some(&snapshot.snapshot_id), &[])
            .map_err(|failure| failure.context(|| format!("object {object}")))?;
        if count != *rows {
            return Err(anyhow!("object {object}: it holds {count} rows, expected {rows}").into());
        }
        total = total.checked_add(count).ok_or_else(|| anyhow!("more rows than can be counted"))?;
    }
    Ok(total)
}

/// An `INSERT` of every column of the row schema, in order.
pub(super) fn insert_into(table: Table) -> String {
    let columns: Vec<String> = table.columns().iter().map(|column| Dialect::Sqlite.quote(&column.name)).collect();
    let marks = vec!["?"; columns.len()].join(", ");
    format!("INSERT INTO {} ({}) VALUES ({marks})", Dialect::Sqlite.quote(table.name()), columns.join(", "))
}

/// Runs the statement for every row of an Avro container file of the table's schema or of an older
/// version of it, whose missing columns are null; `after` is bound behind the columns. With a
/// snapshot given, each row must be of it. Returns the number of rows.
pub(super) fn insert_rows(
    statement: &mut Statement<'_>,
    table: Table,
    file: impl Read,
    snapshot: Option<&SnapshotId>,
    after: &[&dyn rusqlite::ToSql],
) -> Result<i64, Failure> {
    schemas::bound_avro_allocations();
    let reader = Reader::builder(file).human_readable(false).build().context("not an Avro file of rows")?;
    let places = places(table, reader.writer_schema())?;
    let columns = table.columns();
    let snapshot_place = places.iter().zip(columns).find(|(_, column)| column.name == "snapshot_id").and_then(|p| *p.0);
    let mut count = 0_i64;
    for row in reader {
        let place = |error: anyhow::Error| error.context(format!("row {count}"));
        let row = row.map_err(|error| place(anyhow::Error::new(error).context("cannot be decoded")))?;
        let Avro::Record(fields) = row else { return Err(place(anyhow!("it is not a record")).into()) };
        if let Some(snapshot) = snapshot {
            let found = snapshot_place.and_then(|place| fields.get(place)).map(|(_, value)| value);
            if !matches!(found, Some(Avro::String(id)) if id == snapshot.as_str()) {
                return Err(place(anyhow!("it is not of snapshot {snapshot}")).into());
            }
        }
        for (number, (position, column)) in places.iter().zip(columns).enumerate() {
            let value = position.and_then(|position| fields.get(position)).map_or(&Avro::Null, |(_, value)| value);
            bind(statement, number + 1, column, value).map_err(place)?;
        }
        for (number, value) in after.iter().enumerate() {
            statement.raw_bind_parameter(columns.len() + number + 1, value)?;
        }
        statement.raw_execute()?;
        count += 1;
    }
    Ok(count)
}

/// Where the file has each column; none where the version it was written with did not have it.
fn places(table: Table, written: &Schema) -> Result<Vec<Option<usize>>, Failure> {
    let expected = table.schema().name;
    let Schema::Record(record) = written else { return Err(anyhow!("it does not hold records").into()) };
    if record.name.name() != expected {
        return Err(anyhow!("it holds {} rows, expected {expected}", record.name.name()).into());
    }
    let columns = table.columns();
    if let Some(field) = record.fields.iter().find(|field| !columns.iter().any(|column| column.name == field.name)) {
        return Err(anyhow!("column {:?} is not known here: a newer version wrote it", field.name).into());
    }
    columns
        .iter()
        .map(|column| {
            let place = record.fields.iter().position(|field| field.name == column.name);
            // A condition array that was not written is an empty one in every other respect.
            match (place, column) {
                (None, Column { nullable: false, column_type, name, .. }) if *column_type != ColumnType::Conditions => {
                    Err(anyhow!("column {name:?} is missing").into())
                }
                _ => Ok(place),
            }
        })
        .collect()
}

impl Failure {
    /// The same failure, naming the place; SQLite's own already say what they are.
    fn context(self, place: impl FnOnce() -> String) -> Self {
        match self {
            Self::Invalid(error) => Self::Invalid(error.context(place())),
            other => other,
        }
    }
}
