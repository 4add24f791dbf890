//! `verify`: the conservation proof.

use std::io::Write;

use anyhow::{Context, Result};
use platform::ports::{Broker, Question, Warehouse};
use schemas::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::args::{Format, VerifyArgs};
use crate::exit::{Exit, UsageError};
use crate::output::{Cell, Grid, write_json};

/// What was proven, and what was not.
#[derive(Debug, Serialize)]
pub struct Proof {
    /// Snapshots and tables compared.
    pub compared: usize,
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
pub async fn prove(args: &VerifyArgs, warehouse: &dyn Warehouse, broker: &dyn Broker) -> Result<Proof> {
    let from = args.from.unwrap_or(Timestamp::MIN);
    let to = args.to.unwrap_or(Timestamp::MAX);
    if from >= to {
        return Err(UsageError(format!("--from {from} is not before --to {to}")).into());
    }
    let answer = warehouse.ask(&Question::Conservation { from, to }).await.context("cannot read the ledger")?;
    let rows: Vec<serde_json::Map<String, Value>> =
        answer.rows.into_iter().map(|row| answer.columns.iter().cloned().zip(row).collect()).collect();
    let compared = rows.len();
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
    Ok(Proof { compared, proven: objects_lost.is_empty() && counted, objects_lost, messages })
}

/// Whether a row of the conservation question says so itself.
fn adds_up(row: &serde_json::Map<String, Value>) -> bool {
    row.get("balanced").is_some_and(|value| value == &Value::Bool(true) || value == &Value::from(1))
}

/// Prints the proof.
pub fn write(proof: &Proof, format: Format, out: &mut impl Write) -> Result<Exit> {
    match format {
        Format::Json => write_json(proof, out)?,
        Format::Csv => messages_grid(proof).write_csv(out)?,
        Format::Text => write_text(proof, out)?,
    }
    Ok(if proof.proven { Exit::Fine } else { Exit::Failed })
}

fn write_text(proof: &Proof, out: &mut impl Write) -> Result<()> {
    if proof.objects_lost.is_empty() {
        writeln!(out, "objects: {} kinds of snapshots compared, listed = rows + rejects = loaded in each", proof.compared)?;
    } else {
        writeln!(out, "objects: {} of {} kinds of snapshots do not add up:", proof.objects_lost.len(), proof.compared)?;
        for row in &proof.objects_lost {
            writeln!(out, "  {}", Value::Object(row.clone()))?;
        }
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
        let number = |value: u64| Cell::from(i64::try_from(value).unwrap_or(i64::MAX));
        grid.push([
            Cell::from(count.subscription.as_str()),
            number(count.published),
            number(count.acked),
            number(count.dead_lettered),
            number(count.waiting),
            Cell::from(if count.adds_up { "yes" } else { "no" }),
        ]);
    }
    grid
}
