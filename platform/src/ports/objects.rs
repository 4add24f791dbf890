//! The objects port: immutable parts and small states under keys.

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use super::PortResult;

/// A body in pieces. An error ends it; nothing is then stored.
pub type ByteStream = BoxStream<'static, std::io::Result<Bytes>>;

/// A version of one object. It differs between any two versions of a key that ever existed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Generation(pub u64);

/// What a create-only write found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// The object is now there, as written.
    New(Generation),
    /// It was there before and was left alone.
    Existed,
}

/// What a compare-and-swap found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaced {
    /// The object is now as written.
    Done(Generation),
    /// Somebody else wrote first; nothing changed.
    LostRace,
}

/// An object's body and version.
pub struct StoredObject {
    /// Its version.
    pub generation: Generation,
    /// Its size in bytes.
    pub size: u64,
    /// Its bytes.
    pub body: ByteStream,
}

/// An object in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectMeta {
    /// Its key.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its version.
    pub generation: Generation,
}

/// Objects under keys. Keys are non-empty segments of printable characters joined by `/`, 1,024
/// bytes at most; `.` and `..` are no segments.
///
/// Promises:
/// - A write is atomic: a reader sees the whole object or none, also when the writer is killed.
/// - A write that returned survives the process.
/// - `create` never changes an object that exists. Of any number of racing creators one wins.
/// - `replace_if` writes only if the object's generation is the expected one (`None`: absent).
/// - Listing is strongly consistent with finished writes, sorted by key, and complete.
/// - A missing object is `Ok(None)`, not an error.
#[async_trait]
pub trait Objects: Send + Sync {
    /// Writes a new object from a stream; an existing one is left alone.
    async fn create(&self, key: &str, body: ByteStream) -> PortResult<Created>;

    /// Replaces (or, for `None`, creates) an object if nobody wrote it since.
    async fn replace_if(&self, key: &str, expected: Option<Generation>, body: Bytes) -> PortResult<Replaced>;

    /// Opens an object for reading.
    async fn read(&self, key: &str) -> PortResult<Option<StoredObject>>;

    /// Lists the objects whose keys start with the prefix, sorted by key.
    async fn list(&self, prefix: &str) -> PortResult<Vec<ObjectMeta>>;

    /// Removes an object; one that is not there is fine.
    async fn delete(&self, key: &str) -> PortResult<()>;

    /// Where others read the object themselves, as a URI such as `gs://BUCKET/NAME`; none where they cannot.
    fn uri(&self, _key: &str) -> Option<String> {
        None
    }

    /// Whether the store answers at all: for readiness.
    async fn ping(&self) -> PortResult<()>;
}

impl dyn Objects + '_ {
    /// Creates an object from bytes at hand.
    pub async fn create_bytes(&self, key: &str, body: impl Into<Bytes> + Send) -> PortResult<Created> {
        let body = body.into();
        self.create(key, Box::pin(futures::stream::once(async move { Ok(body) }))).await
    }

    /// Reads a whole object of at most `limit` bytes; a larger one is an error that never mends.
    pub async fn read_bytes(&self, key: &str, limit: u64) -> PortResult<Option<(Generation, Bytes)>> {
        use super::PortError;
        use futures::TryStreamExt as _;
        let Some(object) = self.read(key).await? else { return Ok(None) };
        let attempted = || format!("read object {key}");
        if object.size > limit {
            let reason = anyhow::anyhow!("it has {} bytes, more than the {limit} allowed", object.size);
            return Err(PortError::never_will(attempted(), reason));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(object.size).unwrap_or(0));
        let mut body = object.body;
        while let Some(piece) = body.try_next().await.map_err(|error| PortError::did_not_happen(attempted(), error))? {
            bytes.extend_from_slice(&piece);
        }
        Ok(Some((object.generation, bytes.into())))
    }
}
