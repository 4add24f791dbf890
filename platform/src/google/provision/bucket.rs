//! The bucket that holds objects.

use std::collections::BTreeMap;
use std::time::Duration;

use google_cloud_auth::credentials::anonymous;
use google_cloud_gax::error::Error;
use google_cloud_gax::retry_policy::RetryPolicyExt as _;
use google_cloud_storage::client::StorageControl;
use google_cloud_storage::model::Bucket;
use google_cloud_storage::model::bucket::iam_config::UniformBucketLevelAccess;
use google_cloud_storage::model::bucket::{IamConfig, Lifecycle};
use google_cloud_storage::retry_policy::RetryableErrors;
use google_cloud_wkt::FieldMask;

use super::super::failure::Effect;
use super::compare::{Comparison, Finding, or_none, yes_or_no};
use super::explain::{Call, already_exists, not_found};
use super::lifecycle::{self, KeptFor};
use crate::ports::{PortError, PortResult};

/// What a resource of this kind is called.
const KIND: &str = "bucket";
/// How often a call that may be repeated is tried.
const ATTEMPTS: u32 = 4;
/// How long a call may take, with its repetitions.
const CALL_WITHIN: Duration = Duration::from_secs(60);
/// The word for "no public access".
const ENFORCED: &str = "enforced";

const fn call(verb: &'static str, permissions: &'static str, effect: Effect) -> Call {
    Call { verb, permissions, role: "roles/storage.admin", api: "storage.googleapis.com", effect }
}

const GET: Call = call("look at bucket", "storage.buckets.get", Effect::None);
const CREATE: Call = call("create bucket", "storage.buckets.create", Effect::Write);
const UPDATE: Call = call("update bucket", "storage.buckets.update", Effect::Write);

/// What is wanted of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketSettings {
    /// Where it is, such as `EU` or `europe-west2`.
    pub location: String,
    /// Class of new objects, such as `STANDARD`.
    pub storage_class: String,
    /// Whether access is by roles on the bucket only, not by lists on objects.
    pub uniform_access: bool,
    /// Whether nobody can make objects public.
    pub public_access_prevented: bool,
    /// What the full names of our objects begin with; empty where the bucket is ours alone.
    pub prefix: String,
    /// How long objects are kept, by the prefix of their full names; what is not named is kept.
    pub lifecycle: BTreeMap<String, KeptFor>,
}

/// A bucket that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundBucket(Bucket);

/// One call that brings the bucket nearer to what is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct BucketStep {
    bucket: Bucket,
    /// Empty where it is to be made.
    paths: Vec<&'static str>,
}

impl BucketSettings {
    fn note(&self) -> String {
        let kept = self.lifecycle.iter().map(|(prefix, kept)| format!(", {prefix} {}d", kept.days));
        let uniform = if self.uniform_access { ", uniform access" } else { "" };
        format!("{} {}{uniform}{}", self.location, self.storage_class, kept.collect::<String>())
    }

    fn iam(&self) -> IamConfig {
        let prevention = if self.public_access_prevented { ENFORCED } else { "inherited" };
        IamConfig::new()
            .set_uniform_bucket_level_access(UniformBucketLevelAccess::new().set_enabled(self.uniform_access))
            .set_public_access_prevention(prevention)
    }
}

/// How the bucket stands, and the step that mends it where there is one. Objects that are kept may be
/// kept longer, never shorter: a rule that deletes is given to a new bucket only.
pub fn compare_bucket(
    name: &str,
    wanted: &BucketSettings,
    found: Option<&FoundBucket>,
) -> (Finding, Option<BucketStep>) {
    let Some(FoundBucket(found)) = found else {
        let bucket = Bucket::new()
            .set_location(wanted.location.as_str())
            .set_storage_class(wanted.storage_class.as_str())
            .set_iam_config(wanted.iam())
            .set_lifecycle(Lifecycle::new().set_rule(lifecycle::rules(&wanted.lifecycle, &[])));
        return (Finding::missing(KIND, name, wanted.note()), Some(BucketStep { bucket, paths: Vec::new() }));
    };
    let mut comparison = Comparison::default();
    let text = |text: &&str| or_none(text);
    comparison.fixed(
        "location",
        (found.location.to_uppercase().as_str(), wanted.location.to_uppercase().as_str()),
        text,
    );
    let classes = (found.storage_class.as_str(), wanted.storage_class.as_str());
    comparison.free("storageClass", "storage_class", classes, text);
    let iam = found.iam_config.clone().unwrap_or_default();
    let uniform = iam.uniform_bucket_level_access.as_ref().is_some_and(|access| access.enabled);
    comparison.grows("uniformAccess", "iam_config", (uniform, wanted.uniform_access), yes_or_no);
    let prevented = iam.public_access_prevention == ENFORCED;
    comparison.grows("publicAccessPrevented", "iam_config", (prevented, wanted.public_access_prevented), yes_or_no);
    let there = found.lifecycle.as_ref().map_or(&[][..], |lifecycle| lifecycle.rule.as_slice());
    lifecycle::compare(&wanted.prefix, &wanted.lifecycle, there, &mut comparison);
    let (finding, paths) = comparison.finding(KIND, name);
    let bucket = found
        .clone()
        .set_storage_class(wanted.storage_class.as_str())
        .set_iam_config(wanted.iam())
        .set_lifecycle(Lifecycle::new().set_rule(lifecycle::rules(&wanted.lifecycle, there)));
    let step = (!paths.is_empty()).then_some(BucketStep { bucket, paths });
    (finding, step)
}

/// A bucket, for provisioning.
#[derive(Debug)]
pub struct BucketProvision {
    control: StorageControl,
    name: String,
    project: String,
    within: Duration,
}

impl BucketProvision {
    /// Opens a bucket of that name, which may not be there yet; it is made in the project.
    ///
    /// # Errors
    /// `NeverWill` where no credentials are found.
    pub async fn open(name: &str, project: &str, emulator: Option<&str>) -> PortResult<Self> {
        let mut control = StorageControl::builder().with_retry_policy(RetryableErrors.with_attempt_limit(ATTEMPTS));
        if let Some(endpoint) = emulator {
            control = control.with_endpoint(endpoint).with_credentials(anonymous::Builder::new().build());
        }
        let opened = |error| PortError::never_will(format!("open bucket {name}"), anyhow::Error::new(error));
        let control = control.build().await.map_err(opened)?;
        Ok(Self { control, name: name.to_owned(), project: project.to_owned(), within: CALL_WITHIN })
    }

    /// The same, with another limit than a minute to how long a call may take.
    #[must_use]
    pub fn with_calls_within(self, within: Duration) -> Self {
        Self { within, ..self }
    }

    /// The bucket's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Looks at the bucket; none where it is not there.
    ///
    /// # Errors
    /// `NeverWill` where it may not be looked at, which is also what Google answers for a bucket of
    /// somebody else: names are the world's.
    pub async fn look(&self) -> PortResult<Option<FoundBucket>> {
        let look = self.control.get_bucket().set_name(format!("projects/_/buckets/{}", self.name));
        match self.in_time(look.send()).await {
            Ok(bucket) => Ok(Some(FoundBucket(bucket))),
            Err(error) if not_found(&error) => Ok(None),
            Err(error) => Err(self.failed(GET, error)),
        }
    }

    /// Does one step. A bucket that somebody else made meanwhile counts as made: looking again shows
    /// whether it is as wanted.
    ///
    /// # Errors
    /// `NeverWill` with what is missing; `DidNotHappen` where the bucket was changed since it was
    /// looked at.
    pub async fn step(&self, step: &BucketStep) -> PortResult<()> {
        if step.paths.is_empty() {
            let bucket = step.bucket.clone().set_project(format!("projects/{}", self.project));
            let create = self.control.create_bucket().set_parent("projects/_").set_bucket_id(&self.name);
            return match self.in_time(create.set_bucket(bucket).send()).await {
                Err(error) if !already_exists(&error) => Err(self.failed(CREATE, error)),
                Ok(_) | Err(_) => Ok(()),
            };
        }
        let update = self
            .control
            .update_bucket()
            .set_bucket(step.bucket.clone())
            .set_if_metageneration_match(step.bucket.metageneration)
            .set_update_mask(FieldMask::default().set_paths(step.paths.iter().copied()));
        self.in_time(update.send()).await.map(drop).map_err(|error| self.failed(UPDATE, error))
    }

    /// The client waits for ever: a call that is not answered in time has failed, and may have been heard.
    async fn in_time<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let late = || Error::timeout(format!("no answer within {:?}", self.within));
        tokio::time::timeout(self.within, call).await.unwrap_or_else(|_| Err(late()))
    }

    fn failed(&self, call: Call, error: Error) -> PortError {
        call.failed(&self.name, &self.project, error)
    }
}

#[cfg(test)]
mod tests {
    use super::super::compare::State;
    use super::*;

    fn wanted() -> BucketSettings {
        BucketSettings {
            location: "EU".to_owned(),
            storage_class: "STANDARD".to_owned(),
            uniform_access: true,
            public_access_prevented: true,
            prefix: "p/".to_owned(),
            lifecycle: BTreeMap::from([("p/raw/".to_owned(), KeptFor { days: 400 })]),
        }
    }

    /// As it would be after provisioning, with one thing changed.
    fn found(change: impl FnOnce(Bucket) -> Bucket) -> FoundBucket {
        let (_, step) = compare_bucket("b", &wanted(), None);
        FoundBucket(change(step.unwrap().bucket))
    }

    #[test]
    fn what_was_made_is_as_it_should_be_however_its_location_is_spelled() {
        for found in [found(|bucket| bucket), found(|bucket| bucket.set_location("eu"))] {
            let (finding, step) = compare_bucket("b", &wanted(), Some(&found));
            assert_eq!((finding.state, step), (State::Same, None));
        }
    }

    #[test]
    fn access_is_tightened_and_never_loosened_and_the_location_stays() {
        let open = found(|bucket| bucket.set_iam_config(IamConfig::new()));
        let (finding, step) = compare_bucket("b", &wanted(), Some(&open));
        assert_eq!((finding.state, finding.differences.len()), (State::Different, 2));
        assert_eq!(step.unwrap().paths, ["iam_config"]);
        let loose = BucketSettings { uniform_access: false, ..wanted() };
        assert_eq!(compare_bucket("b", &loose, Some(&found(|bucket| bucket))).0.state, State::Refused);
        let elsewhere = found(|bucket| bucket.set_location("US"));
        assert_eq!(compare_bucket("b", &wanted(), Some(&elsewhere)).0.state, State::Refused);
    }
}
