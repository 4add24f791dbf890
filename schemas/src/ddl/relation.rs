//! Views, and what is known of any table or view.

use std::sync::LazyLock;

use super::{Dialect, bigquery_text, quoted};
use crate::{Column, ColumnType, Table};

/// A view: one SQL file per dialect, the same name and columns in both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Its name.
    pub name: &'static str,
    /// Its file, comments included.
    pub sql: &'static str,
    /// Its columns, as the file's head declares them.
    pub columns: Vec<Column>,
}

/// A table or view that can be asked for its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// A table.
    Table(Table),
    /// A view.
    View(&'static View),
}

macro_rules! view_files {
    ($($name:literal,)+) => {
        const SQLITE: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../sql/sqlite/views/", $name, ".sql"))),)+];
        const BIGQUERY: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../sql/bigquery/views/", $name, ".sql"))),)+];
    };
}

// In the order of creation: a view comes after those it reads.
view_files! {
    "declaration_contents",
    "deployment_config",
    "declaration_periods",
    "workload_observations",
    "deployment_metrics",
    "pod_metrics",
    "user_replicas_limits",
    "user_pod_usage",
    "resource_replicas",
    "compliance_now",
    "billing_evidence",
    "billing_monthly",
}

/// The views of a dialect, in the order in which they can be created.
pub fn views(dialect: Dialect) -> &'static [View] {
    static SQLITE_VIEWS: LazyLock<Vec<View>> = LazyLock::new(|| read(SQLITE));
    static BIGQUERY_VIEWS: LazyLock<Vec<View>> = LazyLock::new(|| read(BIGQUERY));
    match dialect {
        Dialect::Sqlite => &SQLITE_VIEWS,
        Dialect::BigQuery => &BIGQUERY_VIEWS,
    }
}

/// Statements that create a view anew, whatever its definition was.
pub fn view_statements(dialect: Dialect, view: &View) -> Vec<String> {
    let name = dialect.relation_name(view.name);
    match dialect {
        Dialect::Sqlite => vec![
            format!("DROP VIEW IF EXISTS {name}"),
            format!(
                "CREATE VIEW {name} ({}) AS\n{}",
                quoted(dialect, view.columns.iter().map(|column| column.name.as_str())),
                view.sql
            ),
        ],
        Dialect::BigQuery => {
            let columns: Vec<String> = view
                .columns
                .iter()
                .map(|column| {
                    format!("  {} OPTIONS(description={})", dialect.quote(&column.name), bigquery_text(&column.doc))
                })
                .collect();
            vec![format!("CREATE OR REPLACE VIEW {name} (\n{}\n) AS\n{}", columns.join(",\n"), view.sql)]
        }
    }
}

/// The table or view of that name.
pub fn relation(dialect: Dialect, name: &str) -> Option<Relation> {
    Table::from_name(name)
        .map(Relation::Table)
        .or_else(|| views(dialect).iter().find(|view| view.name == name).map(Relation::View))
}

impl Relation {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Table(table) => table.name(),
            Self::View(view) => view.name,
        }
    }

    /// Its columns, without bookkeeping.
    pub fn columns(self) -> &'static [Column] {
        match self {
            Self::Table(table) => table.columns(),
            Self::View(view) => &view.columns,
        }
    }

    /// Names of every table and view.
    pub fn names(dialect: Dialect) -> impl Iterator<Item = &'static str> {
        Table::ALL.iter().map(|table| table.name()).chain(views(dialect).iter().map(|view| view.name))
    }
}

/// Parses the heads of files.
fn read(files: &'static [(&'static str, &'static str)]) -> Vec<View> {
    files.iter().map(|(name, sql)| View { name, sql, columns: declared_columns(sql) }).collect()
}

/// Columns a file's head declares, one a line: `-- column NAME TYPE: meaning`. A line that says
/// nothing understandable gives no column; the tests compare with what SQLite finds.
pub(super) fn declared_columns(sql: &str) -> Vec<Column> {
    sql.lines()
        .filter_map(|line| {
            let (head, doc) = line.strip_prefix("-- column ")?.split_once(": ")?;
            let (name, type_name) = head.split_once(' ')?;
            Some(Column {
                name: name.to_owned(),
                column_type: declared_type(type_name)?,
                nullable: true,
                doc: doc.to_owned(),
            })
        })
        .collect()
}

/// The type a head's word stands for. A DATE is text, `yyyy-mm-dd`, in every answer.
fn declared_type(word: &str) -> Option<ColumnType> {
    match word {
        "STRING" | "DATE" => Some(ColumnType::String),
        "INT64" => Some(ColumnType::Int64),
        "BOOL" => Some(ColumnType::Bool),
        "TIMESTAMP" => Some(ColumnType::Timestamp),
        "JSON" => Some(ColumnType::Json),
        _ => None,
    }
}
