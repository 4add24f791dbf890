//! BigQuery's part of provisioning: its adapter says how the dataset differs, and its `prepare` makes
//! the dataset, tables and views and adds columns.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use platform::google::provision::{Difference, Finding, State};
use platform::google::{BigQuerySettings, BigQueryWarehouse, DatasetLook, Obstacle, TableChange};
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
    /// A dataset of a newer version, and what could not be looked at.
    pub(super) async fn look(&self) -> Result<Vec<Finding>> {
        let look = self.open().await?.look().await.context("compare the dataset with the program's tables")?;
        Ok(findings(&self.dataset, &self.wanted, &look))
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
fn findings(dataset: &str, wanted: &Dataset, look: &DatasetLook) -> Vec<Finding> {
    let (mut missing, mut different) = (Vec::new(), BTreeMap::<&str, Vec<Difference>>::new());
    if let Some(location) = look.location.as_ref().filter(|there| !there.eq_ignore_ascii_case(&wanted.location)) {
        // A dataset stays where it was made, and loads from buckets of the same place only.
        let refused = Some("it cannot be changed".to_owned());
        let (found, wanted) = (location.clone(), wanted.location.clone());
        different.entry(dataset).or_default().push(Difference { field: "location", found, wanted, refused });
    }
    for Obstacle { table, column, found, wanted, reason } in &look.obstacles {
        let (found, refused) = (format!("{column} {found}"), Some((*reason).to_owned()));
        let difference = Difference { field: "column", found, wanted: wanted.clone(), refused };
        different.entry(table).or_default().push(difference);
    }
    let mut differs = |name, field, found: &str, wanted: String| {
        let difference = Difference { field, found: found.to_owned(), wanted, refused: None };
        different.entry(name).or_default().push(difference);
    };
    for change in &look.changes {
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
                let refused = differences.iter().any(|difference| difference.refused.is_some());
                let state = if refused { State::Refused } else { State::Different };
                Finding { kind, name: name.to_owned(), state, note: String::new(), differences }
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
        let changes = vec![
            TableChange::CreateTable { table: named("gke_pods") },
            TableChange::AddColumn { table: named("gke_nodes"), column: named("zone") },
            TableChange::AllowNull { table: named("gke_nodes"), column: named("uid") },
            TableChange::ReplaceView { view: named("compliance_now") },
        ];
        let look = DatasetLook { location: Some("eu".to_owned()), changes, obstacles: Vec::new() };
        let found = findings("ledger", &wanted, &look);
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

    #[test]
    fn what_stands_in_the_way_is_refused_at_its_resource() {
        let wanted = Topology::read(None).unwrap().dataset;
        let obstacle = Obstacle {
            table: "gke_pods".to_owned(),
            column: "restart_count".to_owned(),
            found: "STRING".to_owned(),
            wanted: "INT64".to_owned(),
            reason: "it would have to be rewritten",
        };
        let add = TableChange::AddColumn { table: "gke_pods".to_owned(), column: "labels".to_owned() };
        let look = DatasetLook { location: Some("US".to_owned()), changes: vec![add], obstacles: vec![obstacle] };
        let found = findings("ledger", &wanted, &look);
        let refused: Vec<&Finding> = found.iter().filter(|finding| finding.state == State::Refused).collect();
        assert_eq!(refused.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["ledger", "gke_pods"]);
        let differences = |place: usize| {
            let all = refused[place].differences.iter();
            all.map(|one| (one.field, one.found.as_str(), one.refused.is_some())).collect::<Vec<_>>()
        };
        assert_eq!(differences(0), [("location", "US", true)]);
        assert_eq!(differences(1), [("column", "restart_count STRING", true), ("column", "none", false)]);
        assert!(found.iter().all(|finding| finding.state != State::Different), "{found:?}");
    }
}
