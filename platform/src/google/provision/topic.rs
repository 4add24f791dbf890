//! Topics: their schema, its range of revisions, and how long messages are kept.

use std::time::Duration;

use google_cloud_pubsub::model::{SchemaSettings, Topic};
use google_cloud_wkt::Duration as WireDuration;

use super::compare::{Comparison, Finding, or_none, shown};
use super::schema::{Plan, Revision, SchemaWanted};

/// What a resource of this kind is called.
pub(super) const KIND: &str = "topic";
/// The field of an update's mask for the schema.
const SCHEMA_PATH: &str = "schema_settings";

/// What is wanted of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSettings {
    /// The schema that messages must have; none takes every message.
    pub schema: Option<SchemaWanted>,
    /// How long every published message is kept, so that each subscription can be sought back; 10
    /// minutes to 31 days.
    pub retention: Duration,
}

/// What is known of a topic's schema before its settings are made.
#[derive(Debug, Clone, Copy)]
pub(super) struct SchemaState<'a> {
    pub(super) plan: &'a Plan,
    /// Oldest first; empty where the schema is not there yet.
    pub(super) revisions: &'a [Revision],
}

/// The ends of a range of revisions that are to be the revision this run makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct NewEnds {
    pub(super) first: bool,
    pub(super) last: bool,
}

/// A topic to send, and what is not known of it yet.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TopicChange {
    pub(super) topic: Topic,
    pub(super) paths: Vec<&'static str>,
    pub(super) new_ends: NewEnds,
}

pub(super) fn wire_duration(duration: Duration) -> WireDuration {
    // Whole seconds within the service's bounds: the topology's are.
    WireDuration::clamp(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX), 0)
}

/// A length of time of the service; a negative one, which it does not have, is none.
pub(super) fn our_duration(duration: &WireDuration) -> Duration {
    Duration::new(u64::try_from(duration.seconds()).unwrap_or(0), u32::try_from(duration.nanos()).unwrap_or(0))
}

impl TopicSettings {
    /// The settings in a few words.
    pub(super) fn note(&self) -> String {
        let kept = format!("kept {}", shown(self.retention));
        match &self.schema {
            Some(schema) => format!("{}, {kept}", schema_note(&schema.id, schema.encoding.name())),
            None => format!("no schema, {kept}"),
        }
    }

    /// The topic to make.
    pub(super) fn create(&self, name: String, project: &str, schema: Option<SchemaState<'_>>) -> TopicChange {
        let mut topic = Topic::new().set_name(name).set_message_retention_duration(wire_duration(self.retention));
        let mut new_ends = NewEnds::default();
        if let (Some(wanted), Some(state)) = (&self.schema, schema) {
            let (settings, ends) = attached(wanted, project, state);
            topic = topic.set_schema_settings(settings);
            new_ends = ends;
        }
        TopicChange { topic, paths: Vec::new(), new_ends }
    }

    /// Compares with the topic that is there; the change is one only where it names fields.
    pub(super) fn compare(
        &self,
        id: &str,
        project: &str,
        found: &Topic,
        schema: Option<SchemaState<'_>>,
    ) -> (Finding, TopicChange) {
        let mut comparison = Comparison::default();
        let mut change = TopicChange { topic: found.clone(), paths: Vec::new(), new_ends: NewEnds::default() };
        match (&self.schema, schema) {
            (Some(wanted), Some(state)) => compare_schema(wanted, project, state, &mut comparison, &mut change),
            _ => {
                let found = found.schema_settings.as_ref().map_or("", |settings| settings.schema.as_str());
                if !found.is_empty() {
                    comparison.refuse("schema", short(found).to_owned(), or_none(""), "it would be narrowed");
                }
            }
        }
        let kept = found.message_retention_duration.as_ref().map(our_duration).unwrap_or_default();
        comparison.grows("messageRetention", "message_retention_duration", (kept, self.retention), |kept| shown(*kept));
        change.topic = change.topic.set_message_retention_duration(wire_duration(self.retention.max(kept)));
        let (finding, paths) = comparison.finding(KIND, id);
        change.paths = paths;
        (finding, change)
    }
}

/// Attaches a schema to a topic that has none: from our revision to our revision.
fn attached(wanted: &SchemaWanted, project: &str, state: SchemaState<'_>) -> (SchemaSettings, NewEnds) {
    let settings = SchemaSettings::new()
        .set_schema(format!("projects/{project}/schemas/{}", wanted.id))
        .set_encoding(wanted.encoding.on_the_wire());
    match state.plan {
        Plan::Same(ours) => (settings.set_first_revision_id(ours).set_last_revision_id(ours), NewEnds::default()),
        Plan::Create | Plan::Commit | Plan::Refused => (settings, NewEnds { first: true, last: true }),
    }
}

/// Compares the schema's settings. The range of revisions that a topic accepts is only ever widened:
/// senders of an older version go on.
fn compare_schema(
    wanted: &SchemaWanted,
    project: &str,
    state: SchemaState<'_>,
    comparison: &mut Comparison,
    change: &mut TopicChange,
) {
    let note = |encoding: &str| schema_note(&wanted.id, encoding);
    let Some(settings) = change.topic.schema_settings.clone() else {
        let (settings, ends) = attached(wanted, project, state);
        comparison.change("schema", SCHEMA_PATH, or_none(""), note(wanted.encoding.name()));
        change.topic = change.topic.clone().set_schema_settings(settings);
        change.new_ends = ends;
        return;
    };
    comparison.fixed("schema", (name_within(project, &settings.schema), wanted.id.as_str()), |id| (*id).to_owned());
    let encoding = settings.encoding.name().unwrap_or("unknown").to_lowercase();
    comparison.fixed("encoding", (encoding.as_str(), wanted.encoding.name()), |name| (*name).to_owned());
    let (first, last) = (settings.first_revision_id.clone(), settings.last_revision_id.clone());
    let place = |id: &str| state.revisions.iter().position(|revision| revision.id == id);
    let shown_range = range(&first, &last);
    let settings = match state.plan {
        Plan::Same(ours) => {
            let ours_at = place(ours);
            // A bound that is no revision any more bounds nothing that is known: ours takes its place.
            let before = !first.is_empty() && place(&first).is_none_or(|first| ours_at < Some(first));
            let after = !last.is_empty() && place(&last).is_none_or(|last| ours_at > Some(last));
            let settings = if before { settings.set_first_revision_id(ours) } else { settings };
            if after { settings.set_last_revision_id(ours) } else { settings }
        }
        Plan::Create | Plan::Commit => {
            change.new_ends = NewEnds { first: false, last: !last.is_empty() };
            settings
        }
        Plan::Refused => settings,
    };
    let widened = range(&settings.first_revision_id, &settings.last_revision_id);
    if change.new_ends.last {
        comparison.change("revisions", SCHEMA_PATH, shown_range, range(&first, "the new one"));
    } else if widened != shown_range {
        comparison.change("revisions", SCHEMA_PATH, shown_range, widened);
    }
    change.topic = change.topic.clone().set_schema_settings(settings);
}

fn schema_note(id: &str, encoding: &str) -> String {
    format!("schema {id} ({encoding})")
}

/// A range of revisions; an end that is not given is open.
fn range(first: &str, last: &str) -> String {
    match (first, last) {
        ("", "") => "all".to_owned(),
        ("", last) => format!("up to {last}"),
        (first, "") => format!("from {first} on"),
        (first, last) => format!("{first} to {last}"),
    }
}

/// The last part of a resource's full name.
pub(super) fn short(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// A resource's name within a project; of another project's its full name, so that the two differ.
pub(super) fn name_within<'a>(project: &str, name: &'a str) -> &'a str {
    let own = name.strip_prefix("projects/").and_then(|rest| rest.strip_prefix(project));
    if own.is_some_and(|rest| rest.starts_with('/')) { short(name) } else { name }
}

#[cfg(test)]
mod tests {
    use super::super::compare::State;
    use super::super::schema::Encoding;
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn wanted() -> TopicSettings {
        let schema = SchemaWanted { id: "R".to_owned(), encoding: Encoding::Binary, definition: "{}".to_owned() };
        TopicSettings { schema: Some(schema), retention: 7 * DAY }
    }

    fn revisions(ids: &[&str]) -> Vec<Revision> {
        let revision =
            |id: &&str| Revision { id: (*id).to_owned(), definition: String::new(), is_avro: true, made_at: (0, 0) };
        ids.iter().map(revision).collect()
    }

    fn topic(first: &str, last: &str) -> Topic {
        let settings = SchemaSettings::new()
            .set_schema("projects/p/schemas/R")
            .set_encoding(google_cloud_pubsub::model::Encoding::Binary)
            .set_first_revision_id(first)
            .set_last_revision_id(last);
        Topic::new().set_schema_settings(settings).set_message_retention_duration(wire_duration(7 * DAY))
    }

    fn compare(found: &Topic, plan: &Plan, ids: &[&str]) -> (Finding, TopicChange) {
        let revisions = revisions(ids);
        wanted().compare("t", "p", found, Some(SchemaState { plan, revisions: &revisions }))
    }

    #[test]
    fn a_range_is_widened_to_hold_our_revision_and_never_narrowed() {
        let ours = |id: &str| Plan::Same(id.to_owned());
        for (first, last, plan, becomes) in [
            ("1", "2", ours("1"), ("1", "2")),
            ("1", "2", ours("3"), ("1", "3")),
            ("2", "3", ours("1"), ("1", "3")),
            ("", "", ours("2"), ("", "")),
            ("", "1", ours("2"), ("", "2")),
            ("gone", "3", ours("2"), ("2", "3")),
        ] {
            let (finding, change) = compare(&topic(first, last), &plan, &["1", "2", "3"]);
            let settings = change.topic.schema_settings.unwrap();
            assert_eq!((settings.first_revision_id.as_str(), settings.last_revision_id.as_str()), becomes, "{plan:?}");
            let changed = (first, last) != becomes;
            assert_eq!(finding.state, if changed { State::Different } else { State::Same }, "{first} {last} {plan:?}");
            assert_eq!(change.paths, if changed { vec![SCHEMA_PATH] } else { vec![] });
        }
    }

    #[test]
    fn a_new_revision_becomes_the_last_one_and_an_open_range_holds_it_anyway() {
        let (finding, change) = compare(&topic("1", "1"), &Plan::Commit, &["1"]);
        assert_eq!((finding.state, change.new_ends), (State::Different, NewEnds { first: false, last: true }));
        let (finding, change) = compare(&topic("1", ""), &Plan::Commit, &["1"]);
        assert_eq!((finding.state, change.new_ends), (State::Same, NewEnds::default()));
    }

    #[test]
    fn a_topic_without_a_schema_gets_it_and_another_schema_is_refused() {
        let plain = Topic::new().set_message_retention_duration(wire_duration(7 * DAY));
        let (finding, change) = compare(&plain, &Plan::Create, &[]);
        assert_eq!((finding.state, change.new_ends), (State::Different, NewEnds { first: true, last: true }));
        let mut other = topic("1", "1");
        other.schema_settings.as_mut().unwrap().schema = "projects/p/schemas/Other".to_owned();
        assert_eq!(compare(&other, &Plan::Create, &[]).0.state, State::Refused);
        let mut json = topic("1", "1");
        json.schema_settings.as_mut().unwrap().encoding = google_cloud_pubsub::model::Encoding::Json;
        assert_eq!(compare(&json, &Plan::Same("1".to_owned()), &["1"]).0.state, State::Refused);
    }

    #[test]
    fn a_schema_of_another_project_is_another_schema() {
        let mut other = topic("1", "1");
        other.schema_settings.as_mut().unwrap().schema = "projects/p2/schemas/R".to_owned();
        assert_eq!(compare(&other, &Plan::Same("1".to_owned()), &["1"]).0.state, State::Refused);
        assert_eq!(name_within("p", "projects/p/topics/t"), "t");
        assert_eq!(name_within("p", "projects/p2/topics/t"), "projects/p2/topics/t");
    }

    #[test]
    fn a_schema_is_never_taken_off_and_retention_never_shortened() {
        let none = TopicSettings { schema: None, retention: 7 * DAY };
        assert_eq!(none.compare("t", "p", &topic("1", "1"), None).0.state, State::Refused);
        for (days, state) in [(1, State::Different), (7, State::Same), (8, State::Refused)] {
            let found = Topic::new().set_message_retention_duration(wire_duration(days * DAY));
            assert_eq!(none.compare("t", "p", &found, None).0.state, state, "{days} days");
        }
        assert_eq!(none.compare("t", "p", &Topic::new(), None).0.state, State::Different);
    }
}
