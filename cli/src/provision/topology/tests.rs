use super::*;
use schemas::{Subscription, Table, Topic};

/// What is wrong with the built-in file after a change.
fn problems_of(from: &str, to: &str) -> Vec<String> {
    assert!(BUILT_IN.contains(from), "{from:?} is not in the file");
    match Topology::parse(&BUILT_IN.replacen(from, to, 1), "t.yaml") {
        Ok(_) => Vec::new(),
        Err(error) => error.problems.iter().map(ToString::to_string).collect(),
    }
}

fn built_in() -> Topology {
    Topology::read(None).unwrap()
}

#[test]
fn the_file_holds_every_topic_subscription_table_and_view_and_no_other() {
    let topology = built_in();
    assert_eq!(topology.topics.keys().collect::<Vec<_>>(), sorted(Topic::ALL));
    assert_eq!(topology.subscriptions.keys().collect::<Vec<_>>(), sorted(Subscription::ALL));
    assert_eq!(topology.dataset.tables.iter().collect::<Vec<_>>(), sorted(Table::ALL));
    let views = schemas::ddl::views(schemas::ddl::Dialect::Sqlite);
    assert_eq!(topology.dataset.views, views.iter().map(|view| view.name.to_owned()).collect());
}

fn sorted<T: Ord>(all: &[T]) -> Vec<&T> {
    let mut all: Vec<&T> = all.iter().collect();
    all.sort();
    all
}

#[test]
fn a_name_that_is_taken_out_or_added_is_a_problem() {
    let names = Topic::ALL.iter().map(|topic| format!("  {topic}: {{"));
    let names = names.chain(Subscription::ALL.iter().map(|subscription| format!("  {subscription}: {{")));
    for entry in names {
        let problems = problems_of(&entry, &format!("  zzz-{}", entry.trim_start()));
        assert!(problems.iter().any(|problem| problem.contains("unknown")), "{entry}: {problems:?}");
        assert!(problems.iter().any(|problem| problem.contains("is missing")), "{entry}: {problems:?}");
    }
    let tables = Table::ALL.iter().map(|table| table.name().to_owned());
    for name in tables.chain(built_in().dataset.views) {
        let problems = problems_of(&format!("    - {name}\n"), "");
        assert!(problems.iter().any(|problem| problem.contains(&format!("{name} is missing"))), "{name}: {problems:?}");
    }
}

#[test]
fn stages_may_take_from_their_subscriptions_and_from_no_other() {
    let topology = built_in();
    let stages: std::collections::BTreeSet<&str> = Subscription::ALL.iter().map(|one| one.stage).collect();
    for stage in stages {
        let account = &topology.service_accounts[stage];
        let own: Vec<Subscription> =
            sorted(Subscription::ALL).into_iter().filter(|one| one.stage == stage).copied().collect();
        assert_eq!(account.subscriptions.keys().copied().collect::<Vec<_>>(), own, "{stage}");
        for roles in account.subscriptions.values() {
            assert!(roles.contains("roles/pubsub.subscriber") && roles.contains("roles/pubsub.viewer"), "{stage}");
        }
        let letters = &account.topics[&Topic::DeadLetters];
        assert!(letters.contains("roles/pubsub.publisher") && letters.contains("roles/pubsub.viewer"), "{stage}");
        assert!(account.bucket.contains("roles/storage.objectUser"), "{stage}");
    }
}

#[test]
fn pubsub_itself_may_move_every_dead_letter() {
    let topology = built_in();
    let agent = &topology.service_accounts["pubsub-agent"];
    assert!(agent.topics[&Topic::DeadLetters].contains("roles/pubsub.publisher"));
    let policies = topology.subscriptions.iter().filter(|(_, settings)| settings.dead_letter.is_some());
    assert_eq!(agent.subscriptions.keys().collect::<Vec<_>>(), policies.map(|(name, _)| name).collect::<Vec<_>>());
}

#[test]
fn whom_the_file_pushes_as_may_do_nothing_and_pubsub_itself_may_sign_for_it() {
    let topology = built_in();
    let pusher = &topology.service_accounts["pusher"];
    assert_eq!(pusher, &ServiceAccount { email: pusher.email.clone(), ..ServiceAccount::default() });
    // The address that the file's own comment shows for a push.
    assert!(BUILT_IN.contains(&format!("serviceAccount: \"{}\"", pusher.email)), "{}", pusher.email);
    let may = |account: &str| {
        let roles = &topology.service_accounts[account].service_accounts;
        roles.get("pusher").into_iter().flatten().map(String::as_str).collect::<Vec<_>>()
    };
    assert_eq!(may("pubsub-agent"), ["roles/iam.serviceAccountTokenCreator"]);
    assert_eq!(may("provisioner"), ["roles/iam.serviceAccountUser"]);
    let others = topology.service_accounts.iter().filter(|(_, account)| !account.service_accounts.is_empty());
    assert_eq!(others.count(), 2);
}

#[test]
fn every_topic_of_ours_has_somebody_who_may_publish() {
    let topology = built_in();
    for topic in Topic::ALL.iter().filter(|topic| messages::of(**topic).is_some()) {
        let publishes = |account: &ServiceAccount| {
            account.topics.get(topic).is_some_and(|roles| roles.contains("roles/pubsub.publisher"))
        };
        assert!(topology.service_accounts.values().any(publishes), "{topic}");
    }
}

#[test]
fn a_slip_of_the_finger_is_named_with_its_place_and_the_right_word() {
    for (from, to, problem) in [
        ("topics:\n", "topic:\n", r#"1: topic: unknown section, did you mean "topics"?"#),
        (
            "  raw-batches: {schema",
            "  raw-batch: {schema",
            r#"topics.raw-batch: unknown topic, did you mean "raw-batches"?"#,
        ),
        (
            "encoding: json",
            "encodin: json",
            r#"topics.snapshot-requests.encodin: unknown field, did you mean "encoding"?"#,
        ),
        (
            "  ackDeadline: 60s",
            "  ackDeadlin: 60s",
            r#"subscriptionDefaults.ackDeadlin: unknown field, did you mean "ackDeadline"?"#,
        ),
        ("attempts: 100", "attemps: 100", r#"attemps: unknown field, did you mean "attempts"?"#),
        ("    - gke_pods\n", "    - gke_pod\n", r#"dataset.tables[1]: unknown table, did you mean "gke_pods"?"#),
        ("  storageClass", "  storageclass", r#"bucket.storageclass: unknown field, did you mean "storageClass"?"#),
        (
            "    bucket: [roles/storage",
            "    buckets: [roles/storage",
            r#"serviceAccounts.snapshotter.buckets: unknown field"#,
        ),
        (
            "      pusher: [roles/iam.serviceAccountUser]",
            "      pushr: [roles/iam.serviceAccountUser]",
            r#"serviceAccounts.provisioner.serviceAccounts.pushr: unknown service account, did you mean "pusher"?"#,
        ),
    ] {
        let problems = problems_of(from, to);
        assert!(problems.iter().any(|told| told.contains(problem)), "{problem} is not in {problems:?}");
        let line = 1 + BUILT_IN[..BUILT_IN.find(from).unwrap()].matches('\n').count();
        assert!(problems.iter().any(|told| told.starts_with(&format!("{line}:"))), "line {line}: {problems:?}");
    }
}

#[test]
fn values_have_bounds_and_kinds() {
    for (from, to, problem) in [
        ("attempts: 100", "attempts: 101", "expected a whole number from 5 to 100, found 101"),
        ("attempts: 100", "attempts: four", "expected a whole number from 5 to 100, found \"four\""),
        ("maxBackoff: 10m", "maxBackoff: 11m", "expected a time from 0s to 10m"),
        ("minBackoff: 1s, maxBackoff: 10m", "minBackoff: 2m, maxBackoff: 1m", "minBackoff is more than maxBackoff"),
        ("ackDeadline: 60s", "ackDeadline: 9s", "expected a time from 10s to 10m"),
        ("messageRetention: 31d", "messageRetention: 32d", "expected a time from 10m to 31d"),
        ("exactlyOnce: false", "exactlyOnce: 0", "expected true or false, found 0"),
        ("schema: RawBatch", "schema: RowBatch", "topics.raw-batches.schema: expected RawBatch"),
        ("encoding: json", "encoding: binary", "topics.snapshot-requests.encoding: expected json"),
        ("audit-logs: {", "audit-logs: {schema: X, ", "topics.audit-logs.schema: unknown field"),
        ("--loader: {ordering: true}", "--loader: {ordering: false}", "needs the order of keys"),
        ("audit-logs--normalizer: {}", "audit-logs--normalizer: {ordering: true}", "does not need the order of keys"),
        ("audit-logs--normalizer: {}", "audit-logs--normalizer: {deadLetter: none}", "every subscription needs one"),
        ("audit-logs--normalizer: {}", "audit-logs--normalizer: [x]", "expected a map, found a list"),
        ("{deadLetter: none, messageRetention", "{messageRetention", "a dead letter has nowhere to go"),
        ("    rows/: 60d", "    rows: 60d", "expected a prefix that ends in a slash"),
        ("    rows/: 60d", "    state/x/: 60d", "state/ must be kept"),
        ("    rows/: 60d", "    rows/: 36h", "expected whole days"),
        ("    rows/: 60d", "    rows/: 7d", "bucket.lifecycle.rows/: expected more than 7d"),
        ("    rows/: 60d", "    rows/prod-uk/: 7d", "bucket.lifecycle.rows/prod-uk/: expected more than 7d"),
        ("    raw/: 400d", "    raw/: 14d", "bucket.lifecycle.raw/: expected more than 14d"),
        (
            "    state/loader/: 120d",
            "    state/loader/: 89d",
            "bucket.lifecycle.state/loader/: expected at least 30d more",
        ),
        ("    rows/: 60d", "    rows/: 91d", "bucket.lifecycle.state/loader/: expected at least 30d more"),
        ("    rows/: 60d", "    rows/prod-uk/: 60d", "bucket.lifecycle.state/loader/: expected at least 30d more"),
        ("    state/loader/: 120d", "    state/loader/claims/: 120d", "state/ must be kept"),
        ("  location: EU", "  location: \"EU; x\"", "expected a location"),
        ("storageClass: STANDARD", "storageClass: FAST", "expected STANDARD or NEARLINE"),
        ("podledger-loader@{project}", "podledger-loader@{projects}", "unknown placeholder"),
        ("podledger-loader@", "podledger-notifier@", "has the address of"),
        ("    - gke_nodes\n", "    - gke_nodes\n    - gke_nodes\n", "is there twice"),
        ("kind: Topology", "kind: Policy", "kind: expected Topology, found \"Policy\""),
        ("  location: EU\n", "", "dataset.location is missing"),
    ] {
        let problems = problems_of(from, to);
        assert!(problems.iter().any(|told| told.contains(problem)), "{from:?} -> {to:?}: {problems:?}");
    }
}

#[test]
fn objects_outlast_the_messages_that_need_them_however_long_those_are_kept() {
    let topic = |days: &str| format!("RowBatch, encoding: binary, messageRetention: {days}}}");
    let longer = BUILT_IN.replace(&topic("7d"), &topic("31d"));
    assert_ne!(longer, BUILT_IN);
    assert!(Topology::parse(&longer, "t.yaml").is_ok(), "60 days are enough for 31");
    let error = Topology::parse(&longer.replace("    rows/: 60d", "    rows/: 31d"), "t.yaml").unwrap_err().to_string();
    assert!(error.contains("bucket.lifecycle.rows/: expected more than 31d"), "{error}");
    let error = Topology::parse(&longer.replace("    raw/: 400d", "    raw/: 38d"), "t.yaml").unwrap_err().to_string();
    assert!(error.contains("bucket.lifecycle.raw/: expected more than 38d"), "{error}");
}

#[test]
fn a_pushed_subscription_says_where_as_whom_and_for_whom() {
    // As the file's own comment shows it.
    let shown = BUILT_IN.lines().find_map(|line| line.strip_prefix("#   push: ")).unwrap();
    let push = format!("push: {}", shown.replace("…/…", "a.run.app/b").replace('…', "a.run.app"));
    let with =
        |entry: &str| BUILT_IN.replace("audit-logs--normalizer: {}", &format!("audit-logs--normalizer: {{{entry}}}"));
    let topology = Topology::parse(&with(&push), "t.yaml").unwrap();
    let wanted = topology.pubsub("acme");
    let pushed = wanted.subscriptions["audit-logs--normalizer"].push.as_ref().unwrap();
    assert_eq!(pushed.service_account, "podledger-push@acme.iam.gserviceaccount.com");
    assert_eq!((pushed.endpoint.as_str(), pushed.audience.as_str()), ("https://a.run.app/b", "https://a.run.app"));
    for (entry, problem) in [
        (format!("exactlyOnce: true, {push}"), "exclude each other"),
        (push.replace("https://a.run.app/b", "http://a.run.app/b"), "begins with https://"),
        (push.replace("podledger-push@{project}", "{who}@x"), "unknown placeholder"),
        ("push: {endpoint: https://a}".to_owned(), "push.audience is missing"),
        ("push: none".to_owned(), "expected a map"),
    ] {
        let error = Topology::parse(&with(&entry), "t.yaml").unwrap_err().to_string();
        assert!(error.contains(problem), "{entry}: {error}");
    }
}

#[test]
fn the_buckets_prefixes_are_below_the_addresss() {
    let bucket = built_in().bucket;
    assert_eq!(bucket.settings("").lifecycle.into_keys().collect::<Vec<_>>(), ["raw/", "rows/", "state/loader/"]);
    let below = bucket.settings("a/b/");
    let prefixes = ["a/b/raw/", "a/b/rows/", "a/b/state/loader/"];
    assert_eq!(
        (below.prefix.as_str(), below.lifecycle.into_keys().collect::<Vec<_>>()),
        ("a/b/", prefixes.map(str::to_owned).to_vec())
    );
}

#[test]
fn hostile_input_is_refused_with_a_sentence() {
    let deep = "[".repeat(10_000);
    let wide = format!("topics: {{{}}}", "a: {}, ".repeat(30_000));
    let long = format!("{}: 1", "k".repeat(MAX_FILE_BYTES));
    let bomb = "a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b]\nd: &d [*c, *c, *c, *c, *c, *c, *c]\ne: [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]";
    for text in ["", "\0", "- a", "text", "a: b: c", "? [a]\n: b", &deep, &wide, &long, bomb, "topics: {a: &x {b: *x}}"]
    {
        let error = Topology::parse(text, "t.yaml").unwrap_err();
        assert!(!error.problems.is_empty() && error.to_string().starts_with("t.yaml:"), "{error}");
        assert!(error.problems.iter().all(|problem| problem.reason.len() < 1_000), "{error}");
    }
}
