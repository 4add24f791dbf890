//! Ports in memory, and what can go wrong with them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use platform::ports::{
    Backlog, Broker, ByteStream, Cluster, ClusterError, Created, Flow, Generation, Kind, KindPage, Listing, ObjectMeta,
    Objects, Outgoing, PortError, PortResult, RawObject, Receiver, Replaced, SeekTo, StoredObject, SubscriptionCounts,
};
use schemas::{Subscription, Timestamp, Topic};

/// Ends a process at one of its effects: from then on every port fails.
#[derive(Default)]
pub(super) struct Crash {
    /// The effect it ends at, from 1; 0 is never.
    pub(super) at: usize,
    /// Whether that effect still happens.
    pub(super) after: bool,
    seen: AtomicUsize,
}

impl Crash {
    pub(super) fn at(at: usize, after: bool) -> Arc<Self> {
        Arc::new(Self { at, after, seen: AtomicUsize::new(0) })
    }

    pub(super) fn happened(&self) -> bool {
        self.at > 0 && self.seen.load(Ordering::SeqCst) >= self.at
    }

    async fn around<T>(&self, effect: impl Future<Output = PortResult<T>>) -> PortResult<T> {
        let crashed = || PortError::may_have_happened("crash", anyhow::anyhow!("the process is dead"));
        let number = self.seen.fetch_add(1, Ordering::SeqCst) + 1;
        if self.at > 0 && (number > self.at || (number == self.at && !self.after)) {
            return Err(crashed());
        }
        let done = effect.await;
        if number == self.at { Err(crashed()) } else { done }
    }
}

type Hook = Box<dyn FnMut(&str) -> Option<(String, Bytes)> + Send>;

/// Objects that survive a crash.
#[derive(Default)]
pub(super) struct Store {
    objects: Mutex<BTreeMap<String, Bytes>>,
    /// Asked before each create: what a rival writes in between.
    rival: Mutex<Option<Hook>>,
}

impl Store {
    pub(super) fn get(&self, key: &str) -> Option<Bytes> {
        self.objects.lock().unwrap().get(key).cloned()
    }

    pub(super) fn keys(&self) -> Vec<String> {
        self.objects.lock().unwrap().keys().cloned().collect()
    }

    pub(super) fn rival(&self, hook: impl FnMut(&str) -> Option<(String, Bytes)> + Send + 'static) {
        *self.rival.lock().unwrap() = Some(Box::new(hook));
    }
}

/// One process' way to the objects.
pub(super) struct MemoryObjects(pub(super) Arc<Store>, pub(super) Arc<Crash>);

#[async_trait]
impl Objects for MemoryObjects {
    async fn create(&self, key: &str, body: ByteStream) -> PortResult<Created> {
        self.1
            .around(async {
                let body: Vec<Bytes> = body.try_collect().await.unwrap();
                if let Some((key, body)) = self.0.rival.lock().unwrap().as_mut().and_then(|hook| hook(key)) {
                    self.0.objects.lock().unwrap().entry(key).or_insert(body);
                }
                let mut objects = self.0.objects.lock().unwrap();
                if objects.contains_key(key) {
                    return Ok(Created::Existed);
                }
                objects.insert(key.to_owned(), body.concat().into());
                Ok(Created::New(Generation(1)))
            })
            .await
    }

    async fn replace_if(&self, _: &str, _: Option<Generation>, _: Bytes) -> PortResult<Replaced> {
        unreachable!("the snapshotter replaces nothing")
    }

    async fn read(&self, key: &str) -> PortResult<Option<StoredObject>> {
        let found = self.0.get(key);
        Ok(found.map(|body| StoredObject {
            generation: Generation(1),
            size: body.len() as u64,
            body: stream::once(async { Ok(body) }).boxed(),
        }))
    }

    async fn list(&self, prefix: &str) -> PortResult<Vec<ObjectMeta>> {
        let objects = self.0.objects.lock().unwrap();
        let found = objects.iter().filter(|(key, _)| key.starts_with(prefix));
        Ok(found
            .map(|(key, body)| ObjectMeta { key: key.clone(), size: body.len() as u64, generation: Generation(1) })
            .collect())
    }

    async fn delete(&self, _: &str) -> PortResult<()> {
        unreachable!("the snapshotter deletes nothing")
    }

    async fn ping(&self) -> PortResult<()> {
        Ok(())
    }
}

/// What was published.
#[derive(Default)]
pub(super) struct Published(pub(super) Mutex<Vec<(Topic, Outgoing)>>);

/// One process' way to the broker.
pub(super) struct MemoryBroker(pub(super) Arc<Published>, pub(super) Arc<Crash>);

#[async_trait]
impl Broker for MemoryBroker {
    async fn publish(&self, topic: Topic, messages: Vec<Outgoing>) -> PortResult<Vec<String>> {
        self.1
            .around(async {
                let ids = messages.iter().map(|_| "id".to_owned()).collect();
                self.0.0.lock().unwrap().extend(messages.into_iter().map(|message| (topic, message)));
                Ok(ids)
            })
            .await
    }

    async fn subscribe(&self, _: Subscription, _: Flow) -> PortResult<Box<dyn Receiver>> {
        unreachable!("the runtime subscribes")
    }

    async fn seek(&self, _: Subscription, _: SeekTo) -> PortResult<()> {
        unreachable!("nobody seeks")
    }

    async fn backlog(&self, _: Subscription) -> PortResult<Backlog> {
        Ok(Backlog::default())
    }

    async fn counts(&self) -> PortResult<Option<Vec<SubscriptionCounts>>> {
        Ok(None)
    }

    async fn ping(&self) -> PortResult<()> {
        Ok(())
    }
}

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
