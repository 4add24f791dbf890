//! Comparing settings, field by field.

use std::time::Duration;

use serde::Serialize;

/// How a resource stands to what is wanted of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is as it should be.
    Same,
    /// It is not there and will be made.
    Missing,
    /// It differs and can be changed to what is wanted.
    Different,
    /// It differs, and the change would take something away or is impossible.
    Refused,
    /// It is there and nobody asked for it; it is left alone.
    Foreign,
}

/// One setting that is not as wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The setting, as the topology names it.
    pub field: &'static str,
    /// Its value there.
    pub found: String,
    /// Its value in the topology.
    pub wanted: String,
    /// Why it is not changed; none where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// One resource, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is, such as `subscription`.
    pub kind: &'static str,
    /// Its name, without the project's.
    pub name: String,
    /// How it stands.
    pub state: State,
    /// What it is made with, or why it is foreign: for people; may be empty.
    pub note: String,
    /// What is not as wanted.
    pub differences: Vec<Difference>,
}

impl Finding {
    /// A resource that is to be made.
    pub fn missing(kind: &'static str, name: impl Into<String>, note: impl Into<String>) -> Self {
        Self { kind, name: name.into(), state: State::Missing, note: note.into(), differences: Vec::new() }
    }

    /// A resource that is as it should be.
    pub fn same(kind: &'static str, name: impl Into<String>) -> Self {
        Self { kind, name: name.into(), state: State::Same, note: String::new(), differences: Vec::new() }
    }

    /// A resource that nobody asked for.
    pub(super) fn foreign(kind: &'static str, name: impl Into<String>, note: impl Into<String>) -> Self {
        Self { kind, name: name.into(), state: State::Foreign, note: note.into(), differences: Vec::new() }
    }
}

/// Collects the differences of one resource, and which fields a change must name.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    differences: Vec<Difference>,
    paths: Vec<&'static str>,
}

impl Comparison {
    /// A setting that may be changed in any direction. `path` is its name in an update's mask.
    pub(super) fn free<T: PartialEq>(
        &mut self,
        field: &'static str,
        path: &'static str,
        (found, wanted): (T, T),
        show: impl Fn(&T) -> String,
    ) {
        if found != wanted {
            self.change(field, path, show(&found), show(&wanted));
        }
    }

    /// A setting that may only grow.
    pub(super) fn grows<T: PartialOrd>(
        &mut self,
        field: &'static str,
        path: &'static str,
        (found, wanted): (T, T),
        show: impl Fn(&T) -> String,
    ) {
        if wanted > found {
            self.change(field, path, show(&found), show(&wanted));
        } else if wanted < found {
            self.refuse(field, show(&found), show(&wanted), "it would be narrowed");
        }
    }

    /// A setting that the service never changes.
    pub(super) fn fixed<T: PartialEq>(
        &mut self,
        field: &'static str,
        (found, wanted): (T, T),
        show: impl Fn(&T) -> String,
    ) {
        if found != wanted {
            self.refuse(field, show(&found), show(&wanted), "it cannot be changed");
        }
    }

    pub(super) fn change(&mut self, field: &'static str, path: &'static str, found: String, wanted: String) {
        self.differences.push(Difference { field, found, wanted, refused: None });
        if !self.paths.contains(&path) {
            self.paths.push(path);
        }
    }

    pub(super) fn refuse(&mut self, field: &'static str, found: String, wanted: String, why: impl Into<String>) {
        self.differences.push(Difference { field, found, wanted, refused: Some(why.into()) });
    }

    /// What was found of the resource, and the fields of an update; no fields where nothing may be
    /// changed.
    pub(super) fn finding(self, kind: &'static str, name: &str) -> (Finding, Vec<&'static str>) {
        let refused = self.differences.iter().any(|difference| difference.refused.is_some());
        let state = match (refused, self.differences.is_empty()) {
            (true, _) => State::Refused,
            (false, true) => State::Same,
            (false, false) => State::Different,
        };
        let paths = if refused { Vec::new() } else { self.paths };
        (Finding { kind, name: name.to_owned(), state, note: String::new(), differences: self.differences }, paths)
    }
}

/// A length of time as the topology writes it: `7d`, `10m`, `90s`; of less than a second as `500ms`.
pub fn shown(duration: Duration) -> String {
    const UNITS: [(u64, &str); 3] = [(86_400, "d"), (3_600, "h"), (60, "m")];
    let seconds = duration.as_secs();
    if duration.subsec_millis() > 0 {
        return format!("{}ms", duration.as_millis());
    }
    match UNITS.into_iter().find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{}{name}", seconds / unit),
        None => format!("{seconds}s"),
    }
}

pub(super) fn yes_or_no(value: &bool) -> String {
    if *value { "yes" } else { "no" }.to_owned()
}

/// A text, or that there is none.
pub(super) fn or_none(text: &str) -> String {
    if text.is_empty() { "none".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_shown_as_they_are_written() {
        for (seconds, text) in [(0, "0s"), (1, "1s"), (90, "90s"), (600, "10m"), (3_600, "1h"), (604_800, "7d")] {
            assert_eq!(shown(Duration::from_secs(seconds)), text);
        }
        assert_eq!(shown(Duration::from_millis(1_500)), "1500ms");
    }

    #[test]
    fn one_refusal_keeps_the_whole_resource_from_being_changed() {
        let mut comparison = Comparison::default();
        comparison.free("filter", "filter", ("a", "b"), ToString::to_string);
        comparison.grows("attempts", "dead_letter_policy", (10, 5), ToString::to_string);
        let (finding, paths) = comparison.finding("subscription", "s");
        assert_eq!((finding.state, finding.differences.len()), (State::Refused, 2));
        assert!(paths.is_empty(), "{paths:?}");
    }

    #[test]
    fn what_grows_is_changed_and_what_shrinks_is_refused() {
        for (pair, state) in [((5, 10), State::Different), ((10, 5), State::Refused), ((5, 5), State::Same)] {
            let mut comparison = Comparison::default();
            comparison.grows("attempts", "dead_letter_policy", pair, ToString::to_string);
            let (finding, paths) = comparison.finding("subscription", "s");
            assert_eq!(finding.state, state, "{pair:?}");
            assert_eq!(paths.len(), usize::from(state == State::Different), "{pair:?}");
        }
    }
}
