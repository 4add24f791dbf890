//! Cells of a grid.

use serde_json::Value;

/// One value, printed according to the format.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell(Value);

impl Cell {
    /// A cell of a JSON value.
    pub fn value(value: Value) -> Self {
        Self(value)
    }

    /// For a table: control characters escaped, null as `-`.
    pub fn text(&self) -> String {
        match &self.0 {
            Value::Null => "-".into(),
            Value::String(text) => printable(text),
            other => printable(&other.to_string()),
        }
    }

    /// For CSV: null empty, text that would be a formula defused.
    pub fn csv(&self) -> String {
        match &self.0 {
            Value::Null => String::new(),
            Value::String(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => format!("'{text}"),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }

    /// For JSON: as it is.
    pub fn json(&self) -> Value {
        self.0.clone()
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Self(number.into())
    }
}

impl From<schemas::Timestamp> for Cell {
    fn from(moment: schemas::Timestamp) -> Self {
        Self(moment.to_string().into())
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self(Value::Null), Into::into)
    }
}

/// Text with control and direction characters escaped, so that a name can neither steer the terminal
/// nor be shown as another one.
pub fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || is_invisible(character) {
            safe.extend(character.escape_default());
        } else {
            safe.push(character);
        }
    }
    safe
}

/// Zero-width characters and those that turn the direction of writing (Unicode's `Bidi_Control`).
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
