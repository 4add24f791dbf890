//! Avro schemas and their revisions at Pub/Sub.

use apache_avro::Schema;
use apache_avro::schema_compatibility::SchemaCompatibility;
use google_cloud_pubsub::model;
use google_cloud_pubsub::model::schema::Type;
use serde_json::Value;

use super::compare::{Comparison, Finding, State};

/// Most revisions that Pub/Sub keeps of a schema.
/// <https://cloud.google.com/pubsub/quotas#resource_limits>
pub const MOST_REVISIONS: usize = 20;
/// What a resource of this kind is called.
pub(super) const KIND: &str = "schema";
/// Attributes that Avro defines; every other one is for our own generators and is not sent.
const AVRO_ATTRIBUTES: [&str; 15] = [
    "type",
    "name",
    "namespace",
    "doc",
    "fields",
    "items",
    "values",
    "symbols",
    "size",
    "logicalType",
    "precision",
    "scale",
    "default",
    "aliases",
    "order",
];

/// How messages of a topic are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Avro binary.
    Binary,
    /// Avro JSON.
    Json,
}

impl Encoding {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Json => "json",
        }
    }

    pub(super) fn on_the_wire(self) -> model::Encoding {
        match self {
            Self::Binary => model::Encoding::Binary,
            Self::Json => model::Encoding::Json,
        }
    }
}

/// The schema that messages of a topic must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaWanted {
    /// Its id in the project.
    pub id: String,
    /// How messages are encoded.
    pub encoding: Encoding,
    /// The newest definition, as [`bare`] gives it.
    pub definition: String,
}

/// One revision that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Revision {
    pub(super) id: String,
    pub(super) definition: String,
    pub(super) is_avro: bool,
    /// Seconds and nanoseconds; revisions are ordered by it.
    pub(super) made_at: (i64, i32),
}

impl Revision {
    pub(super) fn of(schema: model::Schema) -> Self {
        Self {
            id: schema.revision_id,
            definition: schema.definition,
            is_avro: schema.r#type == Type::Avro,
            made_at: schema.revision_create_time.map_or((0, 0), |time| (time.seconds(), time.nanos())),
        }
    }
}

/// What is to be done about a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Plan {
    /// The schema is made, and its first revision with it.
    Create,
    /// This revision is what is wanted.
    Same(String),
    /// A revision is added.
    Commit,
    /// Nothing can be done.
    Refused,
}

/// A definition without what Avro does not define. Documentation stays, for who reads it there.
///
/// # Errors
/// The text is not JSON.
pub fn bare(definition: &str) -> Result<String, serde_json::Error> {
    let mut value: Value = serde_json::from_str(definition)?;
    keep(&mut value, &AVRO_ATTRIBUTES);
    serde_json::to_string_pretty(&value)
}

/// Drops every other attribute of a schema and of the schemas in it.
fn keep(schema: &mut Value, attributes: &[&str]) {
    match schema {
        Value::Object(map) => {
            map.retain(|name, _| attributes.contains(&name.as_str()));
            // Only these hold schemas; a default may be an object that looks like one.
            for name in ["type", "fields", "items", "values"] {
                if let Some(below) = map.get_mut(name) {
                    keep(below, attributes);
                }
            }
        }
        Value::Array(branches) => branches.iter_mut().for_each(|branch| keep(branch, attributes)),
        _ => {}
    }
}

/// What two definitions must have in common to be one revision: everything but documentation.
fn essence(definition: &str) -> Option<Value> {
    let mut value: Value = serde_json::from_str(definition).ok()?;
    let attributes: Vec<&str> = AVRO_ATTRIBUTES.into_iter().filter(|name| *name != "doc").collect();
    keep(&mut value, &attributes);
    Some(value)
}

/// Compares with the revisions that are there, oldest first; none where there is no such schema.
pub(super) fn compare(wanted: &SchemaWanted, revisions: Option<&[Revision]>) -> (Finding, Plan) {
    let Some(revisions) = revisions else {
        return (Finding::missing(KIND, &wanted.id, "Avro"), Plan::Create);
    };
    let wanted_essence = essence(&wanted.definition);
    // The newest equal one: a rollback makes an old definition anew.
    let equal =
        revisions.iter().rev().find(|revision| revision.is_avro && essence(&revision.definition) == wanted_essence);
    if let Some(revision) = equal {
        return (Finding::same(KIND, &wanted.id), Plan::Same(revision.id.clone()));
    }
    let newest = revisions.last().map_or("none", |revision| revision.id.as_str()).to_owned();
    let mut comparison = Comparison::default();
    match obstacle(wanted, revisions) {
        None => comparison.change("revision", "definition", newest, "a new one".to_owned()),
        Some(why) => comparison.refuse("revision", newest, "a new one".to_owned(), why),
    }
    let (finding, _) = comparison.finding(KIND, &wanted.id);
    let plan = if finding.state == State::Refused { Plan::Refused } else { Plan::Commit };
    (finding, plan)
}

/// Why the definition cannot follow the revisions: it must read what was written under any of them.
fn obstacle(wanted: &SchemaWanted, revisions: &[Revision]) -> Option<String> {
    if revisions.len() >= MOST_REVISIONS {
        return Some(format!("it has {} revisions, the most there can be: delete one by hand", revisions.len()));
    }
    let ours = match Schema::parse_str(&wanted.definition) {
        Ok(schema) => schema,
        Err(error) => return Some(format!("the wanted definition is no Avro schema: {error}")),
    };
    revisions.iter().find_map(|revision| {
        if !revision.is_avro {
            return Some(format!("revision {} is not Avro", revision.id));
        }
        let theirs = match Schema::parse_str(&revision.definition) {
            Ok(schema) => schema,
            Err(error) => return Some(format!("revision {} cannot be parsed: {error}", revision.id)),
        };
        let unread = SchemaCompatibility::can_read(&theirs, &ours).err()?;
        Some(format!("it could not read messages of revision {}: {unread}", revision.id))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = r#"{"type": "record", "name": "R", "topic": "t", "fields": [
        {"name": "a", "type": "string", "doc": "The a.", "rust": "A"}]}"#;
    const WITH_OPTIONAL: &str = r#"{"type": "record", "name": "R", "fields": [
        {"name": "a", "type": "string"}, {"name": "b", "type": ["null", "string"], "default": null}]}"#;
    const WITH_REQUIRED: &str = r#"{"type": "record", "name": "R", "fields": [
        {"name": "a", "type": "string"}, {"name": "b", "type": "long"}]}"#;

    fn wanted(definition: &str) -> SchemaWanted {
        SchemaWanted { id: "R".to_owned(), encoding: Encoding::Binary, definition: bare(definition).unwrap() }
    }

    fn revision(id: &str, definition: &str) -> Revision {
        Revision { id: id.to_owned(), definition: definition.to_owned(), is_avro: true, made_at: (0, 0) }
    }

    #[test]
    fn what_is_sent_has_avros_attributes_and_documentation_only() {
        let bare = bare(ONE).unwrap();
        assert!(bare.contains("The a.") && !bare.contains("rust") && !bare.contains("topic"), "{bare}");
        assert_eq!(Schema::parse_str(&bare).unwrap(), Schema::parse_str(ONE).unwrap().clone());
    }

    #[test]
    fn a_default_that_looks_like_a_schema_is_left_as_it_is() {
        let with_default = r#"{"type": "record", "name": "R", "fields": [
            {"name": "m", "type": {"type": "map", "values": "string"}, "default": {"rust": "x"}}]}"#;
        assert!(bare(with_default).unwrap().contains("rust"));
    }

    #[test]
    fn another_documentation_is_not_another_revision() {
        let documented = ONE.replace("The a.", "Something else.");
        let (finding, plan) = compare(&wanted(&documented), Some(&[revision("1", ONE)]));
        assert_eq!((finding.state, plan), (State::Same, Plan::Same("1".to_owned())));
    }

    #[test]
    fn an_added_optional_field_is_a_new_revision_and_a_required_one_is_refused() {
        let revisions = [revision("1", ONE)];
        let (finding, plan) = compare(&wanted(WITH_OPTIONAL), Some(&revisions));
        assert_eq!((finding.state, plan), (State::Different, Plan::Commit));
        let (finding, plan) = compare(&wanted(WITH_REQUIRED), Some(&revisions));
        assert_eq!((finding.state, plan), (State::Refused, Plan::Refused));
        let why = finding.differences[0].refused.as_deref().unwrap();
        assert!(why.contains("revision 1"), "{why}");
    }

    #[test]
    fn every_revision_must_be_readable_not_only_the_newest() {
        let revisions = [revision("1", WITH_REQUIRED), revision("2", ONE)];
        let other_type = WITH_REQUIRED.replace("\"long\"}", "[\"null\", \"string\"], \"default\": null}");
        assert_eq!(compare(&wanted(&other_type), Some(&revisions[1..])).1, Plan::Commit);
        let (finding, plan) = compare(&wanted(&other_type), Some(&revisions));
        assert_eq!(plan, Plan::Refused);
        assert!(finding.differences[0].refused.as_deref().unwrap().contains("revision 1"));
    }

    #[test]
    fn an_older_program_finds_its_own_revision_behind_newer_ones() {
        let revisions = [revision("1", ONE), revision("2", WITH_OPTIONAL)];
        assert_eq!(compare(&wanted(ONE), Some(&revisions)).1, Plan::Same("1".to_owned()));
    }

    #[test]
    fn a_schema_of_another_language_or_with_no_room_is_refused() {
        let protobuf = Revision { is_avro: false, ..revision("1", "syntax = \"proto3\";") };
        assert_eq!(compare(&wanted(ONE), Some(&[protobuf])).1, Plan::Refused);
        let full: Vec<Revision> = (0..MOST_REVISIONS).map(|number| revision(&number.to_string(), ONE)).collect();
        assert_eq!(compare(&wanted(WITH_OPTIONAL), Some(&full)).1, Plan::Refused);
    }
}
