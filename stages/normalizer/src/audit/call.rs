//! A call of the Kubernetes API, whichever form it was logged in.

use serde_json::value::RawValue;

use super::outcome::{Skip, shown};
use super::target::Target;

/// A verb that writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Create,
    Update,
    Patch,
    Delete,
    DeleteCollection,
}

impl Verb {
    /// The verb, where it writes objects.
    pub(super) fn of(word: &str) -> Result<Self, Skip> {
        match word {
            "create" => Ok(Self::Create),
            "update" => Ok(Self::Update),
            "patch" => Ok(Self::Patch),
            "delete" => Ok(Self::Delete),
            "deletecollection" => Ok(Self::DeleteCollection),
            "get" | "list" | "watch" => Err(Skip::Read { verb: word.to_owned() }),
            _ => Err(Skip::OtherVerb { verb: shown(word) }),
        }
    }

    /// As logged.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
        }
    }
}

/// What is written: the object itself, or its Scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    Scale,
}

/// What of an object a call writes.
pub(super) fn part(target: Target, subresource: &str) -> Result<Part, Skip> {
    match (target, subresource) {
        (_, "") => Ok(Part::Whole),
        (Target::Deployment | Target::StatefulSet, "scale") => Ok(Part::Scale),
        (_, "status") => Err(Skip::StatusWrite),
        _ => Err(Skip::OtherSubresource { subresource: shown(subresource) }),
    }
}

/// Where the entry says it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ClusterLabels<'a> {
    pub(super) project: Option<&'a str>,
    pub(super) location: Option<&'a str>,
    pub(super) name: Option<&'a str>,
}

/// A completed, successful write of an object with replica numbers.
#[derive(Debug)]
pub(super) struct Call<'a> {
    /// `insertId` or `auditID`.
    pub(super) entry_id: Option<&'a str>,
    /// When it was asked for, as written.
    pub(super) occurred_at: Option<&'a str>,
    pub(super) cluster: ClusterLabels<'a>,
    pub(super) target: Target,
    pub(super) part: Part,
    pub(super) verb: Verb,
    pub(super) namespace: Option<&'a str>,
    pub(super) name: Option<&'a str>,
    pub(super) request: Option<Logged<'a>>,
    pub(super) response: Option<Logged<'a>>,
    pub(super) code: Option<i64>,
    pub(super) actor: &'a str,
    pub(super) on_behalf_of: Option<&'a str>,
    pub(super) user_agent: Option<&'a str>,
}

/// A request or response, and where in the entry it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Logged<'a> {
    pub(super) place: &'static str,
    pub(super) json: &'a RawValue,
}

impl<'a> Logged<'a> {
    /// The logged value of that place, where there is one.
    pub(super) fn of(place: &'static str, json: Option<&'a RawValue>) -> Option<Self> {
        json.map(|json| Self { place, json })
    }
}
