//! Rows under a key, and rejects by part.

use anyhow::anyhow;
use rusqlite::Transaction;
use schemas::ddl::{Dialect, PART_COLUMN};
use schemas::{SnapshotId, Table};

use super::failure::Failure;
use super::load::{insert_into, insert_rows};

/// Writes rows under the table's key.
pub(super) fn upsert(transaction: &Transaction<'_>, table: Table, rows: &[u8]) -> Result<(), Failure> {
    if table.key().is_empty() {
        return Err(anyhow!("table {table} has no key to upsert under").into());
    }
    let mut statement = transaction.prepare(&upsert_into(table))?;
    insert_rows(&mut statement, table, rows, None, &[])?;
    Ok(())
}

/// An upsert that does not depend on the order of calls: of two versions of a row the newer one
/// stays, and of two equally new ones the one whose content compares higher.
fn upsert_into(table: Table) -> String {
    let dialect = Dialect::Sqlite;
    let name = dialect.quote(table.name());
    let keys: Vec<String> = table.key().iter().map(|column| dialect.quote(column)).collect();
    let others: Vec<String> = table
        .columns()
        .iter()
        .filter(|column| !table.key().contains(&column.name))
        .map(|column| dialect.quote(&column.name))
        .collect();
    let assignments: Vec<String> = others.iter().map(|column| format!("{column} = excluded.{column}")).collect();
    let newer = dialect.quote(version_column(table));
    format!(
        "{} ON CONFLICT ({}) DO UPDATE SET {}\nWHERE excluded.{newer} > {name}.{newer} \
         OR (excluded.{newer} = {name}.{newer} AND ({}) > ({}))",
        insert_into(table),
        keys.join(", "),
        assignments.join(", "),
        content("excluded", &others),
        content(&name, &others),
    )
}

/// All columns as one comparable text. Hex keeps NUL and tells null from text.
fn content(row: &str, columns: &[String]) -> String {
    columns.iter().map(|column| format!("ifnull(hex({row}.{column}), '-')")).collect::<Vec<_>>().join(" || ',' || ")
}

/// The column that tells a newer version of a row from an older one.
fn version_column(table: Table) -> &'static str {
    match table {
        Table::LimitDeclarations => "updated_at",
        Table::PipelineLedger => "finished_at",
        other => other.time_column(),
    }
}

/// Replaces the rejected rows of one part.
pub(super) fn put_rejects(
    transaction: &Transaction<'_>,
    snapshot: &SnapshotId,
    kind: &str,
    part: i64,
    rows: &[u8],
) -> Result<(), Failure> {
    let table = Table::RejectedRows;
    let dialect = Dialect::Sqlite;
    let (name, part_column) = (dialect.quote(table.name()), dialect.quote(PART_COLUMN));
    transaction
        .prepare_cached(&format!("DELETE FROM {name} WHERE snapshot_id = ?1 AND kind = ?2 AND {part_column} = ?3"))?
        .execute((snapshot.as_str(), kind, part))?;
    let columns: Vec<String> = table.columns().iter().map(|column| dialect.quote(&column.name)).collect();
    let marks = vec!["?"; columns.len() + 1].join(", ");
    let mut insert =
        transaction.prepare(&format!("INSERT INTO {name} ({}, {part_column}) VALUES ({marks})", columns.join(", ")))?;
    insert_rows(&mut insert, table, rows, Some(snapshot), &[&part])?;
    Ok(())
}
