//! `verify`: the conservation proof.

use std::collections::HashSet;
use std::io::Write;

use anyhow::{Context, Result};
use platform::ports::{Objects, Question};
use platform::runtime::Ports;
use schemas::Timestamp;
use schemas::keys::SnapshotKeys;
use serde::Serialize;
use serde_json::Value;

use crate::args::{Format, VerifyArgs};
use crate::exit::{Exit, UsageError};
use crate::house;
use crate::output::{Cell, Grid, write_json};

/// What is wrong with a snapshot that is lost.
const UNKNOWN_SNAPSHOT: &str = "its manifest is stored, the ledger knows nothing of it";

/// What was proven, and what was not.
#[derive(Debug, Serialize)]
pub struct Proof {
    /// Snapshots and tables compared.
    pub compared: usize,
    /// Snapshots whose manifest is stored and of which the ledger knows nothing.
    pub snapshots_lost: Vec<String>,
    /// Where the counts do not add up.
    pub objects_lost: Vec<serde_json::Map<String, Value>>,
    /// Messages by subscription; absent where the broker cannot count.
    pub messages: Option<Vec<MessageCounts>>,
    /// Whether everything adds up.
    pub proven: bool,
}

/// One subscription's messages.
#[derive(Debug, Serialize)]
pub struct MessageCounts {
    /// The subscription.
    pub subscription: String,
    /// Published since it exists.
    pub published: u64,
    /// Acknowledged.
    pub acked: u64,
    /// Moved to the dead letters.
    pub dead_lettered: u64,
    /// Waiting.
    pub waiting: u64,
    /// Whether published = acked + dead-lettered + waiting.
    pub adds_up: bool,
}

/// Compares what was listed, made, loaded, published and acknowledged.
pub async fn prove(args: &VerifyArgs, ports: &Ports) -> Result<Proof> {
    let (warehouse, broker) = (house::warehouse(ports)?.as_ref(), ports.broker.as_ref());
    let from = args.from.unwrap_or(Timestamp::MIN);
    let to = args.to.unwrap_or(Timestamp::MAX);
    if from >= to {
        return Err(UsageError(format!("--from {from} is not before --to {to}")).into());
    }
    let answer = warehouse.ask(&Question::Conservation { from, to }).await.context("cannot read the ledger")?;
    let rows: Vec<serde_json::Map<String, Value>> =
        answer.rows.into_iter().map(|row| answer.columns.iter().cloned().zip(row).collect()).collect();
    let compared = rows.len();
    let known: HashSet<&str> = rows.iter().filter_map(|row| row.get("snapshot_id")?.as_str()).collect();
    let snapshots_lost = unknown_snapshots(ports.objects.as_ref(), &known, from, to).await?;
    let objects_lost: Vec<_> = rows.into_iter().filter(|row| !adds_up(row)).collect();
    let messages = broker.counts().await.context("cannot count messages")?.map(|counts| {
        counts
            .into_iter()
            .map(|count| MessageCounts {
                adds_up: count.published == count.acked + count.dead_lettered + count.unacked,
                subscription: count.subscription,
                published: count.published,
                acked: count.acked,
                dead_lettered: count.dead_lettered,
                waiting: count.unacked,
            })
            .collect::<Vec<_>>()
    });
    let counted = messages.iter().flatten().all(|count| count.adds_up);
    let proven = objects_lost.is_empty() && snapshots_lost.is_empty() && counted;
    Ok(Proof { compared, proven, snapshots_lost, objects_lost, messages })
}

/// Snapshots observed in the period whose manifest the ledger does not know. The manifests are the
/// source's own record, written before anything could be lost on the way to the warehouse.
async fn unknown_snapshots(
    objects: &dyn Objects,
    known: &HashSet<&str>,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<String>> {
    let mut unknown = Vec::new();
    for object in objects.list("raw/").await.context("cannot list the manifests")? {
        let Ok(keys) = SnapshotKeys::of(&object.key) else { continue };
        if object.key != keys.manifest() || known.contains(keys.snapshot_id().as_str()) {
            continue;
        }
        let Some(manifest) = crate::up::collect::manifest(objects, &keys).await? else { continue };
        let in_period = (from..to).contains(&manifest.observed_at);
        if in_period && manifest.kinds.values().any(|kind| !kind.parts.is_empty()) {
            unknown.push(format!("{} of {} at {}", manifest.snapshot_id, manifest.cluster, manifest.observed_at));
        }
    }
    Ok(unknown)
}

/// Whether a row of the conservation question says so itself.
fn adds_up(row: &serde_json::Map<String, Value>) -> bool {
    row.get("balanced").is_some_and(|value| value == &Value::Bool(true) || value == &Value::from(1))
}

/// Prints the proof.
pub fn write(proof: &Proof, format: Format, out: &mut impl Write) -> Result<Exit> {
    match format {
        Format::Json => write_json(proof, out)?,
        Format::Csv => grid(proof).write_csv(out)?,
        Format::Text => write_text(proof, out)?,
    }
    Ok(if proof.proven { Exit::Fine } else { Exit::Failed })
}

fn write_text(proof: &Proof, out: &mut impl Write) -> Result<()> {
    if proof.objects_lost.is_empty() {
        writeln!(
            out,
            "objects: {} kinds of snapshots compared, listed = rows + rejects = loaded in each",
            proof.compared
        )?;
    } else {
        writeln!(out, "objects: {} of {} kinds of snapshots do not add up:", proof.objects_lost.len(), proof.compared)?;
        for row in &proof.objects_lost {
            writeln!(out, "  {}", Value::Object(row.clone()))?;
        }
    }
    for snapshot in &proof.snapshots_lost {
        writeln!(out, "snapshot {snapshot}: {UNKNOWN_SNAPSHOT}")?;
    }
    match &proof.messages {
        Some(_) => messages_grid(proof).write_text(out)?,
        None => writeln!(out, "messages: this broker does not count them")?,
    }
    writeln!(out, "{}", if proof.proven { "proven: nothing was lost or doubled" } else { "NOT proven" })?;
    Ok(())
}

fn messages_grid(proof: &Proof) -> Grid {
    let mut grid = Grid::new(["subscription", "published", "acked", "dead_lettered", "waiting", "adds_up"]);
    for count in proof.messages.iter().flatten() {
        let [published, acked, dead_lettered, waiting] = numbers(count);
        let name = Cell::from(count.subscription.as_str());
        grid.push([name, published, acked, dead_lettered, waiting, yes_or_no(count.adds_up)]);
    }
    grid
}

/// The whole proof as one table: it is proven where every row adds up.
fn grid(proof: &Proof) -> Grid {
    let columns = ["about", "name", "published", "acked", "dead_lettered", "waiting", "adds_up", "detail"];
    let mut grid = Grid::new(columns);
    let uncounted = || std::array::from_fn(|_| Cell::value(Value::Null));
    let mut push = |about: &str, name: &str, counts: [Cell; 4], adds_up: bool, detail: String| {
        let [published, acked, dead_lettered, waiting] = counts;
        let (about, name) = (Cell::from(about), Cell::from(name));
        grid.push([about, name, published, acked, dead_lettered, waiting, yes_or_no(adds_up), detail.into()]);
    };
    let compared = format!("{} kinds of snapshots compared", proof.compared);
    push("objects", "all", uncounted(), proof.objects_lost.is_empty(), compared);
    for row in &proof.objects_lost {
        let text = |column: &str| row.get(column).and_then(Value::as_str).unwrap_or_default().to_owned();
        let name = format!("{} {}", text("snapshot_id"), text("kind"));
        push("objects", &name, uncounted(), false, Value::Object(row.clone()).to_string());
    }
    for snapshot in &proof.snapshots_lost {
        push("snapshot", snapshot, uncounted(), false, UNKNOWN_SNAPSHOT.to_owned());
    }
    for count in proof.messages.iter().flatten() {
        push("messages", &count.subscription, numbers(count), count.adds_up, String::new());
    }
    grid
}

fn numbers(count: &MessageCounts) -> [Cell; 4] {
    [count.published, count.acked, count.dead_lettered, count.waiting]
        .map(|value| Cell::from(i64::try_from(value).unwrap_or(i64::MAX)))
}

fn yes_or_no(adds_up: bool) -> Cell {
    Cell::from(if adds_up { "yes" } else { "no" })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_proof_that_fails_shows_it_in_every_format() {
        let lost = json!({"snapshot_id": "s-1", "kind": "pods", "listed": 3, "loaded": 2, "balanced": false});
        let counted = |subscription: &str, acked, adds_up| MessageCounts {
            subscription: subscription.to_owned(),
            published: 3,
            acked,
            dead_lettered: 0,
            waiting: 1,
            adds_up,
        };
        let proof = Proof {
            compared: 2,
            proven: false,
            snapshots_lost: vec!["s-2 of prod at noon".to_owned()],
            objects_lost: vec![lost.as_object().unwrap().clone()],
            messages: Some(vec![counted("a", 2, true), counted("b", 1, false)]),
        };
        let told = |format| {
            let mut out = Vec::new();
            assert_eq!(write(&proof, format, &mut out).unwrap(), Exit::Failed);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            told(Format::Csv),
            "about,name,published,acked,dead_lettered,waiting,adds_up,detail\n\
             objects,all,,,,,no,2 kinds of snapshots compared\n\
             objects,s-1 pods,,,,,no,\"{\"\"balanced\"\":false,\"\"kind\"\":\"\"pods\"\",\"\"listed\"\":3,\"\"loaded\"\":2,\"\"snapshot_id\"\":\"\"s-1\"\"}\"\n\
             snapshot,s-2 of prod at noon,,,,,no,\"its manifest is stored, the ledger knows nothing of it\"\n\
             messages,a,3,2,0,1,yes,\n\
             messages,b,3,1,0,1,no,\n"
        );
        assert!(told(Format::Text).contains("NOT proven") && told(Format::Json).contains("\"proven\": false"));
    }
}
