//! Topics and subscriptions, as `infra/topology.yaml` lists them.

/// A topic of the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Requests for snapshots, JSON.
    SnapshotRequests,
    /// Stored raw parts of complete snapshots.
    RawBatches,
    /// Stored rows of parts.
    RowBatches,
    /// Cloud Logging entries as the sink writes them.
    AuditLogs,
    /// Changes of replica numbers.
    ReplicaChanges,
    /// Versions of PED files.
    LimitDeclarations,
    /// Transitions of episodes.
    Violations,
    /// What became of telling people.
    Notifications,
    /// What will never succeed.
    DeadLetters,
}

impl Topic {
    /// Every topic.
    pub const ALL: &'static [Self] = &[
        Self::SnapshotRequests,
        Self::RawBatches,
        Self::RowBatches,
        Self::AuditLogs,
        Self::ReplicaChanges,
        Self::LimitDeclarations,
        Self::Violations,
        Self::Notifications,
        Self::DeadLetters,
    ];

    /// Its name at the broker.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SnapshotRequests => "snapshot-requests",
            Self::RawBatches => "raw-batches",
            Self::RowBatches => "row-batches",
            Self::AuditLogs => "audit-logs",
            Self::ReplicaChanges => "replica-changes",
            Self::LimitDeclarations => "limit-declarations",
            Self::Violations => "violations",
            Self::Notifications => "notifications",
            Self::DeadLetters => "dead-letters",
        }
    }

    /// The topic of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|topic| topic.name() == name)
    }
}

impl std::fmt::Display for Topic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// A stage's subscription to a topic; its name is `<topic>--<stage>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subscription {
    /// The topic.
    pub topic: Topic,
    /// The stage, such as `loader`.
    pub stage: &'static str,
}

impl Subscription {
    /// Every subscription of the pipeline.
    pub const ALL: &'static [Self] = &[
        Self::new(Topic::SnapshotRequests, "snapshotter"),
        Self::new(Topic::RawBatches, "normalizer"),
        Self::new(Topic::AuditLogs, "normalizer"),
        Self::new(Topic::RowBatches, "loader"),
        Self::new(Topic::ReplicaChanges, "loader"),
        Self::new(Topic::LimitDeclarations, "loader"),
        Self::new(Topic::Violations, "loader"),
        Self::new(Topic::Notifications, "loader"),
        Self::new(Topic::DeadLetters, "loader"),
        Self::new(Topic::RowBatches, "evaluator"),
        Self::new(Topic::Violations, "notifier"),
    ];

    /// A stage's subscription to a topic.
    pub const fn new(topic: Topic, stage: &'static str) -> Self {
        Self { topic, stage }
    }

    /// Its name at the broker.
    pub fn name(self) -> String {
        format!("{}--{}", self.topic, self.stage)
    }

    /// The subscription of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|subscription| subscription.name() == name)
    }

    /// Whether messages of one ordering key must be handled one after the other.
    pub const fn ordered(self) -> bool {
        matches!(
            self.topic,
            Topic::SnapshotRequests | Topic::ReplicaChanges | Topic::LimitDeclarations | Topic::Violations
        )
    }
}

impl std::fmt::Display for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.name())
    }
}
