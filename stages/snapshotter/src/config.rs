//! Settings of the snapshotter.

use std::collections::BTreeSet;
use std::str::FromStr;

use platform::runtime::{ConfigError, Period};
use serde::Deserialize;

use crate::redaction::FieldNames;
use crate::sources::Collections;

/// Levels of gzip that exist.
const GZIP_LEVELS: std::ops::RangeInclusive<u32> = 1..=9;
/// The word for excluding nothing; no namespace can have that name.
const NOTHING: &str = "-";

platform::settings! {
    /// What the snapshotter is told.
    pub struct Config {
        /// Namespaces whose objects are counted but not stored; `-` excludes none.
        excluded_namespaces: ExcludedNamespaces = "kube-system,aibang-core,default", "NAME,…", "excluding less stores and judges more";
        /// Ids of the collections whose documents are collected, wherever in a database they lie.
        collections: Collections = "apis,capextchannels,backendservices", "ID,…", "more is stored, and read at Firestore's price of a read per document";
        /// Fields of documents that are left out wherever they lie, whatever the case of their letters; `-` leaves out none.
        redacted_fields: FieldNames = "password,passwd,secret,token,credential,credentials,api_key,apikey,private_key,privatekey,client_secret,clientsecret,access_token,accesstoken,refresh_token,refreshtoken", "NAME,…", "less keeps more of a document, also what nobody should read";
        /// Objects in one raw part, at most.
        snapshot_part_objects: u32 = "5000", "objects", "larger parts make fewer messages and repeat more work after a crash";
        /// Compressed size at which a raw part is closed.
        snapshot_part_bytes: usize = "8388608", "bytes", "each kind being listed holds one part of this size in memory";
        /// Effort of gzip, 1 to 9.
        snapshot_gzip_level: u32 = "1", "level", "higher makes parts smaller and snapshots slower";
        /// Kinds listed at the same time.
        snapshot_parallel_kinds: usize = "4", "kinds", "more is faster and asks more of the API server at once";
        /// How often the list of one kind is begun again after it failed or expired.
        snapshot_relists: u32 = "3", "times", "more survives a worse API server; a kind given up makes the snapshot incomplete";
        /// Delay before the first of them; each is twice the one before.
        snapshot_relist_delay: Period = "1s", "period", "longer burdens less an API server that is down";
    }
}

impl Config {
    /// The same settings, if they are within their bounds.
    pub(crate) fn checked(self) -> Result<Self, ConfigError> {
        let at_least_one = [
            ("PODLEDGER_SNAPSHOT_PART_OBJECTS", self.snapshot_part_objects > 0),
            ("PODLEDGER_SNAPSHOT_PART_BYTES", self.snapshot_part_bytes > 0),
            ("PODLEDGER_SNAPSHOT_PARALLEL_KINDS", self.snapshot_parallel_kinds > 0),
        ];
        if let Some((variable, _)) = at_least_one.into_iter().find(|(_, is_set)| !is_set) {
            return Err(ConfigError::new(variable, "0, expected at least 1"));
        }
        if !GZIP_LEVELS.contains(&self.snapshot_gzip_level) {
            let reason = format!("{}, expected 1 to 9", self.snapshot_gzip_level);
            return Err(ConfigError::new("PODLEDGER_SNAPSHOT_GZIP_LEVEL", reason));
        }
        Ok(self)
    }
}

/// Namespaces whose objects are not stored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExcludedNamespaces(BTreeSet<String>);

impl ExcludedNamespaces {
    /// Whether objects of that namespace are left out.
    pub fn contains(&self, namespace: &str) -> bool {
        self.0.contains(namespace)
    }
}

impl FromStr for ExcludedNamespaces {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim() == NOTHING {
            return Ok(Self::default());
        }
        // A label as RFC 1123 has it, which is what Kubernetes demands of a namespace's name.
        let is_label = |name: &str| {
            let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            (1..=63).contains(&name.len()) && name.bytes().all(inner) && !name.starts_with('-') && !name.ends_with('-')
        };
        let names = text.split(',').map(str::trim);
        names
            .map(|name| match is_label(name) {
                true => Ok(name.to_owned()),
                false => Err(format!("{name:?} cannot be a namespace")),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl<'de> Deserialize<'de> for ExcludedNamespaces {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use platform::runtime::Env;

    #[test]
    fn the_defaults_are_the_documented_ones_and_bounds_are_kept() {
        let read =
            |name: &str, value: &str| Env::from_pairs([(name, value)]).read::<Config>().and_then(Config::checked);
        let config = read("PODLEDGER_X", "").unwrap();
        assert!(["kube-system", "aibang-core", "default"].iter().all(|name| config.excluded_namespaces.contains(name)));
        assert!(!read("PODLEDGER_EXCLUDED_NAMESPACES", "-").unwrap().excluded_namespaces.contains("default"));
        for (name, value) in [
            ("PODLEDGER_EXCLUDED_NAMESPACES", "a,,b"),
            ("PODLEDGER_EXCLUDED_NAMESPACES", "Team"),
            ("PODLEDGER_COLLECTIONS", "apis,apis"),
            ("PODLEDGER_REDACTED_FIELDS", "a,,b"),
            ("PODLEDGER_SNAPSHOT_PART_OBJECTS", "0"),
            ("PODLEDGER_SNAPSHOT_PART_BYTES", "0"),
            ("PODLEDGER_SNAPSHOT_PARALLEL_KINDS", "0"),
            ("PODLEDGER_SNAPSHOT_GZIP_LEVEL", "10"),
        ] {
            assert_eq!(read(name, value).unwrap_err().variable, name);
        }
    }
}
