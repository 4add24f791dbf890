//! From a document to the columns of a table, by the table's schema file.

use platform::ports::{DocumentValue, Moment, WireDocument, decode_value};
use schemas::{Column, ColumnType, Row, Timestamp};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::document::{Entries, Fault, decode, storable};
use crate::map::Seat;

/// The column that names what did not fit.
const MISTYPED: &str = "mistyped";
/// Longest such text, in bytes.
const MAX_MISTYPED: usize = 1_000;
/// Whole numbers up to here, either way from zero, are exact as floating-point ones.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// The row of a table of documents.
pub(super) fn row<R: Row>(document: &WireDocument<'_>, seat: &Seat<'_>) -> Result<R, Fault> {
    let fields: Entries<'_, &RawValue> = decode(document.data.get(), "data")?;
    let mut mistyped = Mistyped::default();
    let mut members = Vec::with_capacity(R::TABLE.columns().len());
    for column in R::TABLE.columns().iter().filter(|column| column.name != MISTYPED) {
        let value = match framed(&column.name, document, seat)? {
            Some(value) => value,
            None => mistyped.or_null(column, &fields),
        };
        members.push((column.name.as_str(), value));
    }
    if R::TABLE.columns().iter().any(|column| column.name == MISTYPED) {
        members.push((MISTYPED, json(&mistyped.text())?));
    }
    // As text, so that no number goes through another type on its way.
    let members: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    serde_json::from_str(&format!("{{{}}}", members.join(","))).map_err(|error| Fault(format!("its row: {error}")))
}

/// The JSON of a column that does not come from a field; none for one that does.
fn framed(column: &str, document: &WireDocument<'_>, seat: &Seat<'_>) -> Result<Option<String>, Fault> {
    let name = &document.name;
    let value = match column {
        "cluster" => json(&seat.cluster),
        "snapshot_id" => json(&seat.snapshot_id),
        "observed_at" => json(&seat.observed_at),
        "project" => json(&name.project()),
        "database" => json(&name.database()),
        "collection" => json(&name.collection()),
        "document_id" => json(&name.id()),
        "path" => json(&name.path()),
        "create_time" => json(&document.create_time.map(Moment::timestamp)),
        "update_time" => json(&document.update_time.map(Moment::timestamp)),
        "data" => storable(document.data, "data").map(|data| data.as_str().to_owned()),
        _ => return Ok(None),
    };
    value.map(Some)
}

fn json(value: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|error| Fault(error.to_string()))
}

/// What did not fit, one after the other.
#[derive(Default)]
struct Mistyped(Vec<String>);

impl Mistyped {
    /// The JSON of a column that comes from a field: null where that is absent, null, or does not
    /// fit.
    fn or_null(&mut self, column: &Column, fields: &Entries<'_, &RawValue>) -> String {
        let camel = camel(&column.name);
        let found = [column.name.as_str(), &camel].into_iter().find_map(|name| Some((name, *fields.get(name)?)));
        let Some((name, value)) = found.filter(|(_, value)| value.get() != "null") else { return "null".to_owned() };
        fitted(column.column_type, value).unwrap_or_else(|expected| {
            self.0.push(Fault::value(name, value.get(), expected).0);
            "null".to_owned()
        })
    }

    fn text(self) -> Option<String> {
        let mut text = self.0.join("; ");
        if text.len() > MAX_MISTYPED {
            text.truncate(text.floor_char_boundary(MAX_MISTYPED));
            text.push('…');
        }
        Some(text).filter(|text| !text.is_empty())
    }
}

/// The JSON of a value in a column of that type, or what would fit there.
fn fitted(column_type: ColumnType, value: &RawValue) -> Result<String, &'static str> {
    let (expected, fits) = match column_type {
        // Any value is JSON already.
        ColumnType::Json => return storable(value, "").map(|json| json.as_str().to_owned()).map_err(|_| "less depth"),
        ColumnType::String => ("text", text as fn(DocumentValue) -> Option<String>),
        ColumnType::Int64 => ("a whole number", whole as _),
        ColumnType::Bool => ("true or false", bool as _),
        ColumnType::Timestamp => ("a time", time as _),
        ColumnType::Bytes | ColumnType::Conditions => return Err("a column of another type"),
    };
    decode_value(value).ok().and_then(fits).ok_or(expected)
}

/// Text, or the name of a document referred to.
fn text(value: DocumentValue) -> Option<String> {
    match value {
        DocumentValue::Text(text) | DocumentValue::Reference(text) => serde_json::to_string(&text).ok(),
        _ => None,
    }
}

/// A whole number, also one that some client wrote as a floating-point one.
fn whole(value: DocumentValue) -> Option<String> {
    match value {
        DocumentValue::Integer(number) => Some(number.to_string()),
        DocumentValue::Double(number) if number.fract() == 0.0 && number.abs() <= MAX_EXACT => {
            Some((number as i64).to_string())
        }
        _ => None,
    }
}

fn bool(value: DocumentValue) -> Option<String> {
    match value {
        DocumentValue::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

/// A moment, also one written as text.
fn time(value: DocumentValue) -> Option<String> {
    let moment = match value {
        DocumentValue::Time(moment) => moment,
        DocumentValue::Text(text) => Moment::parse(&text).ok()?,
        _ => return None,
    };
    let timestamp: Timestamp = moment.timestamp();
    serde_json::to_string(&timestamp).ok()
}

/// A column's name as a client in JavaScript would write it: `api_id` is `apiId`.
fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}
