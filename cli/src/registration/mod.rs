//! Registering declarations: which are new, which say what is in force already.

pub mod files;
mod git;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result};
use platform::ports::{Broker, Question, Warehouse};
use schemas::{LimitDeclaration, Timestamp};
use serde_json::Value;

pub use git::{LastCommit, last_commit};

/// Most rows of the history that are read.
const HISTORY_ROWS: u64 = 1_000_000;

/// What makes two declarations of one workload the same: everything but who, when and why.
const CONTENT: [&str; 10] = [
    "max_replicas",
    "image",
    "resources_limits",
    "resources_requests",
    "environment",
    "volumes",
    "api_id",
    "team_id",
    "user_id",
    "status",
];

/// A declaration and the file it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Declared {
    /// The file.
    pub file: PathBuf,
    /// The declaration.
    pub declaration: LimitDeclaration,
}

/// What registering a set of declarations changes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// New or changed ones, with the limit in force before.
    pub changes: Vec<(Declared, Option<i64>)>,
    /// Those that say what is in force already.
    pub unchanged: Vec<Declared>,
}

/// Workload and scope of a declaration.
type Scope = (String, String, Option<String>);

/// One row of the history, by column.
type HistoryRow = serde_json::Map<String, Value>;

/// The history of declarations by scope: times and rows, in order.
pub struct History(BTreeMap<Scope, Vec<(Timestamp, HistoryRow)>>);

impl History {
    /// Reads the history.
    pub async fn read(warehouse: &dyn Warehouse) -> Result<Self> {
        let question = Question::Rows { name: "deployment_config".into(), limit: HISTORY_ROWS };
        let answer = warehouse.ask(&question).await.context("cannot read the declarations in force")?;
        let mut history: BTreeMap<Scope, Vec<_>> = BTreeMap::new();
        for row in answer.rows {
            let row: serde_json::Map<_, _> = answer.columns.iter().cloned().zip(row).collect();
            let text = |column: &str| row.get(column).and_then(Value::as_str).map(str::to_owned);
            let scope = (
                text("namespace").context("deployment_config: a row without namespace")?,
                text("deployment_name").context("deployment_config: a row without deployment_name")?,
                text("cluster"),
            );
            let time = text("timestamp").context("deployment_config: a row without timestamp")?.parse()?;
            history.entry(scope).or_default().push((time, row));
        }
        for rows in history.values_mut() {
            rows.sort_by_key(|(time, _)| *time);
        }
        Ok(Self(history))
    }

    /// Compares declarations with what is in force at their own times.
    pub fn plan(&self, declared: Vec<Declared>) -> Result<Plan> {
        let mut plan = Plan::default();
        for one in declared {
            let new = serde_json::to_value(&one.declaration)?;
            let declaration = &one.declaration;
            let scope = (
                declaration.namespace.clone(),
                declaration.deployment_name.clone(),
                declaration.cluster.as_ref().map(ToString::to_string),
            );
            let in_force = self
                .0
                .get(&scope)
                .and_then(|rows| rows.iter().rev().find(|(time, _)| *time <= declaration.timestamp))
                .map(|(_, row)| row);
            let same = in_force.is_some_and(|row| {
                CONTENT.iter().all(|column| row.get(*column).unwrap_or(&Value::Null) == &new[*column])
            });
            if same {
                plan.unchanged.push(one);
            } else {
                let before = in_force.and_then(|row| row.get("max_replicas")).and_then(Value::as_i64);
                plan.changes.push((one, before));
            }
        }
        Ok(plan)
    }
}

/// Publishes the changes of a plan.
pub async fn publish(broker: &dyn Broker, plan: &Plan) -> Result<()> {
    let messages: Vec<_> = plan.changes.iter().map(|(declared, _)| declared.declaration.clone()).collect();
    broker.publish_messages(&messages).await.context("cannot publish the declarations")?;
    Ok(())
}
