//! Which API and team an object belongs to, by its labels.

use serde::Deserialize;

use crate::document::{Entries, Text};

/// The label keys that name an object's API and team; of several the first that is set counts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LabelKeys {
    /// Keys of the API's id.
    pub api_id: Vec<String>,
    /// Keys of the team's id.
    pub team_id: Vec<String>,
}

impl Default for LabelKeys {
    /// `api_id` and `team_id`.
    fn default() -> Self {
        Self { api_id: vec!["api_id".to_owned()], team_id: vec!["team_id".to_owned()] }
    }
}

/// The value of the first of the keys that is set and not empty.
pub(crate) fn labelled(labels: &Entries<'_, Text<'_>>, keys: &[String]) -> Option<String> {
    let set = |key: &String| labels.get(key).map(Text::as_str).filter(|value| !value.is_empty());
    keys.iter().find_map(set).map(str::to_owned)
}
