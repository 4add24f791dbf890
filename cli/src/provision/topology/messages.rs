//! Which topics carry messages of ours.

use schemas::{
    Encoding, LimitDeclaration, Message, Notification, RawBatch, RecordSchema, ReplicaChange, RowBatch,
    SnapshotRequest, Topic, Violation,
};

/// A message's schema and its encoding.
pub(super) type Carried = (&'static RecordSchema, Encoding);

fn carried<M: Message>() -> (Topic, Carried) {
    (M::TOPIC, (M::schema(), M::ENCODING))
}

/// Every message that has a topic.
pub(super) fn all() -> [(Topic, Carried); 7] {
    [
        carried::<SnapshotRequest>(),
        carried::<RawBatch>(),
        carried::<RowBatch>(),
        carried::<ReplicaChange>(),
        carried::<LimitDeclaration>(),
        carried::<Violation>(),
        carried::<Notification>(),
    ]
}

/// What a topic carries; none where its messages are not ours.
pub(super) fn of(topic: Topic) -> Option<Carried> {
    all().into_iter().find(|(carrier, _)| *carrier == topic).map(|(_, carried)| carried)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_of_a_message_is_carried_by_a_topic() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas/avro/messages");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        files.sort();
        let mut names = all().map(|(_, (schema, _))| schema.name.to_owned());
        names.sort();
        assert_eq!(files, names);
    }
}
