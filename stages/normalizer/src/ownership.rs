//! Which Deployment a pod belongs to.
//!
//! A pod's owner is the owner reference with `controller: true`. Where that is a `ReplicaSet`, the
//! Deployment is the controller of the `ReplicaSet` with that uid; where the `ReplicaSet` is not at
//! hand, the Deployment's name is that of the `ReplicaSet` without `-` and the pod's
//! `pod-template-hash`, which is how the Deployment controller names it. Never the pod's name.

use std::collections::HashMap;
use std::sync::Arc;

use platform::ports::Kind;
use serde::Deserialize;

use crate::document::{Fault, Object, Text, decode, or_default, text_of};
use crate::map::Reject;
use crate::metadata::{Metadata, expect_kind};

/// Label whose value the Deployment controller appends to a `ReplicaSet`'s name.
const TEMPLATE_HASH: &str = "pod-template-hash";

/// The Deployments of `ReplicaSets`, by the `ReplicaSets`' uids.
#[derive(Debug, Default)]
pub struct Owners {
    /// None: the `ReplicaSet` is known to belong to no Deployment.
    deployments: HashMap<Box<str>, Option<Arc<str>>>,
}

impl Owners {
    /// No `ReplicaSets` at hand.
    pub fn new() -> Self {
        Self::default()
    }

    /// Learns from one `ReplicaSet`'s JSON. One without a uid (a manifest) teaches nothing.
    ///
    /// # Errors
    /// When it does not read as a `ReplicaSet`.
    pub fn learn(&mut self, replica_set: &[u8]) -> Result<(), Reject> {
        let text = crate::map::utf8(Kind::ReplicaSets, replica_set)?;
        let replica_set = read(text).map_err(|fault| Reject::of(Kind::ReplicaSets, text, &fault))?;
        let Some(uid) = replica_set.uid else { return Ok(()) };
        self.deployments.entry(uid.into()).or_insert_with(|| replica_set.deployment.map(Arc::from));
        Ok(())
    }

    /// How many `ReplicaSets` are known.
    pub fn len(&self) -> usize {
        self.deployments.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.deployments.is_empty()
    }
}

/// How a pod's Deployment was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OwnerMethod {
    /// Through the `ReplicaSet` of the owner's uid.
    Uid,
    /// By taking the template's hash off the owner's name.
    Hash,
    /// It was not.
    None,
}

impl OwnerMethod {
    /// The word rows hold.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Uid => "uid",
            Self::Hash => "hash",
            Self::None => "none",
        }
    }
}

/// The Deployment of a pod, and how it was found.
pub(crate) fn deployment_of(pod: &Metadata<'_>, owners: &Owners) -> (Option<String>, OwnerMethod) {
    let Some(owner) = pod.controller().filter(|owner| text_of(&owner.kind) == Some("ReplicaSet")) else {
        return (None, OwnerMethod::None);
    };
    match text_of(&owner.uid).and_then(|uid| owners.deployments.get(uid)) {
        Some(Some(deployment)) => (Some(deployment.as_ref().to_owned()), OwnerMethod::Uid),
        Some(None) => (None, OwnerMethod::None),
        None => {
            let hash = pod.labels.get(TEMPLATE_HASH).map(Text::as_str);
            match by_hash(text_of(&owner.name), hash) {
                Some(deployment) => (Some(deployment.to_owned()), OwnerMethod::Hash),
                None => (None, OwnerMethod::None),
            }
        }
    }
}

/// The owner's name without `-` and the hash.
fn by_hash<'n>(owner: Option<&'n str>, hash: Option<&str>) -> Option<&'n str> {
    let hash = hash.filter(|hash| !hash.is_empty())?;
    owner?.strip_suffix(hash)?.strip_suffix('-').filter(|name| !name.is_empty())
}

/// What is known of a `ReplicaSet`.
#[derive(Debug)]
pub(crate) struct ReplicaSet {
    pub(crate) namespace: String,
    pub(crate) name: String,
    uid: Option<String>,
    deployment: Option<String>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Written<'a> {
    #[serde(borrow, default)]
    kind: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    metadata: Object<Metadata<'a>>,
}

/// Reads a `ReplicaSet`.
pub(crate) fn read(text: &str) -> Result<ReplicaSet, Fault> {
    let written: Object<Written<'_>> = decode(text, "")?;
    expect_kind(&written.kind, Kind::ReplicaSets)?;
    let metadata = &written.metadata;
    let deployment = metadata.controller().filter(|owner| text_of(&owner.kind) == Some("Deployment"));
    Ok(ReplicaSet {
        namespace: metadata.namespace()?.to_owned(),
        name: metadata.name()?.to_owned(),
        uid: metadata.uid()?,
        deployment: deployment.and_then(|owner| text_of(&owner.name)).map(str::to_owned),
    })
}

#[cfg(test)]
mod tests;
