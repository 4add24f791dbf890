//! Values between Avro, SQLite and JSON.

use anyhow::{Context as _, Result, anyhow, bail};
use apache_avro::types::Value as Avro;
use base64::Engine as _;
use rusqlite::Statement;
use rusqlite::types::{Null, ValueRef};
use schemas::{Column, ColumnType, Timestamp};
use serde_json::Value as Json;

/// Binds an Avro value to a parameter (from 1). Text is bound with its length: NUL is text like any.
pub(super) fn bind(statement: &mut Statement<'_>, parameter: usize, column: &Column, value: &Avro) -> Result<()> {
    let value = match value {
        Avro::Union(_, inner) => inner.as_ref(),
        other => other,
    };
    match (column.column_type, value) {
        (_, Avro::Null) if column.nullable => statement.raw_bind_parameter(parameter, Null)?,
        // An array that a past version did not have is an empty one: arrays are never null.
        (ColumnType::Conditions, Avro::Null) => statement.raw_bind_parameter(parameter, "[]")?,
        (_, Avro::Null) => bail!("column {:?} is null, which it may not be", column.name),
        (ColumnType::String | ColumnType::Json, Avro::String(text)) => {
            statement.raw_bind_parameter(parameter, text.as_str())?;
        }
        (ColumnType::Int64, Avro::Long(number)) | (ColumnType::Timestamp, Avro::TimestampMicros(number)) => {
            statement.raw_bind_parameter(parameter, number)?;
        }
        (ColumnType::Bool, Avro::Boolean(truth)) => statement.raw_bind_parameter(parameter, truth)?,
        (ColumnType::Bytes, Avro::Bytes(bytes)) => statement.raw_bind_parameter(parameter, bytes.as_slice())?,
        (ColumnType::Conditions, array @ Avro::Array(_)) => {
            statement.raw_bind_parameter(parameter, avro_to_json(array)?.to_string())?;
        }
        (expected, _) => bail!("column {:?} does not hold a {expected:?}", column.name),
    }
    Ok(())
}

/// What a condition is made of, as JSON; times as RFC 3339.
fn avro_to_json(value: &Avro) -> Result<Json> {
    Ok(match value {
        Avro::Null => Json::Null,
        Avro::Union(_, inner) => avro_to_json(inner)?,
        Avro::String(text) => Json::String(text.clone()),
        Avro::TimestampMicros(micros) => Json::String(Timestamp::from_micros(*micros).to_string()),
        Avro::Array(items) => Json::Array(items.iter().map(avro_to_json).collect::<Result<_>>()?),
        Avro::Record(fields) => Json::Object(
            fields.iter().map(|(name, value)| Ok((name.clone(), avro_to_json(value)?))).collect::<Result<_>>()?,
        ),
        _ => bail!("conditions hold text and times only"),
    })
}

/// A stored value as an answer gives it. JSON that cannot be parsed comes as the text it is.
pub(super) fn to_json(value: ValueRef<'_>, column: &Column) -> Result<Json> {
    let wrong = || anyhow!("column {:?} does not hold a {:?}", column.name, column.column_type);
    Ok(match (column.column_type, value) {
        (_, ValueRef::Null) => Json::Null,
        (ColumnType::String, ValueRef::Text(text)) => Json::String(utf8(text, column)?.to_owned()),
        (ColumnType::Json | ColumnType::Conditions, ValueRef::Text(text)) => {
            let text = utf8(text, column)?;
            serde_json::from_str(text).unwrap_or_else(|_| Json::String(text.to_owned()))
        }
        (ColumnType::Int64, ValueRef::Integer(number)) => number.into(),
        (ColumnType::Bool, ValueRef::Integer(number @ (0 | 1))) => (number == 1).into(),
        (ColumnType::Timestamp, ValueRef::Integer(micros)) => Timestamp::from_micros(micros).to_string().into(),
        (ColumnType::Bytes, ValueRef::Blob(bytes)) => base64::engine::general_purpose::STANDARD.encode(bytes).into(),
        _ => return Err(wrong()),
    })
}

fn utf8<'a>(text: &'a [u8], column: &Column) -> Result<&'a str> {
    std::str::from_utf8(text).with_context(|| format!("column {:?} holds text that is not UTF-8", column.name))
}
