//! DDL derived from the row schemas, for both warehouses.
//!
//! Tables come from [`Table::columns`]; views and questions from one SQL file each below
//! `schemas/sql/<dialect>`, whose head declares the columns. Identifiers are always quoted (`table`
//! is a column). BigQuery text names its dataset by the placeholder [`DATASET`], which
//! [`in_dataset`] fills in.
//!
//! In SQLite a TIMESTAMP is an INTEGER of microseconds since the epoch in UTC, in tables and in
//! views alike; JSON and conditions are TEXT, Bool is INTEGER 0 or 1, BYTES is BLOB.

mod question;
mod relation;
#[cfg(test)]
mod tests;

pub use question::{QuestionSql, question, questions, rows_question};
pub use relation::{Relation, View, relation, view_statements, views};

use crate::{Column, ColumnType, Table};

/// A warehouse's SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// SQLite, STRICT tables.
    Sqlite,
    /// BigQuery, `GoogleSQL`.
    BigQuery,
}

/// Stands for the dataset in BigQuery text.
pub const DATASET: &str = "{dataset}";

/// A column that no row schema has: which part of a snapshot a rejected row came with, since
/// `rejected_rows` has no key and the part is what is replaced.
pub const PART_COLUMN: &str = "podledger_part";

/// Columns BigQuery clusters by at most.
const MAX_CLUSTERING: usize = 4;

impl Dialect {
    /// Both.
    pub const ALL: &'static [Self] = &[Self::Sqlite, Self::BigQuery];

    /// Its name, as folders and options write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::BigQuery => "bigquery",
        }
    }

    /// The dialect of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|dialect| dialect.name() == name)
    }

    /// A quoted identifier. Names come from schemas, never from outside; quotes in them are
    /// doubled or escaped all the same.
    pub fn quote(self, name: &str) -> String {
        match self {
            Self::Sqlite => format!("\"{}\"", name.replace('"', "\"\"")),
            Self::BigQuery => format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`")),
        }
    }

    /// A table or view as statements name it.
    pub fn relation_name(self, name: &str) -> String {
        match self {
            Self::Sqlite => self.quote(name),
            Self::BigQuery => format!("{DATASET}.{}", self.quote(name)),
        }
    }

    /// A column's type.
    pub const fn type_name(self, column_type: ColumnType) -> &'static str {
        match (self, column_type) {
            (Self::Sqlite, ColumnType::String | ColumnType::Json | ColumnType::Conditions) => "TEXT",
            (Self::Sqlite, ColumnType::Int64 | ColumnType::Bool | ColumnType::Timestamp) => "INTEGER",
            (Self::Sqlite, ColumnType::Bytes) => "BLOB",
            (Self::BigQuery, ColumnType::String) => "STRING",
            (Self::BigQuery, ColumnType::Json) => "JSON",
            (Self::BigQuery, ColumnType::Int64) => "INT64",
            (Self::BigQuery, ColumnType::Bool) => "BOOL",
            (Self::BigQuery, ColumnType::Timestamp) => "TIMESTAMP",
            (Self::BigQuery, ColumnType::Bytes) => "BYTES",
            (Self::BigQuery, ColumnType::Conditions) => {
                "ARRAY<STRUCT<type STRING, status STRING, reason STRING, message STRING, lastTransitionTime TIMESTAMP>>"
            }
        }
    }
}

impl std::fmt::Display for Dialect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// A dataset's name that cannot stand in a statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is not a dataset: expected DATASET or PROJECT.DATASET of letters, digits, '-' and '_'")]
pub struct InvalidDataset {
    /// The name as written.
    pub name: String,
}

/// BigQuery text for one dataset: `DATASET` or `PROJECT.DATASET`.
pub fn in_dataset(sql: &str, dataset: &str) -> Result<String, InvalidDataset> {
    let plain = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
    };
    if dataset.len() > 1_024 || dataset.split('.').count() > 2 || !dataset.split('.').all(plain) {
        return Err(InvalidDataset { name: dataset.chars().take(64).collect() });
    }
    Ok(sql.replace(DATASET, &format!("`{dataset}`")))
}

/// Statements that create a table and its indexes where they are missing.
pub fn create_table(dialect: Dialect, table: Table) -> Vec<String> {
    match dialect {
        Dialect::Sqlite => sqlite_table(table),
        Dialect::BigQuery => vec![bigquery_table(table)],
    }
}

/// Every column of a table as the warehouse holds it: the row schema's, then bookkeeping.
pub fn stored_columns(table: Table) -> Vec<Column> {
    let mut columns = table.columns().to_vec();
    if table == Table::RejectedRows {
        columns.push(Column {
            name: PART_COLUMN.to_owned(),
            column_type: ColumnType::Int64,
            nullable: true,
            doc: "Part of the snapshot's kind the row came with: the unit in which rejects are replaced.".to_owned(),
        });
    }
    columns
}

/// Statements that add what a table lacks, given the names of the columns it has. An added column
/// may be null whatever its schema says: the rows that are there have no value for it.
pub fn add_missing_columns(dialect: Dialect, table: Table, existing: &[String]) -> Vec<String> {
    stored_columns(table)
        .iter()
        .filter(|column| !existing.iter().any(|name| name.eq_ignore_ascii_case(&column.name)))
        .map(|column| {
            let name = dialect.relation_name(table.name());
            let (quoted, type_name) = (dialect.quote(&column.name), dialect.type_name(column.column_type));
            match dialect {
                Dialect::Sqlite => format!("ALTER TABLE {name} ADD COLUMN {quoted} {type_name}"),
                Dialect::BigQuery => format!(
                    "ALTER TABLE {name} ADD COLUMN IF NOT EXISTS {quoted} {type_name} OPTIONS(description={})",
                    bigquery_text(&column.doc)
                ),
            }
        })
        .collect()
}

/// SQLite: a STRICT table with its key, and the indexes that loads, questions and views use.
fn sqlite_table(table: Table) -> Vec<String> {
    let dialect = Dialect::Sqlite;
    let mut lines: Vec<String> = stored_columns(table)
        .iter()
        .map(|column| {
            let null = if column.nullable { "" } else { " NOT NULL" };
            format!("  {} {}{null}", dialect.quote(&column.name), dialect.type_name(column.column_type))
        })
        .collect();
    if !table.key().is_empty() {
        lines.push(format!("  PRIMARY KEY ({})", quoted(dialect, table.key().iter().map(String::as_str))));
    }
    let name = dialect.relation_name(table.name());
    let mut statements = vec![format!("CREATE TABLE IF NOT EXISTS {name} (\n{}\n) STRICT", lines.join(",\n"))];
    for (number, columns) in indexes(table).iter().enumerate() {
        let index = dialect.quote(&format!("{table}_by_{}", number + 1));
        let columns = quoted(dialect, columns.iter().copied());
        statements.push(format!("CREATE INDEX IF NOT EXISTS {index} ON {name} ({columns})"));
    }
    statements
}

/// BigQuery: partitioned by the day of the time column, clustered as the schema says.
fn bigquery_table(table: Table) -> String {
    let dialect = Dialect::BigQuery;
    let lines: Vec<String> = stored_columns(table)
        .iter()
        .map(|column| {
            // An array is never null in BigQuery, and NOT NULL is refused on it.
            let nullable = column.nullable || column.column_type == ColumnType::Conditions;
            format!(
                "  {} {}{} OPTIONS(description={})",
                dialect.quote(&column.name),
                dialect.type_name(column.column_type),
                if nullable { "" } else { " NOT NULL" },
                bigquery_text(&column.doc)
            )
        })
        .collect();
    format!(
        "CREATE TABLE IF NOT EXISTS {} (\n{}\n)\nPARTITION BY DATE({})\nCLUSTER BY {}",
        dialect.relation_name(table.name()),
        lines.join(",\n"),
        dialect.quote(table.time_column()),
        quoted(dialect, table.cluster_by().iter().take(MAX_CLUSTERING).map(String::as_str)),
    )
}

/// Names, quoted and joined.
fn quoted<'a>(dialect: Dialect, names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| dialect.quote(name)).collect::<Vec<_>>().join(", ")
}

/// Text as a BigQuery string literal.
fn bigquery_text(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => literal.extend(['\\', letter]),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            other => literal.push(other),
        }
    }
    literal.push('"');
    literal
}

/// SQLite indexes beside the key: by snapshot where snapshots are replaced and counted, by
/// workload and time where history is asked for.
const fn indexes(table: Table) -> &'static [&'static [&'static str]] {
    match table {
        Table::HpaData => &[&["snapshot_id", "namespace", "scale_target_name"], &["cluster", "observed_at"]],
        Table::GkeDeployments => &[&["snapshot_id", "namespace", "name"], &["cluster", "observed_at"]],
        Table::GkePods
        | Table::GkeNodes
        | Table::GkeClusters
        | Table::GkePodUsage
        | Table::FirestoreDocuments
        | Table::FirestoreApis
        | Table::FirestoreCapextchannels
        | Table::FirestoreBackendservices
        | Table::RejectedRows => &[&["snapshot_id"], &["cluster", "observed_at"]],
        Table::LimitDeclarations => &[&["namespace", "deployment_name", "cluster", "timestamp", "declaration_id"]],
        Table::ReplicaChanges => &[&["cluster", "namespace", "deployment_name", "occurred_at"]],
        Table::AlertLog => &[&["episode_id", "timestamp"], &["snapshot_id"], &["cluster", "timestamp"]],
        Table::NotificationLog => &[&["event_id"]],
        Table::DeadLetters => &[&["received_at"]],
        Table::PipelineLedger => &[&["snapshot_id"], &["started_at"]],
    }
}
