//! What the dataset holds beside the tables of rows: which snapshots are loaded, whose turn it is to
//! write, and what was prepared. Names start with `podledger_`, as no table of rows does.

use schemas::Table;
use schemas::ddl::Dialect;

/// Loads that were done: one row per table and snapshot.
pub(super) const LOADS: &str = "podledger_loads";
/// Definitions of views as they were last written, and the version of the dataset's format.
pub(super) const PREPARED: &str = "podledger_prepared";
/// What the format's row in [`PREPARED`] is called; no view is called so.
pub(super) const FORMAT_ROW: &str = "podledger_format";

/// Tables whose rows are loaded or written: those with a turn.
pub(super) fn written_tables() -> impl Iterator<Item = Table> {
    Table::ALL.iter().copied()
}

/// Tables whose unit is the snapshot: those without a key, but for rejects, whose unit is the part.
pub(super) fn is_loaded_by_snapshot(table: Table) -> bool {
    table.key().is_empty() && table != Table::RejectedRows
}

/// The table whose one row every transaction that writes to a table updates first.
///
/// BigQuery lets transactions that only add rows pass each other, so two that both look and then add
/// could both find nothing. Of two that update one row, one is given up. It looks for such conflicts by
/// table, hence a table for each.
/// <https://cloud.google.com/bigquery/docs/transactions#transaction_concurrency>
pub(super) fn turn_of(table: Table) -> String {
    format!("podledger_turn_{table}")
}

/// A script that does all of `body` or nothing, in its turn.
pub(super) fn transaction(table: Table, body: &str) -> String {
    let turn = Dialect::BigQuery.relation_name(&turn_of(table));
    format!(
        "BEGIN TRANSACTION;\nUPDATE {turn} SET taken_at = CURRENT_TIMESTAMP() WHERE TRUE;\n{body}\nCOMMIT TRANSACTION;"
    )
}

/// Name and definition of each table of bookkeeping. Those of turns are made with their row.
pub(super) fn definitions() -> Vec<(String, String)> {
    let name = |table: &str| Dialect::BigQuery.relation_name(table);
    let turns = written_tables().map(|table| {
        let turn = turn_of(table);
        let sql = format!("CREATE TABLE IF NOT EXISTS {} AS SELECT CURRENT_TIMESTAMP() AS taken_at", name(&turn));
        (turn, sql)
    });
    let loads = format!(
        "CREATE TABLE IF NOT EXISTS {} (table_name STRING NOT NULL, snapshot_id STRING NOT NULL, \
         revision INT64 NOT NULL, row_count INT64 NOT NULL, job_id STRING NOT NULL, first_at TIMESTAMP, \
         last_at TIMESTAMP) CLUSTER BY table_name, snapshot_id",
        name(LOADS)
    );
    let prepared =
        format!("CREATE TABLE IF NOT EXISTS {} (name STRING NOT NULL, definition STRING NOT NULL)", name(PREPARED));
    [(LOADS.to_owned(), loads), (PREPARED.to_owned(), prepared)].into_iter().chain(turns).collect()
}
