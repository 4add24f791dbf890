//! JSON patches (RFC 6902): what a list of operations does with one number.

use schemas::ReplicaField;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::body::{Setting, Spec, number};
use super::outcome::{Reject, shown};
use super::target::key;
use super::text::{Nullable, Text};

/// One operation.
#[derive(Debug, Deserialize)]
pub(super) struct Operation<'a> {
    #[serde(borrow)]
    op: Text<'a>,
    #[serde(borrow)]
    path: Text<'a>,
    #[serde(borrow, default)]
    from: Option<Text<'a>>,
    #[serde(borrow, default)]
    value: Nullable<&'a RawValue>,
}

/// Where an operation's path lies in relation to a number.
enum Reach {
    /// At the number.
    Number,
    /// At `spec`, which holds it.
    Spec,
    /// At the whole object.
    Object,
    /// Elsewhere.
    Elsewhere,
}

/// What the operations together do with a number: the last one that touches it decides.
pub(super) fn setting(operations: &[Operation<'_>], field: ReplicaField) -> Result<Setting, Reject> {
    let mut setting = Setting::Untouched;
    for operation in operations {
        let reach = reach(operation.path.as_str(), field);
        let touched = !matches!(reach, Reach::Elsewhere);
        match operation.op.as_str() {
            "add" | "replace" if touched => setting = written(operation, &reach, field)?,
            "remove" if touched => setting = Setting::Cleared,
            "copy" if touched => setting = Setting::Unknown,
            "move" if touched => setting = Setting::Unknown,
            "move" => {
                let from = operation.from.as_ref().map_or("-", Text::as_str);
                if !matches!(self::reach(from, field), Reach::Elsewhere) {
                    setting = Setting::Cleared;
                }
            }
            "add" | "replace" | "remove" | "copy" | "test" => {}
            other => {
                return Err(Reject::malformed("request", format!("{:?} is not a JSON patch operation", shown(other))));
            }
        }
    }
    Ok(setting)
}

/// The number within an operation's value.
fn written(operation: &Operation<'_>, reach: &Reach, field: ReplicaField) -> Result<Setting, Reject> {
    let Nullable::Value(raw) = operation.value else { return Ok(Setting::Cleared) };
    let in_spec = |spec: Nullable<Spec<'_>>| match spec.value().map(|spec| spec.number(field)) {
        Some(Nullable::Value(raw)) => number(raw, field, "request").map(Setting::Number),
        _ => Ok(Setting::Cleared),
    };
    match reach {
        Reach::Number => number(raw, field, "request").map(Setting::Number),
        Reach::Spec => in_spec(Nullable::Value(super::entry::parse(raw.get().as_bytes(), "request.value")?)),
        Reach::Object => {
            #[derive(Default, Deserialize)]
            #[serde(default)]
            struct Whole<'a> {
                #[serde(borrow)]
                spec: Nullable<Spec<'a>>,
            }
            in_spec(super::entry::parse::<Whole<'_>>(raw.get().as_bytes(), "request.value")?.spec)
        }
        Reach::Elsewhere => Ok(Setting::Untouched),
    }
}

/// Where a JSON pointer lies. Neither `spec` nor the numbers' names can be written with escapes.
fn reach(path: &str, field: ReplicaField) -> Reach {
    match path {
        "" | "/" => Reach::Object,
        "/spec" => Reach::Spec,
        _ if path.strip_prefix("/spec/") == Some(key(field)) => Reach::Number,
        _ => Reach::Elsewhere,
    }
}
