//! Places in an object that redaction tells apart.

/// The annotation in which `kubectl apply` keeps the whole object it was given.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Where a value lies. The elements of an array lie where the array does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The object itself.
    Root,
    /// Its `metadata`.
    RootMetadata,
    /// Its `metadata.namespace`.
    RootNamespace,
    /// Its `metadata.name`.
    RootName,
    /// The `metadata` of something within, such as a pod template.
    Metadata,
    /// Any `annotations`.
    Annotations,
    /// Containers of a pod, of whatever sort.
    Containers,
    /// Environment variables of a container.
    Env,
    /// Anywhere else.
    Elsewhere,
}

/// What becomes of a member of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Member {
    /// It is left out, key and value.
    Dropped,
    /// It stays, and its value lies there.
    Kept(Place),
}

impl Place {
    /// What becomes of the member of that key of an object at this place.
    pub(super) fn member(self, key: &str) -> Member {
        use Member::{Dropped, Kept};
        match (self, key) {
            (Self::RootMetadata | Self::Metadata, "managedFields")
            | (Self::Annotations, LAST_APPLIED)
            | (Self::Env, "value") => Dropped,
            (Self::Root, "metadata") => Kept(Self::RootMetadata),
            (Self::RootMetadata, "namespace") => Kept(Self::RootNamespace),
            (Self::RootMetadata, "name") => Kept(Self::RootName),
            (Self::Containers, "env") => Kept(Self::Env),
            (_, "metadata") => Kept(Self::Metadata),
            (_, "annotations") => Kept(Self::Annotations),
            (_, "containers" | "initContainers" | "ephemeralContainers") => Kept(Self::Containers),
            _ => Kept(Self::Elsewhere),
        }
    }
}
