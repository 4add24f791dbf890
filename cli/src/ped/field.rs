//! The fields of a declaration.

/// A field, by what it declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Field {
    Api,
    Team,
    User,
    Namespace,
    Deployment,
    Cluster,
    MaxReplicas,
    Image,
    Limits,
    Requests,
    Environment,
    Volumes,
    ChangeReason,
}

impl Field {
    pub(super) const ALL: &'static [Self] = &[
        Self::Api,
        Self::Team,
        Self::User,
        Self::Namespace,
        Self::Deployment,
        Self::Cluster,
        Self::MaxReplicas,
        Self::Image,
        Self::Limits,
        Self::Requests,
        Self::Environment,
        Self::Volumes,
        Self::ChangeReason,
    ];

    /// Its name in a mapping file.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Team => "team",
            Self::User => "user",
            Self::Namespace => "namespace",
            Self::Deployment => "deployment",
            Self::Cluster => "cluster",
            Self::MaxReplicas => "maxReplicas",
            Self::Image => "image",
            Self::Limits => "resources.limits",
            Self::Requests => "resources.requests",
            Self::Environment => "environment",
            Self::Volumes => "volumes",
            Self::ChangeReason => "changeReason",
        }
    }

    /// The field of that name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|field| field.name() == name)
    }

    /// Where it stands in podledger's own shape.
    pub(super) fn own_path(self) -> String {
        match self {
            Self::Api | Self::Team | Self::User => format!("metadata.{}", self.name()),
            _ => format!("spec.{}", self.name()),
        }
    }

    /// Whether a declaration means nothing without it.
    pub(super) const fn is_required(self) -> bool {
        matches!(self, Self::Namespace | Self::Deployment | Self::MaxReplicas)
    }
}

/// Known keys of each map of podledger's own shape, by its path.
pub(super) const OWN_KEYS: &[(&str, &[&str])] = &[
    ("", &["apiVersion", "kind", "metadata", "spec"]),
    ("metadata", &["api", "team", "user"]),
    (
        "spec",
        &[
            "namespace",
            "deployment",
            "cluster",
            "maxReplicas",
            "image",
            "resources",
            "environment",
            "volumes",
            "changeReason",
        ],
    ),
    ("spec.resources", &["limits", "requests"]),
];
