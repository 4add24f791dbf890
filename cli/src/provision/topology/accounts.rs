//! The section `serviceAccounts`: data for who makes service accounts and grants roles.

use std::collections::{BTreeMap, BTreeSet};

use schemas::{Subscription, Topic};

use super::reader::{Field, Fields, Problems};
use super::{PROJECT, PROJECT_NUMBER, check_placeholders};

/// One service account, and the roles it needs on what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceAccount {
    /// Its e-mail address, with `{project}` and `{projectNumber}` to be filled in.
    pub email: String,
    /// Roles on topics.
    pub topics: BTreeMap<Topic, BTreeSet<String>>,
    /// Roles on subscriptions.
    pub subscriptions: BTreeMap<Subscription, BTreeSet<String>>,
    /// Roles on the bucket.
    pub bucket: BTreeSet<String>,
    /// Roles on the dataset.
    pub dataset: BTreeSet<String>,
    /// Roles on the project.
    pub project: BTreeSet<String>,
    /// Roles on other accounts of the file, by the name they have there: who may act as them, or mint
    /// their tokens.
    pub service_accounts: BTreeMap<String, BTreeSet<String>>,
}

/// Every service account, by a name of our own.
pub(super) fn read(section: &Field<'_>, problems: &mut Problems) -> BTreeMap<String, ServiceAccount> {
    let mut accounts = BTreeMap::new();
    let Some(fields) = Fields::any(section, problems) else { return accounts };
    let mut emails: BTreeMap<String, String> = BTreeMap::new();
    let names: Vec<&str> = fields.all().map(|(key, _)| key.text.as_str()).collect();
    for (key, field) in fields.all() {
        let Some(account) = account(&field, &names, problems) else { continue };
        if let Some(first) = emails.insert(account.email.clone(), key.text.clone()) {
            field.say(format!("has the address of {first}"), problems);
        }
        accounts.insert(key.text.clone(), account);
    }
    accounts
}

/// One service account; `accounts` are the names of all.
fn account(field: &Field<'_>, accounts: &[&str], problems: &mut Problems) -> Option<ServiceAccount> {
    let known = ["email", "topics", "subscriptions", "bucket", "dataset", "project", "serviceAccounts"];
    let fields = Fields::of(field, "field", &known, problems)?;
    let email = fields.need("email", problems).and_then(|field| email(&field, problems));
    let names: Vec<&str> = Topic::ALL.iter().map(|topic| topic.name()).collect();
    let topics = by_name(fields.get("topics"), "topic", &names, Topic::from_name, problems);
    let names: Vec<String> = Subscription::ALL.iter().map(|subscription| subscription.name()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let subscriptions = by_name(fields.get("subscriptions"), "subscription", &names, Subscription::from_name, problems);
    let named = |name: &str| Some(name.to_owned());
    let service_accounts = by_name(fields.get("serviceAccounts"), "service account", accounts, named, problems);
    let mut of = |name: &str| fields.get(name).map(|field| roles(&field, problems)).unwrap_or_default();
    let (bucket, dataset, project) = (of("bucket"), of("dataset"), of("project"));
    Some(ServiceAccount { email: email?, topics, subscriptions, bucket, dataset, project, service_accounts })
}

fn email(field: &Field<'_>, problems: &mut Problems) -> Option<String> {
    let text = field.text(problems)?;
    if !text.ends_with(".gserviceaccount.com") || !text.contains('@') {
        field.wrong("an address that ends in .gserviceaccount.com", problems);
    }
    check_placeholders(field, text, &[PROJECT, PROJECT_NUMBER], problems);
    Some(text.to_owned())
}

/// Roles by what they are on.
fn by_name<T: Ord>(
    section: Option<Field<'_>>,
    what: &str,
    names: &[&str],
    from_name: impl Fn(&str) -> Option<T>,
    problems: &mut Problems,
) -> BTreeMap<T, BTreeSet<String>> {
    let mut granted = BTreeMap::new();
    let Some(fields) = section.and_then(|section| Fields::of(&section, what, names, problems)) else { return granted };
    for (key, field) in fields.all() {
        if let Some(of) = from_name(&key.text) {
            granted.insert(of, roles(&field, problems));
        }
    }
    granted
}

fn roles(field: &Field<'_>, problems: &mut Problems) -> BTreeSet<String> {
    let items = field.texts(problems).unwrap_or_default();
    for item in &items {
        if !item.node.text().is_some_and(|role| role.starts_with("roles/")) {
            item.wrong("a role such as roles/pubsub.subscriber", problems);
        }
    }
    items.iter().filter_map(|item| item.node.text()).map(str::to_owned).collect()
}
