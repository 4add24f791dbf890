//! What the dataset lacks, and creating it. Nothing is ever dropped or narrowed.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{anyhow, bail, ensure};
use gcp_bigquery_client::model::dataset::Dataset;
use gcp_bigquery_client::model::table_row::TableRow;
use schemas::ddl::{DATASET, Dialect, add_missing_columns, create_table, stored_columns, view_statements, views};
use schemas::{Column, ColumnType, IdBuilder, Table};
use serde_json::Value;

use super::bookkeeping::{self, FORMAT_ROW, PREPARED};
use super::failure::{complaint, port_error};
use super::query::Query;
use super::{Inner, cell, parameter};
use crate::google::failure::Effect;
use crate::ports::{PortError, PortResult};

/// Version of the dataset's format. It rises when an older version could no longer use the dataset;
/// added columns, tables and views do not raise it.
pub const FORMAT: i64 = 1;

/// One thing the dataset lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableChange {
    /// The dataset itself, as `PROJECT.DATASET`.
    CreateDataset {
        /// The dataset.
        dataset: String,
    },
    /// A table.
    CreateTable {
        /// Its name.
        table: String,
    },
    /// A column, which may be null whatever its schema says: the rows that are there have no value.
    AddColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A column that may be null now and may not in the table.
    AllowNull {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A view that is not there.
    CreateView {
        /// Its name.
        view: String,
    },
    /// A view that was last written with another definition.
    ReplaceView {
        /// Its name.
        view: String,
    },
}

impl std::fmt::Display for TableChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::CreateDataset { dataset } => write!(f, "create dataset {dataset}"),
            Self::CreateTable { table } => write!(f, "create table {table}"),
            Self::AddColumn { table, column } => write!(f, "add column {table}.{column}"),
            Self::AllowNull { table, column } => write!(f, "allow null in column {table}.{column}"),
            Self::CreateView { view } => write!(f, "create view {view}"),
            Self::ReplaceView { view } => write!(f, "replace view {view}"),
        }
    }
}

/// A column that is not as it must be, and is never changed to be so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
    /// What it is.
    pub found: String,
    /// What it would have to be.
    pub wanted: String,
    /// Why it is left as it is.
    pub reason: &'static str,
}

impl std::fmt::Display for Obstacle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { table, column, found, wanted, reason } = self;
        write!(f, "column {table}.{column} is {found}, expected {wanted}: {reason}")
    }
}

/// How a dataset stands to what the program writes and reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetLook {
    /// Where it is, such as `EU`; none where it is not there, or the service does not tell.
    pub location: Option<String>,
    /// What it lacks, in the order in which it would be created.
    pub changes: Vec<TableChange>,
    /// What keeps it from being prepared; empty where nothing does.
    pub obstacles: Vec<Obstacle>,
}

/// A column as the dataset has it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    data_type: String,
    nullable: bool,
}

/// What is there: columns by table or view, and what was prepared by name.
#[derive(Debug, Default)]
struct State {
    columns: BTreeMap<String, BTreeMap<String, Found>>,
    prepared: BTreeMap<String, BTreeSet<String>>,
}

/// What is to be done: each change with its statements, and what to note about it.
#[derive(Debug, Default)]
pub(super) struct Plan {
    creates_dataset: bool,
    steps: Vec<(TableChange, Vec<String>)>,
    notes: BTreeMap<String, String>,
    obstacles: Vec<Obstacle>,
}

impl Plan {
    /// The changes, in the order in which they are made.
    pub(super) fn changes(self) -> Vec<TableChange> {
        self.steps.into_iter().map(|(change, _)| change).collect()
    }

    /// An error that names the first obstacle, if there is one.
    fn unobstructed(&self) -> anyhow::Result<()> {
        match self.obstacles.first() {
            None => Ok(()),
            Some(obstacle) => bail!("{obstacle}"),
        }
    }

    fn add(&mut self, change: TableChange, statements: Vec<String>) {
        self.steps.push((change, statements));
    }
}

impl Inner {
    /// What the dataset lacks.
    pub(super) async fn plan(&self) -> PortResult<Plan> {
        let (plan, _) = self.compared().await?;
        let never = |reason| PortError::never_will(format!("see what {} lacks", self.shown), reason);
        plan.unobstructed().map_err(never)?;
        Ok(plan)
    }

    /// What the dataset lacks, what keeps it from being prepared, and where it is.
    pub(super) async fn look(&self) -> PortResult<DatasetLook> {
        let (mut plan, location) = self.compared().await?;
        let obstacles = std::mem::take(&mut plan.obstacles);
        Ok(DatasetLook { location, changes: plan.changes(), obstacles })
    }

    /// A plan with its obstacles, and where the dataset is.
    async fn compared(&self) -> PortResult<(Plan, Option<String>)> {
        let attempted = format!("see what {} lacks", self.shown);
        let (mut plan, mut location) = (Plan::default(), None);
        let state = match self.queries.client.dataset().get(&self.project, &self.dataset).await {
            Ok(dataset) => {
                location = dataset.location;
                self.state(&attempted).await?
            }
            Err(error) if complaint(&error).is_some_and(|complaint| complaint.is_not_found()) => {
                plan.creates_dataset = true;
                plan.add(TableChange::CreateDataset { dataset: self.shown.clone() }, Vec::new());
                State::default()
            }
            Err(error) => return Err(port_error(attempted, Effect::None, error)),
        };
        gather(&mut plan, &state).map_err(|reason| PortError::never_will(&attempted, reason))?;
        Ok((plan, location))
    }

    /// Makes the changes.
    pub(super) async fn prepare(&self) -> PortResult<()> {
        let plan = self.plan().await?;
        let attempted = format!("create tables and views in {}", self.shown);
        if plan.creates_dataset {
            self.create_dataset(&attempted).await?;
        }
        for (change, _) in &plan.steps {
            tracing::info!(dataset = self.shown, %change, "prepared");
        }
        let mut statements: Vec<String> = plan.steps.into_iter().flat_map(|(_, statements)| statements).collect();
        let names: Vec<&str> = plan.notes.keys().map(String::as_str).collect();
        if !names.is_empty() {
            let prepared = Dialect::BigQuery.relation_name(PREPARED);
            statements.push(format!("DELETE FROM {prepared} WHERE name IN UNNEST(@names)"));
            statements.push(format!(
                "INSERT INTO {prepared} (name, definition) SELECT n.name, n.definition FROM UNNEST(@notes) AS n"
            ));
        }
        if statements.is_empty() {
            return Ok(());
        }
        let rows = plan.notes.iter().map(|(name, note)| vec![Some(name.clone()), Some(note.clone())]).collect();
        let parameters = vec![
            parameter::texts("names", names.into_iter()),
            parameter::structs("notes", &[("name", "STRING"), ("definition", "STRING")], rows),
        ];
        // One script: every statement of it may be repeated.
        let script = Query::writing(attempted, format!("{};", statements.join(";\n"))).with(parameters);
        self.queries.run(&script).await?;
        Ok(())
    }

    /// Where nothing says where, the service decides: in the United States.
    async fn create_dataset(&self, attempted: &str) -> PortResult<()> {
        let mut dataset = Dataset::new(&self.project, &self.dataset);
        dataset.location.clone_from(&self.wanted_location);
        match self.queries.client.dataset().create(dataset).await {
            Ok(_) => Ok(()),
            Err(error) if complaint(&error).is_some_and(|complaint| complaint.is_duplicate()) => Ok(()),
            Err(error) => Err(port_error(attempted, Effect::Write, error)),
        }
    }

    /// What there is in the dataset.
    async fn state(&self, attempted: &str) -> PortResult<State> {
        let never = |reason| PortError::never_will(attempted, reason);
        let mut state = State::default();
        let sql =
            format!("SELECT table_name, column_name, data_type, is_nullable FROM {DATASET}.INFORMATION_SCHEMA.COLUMNS");
        for row in self.queries.run(&Query::reading(attempted, sql)).await? {
            let [table, column, data_type, nullable] = texts(row).map_err(never)?;
            let found = Found { data_type, nullable: nullable.eq_ignore_ascii_case("yes") };
            state.columns.entry(table).or_default().insert(column, found);
        }
        if state.columns.contains_key(PREPARED) {
            let sql = format!("SELECT name, definition FROM {DATASET}.`{PREPARED}`");
            for row in self.queries.run(&Query::reading(attempted, sql)).await? {
                let [name, definition] = texts(row).map_err(never)?;
                state.prepared.entry(name).or_default().insert(definition);
            }
        }
        Ok(state)
    }
}

/// Plans what is missing in a state; obstacles are what could only be had by narrowing or rewriting.
fn gather(plan: &mut Plan, state: &State) -> anyhow::Result<()> {
    check_format(state)?;
    for (table, sql) in bookkeeping::definitions() {
        if !state.columns.contains_key(&table) {
            plan.add(TableChange::CreateTable { table }, vec![sql]);
        }
    }
    for table in Table::ALL {
        match state.columns.get(table.name()) {
            None => {
                let sql = create_table(Dialect::BigQuery, *table);
                plan.add(TableChange::CreateTable { table: table.name().to_owned() }, sql);
            }
            Some(columns) => widen(plan, *table, columns),
        }
    }
    for view in views(Dialect::BigQuery) {
        let statements = view_statements(Dialect::BigQuery, view);
        let id = statements.iter().fold(IdBuilder::new("view-definition"), |id, sql| id.part("statement", sql));
        let definition: String = id.finish();
        let is_current =
            state.prepared.get(view.name).is_some_and(|known| known.len() == 1 && known.contains(&definition));
        let name = view.name.to_owned();
        let change = match state.columns.contains_key(view.name) {
            true if is_current => continue,
            true => TableChange::ReplaceView { view: name },
            false => TableChange::CreateView { view: name },
        };
        plan.add(change, statements);
        plan.notes.insert(view.name.to_owned(), definition);
    }
    if !state.prepared.contains_key(FORMAT_ROW) {
        plan.notes.insert(FORMAT_ROW.to_owned(), FORMAT.to_string());
    }
    Ok(())
}

/// Refuses a dataset of a newer version.
fn check_format(state: &State) -> anyhow::Result<()> {
    for format in state.prepared.get(FORMAT_ROW).into_iter().flatten() {
        let number: i64 = format.parse().map_err(|_| anyhow!("its format {format:?} is no number"))?;
        ensure!(
            number <= FORMAT,
            "it has format {number}, this version of podledger reads up to format {FORMAT}: upgrade"
        );
    }
    Ok(())
}

/// Plans the columns a table lacks.
fn widen(plan: &mut Plan, table: Table, found: &BTreeMap<String, Found>) {
    let stored = stored_columns(table);
    let there = |name: &str| found.iter().find(|(column, _)| column.eq_ignore_ascii_case(name)).map(|(_, found)| found);
    for column in &stored {
        let expected = Dialect::BigQuery.type_name(column.column_type);
        let name = &column.name;
        match there(name) {
            None => {
                let others: Vec<String> =
                    stored.iter().map(|column| column.name.clone()).filter(|other| other != name).collect();
                let change = TableChange::AddColumn { table: table.name().to_owned(), column: name.clone() };
                plan.add(change, add_missing_columns(Dialect::BigQuery, table, &others));
            }
            Some(found) if !same_type(&found.data_type, expected) => plan.obstacles.push(Obstacle {
                table: table.name().to_owned(),
                column: name.clone(),
                found: found.data_type.clone(),
                wanted: expected.to_owned(),
                reason: "it would have to be rewritten, which is never done",
            }),
            Some(found) if column.nullable && !found.nullable => {
                let sql = format!(
                    "ALTER TABLE {} ALTER COLUMN {} DROP NOT NULL",
                    Dialect::BigQuery.relation_name(table.name()),
                    Dialect::BigQuery.quote(name)
                );
                plan.add(TableChange::AllowNull { table: table.name().to_owned(), column: name.clone() }, vec![sql]);
            }
            Some(_) => {}
        }
    }
    let is_ours = |name: &str| stored.iter().any(|column| column.name.eq_ignore_ascii_case(name));
    let required = found.iter().filter(|(name, found)| !found.nullable && !is_ours(name));
    plan.obstacles.extend(required.map(|(name, found)| Obstacle {
        table: table.name().to_owned(),
        column: name.clone(),
        found: format!("{} not null", found.data_type),
        wanted: "one that may be null, or none".to_owned(),
        reason: "it is not known here, so no row could be written",
    }));
}

/// Whether two types are one, however they are spaced and quoted.
fn same_type(found: &str, expected: &str) -> bool {
    let plain = |text: &str| -> String {
        text.chars().filter(|letter| !letter.is_whitespace() && *letter != '`').flat_map(char::to_lowercase).collect()
    };
    plain(found) == plain(expected)
}

/// A row of texts.
fn texts<const N: usize>(row: TableRow) -> anyhow::Result<[String; N]> {
    let column = |place: usize| Column {
        name: place.to_string(),
        column_type: ColumnType::String,
        nullable: true,
        doc: String::new(),
    };
    let columns: Vec<Column> = (0..N).map(column).collect();
    let texts: Vec<String> = cell::values(row, &columns)?
        .into_iter()
        .map(|value| match value {
            Value::String(text) => Ok(text),
            other => Err(anyhow!("{other} where a name was expected")),
        })
        .collect::<anyhow::Result<_>>()?;
    texts.try_into().map_err(|_| anyhow!("too few columns"))
}

#[cfg(test)]
mod tests;
