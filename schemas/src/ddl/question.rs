//! Named questions: one SQL file per dialect, parameters bound as `@name`.

use std::sync::LazyLock;

use super::relation::declared_columns;
use super::{Dialect, Relation};
use crate::{Column, ColumnType};

/// A question's SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuestionSql {
    /// Its name.
    pub name: &'static str,
    /// Its text; parameters are `@name`, and a parameter that is not given is null.
    pub sql: &'static str,
    /// The answer's columns.
    pub columns: Vec<Column>,
}

macro_rules! question_files {
    ($($name:literal,)+) => {
        const SQLITE: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../sql/sqlite/questions/", $name, ".sql"))),)+];
        const BIGQUERY: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../sql/bigquery/questions/", $name, ".sql"))),)+];
    };
}

question_files! {
    "limits_as_of",
    "last_changes",
    "episodes",
    "snapshot_notifications",
    "conservation",
}

/// The questions of a dialect.
pub fn questions(dialect: Dialect) -> &'static [QuestionSql] {
    static SQLITE_QUESTIONS: LazyLock<Vec<QuestionSql>> = LazyLock::new(|| read(SQLITE));
    static BIGQUERY_QUESTIONS: LazyLock<Vec<QuestionSql>> = LazyLock::new(|| read(BIGQUERY));
    match dialect {
        Dialect::Sqlite => &SQLITE_QUESTIONS,
        Dialect::BigQuery => &BIGQUERY_QUESTIONS,
    }
}

/// The question of that name.
pub fn question(dialect: Dialect, name: &str) -> Option<&'static QuestionSql> {
    questions(dialect).iter().find(|question| question.name == name)
}

/// The rows of a table or view, ordered by all its columns; `@limit` rows at most.
pub fn rows_question(dialect: Dialect, relation: Relation) -> String {
    let columns = relation.columns();
    let names: Vec<String> = columns.iter().map(|column| dialect.quote(&column.name)).collect();
    let order: Vec<String> = columns
        .iter()
        .zip(&names)
        .map(|(column, name)| match (dialect, column.column_type) {
            // BigQuery orders neither JSON nor arrays.
            (Dialect::BigQuery, ColumnType::Json | ColumnType::Conditions) => format!("TO_JSON_STRING({name})"),
            _ => name.clone(),
        })
        .collect();
    format!(
        "SELECT {}\nFROM {}\nORDER BY {}\nLIMIT @limit",
        names.join(", "),
        dialect.relation_name(relation.name()),
        order.join(", ")
    )
}

/// Parses the heads of files.
fn read(files: &'static [(&'static str, &'static str)]) -> Vec<QuestionSql> {
    files.iter().map(|(name, sql)| QuestionSql { name, sql, columns: declared_columns(sql) }).collect()
}
