//! Rows in Avro container files: whether they are rows of their table, and their values as parameters.

use std::io::Read;
use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use apache_avro::types::Value as Avro;
use apache_avro::{Reader, Schema};
use base64::Engine as _;
use futures::TryStreamExt as _;
use schemas::{Column, ColumnType, SnapshotId, Table, Timestamp};
use tokio_util::io::{StreamReader, SyncIoBridge};

use crate::ports::{Objects, PortError, PortResult, SnapshotPart};

/// Reads a part through the objects port and checks it: rows of the table's schema or of an older
/// version of it, all of the snapshot, as many as were counted.
///
/// # Errors
/// `NeverWill` for a part that is missing or wrong, naming it; an outage where it could not be read.
pub(super) async fn check_part(
    objects: &dyn Objects,
    table: Table,
    snapshot: &SnapshotId,
    part: &SnapshotPart,
) -> PortResult<()> {
    let key = part.object.as_str();
    let attempted = || format!("check part {key} of {table}");
    let Some(object) = objects.read(key).await? else {
        return Err(PortError::never_will(attempted(), anyhow!("there is no such object")));
    };
    let broken = Arc::new(OnceLock::new());
    let noted = Arc::clone(&broken);
    let body = object.body.inspect_err(move |error| {
        noted.get_or_init(|| error.to_string());
    });
    let file = SyncIoBridge::new(StreamReader::new(body));
    let (snapshot, expected) = (snapshot.clone(), part.rows);
    let checking = tokio::task::spawn_blocking(move || {
        let count = for_each(table, file, Some(&snapshot), |_| Ok(()))?;
        ensure!(count == expected, "it holds {count} rows, expected {expected}");
        Ok(())
    });
    let checked = checking.await.map_err(|error| PortError::did_not_happen(attempted(), error))?;
    match (checked, broken.get()) {
        (Ok(()), _) => Ok(()),
        // Not the file is wrong then: its bytes did not come.
        (Err(_), Some(reason)) => Err(PortError::did_not_happen(attempted(), anyhow!("{reason}"))),
        (Err(reason), None) => Err(PortError::never_will(attempted(), reason)),
    }
}

/// The rows of a file as texts, one per column of the table's schema.
///
/// # Errors
/// What is no file of such rows.
pub(super) fn texts(table: Table, file: &[u8], snapshot: Option<&SnapshotId>) -> Result<Vec<Vec<Option<String>>>> {
    let mut rows = Vec::new();
    for_each(table, file, snapshot, |row| {
        let texts = row.iter().zip(table.columns()).map(|(value, column)| text(column, value));
        rows.push(texts.collect::<Result<_>>()?);
        Ok(())
    })?;
    Ok(rows)
}

/// Calls for every row with its values, one per column; a column that the file's version did not have
/// is null. With a snapshot given each row must be of it. Returns the number of rows.
fn for_each(
    table: Table,
    file: impl Read,
    snapshot: Option<&SnapshotId>,
    mut visit: impl FnMut(&[&Avro]) -> Result<()>,
) -> Result<i64> {
    schemas::bound_avro_allocations();
    let reader = Reader::builder(file).human_readable(false).build().context("not an Avro file of rows")?;
    let places = places(table, reader.writer_schema())?;
    let columns = table.columns();
    let mut count = 0_i64;
    for row in reader {
        let place = |error: anyhow::Error| error.context(format!("row {count}"));
        let row = row.map_err(|error| place(anyhow::Error::new(error).context("cannot be decoded")))?;
        let Avro::Record(fields) = row else { return Err(place(anyhow!("it is not a record"))) };
        let values: Vec<&Avro> = places
            .iter()
            .map(|place| place.and_then(|place| fields.get(place)).map_or(&Avro::Null, |(_, value)| inner(value)))
            .collect();
        for (column, value) in columns.iter().zip(&values) {
            holds(column, value).map_err(place)?;
            let foreign = |snapshot: &SnapshotId| !matches!(value, Avro::String(id) if id == snapshot.as_str());
            if let Some(snapshot) = snapshot.filter(|snapshot| column.name == "snapshot_id" && foreign(snapshot)) {
                return Err(place(anyhow!("it is not of snapshot {snapshot}")));
            }
        }
        visit(&values).map_err(place)?;
        count = count.checked_add(1).context("more rows than can be counted")?;
    }
    Ok(count)
}

/// What a union holds.
fn inner(value: &Avro) -> &Avro {
    match value {
        Avro::Union(_, inner) => inner.as_ref(),
        other => other,
    }
}

/// Where the file has each column; none where the version it was written with did not have it.
fn places(table: Table, written: &Schema) -> Result<Vec<Option<usize>>> {
    let expected = table.schema().name;
    let Schema::Record(record) = written else { bail!("it does not hold records") };
    ensure!(record.name.name() == expected, "it holds {} rows, expected {expected}", record.name.name());
    let columns = table.columns();
    if let Some(field) = record.fields.iter().find(|field| !columns.iter().any(|column| column.name == field.name)) {
        bail!("column {:?} is not known here: a newer version wrote it", field.name);
    }
    columns
        .iter()
        .map(|column| {
            let place = record.fields.iter().position(|field| field.name == column.name);
            let may_lack = column.nullable || column.column_type == ColumnType::Conditions;
            ensure!(place.is_some() || may_lack, "column {:?} is missing", column.name);
            Ok(place)
        })
        .collect()
}

/// Whether a column may hold the value.
fn holds(column: &Column, value: &Avro) -> Result<()> {
    let name = &column.name;
    match (column.column_type, value) {
        (ColumnType::Conditions, Avro::Null | Avro::Array(_))
        | (ColumnType::String | ColumnType::Json, Avro::String(_))
        | (ColumnType::Int64, Avro::Long(_))
        | (ColumnType::Bool, Avro::Boolean(_))
        | (ColumnType::Bytes, Avro::Bytes(_)) => Ok(()),
        (ColumnType::Timestamp, Avro::TimestampMicros(micros)) => {
            let moment = Timestamp::from_micros(*micros);
            ensure!(moment.micros() == *micros, "column {name:?} holds a time outside the years 1 to 9999");
            Ok(())
        }
        (_, Avro::Null) if column.nullable => Ok(()),
        (_, Avro::Null) => bail!("column {name:?} is null, which it may not be"),
        (expected, _) => bail!("column {name:?} does not hold a {expected:?}"),
    }
}

/// A value as the text of a parameter of [`parameter_type`]; none for null.
fn text(column: &Column, value: &Avro) -> Result<Option<String>> {
    Ok(Some(match value {
        Avro::Null => return Ok(None),
        Avro::String(text) if column.column_type == ColumnType::Json => plain_json(text),
        Avro::String(text) => text.clone(),
        Avro::Long(number) => number.to_string(),
        Avro::Boolean(truth) => truth.to_string(),
        Avro::TimestampMicros(micros) => Timestamp::from_micros(*micros).to_string(),
        Avro::Bytes(bytes) => base64::engine::general_purpose::STANDARD.encode(bytes),
        _ => bail!("column {:?} cannot be a parameter", column.name),
    }))
}

/// The type of the parameter that carries a column's values. JSON travels as text.
pub(super) const fn parameter_type(column: &Column) -> &'static str {
    match column.column_type {
        ColumnType::Int64 => "INT64",
        ColumnType::Bool => "BOOL",
        ColumnType::Timestamp => "TIMESTAMP",
        ColumnType::Bytes => "BYTES",
        ColumnType::String | ColumnType::Json | ColumnType::Conditions => "STRING",
    }
}

/// The column's value out of a parameter's quoted field.
pub(super) fn from_parameter(column: &Column, quoted: &str) -> String {
    match column.column_type {
        ColumnType::Json => format!("PARSE_JSON({quoted})"),
        _ => quoted.to_owned(),
    }
}

/// The column's value out of a file's quoted column: JSON is text there, and what cannot be parsed is
/// the text it is, as a JSON string.
pub(super) fn from_file(column: &Column, quoted: &str) -> String {
    match column.column_type {
        ColumnType::Json => format!(
            "IF({quoted} IS NULL, NULL, COALESCE(SAFE.PARSE_JSON({quoted}, wide_number_mode => 'round'), \
             TO_JSON({quoted})))"
        ),
        _ => quoted.to_owned(),
    }
}

/// JSON as the service parses it without complaint: numbers as a float has them, and what is no JSON is
/// the text it is, as a JSON string.
fn plain_json(text: &str) -> String {
    serde_json::from_str(text).unwrap_or_else(|_| serde_json::Value::from(text)).to_string()
}

#[cfg(test)]
mod tests;
