//! The names of the places where a process may be made to end.

/// Operations of the broker that every stage uses.
const BROKER: &[&str] = &["broker.publish", "broker.ack", "broker.nack"];
/// Operations of the object store that every stage may use.
const OBJECTS: &[&str] = &["objects.create", "objects.replace_if", "objects.read", "objects.list", "objects.delete"];
/// Operations that read the warehouse.
const WAREHOUSE_READS: &[&str] = &["warehouse.limits_as_of", "warehouse.last_changes", "warehouse.ask"];
/// Operations that write to the warehouse.
const WAREHOUSE_WRITES: &[&str] = &["warehouse.load", "warehouse.upsert", "warehouse.put_rejects"];
/// Telling a person.
const CHANNEL: &[&str] = &["channel.send"];

/// The stages and what each may do.
const STAGES: &[(&str, &[&[&str]])] = &[
    ("snapshotter", &[BROKER, OBJECTS]),
    ("normalizer", &[BROKER, OBJECTS]),
    ("loader", &[BROKER, OBJECTS, WAREHOUSE_READS, WAREHOUSE_WRITES]),
    ("evaluator", &[BROKER, OBJECTS, WAREHOUSE_READS]),
    ("notifier", &[BROKER, OBJECTS, CHANNEL]),
];

/// On which side of an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// The effect has not happened.
    Before,
    /// It has.
    After,
}

impl Moment {
    const ALL: [Self; 2] = [Self::Before, Self::After];

    const fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

/// `<stage>.<port>.<operation>.<before|after>`.
pub(super) fn point_name(stage: &str, operation: &str, moment: Moment) -> String {
    format!("{stage}.{operation}.{}", moment.name())
}

/// Every crash point of a stage; none for a name that is no stage. A run need not pass all of them:
/// nothing is given back, for one, while nothing fails.
pub fn points(stage: &str) -> Vec<String> {
    operations(stage).flat_map(|operation| Moment::ALL.map(|moment| point_name(stage, operation, moment))).collect()
}

/// Every crash point of every stage.
pub fn all_points() -> Vec<String> {
    STAGES.iter().flat_map(|(stage, _)| points(stage)).collect()
}

/// Whether a stage lists that operation.
pub(super) fn is_operation(stage: &str, operation: &str) -> bool {
    operations(stage).any(|known| known == operation)
}

fn operations(stage: &str) -> impl Iterator<Item = &'static str> {
    let groups = STAGES.iter().find(|(name, _)| *name == stage).map(|(_, groups)| *groups).unwrap_or_default();
    groups.iter().flat_map(|group| group.iter().copied())
}
