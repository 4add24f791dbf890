//! BigQuery's part of provisioning: its adapter says how the dataset differs, and its `prepare` makes
//! the dataset, tables and views and adds columns.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use platform::google::provision::{Difference, Finding, State};
use platform::google::{BigQuerySettings, BigQueryWarehouse, TableChange};
use platform::ports::Warehouse as _;

use super::topology::Dataset;

/// A dataset to provision.
#[derive(Debug)]
pub(super) struct BigQuery {
    project: String,
    dataset: String,
    emulator: Option<String>,
    wanted: Dataset,
}

impl BigQuery {
    pub(super) fn new(project: &str, dataset: &str, emulator: Option<&str>, wanted: Dataset) -> Self {
        let emulator = emulator.map(str::to_owned);
        Self { project: project.to_owned(), dataset: dataset.to_owned(), emulator, wanted }
    }

    /// How the dataset, its tables and its views stand. Changes nothing.
    ///
    /// # Errors
    /// A column that would have to be narrowed: it is named, and nothing is begun.
    pub(super) async fn look(&self) -> Result<Vec<Finding>> {
        let changes = self.open().await?.difference().await.context("compare the dataset with the program's tables")?;
        Ok(findings(&self.dataset, &self.wanted, &changes))
    }

    /// Makes and adds everything that is missing.
    pub(super) async fn prepare(&self) -> Result<()> {
        Ok(self.open().await?.prepare().await?)
    }

    async fn open(&self) -> Result<BigQueryWarehouse> {
        let settings = BigQuerySettings {
            emulator: self.emulator.clone(),
            location: Some(self.wanted.location.clone()),
            ..BigQuerySettings::default()
        };
        Ok(BigQueryWarehouse::open(&self.project, &self.dataset, settings).await?)
    }
}

/// The dataset, every table and every view, with what is to be done to each.
fn findings(dataset: &str, wanted: &Dataset, changes: &[TableChange]) -> Vec<Finding> {
    let (mut missing, mut different) = (Vec::new(), BTreeMap::<&str, Vec<Difference>>::new());
    let mut differs = |name, field, found: &str, wanted: String| {
        let difference = Difference { field, found: found.to_owned(), wanted, refused: None };
        different.entry(name).or_default().push(difference);
    };
    for change in changes {
        match change {
            TableChange::CreateDataset { .. } => missing.push(("dataset", dataset)),
            TableChange::CreateTable { table } => missing.push(("table", table)),
            TableChange::CreateView { view } => missing.push(("view", view)),
            TableChange::AddColumn { table, column } => differs(table, "column", "none", column.clone()),
            TableChange::AllowNull { table, column } => {
                differs(table, "column", &format!("{column} not null"), column.clone());
            }
            TableChange::ReplaceView { view } => differs(view, "definition", "another", "the program's".to_owned()),
        }
    }
    let mut finding = |kind: &'static str, name: &str, note: &str| {
        if missing.contains(&(kind, name)) {
            return Finding::missing(kind, name, note);
        }
        match different.remove(name) {
            Some(differences) => {
                Finding { kind, name: name.to_owned(), state: State::Different, note: String::new(), differences }
            }
            None => Finding::same(kind, name),
        }
    };
    let mut found = vec![finding("dataset", dataset, &format!("location {}", wanted.location))];
    found.extend(wanted.tables.iter().map(|table| finding("table", table.name(), "")));
    found.extend(wanted.views.iter().map(|view| finding("view", view, "")));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provision::topology::Topology;

    #[test]
    fn every_change_is_told_at_its_resource_and_everything_else_is_the_same() {
        let wanted = Topology::read(None).unwrap().dataset;
        let named = |text: &str| text.to_owned();
        let changes = [
            TableChange::CreateTable { table: named("gke_pods") },
            TableChange::AddColumn { table: named("gke_nodes"), column: named("zone") },
            TableChange::AllowNull { table: named("gke_nodes"), column: named("uid") },
            TableChange::ReplaceView { view: named("compliance_now") },
        ];
        let found = findings("ledger", &wanted, &changes);
        let state = |name: &str| found.iter().find(|finding| finding.name == name).unwrap().state;
        assert_eq!(state("ledger"), State::Same);
        assert_eq!(state("gke_pods"), State::Missing);
        assert_eq!(state("gke_nodes"), State::Different);
        assert_eq!(state("compliance_now"), State::Different);
        assert_eq!(found.iter().filter(|finding| finding.state == State::Same).count(), found.len() - 3);
        assert_eq!(found.len(), 1 + wanted.tables.len() + wanted.views.len());
        let nodes = found.iter().find(|finding| finding.name == "gke_nodes").unwrap();
        let told: Vec<_> = nodes.differences.iter().map(|one| (one.found.as_str(), one.wanted.as_str())).collect();
        assert_eq!(told, [("none", "zone"), ("uid not null", "uid")]);
    }
}
