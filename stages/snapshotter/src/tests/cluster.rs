//! A cluster whose lists go as written.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

use async_trait::async_trait;
use futures::{StreamExt as _, stream};
use platform::ports::{Cluster, ClusterError, Kind, KindPage, Listing, RawObject};
use schemas::Timestamp;

/// How a list goes.
#[derive(Clone)]
pub(super) enum Page {
    Objects(Vec<RawObject>),
    Expired,
    Unavailable,
    Refused,
}

/// One list of a kind.
#[derive(Clone, Default)]
pub(super) struct Script {
    pub(super) pages: Vec<Page>,
    pub(super) resource_version: &'static str,
    pub(super) known_gaps: Option<&'static str>,
}

/// A cluster whose lists go as written; the last one again and again, and none is an empty list.
#[derive(Default)]
pub(super) struct ScriptedCluster(Mutex<BTreeMap<Kind, VecDeque<Script>>>);

impl ScriptedCluster {
    pub(super) fn with(self, kind: Kind, scripts: impl IntoIterator<Item = Script>) -> Self {
        self.0.lock().unwrap().entry(kind).or_default().extend(scripts);
        self
    }

    /// A kind with these objects.
    pub(super) fn objects(self, kind: Kind, objects: Vec<RawObject>) -> Self {
        let pages = objects.chunks(2).map(|page| Page::Objects(page.to_vec())).collect();
        self.with(kind, [Script { pages, resource_version: "7", known_gaps: None }])
    }
}

#[async_trait]
impl Cluster for ScriptedCluster {
    async fn list(&self, kind: Kind, _: Timestamp) -> Result<Listing, ClusterError> {
        let script = match self.0.lock().unwrap().get_mut(&kind) {
            Some(scripts) if scripts.len() > 1 => scripts.pop_front().unwrap(),
            Some(scripts) => scripts.front().cloned().unwrap_or_default(),
            None => Script::default(),
        };
        if let Some(Page::Refused) = script.pages.first() {
            return Err(ClusterError::Refused { kind, reason: "may not list".to_owned() });
        }
        let pages = script.pages.into_iter().map(move |page| match page {
            Page::Objects(objects) => Ok(KindPage { objects }),
            Page::Expired => Err(ClusterError::Expired { kind }),
            Page::Unavailable => Err(ClusterError::Unavailable { kind, source: anyhow::anyhow!("connection refused") }),
            Page::Refused => Err(ClusterError::Refused { kind, reason: "may not list".to_owned() }),
        });
        Ok(Listing {
            api_version: "v1".to_owned(),
            resource_version: script.resource_version.to_owned(),
            known_gaps: script.known_gaps.map(str::to_owned),
            pages: stream::iter(pages).boxed(),
        })
    }
}
