//! The section `topics`.

use std::collections::BTreeMap;
use std::time::Duration;

use platform::google::provision::{Encoding, SchemaWanted, TopicSettings, bare};
use schemas::Topic;

use super::messages;
use super::reader::{Field, Fields, Problems};

/// How long Pub/Sub keeps messages of a topic or of a subscription, at least and at most.
pub(super) const RETENTION: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(600)..=Duration::from_secs(31 * 86_400);

/// Every topic of the program.
pub(super) fn read(section: &Field<'_>, problems: &mut Problems) -> BTreeMap<Topic, TopicSettings> {
    let names: Vec<&str> = Topic::ALL.iter().map(|topic| topic.name()).collect();
    let mut topics = BTreeMap::new();
    let Some(fields) = Fields::of(section, "topic", &names, problems) else { return topics };
    for topic in Topic::ALL {
        let settings = fields.need(topic.name(), problems).and_then(|field| settings(*topic, &field, problems));
        topics.extend(settings.map(|settings| (*topic, settings)));
    }
    topics
}

fn settings(topic: Topic, field: &Field<'_>, problems: &mut Problems) -> Option<TopicSettings> {
    let known: &[&str] = match messages::of(topic) {
        Some(_) => &["schema", "encoding", "messageRetention"],
        None => &["messageRetention"],
    };
    let fields = Fields::of(field, "field", known, problems)?;
    let schema = match messages::of(topic) {
        Some(_) => Some(schema(topic, &fields, problems)?),
        None => None,
    };
    let retention = fields.need("messageRetention", problems)?.period(RETENTION, problems)?;
    Some(TopicSettings { schema, retention })
}

/// The schema of a topic's messages: it must be the one the program writes.
fn schema(topic: Topic, fields: &Fields<'_>, problems: &mut Problems) -> Option<SchemaWanted> {
    let (record, encoding) = messages::of(topic)?;
    let encoding = match encoding {
        schemas::Encoding::Binary => Encoding::Binary,
        schemas::Encoding::Json => Encoding::Json,
    };
    fields.need("schema", problems)?.word(&[record.name], problems)?;
    let written = fields.need("encoding", problems)?;
    written.word(&[encoding.name()], problems)?;
    match bare(record.avsc) {
        Ok(definition) => Some(SchemaWanted { id: record.name.to_owned(), encoding, definition }),
        Err(error) => {
            written.say(format!("the schema of {} is not JSON: {error}", record.name), problems);
            None
        }
    }
}
