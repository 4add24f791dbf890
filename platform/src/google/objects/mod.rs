//! Objects in a bucket of Cloud Storage.
//!
//! Create-only is the precondition "generation is 0", compare-and-swap "generation is N": the
//! service decides both races. Bytes and writes go over HTTP/JSON, listings and deletions over
//! gRPC; both are one host to Google. CRC32C is checked in both directions: an upload whose stored
//! checksum differs is an error, and so is a body that was read.
//!
//! Needs `storage.objects.{create,delete,get,list}` (the role `roles/storage.objectUser`).

mod upload;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use google_cloud_auth::credentials::Credentials;
use google_cloud_gax::error::rpc::Code;
use google_cloud_gax::exponential_backoff::ExponentialBackoffBuilder;
use google_cloud_gax::paginator::ItemPaginator as _;
use google_cloud_gax::retry_policy::{NeverRetry, RetryPolicyExt as _};
use google_cloud_storage::Error;
use google_cloud_storage::client::{Storage, StorageControl};
use google_cloud_storage::read_resume_policy::{ReadResumePolicyExt as _, Recommended};
use google_cloud_storage::retry_policy::RetryableErrors;

use super::credentials_shown;
use super::failure::{Effect, port_error};
use crate::ports::{
    ByteStream, Created, Generation, MAX_KEY_BYTES, ObjectMeta, Objects, PortError, PortResult, Replaced, StoredObject,
};
use upload::Payload;

/// How often the client itself tries a call that only looks, or a piece of a long upload: through a
/// hiccup. Beyond that the caller's own policy decides.
const ATTEMPTS: u32 = 4;
/// How long the client waits before its second attempt, before jitter, and at most before any. Its own
/// choice of a second and more would make of a hiccup what the caller takes for an outage.
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(2);
/// How often a body that breaks off is read on from where it broke off.
const RESUMES: u32 = 4;
/// Objects of one page of a listing; the service's greatest.
const PAGE: i32 = 1000;

/// What may be chosen about Cloud Storage.
#[derive(Debug, Clone, Default)]
pub struct StorageSettings {
    /// The stand-in to use, as `http://HOST:PORT`; none for Google.
    pub emulator: Option<String>,
    /// What to show for credentials. None for the application's default ones; towards a stand-in none
    /// means that nothing is shown.
    pub credentials: Option<Credentials>,
}

/// The objects port on a bucket. Cheap to clone.
#[derive(Debug, Clone)]
pub struct CloudStorageObjects {
    storage: Storage,
    control: StorageControl,
    /// `projects/_/buckets/NAME`.
    bucket: String,
    /// What every name in the bucket starts with: empty, or ending in a slash.
    prefix: String,
    /// As people write it, for errors.
    shown: String,
}

impl CloudStorageObjects {
    /// Opens a bucket; every key becomes a name under the prefix (which may be empty). With an
    /// emulator (`http://HOST:PORT`) credentials are anonymous, otherwise they are the
    /// application's default ones. Nothing is asked of the bucket yet: see [`Objects::ping`].
    ///
    /// # Errors
    /// `NeverWill` for a prefix that cannot start a name, and where no credentials are found.
    pub async fn open(bucket: &str, prefix: &str, emulator: Option<&str>) -> PortResult<Self> {
        let settings = StorageSettings { emulator: emulator.map(str::to_owned), ..StorageSettings::default() };
        Self::open_with(bucket, prefix, &settings).await
    }

    /// [`CloudStorageObjects::open`], with more to choose.
    ///
    /// # Errors
    /// As there.
    pub async fn open_with(bucket: &str, prefix: &str, settings: &StorageSettings) -> PortResult<Self> {
        let prefix = prefix.trim_matches('/');
        let shown = format!("gs://{bucket}/{prefix}");
        let attempted = format!("open {shown}");
        if !prefix.is_empty() {
            crate::ports::key::check(prefix)
                .map_err(|reason| PortError::never_will(&attempted, anyhow::anyhow!("prefix: {reason}")))?;
        }
        let retry = || RetryableErrors.with_attempt_limit(ATTEMPTS);
        let delays = || {
            ExponentialBackoffBuilder::new().with_initial_delay(FIRST_DELAY).with_maximum_delay(LONGEST_DELAY).clamp()
        };
        let mut storage = Storage::builder()
            .with_retry_policy(retry())
            .with_backoff_policy(delays())
            .with_read_resume_policy(Recommended.with_attempt_limit(RESUMES));
        let mut control = StorageControl::builder().with_retry_policy(retry()).with_backoff_policy(delays());
        if let Some(endpoint) = &settings.emulator {
            storage = storage.with_endpoint(endpoint);
            control = control.with_endpoint(endpoint);
        }
        if let Some(credentials) = credentials_shown(settings.credentials.as_ref(), settings.emulator.is_some()) {
            storage = storage.with_credentials(credentials.clone());
            control = control.with_credentials(credentials);
        }
        let opened = |error| PortError::never_will(&attempted, anyhow::Error::new(error));
        Ok(Self {
            storage: storage.build().await.map_err(opened)?,
            control: control.build().await.map_err(opened)?,
            bucket: format!("projects/_/buckets/{bucket}"),
            prefix: if prefix.is_empty() { String::new() } else { format!("{prefix}/") },
            shown,
        })
    }

    /// Checks the key; its name in the bucket, and what is attempted, for errors.
    fn name(&self, verb: &str, key: &str) -> PortResult<(String, String)> {
        let refused = |reason| PortError::never_will(format!("{verb} object in {}", self.shown), reason);
        crate::ports::key::check(key).map_err(|reason| refused(anyhow::anyhow!("{reason}")))?;
        let name = format!("{}{key}", self.prefix);
        if name.len() > MAX_KEY_BYTES {
            let reason = anyhow::anyhow!("with its prefix the key has {} of at most {MAX_KEY_BYTES} bytes", name.len());
            return Err(refused(reason));
        }
        let attempted = format!("{verb} object {key} in {}", self.shown);
        Ok((name, attempted))
    }

    /// A generation as the port has it. The service's are positive.
    fn generation(attempted: &str, generation: i64) -> PortResult<Generation> {
        match u64::try_from(generation) {
            Ok(generation) if generation > 0 => Ok(Generation(generation)),
            _ => {
                let reason = anyhow::anyhow!("the service answered with generation {generation}");
                Err(PortError::may_have_happened(attempted, reason))
            }
        }
    }
}

/// The object's generation was not the expected one. What breaks a rule of the organisation is refused
/// by the same number (<https://cloud.google.com/storage/docs/json_api/v1/status-codes#412_Precondition_Failed>):
/// then nobody else has written anything.
fn lost_race(error: &Error) -> bool {
    let unmet = error.http_status_code() == Some(412)
        || error.status().is_some_and(|status| status.code == Code::FailedPrecondition);
    unmet && !names_a_constraint(error)
}

/// Whether the answer names a constraint, as of an organisation's policy; a precondition's says nothing
/// of one.
fn names_a_constraint(error: &Error) -> bool {
    let message = error.status().map_or(&b""[..], |status| status.message.as_bytes());
    let body = error.http_payload().map_or(&b""[..], |body| body);
    [message, body].into_iter().any(|text| memchr::memmem::find(&text.to_ascii_lowercase(), b"constraint").is_some())
}

fn is_missing(error: &Error) -> bool {
    error.http_status_code() == Some(404) || error.status().is_some_and(|status| status.code == Code::NotFound)
}

#[async_trait]
impl Objects for CloudStorageObjects {
    async fn create(&self, key: &str, body: ByteStream) -> PortResult<Created> {
        let (name, attempted) = self.name("create", key)?;
        let payload = Payload::of(body).await.map_err(|error| PortError::did_not_happen(&attempted, error))?;
        let broken = payload.broken();
        let written =
            self.storage.write_object(&self.bucket, &name, payload).set_if_generation_match(0).send_buffered().await;
        match written {
            Ok(object) => Ok(Created::New(Self::generation(&attempted, object.generation)?)),
            // Also where an attempt before was ours and only its answer got lost: a key's bytes are
            // the same whoever writes them.
            Err(error) if lost_race(&error) => Ok(Created::Existed),
            Err(error) if broken.is_broken() => Err(PortError::did_not_happen(attempted, error)),
            Err(error) => Err(port_error(attempted, Effect::Write, error)),
        }
    }

    async fn replace_if(&self, key: &str, expected: Option<Generation>, body: Bytes) -> PortResult<Replaced> {
        let (name, attempted) = self.name("replace", key)?;
        // A generation beyond the service's numbers is nobody's.
        let Ok(expected) = i64::try_from(expected.map_or(0, |generation| generation.0)) else {
            return Ok(Replaced::LostRace);
        };
        let written = self
            .storage
            .write_object(&self.bucket, &name, body)
            .set_if_generation_match(expected)
            .with_resumable_upload_threshold(usize::MAX)
            // A second attempt of the client's own would lose the race against the first.
            .with_retry_policy(NeverRetry)
            .send_buffered()
            .await;
        match written {
            Ok(object) => Ok(Replaced::Done(Self::generation(&attempted, object.generation)?)),
            Err(error) if lost_race(&error) => Ok(Replaced::LostRace),
            Err(error) => Err(port_error(attempted, Effect::Write, error)),
        }
    }

    async fn read(&self, key: &str) -> PortResult<Option<StoredObject>> {
        let (name, attempted) = self.name("read", key)?;
        let response = match self.storage.read_object(&self.bucket, &name).send().await {
            Ok(response) => response,
            Err(error) if is_missing(&error) => return self.missing(attempted).await,
            Err(error) => return Err(port_error(attempted, Effect::None, error)),
        };
        let object = response.object();
        let generation = Self::generation(&attempted, object.generation)?;
        let size = u64::try_from(object.size).map_err(|error| PortError::did_not_happen(&attempted, error))?;
        let body = futures::stream::unfold(Some(response), |response| async move {
            let mut response = response?;
            match response.next().await? {
                Ok(piece) => Some((Ok(piece), Some(response))),
                Err(error) => Some((Err(std::io::Error::other(error)), None)),
            }
        });
        Ok(Some(StoredObject { generation, size, body: Box::pin(body) }))
    }

    async fn list(&self, prefix: &str) -> PortResult<Vec<ObjectMeta>> {
        let attempted = format!("list objects {prefix:?} in {}", self.shown);
        let mut items = self
            .control
            .list_objects()
            .set_parent(&self.bucket)
            .set_prefix(format!("{}{prefix}", self.prefix))
            .set_page_size(PAGE)
            .by_item();
        let mut listed = Vec::new();
        while let Some(object) = items.next().await {
            let object = object.map_err(|error| port_error(&attempted, Effect::None, error))?;
            let Some(key) = object.name.strip_prefix(&self.prefix) else { continue };
            // Others may put what is no key of ours into the bucket, such as a console's "folders".
            if crate::ports::key::check(key).is_err() {
                continue;
            }
            let size = u64::try_from(object.size).map_err(|error| PortError::did_not_happen(&attempted, error))?;
            let generation = Self::generation(&attempted, object.generation)?;
            listed.push(ObjectMeta { key: key.to_owned(), size, generation });
        }
        // The service lists by the names' bytes already; nothing moves then.
        listed.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        Ok(listed)
    }

    async fn delete(&self, key: &str) -> PortResult<()> {
        let (name, attempted) = self.name("delete", key)?;
        match self.control.delete_object().set_bucket(&self.bucket).set_object(name).send().await {
            Ok(()) => Ok(()),
            Err(error) if is_missing(&error) => self.missing(attempted).await.map(drop),
            Err(error) => Err(port_error(attempted, Effect::Write, error)),
        }
    }

    fn uri(&self, key: &str) -> Option<String> {
        let (name, _) = self.name("name", key).ok()?;
        Some(format!("gs://{}/{name}", self.bucket.rsplit('/').next()?))
    }

    async fn ping(&self) -> PortResult<()> {
        let attempted = format!("ask {} for an answer", self.shown);
        let page = self.control.list_objects().set_parent(&self.bucket).set_prefix(&self.prefix).set_page_size(1);
        page.send().await.map(drop).map_err(|error| port_error(attempted, Effect::None, error))
    }
}

impl CloudStorageObjects {
    /// "Not found" means the object, which is fine, or the bucket, which is not.
    async fn missing(&self, attempted: String) -> PortResult<Option<StoredObject>> {
        match self.ping().await {
            Err(PortError::NeverWill { source, remedy, .. }) => Err(PortError::NeverWill { attempted, source, remedy }),
            Err(outage) => Err(outage),
            Ok(()) => Ok(None),
        }
    }
}
