//! Rows under a key, and rejects by part: one transaction each.
//!
//! Rows travel as one parameter, an array of structs. Where they are too many for one request they go
//! into a table of their own first, in several.

use anyhow::anyhow;
use gcp_bigquery_client::model::query_parameter::QueryParameter;
use schemas::ddl::{DATASET, Dialect, PART_COLUMN};
use schemas::{Column, SnapshotId, Table, Timestamp};

use super::bookkeeping::transaction;
use super::query::Query;
use super::{Inner, parameter, rows};
use crate::ports::{PortError, PortResult};

/// Most bytes of values in one request. The service takes 10 MB of everything in it.
/// <https://cloud.google.com/bigquery/quotas#query_jobs>
const REQUEST_BYTES: usize = 5_000_000;
/// What each value adds to a request besides itself and the name of its column, in bytes.
const VALUE_OVERHEAD: usize = 24;
/// How far apart two versions of one row may be in time, in days: twice as long as Pub/Sub keeps what
/// it could deliver again. Only so much of the table is looked at for a row's other version.
const VERSIONS_APART_DAYS: u32 = 62;
/// Hours a table of gathered rows is kept when nobody removes it.
const KEPT_HOURS: u32 = 24;

/// Rows as texts, one per column of the schema.
type Texts = Vec<Vec<Option<String>>>;

/// Where a statement finds its rows.
enum Source {
    /// In the parameter `@rows`.
    Parameter(Texts),
    /// In a table, columns as the parameter's fields.
    Table(String),
}

impl Inner {
    /// Writes rows under the table's key.
    pub(super) async fn upsert(&self, table: Table, file: &[u8]) -> PortResult<()> {
        let attempted = format!("upsert {table} into {}", self.shown);
        let never = |reason: anyhow::Error| PortError::never_will(&attempted, reason);
        if table.key().is_empty() {
            return Err(never(anyhow!("table {table} has no key to upsert under")));
        }
        let texts = rows::texts(table, file, None).map_err(never)?;
        let Some((from, to)) = times(table, &texts) else { return Ok(()) };
        let bounds = vec![parameter::moment("from", Some(from)), parameter::moment("to", Some(to))];
        self.write(table, &attempted, texts, bounds, |source| merge(table, source)).await
    }

    /// Replaces the rejected rows of one part.
    pub(super) async fn put_rejects(
        &self,
        snapshot: &SnapshotId,
        kind: &str,
        part: i64,
        file: &[u8],
    ) -> PortResult<()> {
        let table = Table::RejectedRows;
        let attempted = format!("put rejects of {kind} part {part} of snapshot {snapshot} into {}", self.shown);
        let texts =
            rows::texts(table, file, Some(snapshot)).map_err(|reason| PortError::never_will(&attempted, reason))?;
        let named = vec![
            parameter::text("snapshot", Some(snapshot.as_str())),
            parameter::text("kind", Some(kind)),
            parameter::number("part", part),
        ];
        self.write(table, &attempted, texts, named, replace_part).await
    }

    /// Runs a statement over rows in a transaction of the table's turn.
    async fn write(
        &self,
        table: Table,
        attempted: &str,
        texts: Texts,
        mut parameters: Vec<QueryParameter>,
        statement: impl Fn(&str) -> String,
    ) -> PortResult<()> {
        let source = self.source(table, attempted, texts).await?;
        let script = match &source {
            Source::Parameter(_) => statement("UNNEST(@rows)"),
            Source::Table(name) => statement(&format!("{DATASET}.{}", Dialect::BigQuery.quote(name))),
        };
        let gathered = match source {
            Source::Parameter(texts) => {
                parameters.push(rows_parameter(table, texts));
                None
            }
            Source::Table(name) => Some(name),
        };
        let written = {
            let _turn = self.turn(table).await;
            self.queries.run(&Query::writing(attempted, transaction(table, &script)).with(parameters)).await
        };
        if let Some(name) = gathered {
            self.drop_stage(&name).await;
        }
        written.map(drop).map_err(PortError::from)
    }

    /// Rows as one parameter where they fit, else gathered in a table.
    async fn source(&self, table: Table, attempted: &str, texts: Texts) -> PortResult<Source> {
        let largest = texts.iter().map(|row| bytes(table, row)).max().unwrap_or(0);
        if largest > REQUEST_BYTES {
            let reason = anyhow!("a row has {largest} bytes, more than the {REQUEST_BYTES} of one request");
            return Err(PortError::never_will(attempted, reason));
        }
        let mut requests = requests(table, texts);
        if requests.len() <= 1 {
            return Ok(Source::Parameter(requests.pop().unwrap_or_default()));
        }
        let name = format!("podledger_stage_{table}_{:032x}", rand::random::<u128>());
        let quoted = format!("{DATASET}.{}", Dialect::BigQuery.quote(&name));
        let columns: Vec<String> = table
            .columns()
            .iter()
            .map(|column| format!("{} {}", Dialect::BigQuery.quote(&column.name), rows::parameter_type(column)))
            .collect();
        // Of no effect on the tables of rows: what is left of a failure expires.
        let create = format!(
            "CREATE TABLE {quoted} ({}) OPTIONS(expiration_timestamp = \
             TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL {KEPT_HOURS} HOUR))",
            columns.join(", ")
        );
        self.queries.run(&Query::reading(attempted, create)).await?;
        let names = quoted_names(table);
        let values: Vec<String> = names.iter().map(|name| format!("r.{name}")).collect();
        let insert =
            format!("INSERT INTO {quoted} ({}) SELECT {} FROM UNNEST(@rows) AS r", names.join(", "), values.join(", "));
        for texts in requests {
            let query = Query::reading(attempted, &insert).with(vec![rows_parameter(table, texts)]);
            self.queries.run(&query).await?;
        }
        Ok(Source::Table(name))
    }
}

/// The rows in portions that each fit into a request.
fn requests(table: Table, texts: Texts) -> Vec<Texts> {
    let mut requests: Vec<Texts> = Vec::new();
    let mut used = 0;
    for row in texts {
        let size = bytes(table, &row);
        match requests.last_mut().filter(|_| used + size <= REQUEST_BYTES) {
            Some(request) => {
                request.push(row);
                used += size;
            }
            None => {
                requests.push(vec![row]);
                used = size;
            }
        }
    }
    requests
}

/// What a row takes in a request, in bytes. Text is escaped there, which doubles it at worst but for
/// control characters.
fn bytes(table: Table, row: &[Option<String>]) -> usize {
    let values = row.iter().zip(table.columns());
    values.map(|(value, column)| value.as_ref().map_or(0, String::len) + column.name.len() + VALUE_OVERHEAD).sum()
}

fn rows_parameter(table: Table, texts: Texts) -> QueryParameter {
    let fields: Vec<_> =
        table.columns().iter().map(|column| (column.name.as_str(), rows::parameter_type(column))).collect();
    parameter::structs("rows", &fields, texts)
}

fn quoted_names(table: Table) -> Vec<String> {
    table.columns().iter().map(|column| Dialect::BigQuery.quote(&column.name)).collect()
}

/// The column that tells a newer version of a row from an older one.
fn version_column(table: Table) -> &'static str {
    match table {
        Table::LimitDeclarations => "updated_at",
        Table::PipelineLedger => "finished_at",
        other => other.time_column(),
    }
}

/// First and last time at which a version of one of the rows can be; none without rows.
fn times(table: Table, texts: &Texts) -> Option<(Timestamp, Timestamp)> {
    let place = table.columns().iter().position(|column| column.name == table.time_column())?;
    let times = || texts.iter().filter_map(|row| Timestamp::parse(row.get(place)?.as_deref()?).ok());
    let apart = std::time::Duration::from_secs(u64::from(VERSIONS_APART_DAYS) * 24 * 3600);
    Some((times().min()?.minus(apart), times().max()?.plus(apart)))
}

/// An upsert that does not depend on the order of calls: of two versions of a row the newer one stays,
/// and of two equally new ones the one whose content compares higher.
fn merge(table: Table, source: &str) -> String {
    let dialect = Dialect::BigQuery;
    let is_key = |column: &&Column| table.key().contains(&column.name);
    let quote = |column: &Column| dialect.quote(&column.name);
    let keys: Vec<String> = table.columns().iter().filter(is_key).map(quote).collect();
    let others: Vec<String> = table.columns().iter().filter(|column| !is_key(column)).map(quote).collect();
    let read: Vec<String> = table
        .columns()
        .iter()
        .map(|column| format!("{} AS {}", rows::from_parameter(column, &format!("r.{}", quote(column))), quote(column)))
        .collect();
    let version = dialect.quote(version_column(table));
    let joined: Vec<String> = keys.iter().map(|key| format!("t.{key} = s.{key}")).collect();
    let assignments: Vec<String> = others.iter().map(|column| format!("{column} = s.{column}")).collect();
    let names = quoted_names(table);
    let values: Vec<String> = names.iter().map(|name| format!("s.{name}")).collect();
    format!(
        "MERGE {target} AS t\n\
         USING (\n\
           SELECT * EXCEPT (podledger_age)\n\
           FROM (\n\
             SELECT *, ROW_NUMBER() OVER (PARTITION BY {keys} ORDER BY {version} DESC, {source_content} DESC) \
             AS podledger_age\n\
             FROM (SELECT {read} FROM {source} AS r) AS v\n\
           ) AS ranked\n\
           WHERE podledger_age = 1\n\
         ) AS s\n\
         ON {joined} AND t.{time} BETWEEN @from AND @to\n\
         WHEN MATCHED AND (s.{version} > t.{version} OR (s.{version} = t.{version} AND {new} > {old}))\n\
         THEN UPDATE SET {assignments}\n\
         WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({values});",
        target = dialect.relation_name(table.name()),
        keys = keys.join(", "),
        source_content = content("v", &others),
        read = read.join(", "),
        joined = joined.join(" AND "),
        time = dialect.quote(table.time_column()),
        new = content("s", &others),
        old = content("t", &others),
        assignments = assignments.join(", "),
        names = names.join(", "),
        values = values.join(", "),
    )
}

/// Columns as one comparable text.
fn content(row: &str, columns: &[String]) -> String {
    let columns: Vec<String> = columns.iter().map(|column| format!("{row}.{column} AS {column}")).collect();
    format!("TO_JSON_STRING(STRUCT({}))", columns.join(", "))
}

/// The part's rows in place of those it had.
fn replace_part(source: &str) -> String {
    let (table, dialect) = (Table::RejectedRows, Dialect::BigQuery);
    let name = dialect.relation_name(table.name());
    let part = dialect.quote(PART_COLUMN);
    let names = quoted_names(table);
    let read: Vec<String> = table
        .columns()
        .iter()
        .map(|column| rows::from_parameter(column, &format!("r.{}", dialect.quote(&column.name))))
        .collect();
    format!(
        "DELETE FROM {name} WHERE snapshot_id = @snapshot AND `kind` = @kind AND {part} = @part;\n\
         INSERT INTO {name} ({}, {part})\nSELECT {}, @part FROM {source} AS r;",
        names.join(", "),
        read.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_split_into_requests_that_fit_in_their_order() {
        let table = Table::DeadLetters;
        let row = |length: usize| {
            let mut row = vec![None; table.columns().len()];
            row[0] = Some("x".repeat(length));
            row
        };
        let sizes = |lengths: &[usize]| -> Vec<Vec<usize>> {
            let texts = lengths.iter().map(|length| row(*length)).collect();
            let requests = requests(table, texts);
            requests
                .iter()
                .map(|request| request.iter().map(|row| row[0].as_ref().map_or(0, String::len)).collect())
                .collect()
        };
        assert_eq!(sizes(&[]), Vec::<Vec<usize>>::new());
        assert_eq!(sizes(&[1, 2, 3]), [[1, 2, 3]]);
        assert_eq!(sizes(&[3_000_000, 1, 3_000_000, 2]), [vec![3_000_000, 1], vec![3_000_000, 2]]);
    }

    #[test]
    fn other_versions_of_a_row_are_looked_for_around_its_time() {
        let table = Table::ReplicaChanges;
        let place = table.columns().iter().position(|column| column.name == "occurred_at").unwrap();
        let row = |time: &str| {
            let mut row = vec![None; table.columns().len()];
            row[place] = Some(time.to_owned());
            row
        };
        let found = times(table, &vec![row("2026-10-05T00:00:00Z"), row("2026-10-01T00:00:00Z")]).unwrap();
        assert_eq!(found.0.to_string(), "2026-07-31T00:00:00Z");
        assert_eq!(found.1.to_string(), "2026-12-06T00:00:00Z");
        assert_eq!(times(table, &Vec::new()), None);
    }
}
