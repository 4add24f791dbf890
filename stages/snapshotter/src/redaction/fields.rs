//! Names of fields that are left out of documents.

use std::collections::BTreeSet;
use std::str::FromStr;

use serde::Deserialize;

/// The word for leaving out nothing.
const NOTHING: &str = "-";

/// Names of fields, compared without regard to the case of ASCII letters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FieldNames(BTreeSet<String>);

impl FieldNames {
    /// Whether a field of that name is left out.
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains(name) || self.0.contains(&name.to_ascii_lowercase())
    }
}

impl FromStr for FieldNames {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim() == NOTHING {
            return Ok(Self::default());
        }
        let names = text.split(',').map(|name| name.trim().to_ascii_lowercase());
        names
            .map(|name| match name.is_empty() {
                true => Err("an empty name between commas".to_owned()),
                false => Ok(name),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl<'de> Deserialize<'de> for FieldNames {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
