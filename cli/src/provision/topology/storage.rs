//! The sections `dataset` and `bucket`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use platform::google::provision::{BucketSettings, KeptFor, shown};
use platform::nearest::did_you_mean;
use schemas::Table;
use schemas::ddl::{Dialect, views};

use super::reader::{Field, Fields, Problems};

const DAY: Duration = Duration::from_secs(86_400);
/// How long objects may be kept until they are deleted.
const KEPT: std::ops::RangeInclusive<Duration> = DAY..=Duration::from_secs(3_650 * 86_400);
/// What must not be deleted by age: states, and silences until somebody ends them.
const KEPT_FOR_EVER: [&str; 2] = ["state", "silences"];
/// Raw parts and manifests, and the rows made of them.
const RAW: &str = "raw/";
const ROWS: &str = "rows/";
/// But plans, claims and entries of loads may go, together, once what they are about is gone.
const LOADS: &str = "state/loader/";
/// How much longer than rows they are kept: Cloud Storage deletes some days late, and not in order.
/// See docs/decisions/0041-what-loads-leave-behind.md.
const LONGER_THAN_ROWS: Duration = Duration::from_secs(30 * 86_400);
/// Classes of storage that objects may be made in.
const CLASSES: [&str; 4] = ["STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE"];
/// Fields of the bucket.
const BUCKET_FIELDS: [&str; 5] = ["location", "storageClass", "uniformAccess", "publicAccessPrevented", "lifecycle"];
/// Longest name of a location.
const MAX_LOCATION_BYTES: usize = 64;

/// The dataset of the warehouse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// Where it is, such as `EU` or `europe-west2`.
    pub location: String,
    /// Its tables: every one of the program.
    pub tables: BTreeSet<Table>,
    /// Its views: every one of the program.
    pub views: BTreeSet<String>,
}

/// The bucket of the objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    settings: BucketSettings,
}

impl Bucket {
    /// The settings of a bucket under whose prefix the objects are (which may be empty).
    pub fn settings(&self, prefix: &str) -> BucketSettings {
        let mut settings = self.settings.clone();
        let prefix = prefix.trim_matches('/');
        if !prefix.is_empty() {
            let lifecycle = std::mem::take(&mut settings.lifecycle);
            settings.lifecycle =
                lifecycle.into_iter().map(|(below, kept)| (format!("{prefix}/{below}"), kept)).collect();
            settings.prefix = format!("{prefix}/");
        }
        settings
    }
}

pub(super) fn dataset(section: &Field<'_>, problems: &mut Problems) -> Option<Dataset> {
    let fields = Fields::of(section, "field", &["location", "tables", "views"], problems)?;
    let location = fields.need("location", problems).and_then(|field| location(&field, problems));
    let tables = Table::ALL.iter().map(|table| table.name()).collect();
    let tables = fields.need("tables", problems).and_then(|field| exactly(&field, "table", &tables, problems));
    let known = views(Dialect::BigQuery).iter().map(|view| view.name).collect();
    let views = fields.need("views", problems).and_then(|field| exactly(&field, "view", &known, problems));
    Some(Dataset {
        location: location?,
        tables: tables?.into_iter().filter_map(Table::from_name).collect(),
        views: views?.into_iter().map(str::to_owned).collect(),
    })
}

/// A list that holds all of these names and no other.
fn exactly<'n>(
    field: &Field<'n>,
    what: &str,
    known: &BTreeSet<&'static str>,
    problems: &mut Problems,
) -> Option<Vec<&'n str>> {
    let items = field.texts(problems)?;
    let names: Vec<&str> = items.iter().filter_map(|item| item.node.text()).collect();
    for item in &items {
        let Some(name) = item.node.text().filter(|name| !known.contains(name)) else { continue };
        item.say(format!("unknown {what}{}", did_you_mean(name, known.iter().copied())), problems);
    }
    for missing in known.iter().filter(|name| !names.contains(name)) {
        field.say(format!("{missing} is missing"), problems);
    }
    Some(names)
}

fn location(field: &Field<'_>, problems: &mut Problems) -> Option<String> {
    let text = field.text(problems)?;
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !plain || text.len() > MAX_LOCATION_BYTES {
        field.wrong("a location such as EU or europe-west2", problems);
    }
    Some(text.to_owned())
}

pub(super) fn bucket(section: &Field<'_>, problems: &mut Problems) -> Option<Bucket> {
    let fields = Fields::of(section, "field", &BUCKET_FIELDS, problems)?;
    let location = fields.need("location", problems).and_then(|field| location(&field, problems));
    let class = fields.need("storageClass", problems).and_then(|field| field.word(&CLASSES, problems));
    let uniform = fields.need("uniformAccess", problems).and_then(|field| field.truth(problems));
    let prevented = fields.need("publicAccessPrevented", problems).and_then(|field| field.truth(problems));
    let lifecycle = fields.get("lifecycle").map_or_else(BTreeMap::new, |field| lifecycle(&field, problems));
    let settings = BucketSettings {
        location: location?,
        storage_class: class?.to_owned(),
        uniform_access: uniform?,
        public_access_prevented: prevented?,
        prefix: String::new(),
        lifecycle,
    };
    Some(Bucket { settings })
}

/// How long messages that name objects may be on their way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Underway {
    /// Those that name raw parts.
    pub(super) raw: Duration,
    /// Those that name rows, and the manifest among the raw parts.
    pub(super) rows: Duration,
}

/// Refuses lifetimes by which an object would be gone while a message that needs it can still come, or
/// the claim of a load before the rows that it keeps from being loaded twice.
pub(super) fn check_lifetimes(section: &Field<'_>, bucket: &Bucket, underway: Underway, problems: &mut Problems) {
    let kept = |prefix: &str| bucket.settings.lifecycle.get(prefix).map(|kept| DAY * kept.days.unsigned_abs());
    // What is wrong with the section itself was told when it was read.
    let told = &mut Problems::default();
    let lifecycle = Fields::any(section, told).and_then(|all| all.get("lifecycle"));
    let Some(fields) = lifecycle.and_then(|lifecycle| Fields::any(&lifecycle, told)) else { return };
    for (key, field) in fields.all() {
        let Some(days) = kept(&key.text) else { continue };
        let least = match key.text.split_inclusive('/').next() {
            Some(RAW) => underway.raw + underway.rows,
            Some(ROWS) => underway.rows,
            _ => Duration::ZERO,
        };
        if days <= least {
            let least = shown(least);
            field.say(
                format!("expected more than {least}: so long a message that needs them may be on its way"),
                problems,
            );
        }
        if key.text == LOADS && kept(ROWS).is_none_or(|rows| days < rows + LONGER_THAN_ROWS) {
            let longer = shown(LONGER_THAN_ROWS);
            field.say(
                format!("expected at least {longer} more than {ROWS} is kept: a claim must outlive its rows"),
                problems,
            );
        }
    }
}

/// Prefixes and how long what is below them is kept.
fn lifecycle(section: &Field<'_>, problems: &mut Problems) -> BTreeMap<String, KeptFor> {
    let mut lifecycle = BTreeMap::new();
    let Some(fields) = Fields::any(section, problems) else { return lifecycle };
    for (key, field) in fields.all() {
        let prefix = key.text.as_str();
        let root = prefix.split('/').next().unwrap_or_default();
        if root.is_empty() || !prefix.ends_with('/') {
            problems.at(key.line, key.column, format!("{}: expected a prefix that ends in a slash", field.place));
        } else if KEPT_FOR_EVER.contains(&root) && prefix != LOADS {
            problems.at(key.line, key.column, format!("{}: {root}/ must be kept", field.place));
        }
        let Some(kept) = field.period(KEPT, problems) else { continue };
        if kept.as_secs() % DAY.as_secs() > 0 {
            field.wrong("whole days, such as 400d", problems);
        }
        // At most ten years of days, by the bounds above.
        let days = i32::try_from(kept.as_secs() / DAY.as_secs()).unwrap_or(i32::MAX);
        lifecycle.insert(prefix.to_owned(), KeptFor { days });
    }
    lifecycle
}
