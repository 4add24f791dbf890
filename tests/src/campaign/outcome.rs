//! What a run left behind.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::killer::Killings;
use super::stages::SECRET;
use super::world::Poison;
use crate::data_dir::{DataDir, STAGES};
use crate::signature;
use crate::tables::{Contents, query, read_all, read_views};
use crate::webhook::Call;

/// Log message that says that a stage wrote other bytes than before the crash.
const OTHER_BYTES: &str = "unfinished object of another version replaced";

/// What is left of a run.
pub struct Outcome {
    /// Tables.
    pub tables: Contents,
    /// Views.
    pub views: Contents,
    /// Webhook calls.
    pub calls: Vec<Call>,
    /// What `podledger verify` proved.
    pub proof: Value,
    /// What was done to it.
    pub killings: Killings,
    /// How long it took.
    pub took: Duration,
    /// Event ids of all violations.
    events: BTreeSet<String>,
    /// Transitions by state.
    states: BTreeMap<String, u64>,
    /// Payloads of dead letters.
    dead: Vec<String>,
    /// Lines of logs that no crash excuses.
    complaints: Vec<String>,
}

impl Outcome {
    pub(super) fn of(data: &DataDir, calls: Vec<Call>, killings: Killings, took: Duration) -> Self {
        let warehouse = data.warehouse();
        let verify = data.podledger(&["--format", "json", "verify"]);
        let column = |sql: &str| query(&warehouse, sql).into_iter().map(|mut row| row.remove(0));
        let logs = STAGES.map(|stage| std::fs::read_to_string(data.log(stage)).unwrap()).concat();
        let states = query(&warehouse, "SELECT state, count(*) FROM alert_log GROUP BY state");
        Self {
            tables: read_all(&warehouse),
            views: read_views(&warehouse),
            calls,
            proof: serde_json::from_slice(&verify.stdout).unwrap_or_else(|error| {
                panic!("podledger verify: {error}: {}", String::from_utf8_lossy(&verify.stderr))
            }),
            killings,
            took,
            events: column("SELECT event_id FROM alert_log").collect(),
            states: states.into_iter().map(|row| (row[0].clone(), row[1].parse().unwrap())).collect(),
            dead: column("SELECT payload FROM dead_letters").collect(),
            complaints: logs.lines().filter(|line| line.contains(OTHER_BYTES)).map(str::to_owned).collect(),
        }
    }

    /// Transitions of a state.
    pub fn transitions(&self, state: &str) -> u64 {
        self.states.get(state).copied().unwrap_or_default()
    }

    /// Holds a run to the promises that each run keeps by itself, whatever was done to it.
    pub fn check(&self, dead_letters: u64) {
        assert_eq!(self.proof["proven"], true, "{:#}", self.proof);
        assert!(self.dead.iter().all(|payload| payload.starts_with(Poison::MARK)), "no poison: {:?}", self.dead);
        assert_eq!(self.dead.len() as u64, dead_letters, "{:#?}", self.dead);
        assert!(self.complaints.is_empty(), "bytes depend on the run: {:?}", self.complaints);
        self.check_calls();
    }

    /// Everybody was told of everything, in the same words under the same key.
    fn check_calls(&self) {
        assert!(self.calls.iter().all(|call| signature::is_valid(call, SECRET)));
        let mut told: BTreeMap<&str, Vec<&Call>> = BTreeMap::new();
        for call in &self.calls {
            told.entry(call.field("event_id")).or_default().push(call);
        }
        for (event, calls) in &told {
            assert!(self.events.contains(*event), "told of event {event}, which is not in the alert log");
            assert!(calls.iter().all(|call| call.key == calls[0].key), "event {event} has several keys: {calls:#?}");
            assert!(calls.iter().all(|call| call.raw == calls[0].raw), "event {event} has several bodies: {calls:#?}");
        }
        let accepted =
            |event: &String| told.get(event.as_str()).is_some_and(|calls| calls.iter().any(|call| call.accepted));
        let missed: Vec<_> = self.events.iter().filter(|event| !accepted(event)).collect();
        assert!(missed.is_empty(), "the webhook was never told of {missed:?}");
        let keys: BTreeSet<_> = told.values().map(|calls| &calls[0].key).collect();
        assert_eq!(keys.len(), told.len(), "two events share a key");
    }

    /// What each event's calls said, by event.
    pub fn told(&self) -> BTreeMap<String, (String, Vec<u8>)> {
        let told =
            self.calls.iter().map(|call| (call.field("event_id").to_owned(), (call.key.clone(), call.raw.to_vec())));
        told.collect()
    }
}
