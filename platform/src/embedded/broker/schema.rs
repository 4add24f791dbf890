//! Opening the file: pragmas, format, topics and subscriptions.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Transaction, TransactionBehavior, params};
use schemas::{Subscription, Topic};

use super::failure::{Attempt, Failure, Moment};
use super::settings::BrokerSettings;
use super::store::{Policy, SubscriptionId, TopicId};
use crate::ports::{PortError, PortResult};

/// Marks the file as ours: `plbr`.
const APPLICATION_ID: i32 = 0x706c_6272;
/// The format written and read here.
const FORMAT: i32 = 1;
/// Pages of log after which a commit carries them into the file.
const CHECKPOINT_PAGES: i32 = 4_000;
/// Prepared statements kept.
const CACHED_STATEMENTS: usize = 64;
/// Pause between two attempts to switch to the write-ahead log, which does not wait by itself.
const SWITCH_PAUSE: Duration = Duration::from_millis(5);

/// An opened file.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) policy: Policy,
    pub(super) topics: HashMap<Topic, TopicId>,
    pub(super) subscriptions: HashMap<String, SubscriptionId>,
}

/// Opens the file, and creates what is missing.
pub(super) fn open(attempt: &Attempt, settings: &BrokerSettings) -> PortResult<Opened> {
    let path = &*attempt.file;
    let failed = |error: rusqlite::Error| Failure::of(&error, Moment::Before).port_error(attempt);
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent).map_err(|error| PortError::never_will(attempt.to_string(), error))?;
    }
    let mut connection = Connection::open(path).map_err(failed)?;
    configure(&connection, settings.busy_timeout).map_err(failed)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    check_format(&transaction).map_err(failed)?.map_err(|reason| {
        let reason = anyhow::anyhow!("{reason}");
        PortError::never_will(attempt.to_string(), reason)
    })?;
    let (topics, subscriptions) = provision(&transaction).map_err(failed)?;
    let store = transaction.query_row("SELECT name FROM store", [], |row| row.get(0)).map_err(failed)?;
    transaction.commit().map_err(|error| Failure::of(&error, Moment::Commit).port_error(attempt))?;
    sync_directory_of(path).map_err(|error| PortError::did_not_happen(attempt.to_string(), error))?;
    let dead_letters = topics
        .get(&Topic::DeadLetters)
        .copied()
        .ok_or_else(|| PortError::never_will(attempt.to_string(), anyhow::anyhow!("no topic for dead letters")))?;
    let policy = Policy {
        store,
        dead_letters,
        max_delivery_attempts: settings.max_delivery_attempts,
        retention: settings.retention,
    };
    Ok(Opened { connection, policy, topics, subscriptions })
}

/// The directory entry of a new file must survive a power cut like its content.
fn sync_directory_of(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => std::fs::File::open(".")?.sync_all(),
        Some(parent) => std::fs::File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

fn configure(connection: &Connection, busy_timeout: Duration) -> rusqlite::Result<()> {
    connection.busy_timeout(busy_timeout)?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    let gives_up_at = Instant::now() + busy_timeout;
    loop {
        match connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0)) {
            // Another process opens or closes the file at this moment.
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && Instant::now() < gives_up_at =>
            {
                std::thread::sleep(SWITCH_PAUSE);
            }
            other => {
                other?;
                break;
            }
        }
    }
    // A publish that returned must survive a power cut.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)
}

/// Creates the format in an empty file; the inner error says why the file is not ours to use.
pub(super) fn check_format(transaction: &Transaction<'_>) -> rusqlite::Result<Result<(), String>> {
    let number = |pragma: &str| transaction.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i32>(0));
    let (application, format) = (number("application_id")?, number("user_version")?);
    let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 && application == 0 && format == 0 {
        transaction.execute_batch(include_str!("schema.sql"))?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", FORMAT)?;
        let name = format!("{:08x}", rand::random::<u32>());
        transaction.execute("INSERT INTO store (id, name) VALUES (1, ?1)", [name])?;
        return Ok(Ok(()));
    }
    Ok(if application != APPLICATION_ID {
        Err("it is a database, but not a broker's: expected a file that podledger made".to_owned())
    } else if format > FORMAT {
        Err(format!("it has format {format}, written by a newer podledger; this one knows up to {FORMAT}"))
    } else if format < FORMAT {
        Err(format!("it has format {format}, expected {FORMAT}"))
    } else {
        Ok(())
    })
}

pub(super) type Ids = (HashMap<Topic, TopicId>, HashMap<String, SubscriptionId>);

/// Creates the topics and subscriptions that are missing.
pub(super) fn provision(transaction: &Transaction<'_>) -> rusqlite::Result<Ids> {
    let mut topics = HashMap::new();
    for topic in Topic::ALL {
        transaction.execute("INSERT INTO topics (name) VALUES (?1) ON CONFLICT DO NOTHING", [topic.name()])?;
        let id = transaction.query_row("SELECT id FROM topics WHERE name = ?1", [topic.name()], |row| row.get(0))?;
        topics.insert(*topic, TopicId(id));
    }
    let newest: Option<i64> = transaction
        .query_row("SELECT seq FROM sqlite_sequence WHERE name = 'messages'", [], |row| row.get(0))
        .optional()?;
    let mut subscriptions = HashMap::new();
    for subscription in Subscription::ALL {
        let name = subscription.name();
        transaction.execute(
            "INSERT INTO subscriptions (name, topic, ordered, created_after)
             SELECT ?1, id, ?2, ?3 FROM topics WHERE name = ?4 ON CONFLICT DO NOTHING",
            params![name, subscription.ordered(), newest.unwrap_or(0), subscription.topic.name()],
        )?;
        let id = transaction.query_row("SELECT id FROM subscriptions WHERE name = ?1", [&name], |row| row.get(0))?;
        subscriptions.insert(name, SubscriptionId(id));
    }
    Ok((topics, subscriptions))
}
