//! Reading a tree strictly: every key is known, every value is of its kind, and every problem says
//! where it is.

use std::ops::RangeInclusive;
use std::time::Duration;

use platform::google::provision::shown;
use platform::nearest::did_you_mean;

use super::Problem;
use crate::yaml::{Key, Node, Value};

/// Longest piece of the file in a sentence, in characters.
const MAX_QUOTED_CHARS: usize = 80;

/// What is wrong, as it is found.
#[derive(Debug, Default)]
pub(super) struct Problems(pub(super) Vec<Problem>);

/// The entries of one map, and those that stand in for what it does not say.
#[derive(Debug, Clone)]
pub(super) struct Fields<'n> {
    place: String,
    line: usize,
    column: usize,
    entries: &'n [(Key, Node)],
    defaults: &'n [(Key, Node)],
}

/// One value and where it belongs.
#[derive(Debug, Clone)]
pub(super) struct Field<'n> {
    pub(super) node: &'n Node,
    pub(super) place: String,
}

impl Problems {
    pub(super) fn at(&mut self, line: usize, column: usize, reason: impl Into<String>) {
        self.0.push(Problem { line, column, reason: reason.into() });
    }
}

impl<'n> Fields<'n> {
    /// The entries of a map whose keys are all known; `what` a key names, such as `field`.
    pub(super) fn of(field: &Field<'n>, what: &str, known: &[&str], problems: &mut Problems) -> Option<Self> {
        let all = Self::any(field, problems)?;
        for (key, _) in all.entries.iter().filter(|(key, _)| !known.contains(&key.text.as_str())) {
            let word: String = key.text.chars().take(MAX_QUOTED_CHARS).collect();
            let hint = match did_you_mean(&word, known.iter().copied()) {
                none if none.is_empty() => format!(" (expected one of {})", known.join(", ")),
                hint => hint,
            };
            problems.at(key.line, key.column, format!("{}: unknown {what}{hint}", join(&field.place, &word)));
        }
        Some(all)
    }

    /// The entries of a map with any keys.
    pub(super) fn any(field: &Field<'n>, problems: &mut Problems) -> Option<Self> {
        let Value::Map(entries) = &field.node.value else {
            field.wrong("a map", problems);
            return None;
        };
        let (line, column) = (field.node.line, field.node.column);
        Some(Self { place: field.place.clone(), line, column, entries, defaults: &[] })
    }

    /// The same, with these for what is not said.
    pub(super) fn or(mut self, defaults: Option<&Self>) -> Self {
        self.defaults = defaults.map_or(&[], |defaults| defaults.entries);
        self
    }

    /// A value that may be absent.
    pub(super) fn get(&self, name: &str) -> Option<Field<'n>> {
        let find = |entries: &'n [(Key, Node)]| entries.iter().find(|(key, _)| key.text == name);
        let (_, node) = find(self.entries).or_else(|| find(self.defaults))?;
        Some(Field { node, place: join(&self.place, name) })
    }

    /// A value that must be there.
    pub(super) fn need(&self, name: &str, problems: &mut Problems) -> Option<Field<'n>> {
        let found = self.get(name);
        if found.is_none() {
            problems.at(self.line, self.column, format!("{} is missing", join(&self.place, name)));
        }
        found
    }

    /// Every entry.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'n Key, Field<'n>)> {
        self.entries.iter().map(|(key, node)| (key, Field { node, place: join(&self.place, &key.text) }))
    }
}

impl<'n> Field<'n> {
    pub(super) fn say(&self, reason: impl std::fmt::Display, problems: &mut Problems) {
        problems.at(self.node.line, self.node.column, format!("{}: {reason}", self.place));
    }

    /// Says what was expected, and what stands there.
    pub(super) fn wrong(&self, expected: &str, problems: &mut Problems) {
        let found = match &self.node.value {
            Value::Null => "nothing".to_owned(),
            Value::Bool(value) => value.to_string(),
            Value::Number(text) => text.chars().take(MAX_QUOTED_CHARS).collect(),
            Value::Text(text) => format!("{:?}", text.chars().take(MAX_QUOTED_CHARS).collect::<String>()),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a map".to_owned(),
        };
        self.say(format!("expected {expected}, found {found}"), problems);
    }

    /// A text that is not empty.
    pub(super) fn text(&self, problems: &mut Problems) -> Option<&'n str> {
        let text = self.node.text().filter(|text| !text.is_empty());
        if text.is_none() {
            self.wrong("a text", problems);
        }
        text
    }

    /// One of these words.
    pub(super) fn word(&self, words: &[&str], problems: &mut Problems) -> Option<&'n str> {
        let text = self.text(problems)?;
        if words.contains(&text) {
            return Some(text);
        }
        self.wrong(&words.join(" or "), problems);
        None
    }

    /// true or false.
    pub(super) fn truth(&self, problems: &mut Problems) -> Option<bool> {
        if let Value::Bool(value) = self.node.value {
            return Some(value);
        }
        self.wrong("true or false", problems);
        None
    }

    /// A whole number within bounds.
    pub(super) fn whole(&self, bounds: RangeInclusive<i32>, problems: &mut Problems) -> Option<i32> {
        let number = match &self.node.value {
            Value::Number(text) => text.parse().ok().filter(|number| bounds.contains(number)),
            _ => None,
        };
        if number.is_none() {
            self.wrong(&format!("a whole number from {} to {}", bounds.start(), bounds.end()), problems);
        }
        number
    }

    /// A length of time within bounds.
    pub(super) fn period(&self, bounds: RangeInclusive<Duration>, problems: &mut Problems) -> Option<Duration> {
        let period = self.node.text().and_then(period).filter(|period| bounds.contains(period));
        if period.is_none() {
            let (least, most) = (shown(*bounds.start()), shown(*bounds.end()));
            self.wrong(&format!("a time from {least} to {most}, such as 30s, 10m, 12h or 7d"), problems);
        }
        period
    }

    /// A list of texts, none twice.
    pub(super) fn texts(&self, problems: &mut Problems) -> Option<Vec<Field<'n>>> {
        let Value::List(items) = &self.node.value else {
            self.wrong("a list", problems);
            return None;
        };
        let mut seen = std::collections::BTreeSet::new();
        let mut texts = Vec::new();
        for (index, node) in items.iter().enumerate() {
            let item = Field { node, place: format!("{}[{index}]", self.place) };
            let Some(text) = item.text(problems) else { continue };
            if !seen.insert(text) {
                item.say("is there twice", problems);
            }
            texts.push(item);
        }
        Some(texts)
    }
}

/// `30s`, `10m`, `12h` or `7d`.
fn period(text: &str) -> Option<Duration> {
    let unit = match text.bytes().last()? {
        b's' => 1,
        b'm' => 60,
        b'h' => 3_600,
        b'd' => 86_400,
        _ => return None,
    };
    let number = &text[..text.len() - 1];
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    number.parse::<u64>().ok()?.checked_mul(unit).map(Duration::from_secs)
}

fn join(place: &str, name: &str) -> String {
    if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_whole_numbers_with_a_unit() {
        for (text, seconds) in [("0s", 0), ("30s", 30), ("10m", 600), ("12h", 43_200), ("7d", 604_800)] {
            assert_eq!(period(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in
            ["", "7", "d", "-1d", "+1d", "1.5h", "1w", "1 d", "99999999999999999999s", "9999999999999999999d", "é"]
        {
            assert_eq!(period(text), None, "{text}");
        }
    }
}
