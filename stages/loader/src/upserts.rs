//! Rows of a table with a key, written in groups.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;
use platform::ports::Warehouse;
use schemas::{Row, RowWriter};

use crate::group::{Commit, Gathering, Group};
use crate::refused::Refused;

/// Upserts rows of one table. Each caller's rows are written together.
pub(crate) struct Upserts<R: Row> {
    group: Group<Vec<R>>,
}

impl<R: Row> Upserts<R> {
    pub(crate) fn new(warehouse: Arc<dyn Warehouse>, gathering: Gathering) -> Self {
        Self { group: Group::new(gathering, UpsertRows { warehouse, rows: PhantomData }) }
    }

    /// Returns when the rows are durable.
    pub(crate) async fn upsert(&self, rows: Vec<R>) -> Result<(), Refused> {
        self.group.submit(rows).await
    }
}

struct UpsertRows<R> {
    warehouse: Arc<dyn Warehouse>,
    rows: PhantomData<fn(R)>,
}

#[async_trait]
impl<R: Row> Commit<Vec<R>> for UpsertRows<R> {
    async fn commit(&self, items: &[Vec<R>]) -> Vec<Result<(), Refused>> {
        let mut outcomes = Vec::with_capacity(items.len());
        let mut open = vec![items];
        while let Some(items) = open.pop() {
            match self.write(items.iter().flatten()).await {
                // One of them is to blame, and the others must not suffer for it. Halves find it in a few
                // writes, where one write for each would take minutes.
                Err(Refused::Poison(_)) if items.len() > 1 => {
                    let (first, second) = items.split_at(items.len() / 2);
                    open.extend([second, first]);
                }
                outcome => outcomes.extend(vec![outcome; items.len()]),
            }
        }
        outcomes
    }
}

impl<R: Row> UpsertRows<R> {
    async fn write(&self, rows: impl Iterator<Item = &R> + Send) -> Result<(), Refused> {
        let file = container_file(rows).map_err(Refused::poison)?;
        Ok(self.warehouse.upsert(R::TABLE, file).await?)
    }
}

/// The rows as one container file, each key once: of several the last one, in the first one's place.
fn container_file<'a, R: Row>(rows: impl Iterator<Item = &'a R>) -> anyhow::Result<Vec<u8>> {
    let mut places = HashMap::new();
    let mut last: Vec<&R> = Vec::new();
    for row in rows {
        let next = last.len();
        match *places.entry(key_of(row)?).or_insert(next) {
            place if place == next => last.push(row),
            place => last[place] = row,
        }
    }
    let mut writer = RowWriter::<R>::new()?;
    for row in last {
        writer.push(row)?;
    }
    Ok(writer.finish()?)
}

/// The values of the key's columns.
fn key_of<R: Row>(row: &R) -> Result<String, serde_json::Error> {
    let row = serde_json::to_value(row)?;
    serde_json::to_string(&R::TABLE.key().iter().map(|column| &row[column.as_str()]).collect::<Vec<_>>())
}
