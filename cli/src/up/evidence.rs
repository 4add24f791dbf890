//! Evidence as lines for people.

use schemas::Json;
use serde_json::Value;

/// Most lines shown; the rest is in the alert log.
const MOST_LINES: usize = 12;

/// One line per piece of evidence: nested objects are flattened to `limit.max_replicas 4`.
pub(super) fn lines(evidence: &Json) -> Vec<String> {
    let Ok(value) = serde_json::from_str::<Value>(evidence.as_str()) else { return Vec::new() };
    let Value::Object(pieces) = value else { return Vec::new() };
    let mut lines: Vec<String> = pieces
        .into_iter()
        .filter(|(name, piece)| !is_bookkeeping(name) && says_something(piece))
        .map(|(name, piece)| format!("{}: {}", name.replace('_', " "), plain(&piece)))
        .collect();
    lines.truncate(MOST_LINES);
    lines
}

/// Whether a piece is there for programs: ids, and the row of the table that chose the cause.
fn is_bookkeeping(name: &str) -> bool {
    name == "cause_row" || name.ends_with("_id")
}

/// Null, false and empty say nothing to a person.
fn says_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Bool(true) | Value::Number(_) | Value::String(_) => true,
    }
}

/// A value as a person would write it.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(fields) => fields
            .iter()
            .filter(|(name, field)| !is_bookkeeping(name) && says_something(field))
            .map(|(name, field)| format!("{} {}", name.replace('_', " "), plain(field)))
            .collect::<Vec<_>>()
            .join(", "),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join("; "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_reads_like_a_list() {
        let evidence = Json::from(serde_json::json!({
            "last_change": {"actor": "bob@example.com", "new_value": 6, "old_value": null},
            "none": null,
            "autoscalers": [],
            "flapping": false,
            "cause_row": 7,
        }));
        assert_eq!(lines(&evidence), ["last change: actor bob@example.com, new value 6"]);
    }
}
