//! The file: connections, its format's version, and what it must contain.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::anyhow;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use schemas::ddl::{Dialect, add_missing_columns, create_table, view_statements, views};
use schemas::{IdBuilder, Table};
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use super::failure::Failure;
use crate::ports::{PortError, PortResult};

/// Version of the file's format. It rises when an older version could no longer use the file;
/// added columns, tables and views do not raise it.
pub const FORMAT: i64 = 1;

/// Marks the file as ours in SQLite's header: `podw`.
const APPLICATION_ID: i64 = 0x706f_6477;

/// Longest wait for another process's write transaction. A load of a large cluster takes seconds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// Reads that run at once in one process; more wait.
const MAX_READERS: usize = 4;

/// Page cache of the writer, in KiB: the hot pages of a load's indexes.
const WRITER_CACHE_KIB: i64 = 64 * 1024;

/// Prepared statements a connection keeps.
const STATEMENTS_KEPT: usize = 64;

/// What the file holds besides tables and views: the loads that were done, and what it was
/// prepared for.
const BOOKKEEPING: &str = r#"
CREATE TABLE IF NOT EXISTS "podledger_loads" (
  "table_name" TEXT NOT NULL, "snapshot_id" TEXT NOT NULL, "revision" INTEGER NOT NULL, "row_count" INTEGER NOT NULL,
  "job_id" TEXT NOT NULL, PRIMARY KEY ("table_name", "snapshot_id")
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS "podledger_prepared" (
  "one" INTEGER PRIMARY KEY CHECK ("one" = 1), "definitions" TEXT NOT NULL
) STRICT;
"#;

/// An opened file.
pub(super) struct Store {
    path: PathBuf,
    /// Held by one writer at a time; waiting for it holds no thread.
    writer: Arc<tokio::sync::Mutex<Connection>>,
    /// Connections that are not in use.
    readers: Mutex<Vec<Connection>>,
    reading: Arc<Semaphore>,
}

impl Store {
    pub(super) fn open(path: &Path) -> PortResult<Self> {
        let attempted = || format!("open warehouse {}", path.display());
        let writer = open_writer(path).map_err(|failure| failure.into_port_error(attempted()))?;
        Ok(Self {
            path: path.to_owned(),
            writer: Arc::new(tokio::sync::Mutex::new(writer)),
            readers: Mutex::new(Vec::new()),
            reading: Arc::new(Semaphore::new(MAX_READERS)),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The writer, once it is free.
    pub(super) async fn writing(&self) -> OwnedMutexGuard<Connection> {
        Arc::clone(&self.writer).lock_owned().await
    }

    /// Leave to read, once few enough others do.
    pub(super) async fn reading(&self) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed; a closed one would only lift the bound.
        Arc::clone(&self.reading).acquire_owned().await.ok()
    }

    /// A connection for reading: one at hand, or a new one.
    pub(super) fn reader(&self) -> Result<Connection, Failure> {
        let kept = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match kept {
            Some(connection) => Ok(connection),
            None => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                let connection = Connection::open_with_flags(&self.path, flags)?;
                connection.busy_timeout(BUSY_TIMEOUT)?;
                connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
                Ok(connection)
            }
        }
    }

    /// Keeps a connection for the next reader.
    pub(super) fn give_back(&self, connection: Connection) {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }
}

/// Opens the writer connection and brings the file up to date.
fn open_writer(path: &Path) -> Result<Connection, Failure> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    check_format(&connection, path)?;
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    if !mode.eq_ignore_ascii_case("wal") {
        let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
        if !mode.eq_ignore_ascii_case("wal") {
            return Err(anyhow!("the file system of {} does not support write-ahead logging", path.display()).into());
        }
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    prepare(&mut connection, path)?;
    Ok(connection)
}

/// Refuses a file of a newer version or of something else. An empty file is a new one.
fn check_format(connection: &Connection, path: &Path) -> Result<(), Failure> {
    let number = |pragma: &str| connection.query_row(pragma, [], |row| row.get::<_, i64>(0));
    let (application, format) = (number("PRAGMA application_id")?, number("PRAGMA user_version")?);
    let tables: i64 = connection.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let new = application == 0 && format == 0 && tables == 0;
    let attempted = || format!("open warehouse {}", path.display());
    if !new && application != APPLICATION_ID {
        let reason = anyhow!("it is an SQLite file of something else, not a warehouse");
        return Err(PortError::never_will(attempted(), reason).into());
    }
    if format > FORMAT {
        let reason = anyhow!("it has format {format}, this version of podledger reads up to format {FORMAT}: upgrade");
        return Err(PortError::never_will(attempted(), reason).into());
    }
    Ok(())
}

/// Creates missing tables, columns and indexes and the current views; nothing is dropped but views.
/// A file that was prepared for the same definitions is only read.
pub(super) fn prepare(connection: &mut Connection, path: &Path) -> Result<(), Failure> {
    check_format(connection, path)?;
    let definitions = definitions();
    if prepared_for(connection)?.as_deref() == Some(definitions.as_str()) {
        return Ok(());
    }
    in_transaction(connection, |transaction| {
        // Another process may have been faster, or newer.
        check_format(transaction, path)?;
        transaction.execute_batch(BOOKKEEPING)?;
        // Views first: a column cannot be added to a table while a view on it is out of date.
        for view in views(Dialect::Sqlite).iter().rev() {
            transaction.execute_batch(&format!("DROP VIEW IF EXISTS {}", Dialect::Sqlite.quote(view.name)))?;
        }
        for table in Table::ALL {
            // An index may need a column that a table of an older version lacks: table, columns, indexes.
            let mut statements = create_table(Dialect::Sqlite, *table).into_iter();
            for create in statements.by_ref().take(1) {
                transaction.execute_batch(&create)?;
            }
            for add in add_missing_columns(Dialect::Sqlite, *table, &existing_columns(transaction, *table)?) {
                transaction.execute_batch(&add)?;
            }
            for index in statements {
                transaction.execute_batch(&index)?;
            }
        }
        for statement in views(Dialect::Sqlite).iter().flat_map(|view| view_statements(Dialect::Sqlite, view)) {
            transaction.execute_batch(&statement)?;
        }
        transaction.execute(
            "INSERT INTO podledger_prepared (one, definitions) VALUES (1, ?1)
             ON CONFLICT (one) DO UPDATE SET definitions = excluded.definitions",
            [&definitions],
        )?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", FORMAT)?;
        Ok(())
    })
}

/// Runs work in one write transaction: all of it or nothing.
pub(super) fn in_transaction<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // An error drops the transaction, which rolls it back.
    let outcome = work(&transaction)?;
    transaction.commit().map_err(Failure::Commit)?;
    Ok(outcome)
}

/// Hash of everything `prepare` would create.
fn definitions() -> String {
    let tables = Table::ALL.iter().flat_map(|table| create_table(Dialect::Sqlite, *table));
    let views = views(Dialect::Sqlite).iter().flat_map(|view| view_statements(Dialect::Sqlite, view));
    std::iter::once(BOOKKEEPING.to_owned())
        .chain(tables)
        .chain(views)
        .fold(IdBuilder::new("warehouse-definitions"), |id, statement| id.part("statement", statement))
        .finish()
}

/// What the file was last prepared for; nothing for a new one.
fn prepared_for(connection: &Connection) -> Result<Option<String>, Failure> {
    let known: i64 = connection.query_row(
        "SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = 'podledger_prepared'",
        [],
        |row| row.get(0),
    )?;
    if known == 0 {
        return Ok(None);
    }
    Ok(connection.query_row("SELECT MAX(definitions) FROM podledger_prepared", [], |row| row.get(0))?)
}

/// Names of the columns a table has.
fn existing_columns(connection: &Connection, table: Table) -> Result<Vec<String>, Failure> {
    let mut statement = connection.prepare("SELECT name FROM pragma_table_info(?1)")?;
    let names = statement.query_map([table.name()], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(names)
}
