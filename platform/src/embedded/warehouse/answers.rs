//! Answers: questions by name with bound parameters, and the typed ones.

use anyhow::{Context as _, anyhow};
use rusqlite::types::ToSql;
use rusqlite::{Connection, Row};
use schemas::ddl::{self, Dialect, QuestionSql, Relation};
use schemas::{ClusterName, Column, Json, Timestamp};

use super::failure::Failure;
use super::value::to_json;
use crate::ports::{Answer, Limit, Question, RecentChange};

/// Parameters of a question, by name.
type Parameters<'a> = &'a [(&'a str, &'a dyn ToSql)];

/// Answers a named question.
pub(super) fn ask(connection: &Connection, question: &Question) -> Result<Answer, Failure> {
    match question {
        Question::Rows { name, limit } => {
            let relation = ddl::relation(Dialect::Sqlite, name).ok_or_else(|| {
                let known: Vec<_> = Relation::names(Dialect::Sqlite).collect();
                anyhow!("{name:?} is neither a table nor a view: expected one of {}", known.join(", "))
            })?;
            let sql = ddl::rows_question(Dialect::Sqlite, relation);
            answer(connection, &sql, relation.columns(), &[("@limit", &rows_wanted(*limit))])
        }
        Question::Episodes { open_only, cluster, since } => named(
            connection,
            "episodes",
            &[
                ("@open_only", open_only),
                ("@cluster", &cluster.as_ref().map(ClusterName::as_str)),
                ("@since", &since.map(Timestamp::micros)),
            ],
        ),
        Question::SnapshotNotifications { snapshot_id } => {
            named(connection, "snapshot_notifications", &[("@snapshot_id", &snapshot_id.as_str())])
        }
        Question::Conservation { from, to } => {
            named(connection, "conservation", &[("@from", &from.micros()), ("@to", &to.micros())])
        }
    }
}

/// The limits in force.
pub(super) fn limits_as_of(
    connection: &Connection,
    cluster: &ClusterName,
    at: Timestamp,
) -> Result<Vec<Limit>, Failure> {
    typed(connection, "limits_as_of", cluster, at, |row| {
        Ok(Limit {
            declaration_id: row.get::<_, String>("declaration_id")?.into(),
            namespace: row.get("namespace")?,
            deployment_name: row.get("deployment_name")?,
            cluster: row.get::<_, Option<String>>("cluster")?.map(ClusterName::from),
            max_replicas: row.get("max_replicas")?,
            previous_max_replicas: row.get("previous_max_replicas")?,
            initial_max_replicas: row.get("initial_max_replicas")?,
            declared_at: Timestamp::from_micros(row.get("declared_at")?),
            updated_by: row.get("updated_by")?,
            change_reason: row.get("change_reason")?,
            api_id: row.get("api_id")?,
            team_id: row.get("team_id")?,
            user_id: row.get("user_id")?,
            source: row
                .get::<_, Option<String>>("source")?
                .map(|text| Json::parse(&text).context("column \"source\" is not JSON"))
                .transpose()?,
        })
    })
}

/// The newest changes.
pub(super) fn last_changes(
    connection: &Connection,
    cluster: &ClusterName,
    at: Timestamp,
) -> Result<Vec<RecentChange>, Failure> {
    typed(connection, "last_changes", cluster, at, |row| {
        Ok(RecentChange {
            event_id: row.get("event_id")?,
            occurred_at: Timestamp::from_micros(row.get("occurred_at")?),
            namespace: row.get("namespace")?,
            deployment_name: row.get("deployment_name")?,
            target_kind: row.get("target_kind")?,
            target_name: row.get("target_name")?,
            field: word(row, "field")?,
            old_value: row.get("old_value")?,
            new_value: row.get("new_value")?,
            actor: row.get("actor")?,
            actor_kind: word(row, "actor_kind")?,
            source: word(row, "source")?,
            verb: row.get("verb")?,
        })
    })
}

/// A word of a closed vocabulary.
fn word<W>(row: &Row<'_>, column: &str) -> Result<W, Failure>
where
    W: std::str::FromStr<Err = schemas::UnknownWord>,
{
    let text: String = row.get(column)?;
    Ok(text.parse().with_context(|| format!("column {column:?}"))?)
}

/// Asks a question of one cluster and time, and reads its rows.
fn typed<T>(
    connection: &Connection,
    name: &str,
    cluster: &ClusterName,
    at: Timestamp,
    read: impl Fn(&Row<'_>) -> Result<T, Failure>,
) -> Result<Vec<T>, Failure> {
    let mut statement = connection.prepare_cached(file(name)?.sql)?;
    let parameters: Parameters<'_> = &[("@cluster", &cluster.as_str()), ("@at", &at.micros())];
    let mut rows = statement.query(parameters)?;
    let mut answers = Vec::new();
    while let Some(row) = rows.next()? {
        answers.push(read(row)?);
    }
    Ok(answers)
}

/// Asks a question by its file's name.
fn named(connection: &Connection, name: &str, parameters: Parameters<'_>) -> Result<Answer, Failure> {
    let question = file(name)?;
    answer(connection, question.sql, &question.columns, parameters)
}

/// A question's file.
fn file(name: &str) -> Result<&'static QuestionSql, Failure> {
    Ok(ddl::question(Dialect::Sqlite, name).ok_or_else(|| anyhow!("no SQL file answers {name:?}"))?)
}

/// Rows as JSON values.
fn answer(
    connection: &Connection,
    sql: &str,
    columns: &[Column],
    parameters: Parameters<'_>,
) -> Result<Answer, Failure> {
    let mut statement = connection.prepare_cached(sql)?;
    if statement.column_count() != columns.len() {
        return Err(anyhow!("{} columns declared, {} answered", columns.len(), statement.column_count()).into());
    }
    let mut answer = Answer { columns: columns.iter().map(|column| column.name.clone()).collect(), rows: Vec::new() };
    let mut rows = statement.query(parameters)?;
    while let Some(row) = rows.next()? {
        let values = columns
            .iter()
            .enumerate()
            .map(|(position, column)| Ok(to_json(row.get_ref(position)?, column)?))
            .collect::<Result<_, Failure>>()?;
        answer.rows.push(values);
    }
    Ok(answer)
}

/// A bound on rows as SQLite takes it.
fn rows_wanted(limit: u64) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
