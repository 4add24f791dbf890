//! Cells of an answer, read by what their column is declared to hold.

use anyhow::{Context as _, Result, anyhow, bail};
use gcp_bigquery_client::model::table_row::TableRow;
use schemas::{Column, ColumnType};
use serde_json::{Map, Value};

use super::timestamp;

/// Fields of a condition, in the order of the column's type, and whether each is a time. The type is that of `schemas::ddl`.
const CONDITION: [(&str, bool); 5] =
    [("type", false), ("status", false), ("reason", false), ("message", false), ("lastTransitionTime", true)];

/// The row's values, one per column, as an answer gives them.
///
/// # Errors
/// A row with another number of cells, and a cell that does not hold what its column says.
pub(super) fn values(row: TableRow, columns: &[Column]) -> Result<Vec<Value>> {
    let cells = row.columns.unwrap_or_default();
    if cells.len() != columns.len() {
        bail!("{} columns declared, {} answered", columns.len(), cells.len());
    }
    cells
        .into_iter()
        .zip(columns)
        .map(|(cell, column)| {
            let place = || format!("column {:?} does not hold a {:?}", column.name, column.column_type);
            value(cell.value.unwrap_or(Value::Null), column.column_type).with_context(place)
        })
        .collect()
}

/// The whole number in the first cell of the first row, where there is one.
pub(super) fn number(rows: &[TableRow]) -> Option<i64> {
    let cell = rows.first()?.columns.as_deref()?.first()?.value.clone()?;
    value(cell, ColumnType::Int64).ok()?.as_i64()
}

/// One value. Scalars come as text; JSON that cannot be parsed stays the text it is.
fn value(cell: Value, column_type: ColumnType) -> Result<Value> {
    Ok(match (column_type, cell) {
        (ColumnType::Conditions, Value::Null) => Value::Array(Vec::new()),
        (_, Value::Null) => Value::Null,
        (ColumnType::String | ColumnType::Bytes, text @ Value::String(_)) => text,
        (ColumnType::Int64, number @ Value::Number(_)) if number.is_i64() => number,
        (ColumnType::Int64, Value::String(text)) => text.parse::<i64>().context(text)?.into(),
        (ColumnType::Bool, truth @ Value::Bool(_)) => truth,
        (ColumnType::Bool, Value::String(text)) if text.eq_ignore_ascii_case("true") => true.into(),
        (ColumnType::Bool, Value::String(text)) if text.eq_ignore_ascii_case("false") => false.into(),
        (ColumnType::Timestamp, cell) => timestamp::read(&cell)?.to_string().into(),
        (ColumnType::Json, Value::String(text)) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
        (ColumnType::Conditions, Value::Array(items)) => {
            Value::Array(items.into_iter().map(condition).collect::<Result<_>>()?)
        }
        (_, other) => bail!("it is {}", kind(&other)),
    })
}

/// One element of an array of conditions: `{"v": {"f": [{"v": …}, …]}}`.
fn condition(mut item: Value) -> Result<Value> {
    let fields = item.pointer_mut("/v/f").map(Value::take);
    let Some(Value::Array(fields)) = fields else { bail!("an element is no struct") };
    if fields.len() != CONDITION.len() {
        bail!("a condition has {} fields, expected {}", fields.len(), CONDITION.len());
    }
    let mut condition = Map::new();
    for ((name, is_time), mut field) in CONDITION.into_iter().zip(fields) {
        let value = match field.get_mut("v").map(Value::take).unwrap_or_default() {
            Value::Null => Value::Null,
            time if is_time => timestamp::read(&time)?.to_string().into(),
            text @ Value::String(_) => text,
            other => return Err(anyhow!("{name:?} is {}", kind(&other))),
        };
        condition.insert(name.to_owned(), value);
    }
    Ok(Value::Object(condition))
}

/// What kind of JSON it is, for errors.
const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "another text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(cells: Value) -> TableRow {
        let cells: Vec<Value> = cells.as_array().unwrap().iter().map(|cell| json!({ "v": cell })).collect();
        serde_json::from_value(json!({ "f": cells })).unwrap()
    }

    fn column(column_type: ColumnType) -> Column {
        Column { name: "c".to_owned(), column_type, nullable: true, doc: String::new() }
    }

    #[test]
    fn cells_are_read_as_their_columns_say() {
        let columns = [
            ColumnType::String,
            ColumnType::Int64,
            ColumnType::Bool,
            ColumnType::Timestamp,
            ColumnType::Json,
            ColumnType::Bytes,
            ColumnType::String,
        ]
        .map(column);
        let cells = json!(["1.0", "-9223372036854775808", "true", "1.5E0", "{\"a\":[1]}", "AP8=", null]);
        assert_eq!(
            values(row(cells), &columns).unwrap(),
            [
                json!("1.0"),
                json!(i64::MIN),
                json!(true),
                json!("1970-01-01T00:00:01.5Z"),
                json!({"a": [1]}),
                json!("AP8="),
                json!(null)
            ]
        );
    }

    #[test]
    fn an_array_of_conditions_becomes_objects_and_none_an_empty_array() {
        let columns = [column(ColumnType::Conditions)];
        let fields = json!({"v": {"f": [{"v": "Ready"}, {"v": "True"}, {"v": null}, {}, {"v": "60.0"}]}});
        let read = values(row(json!([[fields]])), &columns).unwrap();
        let expected = json!([{"type": "Ready", "status": "True", "reason": null, "message": null,
                               "lastTransitionTime": "1970-01-01T00:01:00Z"}]);
        assert_eq!(read, [expected]);
        assert_eq!(values(row(json!([null])), &columns).unwrap(), [json!([])]);
    }

    #[test]
    fn cells_that_hold_something_else_are_refused_and_named() {
        for (column_type, cell) in [
            (ColumnType::Int64, json!("1.5")),
            (ColumnType::Int64, json!("9223372036854775808")),
            (ColumnType::Bool, json!("yes")),
            (ColumnType::Timestamp, json!("soon")),
            (ColumnType::String, json!([1])),
            (ColumnType::Json, json!({})),
            (ColumnType::Conditions, json!("[]")),
            (ColumnType::Conditions, json!([{"v": {"f": []}}])),
            (ColumnType::Conditions, json!([{"v": 1}])),
        ] {
            let error = values(row(json!([cell])), &[column(column_type)]).unwrap_err();
            assert!(error.to_string().contains("\"c\""), "{error}");
        }
        assert!(values(row(json!([])), &[column(ColumnType::Bool)]).is_err(), "too few cells");
    }
}
