//! Reads whole tables for comparison.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};
use schemas::Table;

/// A table's rows, each as text, sorted.
pub type Rows = Vec<String>;

/// Columns whose value says how a run went rather than what is true, by table.
pub fn volatile(table: Table) -> &'static [&'static str] {
    match table {
        // How often sending was tried depends on the kills.
        Table::NotificationLog => &["attempts"],
        // The broker gives message ids.
        Table::DeadLetters => &["message_id", "attributes"],
        _ => &[],
    }
}

/// Every table of an embedded warehouse, without the volatile columns.
pub fn read_all(warehouse: &Path) -> BTreeMap<&'static str, Rows> {
    let connection = Connection::open_with_flags(warehouse, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    Table::ALL.iter().map(|table| (table.name(), read(&connection, *table))).collect()
}

fn read(connection: &Connection, table: Table) -> Rows {
    let columns: Vec<String> = table
        .columns()
        .iter()
        .filter(|column| !volatile(table).contains(&column.name.as_str()))
        .map(|column| format!("\"{}\"", column.name))
        .collect();
    let mut statement = connection.prepare(&format!("SELECT {} FROM \"{table}\"", columns.join(", "))).unwrap();
    let mut rows: Rows = statement
        .query_map([], |row| {
            let cells: Vec<String> = (0..columns.len()).map(|place| row.get::<_, Value>(place).map(|value| format!("{value:?}"))).collect::<Result<_, _>>()?;
            Ok(cells.join(" | "))
        })
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    rows.sort();
    rows
}
