//! The whole of one test: the story told to the servers, then again to the embedded adapters.

use std::path::Path;
use std::time::Instant;

use platform::ports::Objects;
use podledger_tests::binaries;
use podledger_tests::campaign::killer::Killer;
use podledger_tests::data_dir::{DataDir, STAGES};
use podledger_tests::tables::difference;
use podledger_tests::webhook::{Call, Webhook};
use serde_json::Value;

use crate::compare;
use crate::google::{Google, Way};
use crate::party::Party;
use crate::registry;
use crate::story::{CLUSTER, Round, Story};

/// Time between two kills at random moments, in milliseconds: a stage on servers does some work in it.
const BETWEEN_KILLS_MS: std::ops::Range<u64> = 150..900;
/// How often the last round is asked for again, at most, until enough died.
const ENCORES: usize = 40;
/// Of how many webhook calls one is refused while processes are killed.
const REFUSED_ONE_OF: usize = 7;

/// A cluster that nobody lists, since every snapshot has its manifest already.
const NEVER_LISTED: &str = "sim:1";

/// Tables that the story fills.
const NEVER_EMPTY: [&str; 10] = [
    "gke_pods",
    "gke_deployments",
    "hpa_data",
    "gke_nodes",
    "replica_changes",
    "alert_log",
    "firestore_documents",
    "firestore_apis",
    "firestore_capextchannels",
    "firestore_backendservices",
];

/// What is done to the processes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Deaths {
    /// Nothing.
    None,
    /// They are killed.
    AtLeast {
        /// How often, at least.
        kills: u32,
        /// Where the dice start.
        seed: u64,
    },
}

/// Tells the story to five processes on the servers and holds what they made of it to what the
/// embedded adapters make of the recorded objects. Where a server was not built it says so.
pub(crate) async fn run(way: Way, deaths: Deaths) {
    let folder = tempfile::tempdir().unwrap();
    let Some(google) = Google::start(folder.path(), way).await else { return };
    let Some(mut story) = Story::start(folder.path(), &google.firestore()).await else { return };
    binaries::folder();
    let (killer, kills, webhook) = match deaths {
        Deaths::None => (None, 0, Webhook::start().await),
        Deaths::AtLeast { kills, seed } => {
            let killer = Killer::new(seed).pausing(BETWEEN_KILLS_MS);
            (Some(killer), kills, Webhook::unreliable(REFUSED_ONE_OF).await)
        }
    };

    let started = Instant::now();
    let mut party = Party::on_servers(&google, story.kubeconfig(), &webhook, killer).await;
    let mut rounds: Vec<Round> = Vec::new();
    while let Some(round) = story.next().await {
        party.wants_deaths(kills * u32::try_from(rounds.len() + 1).unwrap() / Story::ROUNDS);
        party.start(round.at);
        party.tell(&round).await;
        rounds.push(round);
        if rounds.len() == Story::ROUNDS as usize {
            party.encores(rounds.last().unwrap(), ENCORES).await;
        }
        party.stop();
    }
    let killings = party.into_killings();
    eprintln!(
        "on servers: {} rounds, {} kills ({} at named points, at random {:?}), {} webhook calls, {:.1} s",
        rounds.len(),
        killings.total(),
        killings.struck.values().sum::<u32>(),
        killings.at_random,
        webhook.calls().len(),
        started.elapsed().as_secs_f64()
    );
    assert!(killings.total() >= kills, "only {} kills", killings.total());

    let proof = google.place().podledger(&["--format", "json", "verify"]);
    let proven: Value = serde_json::from_slice(&proof.stdout)
        .unwrap_or_else(|error| panic!("podledger verify: {error}: {}", String::from_utf8_lossy(&proof.stderr)));
    assert_eq!(proven["proven"], true, "{proven:#}");
    assert!(proven["compared"].as_u64().unwrap() > 0, "{proven:#}");

    let broken_off = registry::broken_off(&*google.objects(), &rounds).await;
    eprintln!("lists of documents that were broken off, by round: {broken_off:?}");
    if let Deaths::AtLeast { .. } = deaths {
        assert!(broken_off.iter().all(|lists| *lists > 0), "nobody died while documents were listed: {broken_off:?}");
    }

    let (data, told_by_one) = embedded(&folder.path().join("embedded"), &google, &rounds).await;
    let (there, here) = (google.warehouse().await, data.open_warehouse());
    let expected = compare::contents(&here).await;
    let found = compare::contents(&*there).await;
    for table in NEVER_EMPTY {
        assert!(compare::rows(&expected, table) > 0, "nothing is compared of {table}");
    }
    assert_eq!(compare::rows(&expected, "dead_letters"), 0);
    assert_eq!(difference(&expected, &found), "");
    registry::hold(&*there, &rounds).await;
    assert_eq!(events(&told_by_one), events(&webhook.calls()), "everybody is told of the same, in the same words");
    assert_eq!(google.dead_letters().await, 0);
    for stage in STAGES {
        let log = std::fs::read_to_string(google.place().log(stage)).unwrap();
        assert!(!log.contains("unfinished object of another version replaced"), "bytes depend on the run: {log}");
    }
}

/// The same rounds told to five processes on a data directory that has the cluster's recorded raw
/// objects; documents are listed anew, from files that hold what was written.
async fn embedded(folder: &Path, google: &Google, rounds: &[Round]) -> (DataDir, Vec<Call>) {
    let data = DataDir::create(folder);
    let (from, to) = (google.objects(), data.objects());
    let from: &dyn Objects = &*from;
    for object in from.list(&format!("raw/{CLUSTER}/")).await.unwrap() {
        let (_, bytes) = from.read_bytes(&object.key, u64::MAX).await.unwrap().unwrap();
        (&to as &dyn Objects).create_bytes(&object.key, bytes.to_vec()).await.unwrap();
    }
    let webhook = Webhook::start().await;
    let documents = folder.join("documents");
    let dump = format!("dump:{}", documents.display());
    let mut party = Party::on_data_dir(&data, NEVER_LISTED.to_owned(), dump, &webhook).await;
    for round in rounds {
        round.documents.write(&documents);
        party.start(round.at);
        party.tell(round).await;
        party.stop();
    }
    (data, webhook.calls())
}

/// Bodies of the accepted calls by idempotency key, each once.
fn events(calls: &[Call]) -> Vec<(String, Vec<u8>)> {
    let mut events: Vec<_> =
        calls.iter().filter(|call| call.accepted).map(|call| (call.key.clone(), call.raw.to_vec())).collect();
    events.sort();
    events.dedup();
    events
}
