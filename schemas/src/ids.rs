//! Ids: newtypes over text, and the one function that makes them.

use std::sync::Arc;

use sha2::{Digest, Sha256};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident,)+) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl<T: Into<Arc<str>>> From<T> for $name {
            fn from(text: T) -> Self {
                Self(text.into())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({:?})", stringify!($name), &*self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    )+};
}

ids! {
    /// Configured short name of a cluster, such as `prod-uk`.
    ClusterName,
    /// A snapshot: the id of the request that asked for it.
    SnapshotId,
    /// One event: a replica change, or a transition of an episode.
    EventId,
    /// One episode of one rule and one workload.
    EpisodeId,
    /// One event told to one receiver.
    NotificationId,
    /// One version of a declaration.
    DeclarationId,
}

/// A name that cannot be a cluster's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} cannot be a cluster name: expected 1 to 63 lower-case letters, digits, '-', '_' or '.'")]
pub struct InvalidClusterName {
    /// The name as written.
    pub name: String,
}

impl ClusterName {
    /// Reads a cluster name that is safe in object keys, ids and labels.
    pub fn parse(name: &str) -> Result<Self, InvalidClusterName> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
        let plain = (1..=63).contains(&name.len()) && name.bytes().all(allowed) && !name.starts_with('.');
        if plain { Ok(Self(name.into())) } else { Err(InvalidClusterName { name: name.to_owned() }) }
    }
}

/// Makes ids: lower-case hex of the first 16 bytes of a SHA-256 over named, length-prefixed parts,
/// so that no two different lists of parts are hashed alike.
#[derive(Clone)]
pub struct IdBuilder(Sha256);

impl IdBuilder {
    /// Starts an id of one kind, such as `episode`.
    pub fn new(kind: &str) -> Self {
        Self(Sha256::new()).part("kind", kind)
    }

    /// Adds a named part.
    #[must_use]
    pub fn part(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        for bytes in [name.as_bytes(), value.as_ref()] {
            self.0.update((bytes.len() as u64).to_be_bytes());
            self.0.update(bytes);
        }
        self
    }

    /// Adds a part that may be absent; absent differs from empty.
    #[must_use]
    pub fn optional(self, name: &str, value: Option<impl AsRef<[u8]>>) -> Self {
        match value {
            Some(value) => self.part(name, value),
            None => self.part("absent", name),
        }
    }

    /// The id: 32 hex digits.
    pub fn finish<I: From<String>>(self) -> I {
        hex::encode(&self.0.finalize()[..16]).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_id_is_32_hex_digits_and_never_changes() {
        let id: EpisodeId = IdBuilder::new("episode").part("rule", "over-limit").finish();
        assert_eq!(id.as_str().len(), 32);
        assert_eq!(id, IdBuilder::new("episode").part("rule", "over-limit").finish::<EpisodeId>());
    }

    #[test]
    fn absent_and_empty_parts_differ() {
        let absent: String = IdBuilder::new("x").optional("a", None::<&str>).finish();
        let empty: String = IdBuilder::new("x").optional("a", Some("")).finish();
        assert_ne!(absent, empty);
    }

    #[test]
    fn a_cluster_name_is_safe_in_a_path() {
        for bad in ["", "..", "a/b", "Prod", "a b", &"x".repeat(64)] {
            assert!(ClusterName::parse(bad).is_err(), "{bad:?}");
        }
        assert!(ClusterName::parse("prod-uk.1").is_ok());
    }

    proptest! {
        #[test]
        fn different_parts_give_different_ids(a in prop::collection::vec(".{0,8}", 0..4), b in prop::collection::vec(".{0,8}", 0..4)) {
            let id = |parts: &[String]| parts.iter().fold(IdBuilder::new("t"), |id, part| id.part("p", part)).finish::<String>();
            prop_assert_eq!(id(&a) == id(&b), a == b);
        }
    }
}
