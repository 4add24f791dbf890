//! Answers: questions by name with typed parameters, and the typed ones.

use std::str::FromStr;

use anyhow::{Context as _, Result, anyhow};
use gcp_bigquery_client::model::query_parameter::QueryParameter;
use schemas::ddl::{self, Dialect, QuestionSql, Relation};
use schemas::{ClusterName, Column, Json, Timestamp};
use serde_json::Value;

use super::Inner;
use super::query::Query;
use super::{cell, parameter};
use crate::ports::{Answer, Limit, PortError, PortResult, Question, RecentChange};

impl Inner {
    /// Answers a named question.
    pub(super) async fn ask(&self, question: &Question) -> PortResult<Answer> {
        match question {
            Question::Rows { name, limit } => {
                let attempted = format!("ask for rows in {}", self.shown);
                let relation = ddl::relation(Dialect::BigQuery, name).ok_or_else(|| {
                    let known: Vec<_> = Relation::names(Dialect::BigQuery).collect();
                    let reason =
                        anyhow!("{name:?} is neither a table nor a view: expected one of {}", known.join(", "));
                    PortError::never_will(&attempted, reason)
                })?;
                let sql = ddl::rows_question(Dialect::BigQuery, relation);
                let limit = parameter::number("limit", i64::try_from(*limit).unwrap_or(i64::MAX));
                self.answer(Query::reading(attempted, sql).with(vec![limit]), relation.columns()).await
            }
            Question::Episodes { open_only, cluster, since } => {
                let parameters = vec![
                    parameter::truth("open_only", *open_only),
                    parameter::text("cluster", cluster.as_ref().map(ClusterName::as_str)),
                    parameter::moment("since", *since),
                ];
                self.named("episodes", parameters).await
            }
            Question::SnapshotNotifications { snapshot_id } => {
                let snapshot = parameter::text("snapshot_id", Some(snapshot_id.as_str()));
                self.named("snapshot_notifications", vec![snapshot]).await
            }
            Question::Conservation { from, to } => {
                let period = vec![parameter::moment("from", Some(*from)), parameter::moment("to", Some(*to))];
                self.named("conservation", period).await
            }
        }
    }

    /// The limits in force.
    pub(super) async fn limits_as_of(&self, cluster: &ClusterName, at: Timestamp) -> PortResult<Vec<Limit>> {
        self.typed("limits_as_of", cluster, at, |row| {
            Ok(Limit {
                declaration_id: row.text("declaration_id")?.into(),
                namespace: row.text("namespace")?,
                deployment_name: row.text("deployment_name")?,
                cluster: row.text_if_any("cluster")?.map(ClusterName::from),
                max_replicas: row.number("max_replicas")?,
                previous_max_replicas: row.number_if_any("previous_max_replicas")?,
                initial_max_replicas: row.number("initial_max_replicas")?,
                declared_at: row.word("declared_at")?,
                updated_by: row.text("updated_by")?,
                change_reason: row.text_if_any("change_reason")?,
                api_id: row.text_if_any("api_id")?,
                team_id: row.text_if_any("team_id")?,
                user_id: row.text_if_any("user_id")?,
                source: row.json_if_any("source")?,
            })
        })
        .await
    }

    /// The newest changes.
    pub(super) async fn last_changes(&self, cluster: &ClusterName, at: Timestamp) -> PortResult<Vec<RecentChange>> {
        self.typed("last_changes", cluster, at, |row| {
            Ok(RecentChange {
                event_id: row.text("event_id")?,
                occurred_at: row.word("occurred_at")?,
                namespace: row.text("namespace")?,
                deployment_name: row.text("deployment_name")?,
                target_kind: row.text("target_kind")?,
                target_name: row.text("target_name")?,
                field: row.word("field")?,
                old_value: row.number_if_any("old_value")?,
                new_value: row.number_if_any("new_value")?,
                actor: row.text("actor")?,
                actor_kind: row.word("actor_kind")?,
                source: row.word("source")?,
                verb: row.text("verb")?,
            })
        })
        .await
    }

    /// Asks a question by its file's name.
    async fn named(&self, name: &str, parameters: Vec<QueryParameter>) -> PortResult<Answer> {
        let attempted = format!("ask for {name} in {}", self.shown);
        let file = file(name).map_err(|error| PortError::never_will(&attempted, error))?;
        self.answer(Query::reading(attempted, file.sql).with(parameters), &file.columns).await
    }

    /// Rows as JSON values.
    async fn answer(&self, query: Query, columns: &[Column]) -> PortResult<Answer> {
        let rows = self.queries.run(&query).await?;
        let rows: Result<_> = rows.into_iter().map(|row| cell::values(row, columns)).collect();
        Ok(Answer {
            columns: columns.iter().map(|column| column.name.clone()).collect(),
            rows: rows.map_err(|error| PortError::never_will(&query.attempted, error))?,
        })
    }

    /// Asks a question of one cluster and time, and reads its rows.
    async fn typed<T>(
        &self,
        name: &str,
        cluster: &ClusterName,
        at: Timestamp,
        read: impl Fn(&mut Row<'_>) -> Result<T>,
    ) -> PortResult<Vec<T>> {
        let parameters = vec![parameter::text("cluster", Some(cluster.as_str())), parameter::moment("at", Some(at))];
        let answer = self.named(name, parameters).await?;
        let read: Result<_> =
            answer.rows.into_iter().map(|values| read(&mut Row { columns: &answer.columns, values })).collect();
        read.map_err(|error| PortError::never_will(format!("ask for {name} in {}", self.shown), error))
    }
}

/// A question's file.
fn file(name: &str) -> Result<&'static QuestionSql> {
    ddl::question(Dialect::BigQuery, name).ok_or_else(|| anyhow!("no SQL file answers {name:?}"))
}

/// A row whose values are taken out by name.
struct Row<'a> {
    columns: &'a [String],
    values: Vec<Value>,
}

impl Row<'_> {
    fn take(&mut self, name: &str) -> Result<Value> {
        let place = self.columns.iter().position(|column| column == name);
        let value = place.and_then(|place| self.values.get_mut(place)).map(Value::take);
        value.ok_or_else(|| anyhow!("no column {name:?}"))
    }

    fn text_if_any(&mut self, name: &str) -> Result<Option<String>> {
        match self.take(name)? {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text)),
            _ => Err(anyhow!("column {name:?} is no text")),
        }
    }

    fn text(&mut self, name: &str) -> Result<String> {
        self.text_if_any(name)?.ok_or_else(|| anyhow!("column {name:?} is null"))
    }

    fn number_if_any(&mut self, name: &str) -> Result<Option<i64>> {
        match self.take(name)? {
            Value::Null => Ok(None),
            value => value.as_i64().map(Some).ok_or_else(|| anyhow!("column {name:?} is no whole number")),
        }
    }

    fn number(&mut self, name: &str) -> Result<i64> {
        self.number_if_any(name)?.ok_or_else(|| anyhow!("column {name:?} is null"))
    }

    fn json_if_any(&mut self, name: &str) -> Result<Option<Json>> {
        match self.take(name)? {
            Value::Null => Ok(None),
            value => Ok(Some(Json::from(value))),
        }
    }

    /// A time, or a word of a closed vocabulary.
    fn word<W>(&mut self, name: &str) -> Result<W>
    where
        W: FromStr,
        W::Err: std::error::Error + Send + Sync + 'static,
    {
        self.text(name)?.parse().with_context(|| format!("column {name:?}"))
    }
}
