//! The broker's thread: it owns the connection, puts what everybody asks for at one time into one
//! transaction, and wakes receivers when something is due.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior};
use schemas::Timestamp;
use tokio::sync::oneshot;

use super::failure::{Attempt, Failure, Moment};
use super::job::{Call, GiveBack, Job, Waiting};
use super::schema::Opened;
use super::settings::BrokerSettings;
use super::store::{LeaseId, Leased, Maintained, Policy, Store, SubscriptionId};
use crate::ports::{PortError, PortResult};

/// Jobs that share a transaction, at most: bounds how long the first one waits for the last.
const MAX_JOBS: usize = 4_096;
/// Bytes that share a transaction, at most; one larger job still gets its own.
const MAX_BYTES: usize = 32 * 1024 * 1024;
/// How soon a commit of another process is noticed while there is traffic.
const POLL_SOONEST: Duration = Duration::from_millis(2);
/// The same after a while without traffic.
const POLL_LATEST: Duration = Duration::from_millis(50);
/// Messages that one round of retention handles.
const RETENTION_BATCH: usize = 1_000;

enum Request {
    Job(Box<dyn Job>),
    Lease(Waiting),
}

/// A handle to the thread. Dropping the last one finishes what was asked and stops the thread.
pub(super) struct Writer {
    requests: Option<Sender<Request>>,
    thread: Option<JoinHandle<()>>,
    file: Arc<Path>,
}

impl Writer {
    pub(super) fn start(opened: Opened, settings: &BrokerSettings, file: Arc<Path>) -> std::io::Result<Self> {
        let (sender, requests) = channel();
        let thread = Thread::new(opened, settings, requests, Arc::clone(&file));
        let thread = std::thread::Builder::new().name("broker".to_owned()).spawn(move || thread.run())?;
        Ok(Self { requests: Some(sender), thread: Some(thread), file })
    }

    pub(super) fn attempt(&self, verb: &'static str, subject: Arc<str>) -> Attempt {
        Attempt { verb, subject, file: Arc::clone(&self.file) }
    }

    /// Does work that changes something; on return it is durable.
    pub(super) async fn write<T, F>(&self, attempt: Attempt, bytes: usize, work: F) -> PortResult<T>
    where
        T: Send + 'static,
        F: Fn(&Store<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        self.call(attempt, Some(bytes), work).await
    }

    /// Does work that changes nothing; it does not wait for writers of other processes.
    pub(super) async fn read<T, F>(&self, attempt: Attempt, work: F) -> PortResult<T>
    where
        T: Send + 'static,
        F: Fn(&Store<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        self.call(attempt, None, work).await
    }

    async fn call<T, F>(&self, attempt: Attempt, written: Option<usize>, work: F) -> PortResult<T>
    where
        T: Send + 'static,
        F: Fn(&Store<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        let (reply, result) = oneshot::channel();
        let gone = attempt.clone();
        let call = Call { attempt, writes: written.is_some(), bytes: written.unwrap_or(0), work, result: None, reply };
        self.send(Request::Job(Box::new(call)));
        result.await.unwrap_or_else(|_| Err(self.ended(&gone)))
    }

    /// Asks for messages; the answer comes when there are some.
    pub(super) fn lease(&self, waiting: Waiting) {
        self.send(Request::Lease(waiting));
    }

    /// Gives leases back without waiting.
    pub(super) fn give_back(&self, attempt: Attempt, leases: Vec<LeaseId>, delivered: bool) {
        if !leases.is_empty() {
            self.send(Request::Job(Box::new(GiveBack { attempt, leases, delivered })));
        }
    }

    /// What a caller is told whose answer will never come.
    pub(super) fn ended(&self, attempt: &Attempt) -> PortError {
        Failure::thread_ended().port_error(attempt)
    }

    fn send(&self, request: Request) {
        // A send fails only when the thread panicked; dropping the request tells its caller.
        if let Some(requests) = &self.requests {
            drop(requests.send(request));
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!(file = %self.file.display(), "the broker's thread panicked");
        }
    }
}

struct Thread {
    connection: Connection,
    policy: Policy,
    requests: Receiver<Request>,
    waiting: Vec<Waiting>,
    /// Leased for receivers that went away before they heard of it.
    undelivered: Vec<LeaseId>,
    /// When something that a receiver waits for becomes due.
    next_due: Option<Timestamp>,
    data_version: i64,
    poll: Duration,
    maintain_at: Instant,
    retention_interval: Duration,
    file: Arc<Path>,
}

type Jobs = Vec<Box<dyn Job>>;
type Granted = Vec<(usize, Vec<Leased>)>;

impl Thread {
    fn new(opened: Opened, settings: &BrokerSettings, requests: Receiver<Request>, file: Arc<Path>) -> Self {
        Self {
            connection: opened.connection,
            policy: opened.policy,
            requests,
            waiting: Vec::new(),
            undelivered: Vec::new(),
            next_due: None,
            data_version: 0,
            poll: POLL_SOONEST,
            maintain_at: Instant::now(),
            retention_interval: settings.retention_interval,
            file,
        }
    }

    fn run(mut self) {
        loop {
            let timeout = self.timeout();
            let mut jobs = Jobs::new();
            let asked = match self.requests.recv_timeout(timeout) {
                Ok(first) => {
                    self.collect(first, &mut jobs);
                    true
                }
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => return self.stop(),
            };
            self.waiting.retain(|waiting| !waiting.reply.is_closed());
            let changed = self.changed_elsewhere();
            let due = self.next_due.is_some_and(|due| due <= Timestamp::system_now());
            self.poll = if asked || changed || due { POLL_SOONEST } else { (self.poll * 2).min(POLL_LATEST) };
            if asked || changed || due {
                self.turn(jobs);
            }
            if self.maintain_at <= Instant::now() {
                self.maintain();
            }
        }
    }

    /// Takes what else was asked for meanwhile, up to the bounds of one transaction.
    fn collect(&mut self, first: Request, jobs: &mut Jobs) {
        let mut bytes = 0_usize;
        let mut next = Some(first);
        while let Some(request) = next {
            match request {
                Request::Job(job) => {
                    bytes = bytes.saturating_add(job.bytes());
                    jobs.push(job);
                }
                Request::Lease(waiting) => self.waiting.push(waiting),
            }
            next = if jobs.len() < MAX_JOBS && bytes < MAX_BYTES { self.requests.try_recv().ok() } else { None };
        }
    }

    fn timeout(&self) -> Duration {
        let maintenance = self.maintain_at.saturating_duration_since(Instant::now());
        if self.waiting.is_empty() {
            return maintenance;
        }
        let due = self.next_due.map_or(Duration::MAX, |due| due.since(Timestamp::system_now()));
        self.poll.min(due).min(maintenance)
    }

    /// Whether another process committed since the last look.
    fn changed_elsewhere(&mut self) -> bool {
        if self.waiting.is_empty() {
            return false;
        }
        let version = self
            .connection
            .prepare_cached("PRAGMA data_version")
            .and_then(|mut pragma| pragma.query_row([], |row| row.get(0)));
        // Where the look fails, the turn will too, and can tell who waits.
        version.map_or(true, |version: i64| std::mem::replace(&mut self.data_version, version) != version)
    }

    /// Does the jobs, serves the receivers, and notes when the next message is due.
    fn turn(&mut self, mut jobs: Jobs) {
        if !self.undelivered.is_empty() {
            let leases = std::mem::take(&mut self.undelivered);
            jobs.push(Box::new(GiveBack { attempt: self.attempt("give back"), leases, delivered: false }));
        }
        let serves = jobs.iter().any(|job| job.writes()) || self.anything_due();
        let waiting = if serves { std::mem::take(&mut self.waiting) } else { Vec::new() };
        match self.transact(&mut jobs, &waiting) {
            Ok(granted) => {
                finish(jobs, &Ok(()));
                self.grant(waiting, granted);
            }
            Err(failure) if jobs.len() + waiting.len() > 1 && failure.may_be_someone_elses() => {
                self.one_by_one(jobs, waiting);
            }
            Err(failure) => fail(jobs, waiting, &failure),
        }
        self.next_due = self.soonest_due();
    }

    /// One job must not take the others down with it.
    fn one_by_one(&mut self, jobs: Jobs, waiting: Vec<Waiting>) {
        for job in jobs {
            let mut alone = vec![job];
            let outcome = self.transact(&mut alone, &[]).map(drop);
            finish(alone, &outcome);
        }
        for alone in waiting {
            let alone = vec![alone];
            match self.transact(&mut Jobs::new(), &alone) {
                Ok(granted) => self.grant(alone, granted),
                Err(failure) => fail(Jobs::new(), alone, &failure),
            }
        }
    }

    /// All or nothing.
    fn transact(&mut self, jobs: &mut Jobs, waiting: &[Waiting]) -> Result<Granted, Failure> {
        let before = |error: rusqlite::Error| Failure::of(&error, Moment::Before);
        if jobs.is_empty() && waiting.is_empty() {
            return Ok(Granted::new());
        }
        let writes = !waiting.is_empty() || jobs.iter().any(|job| job.writes());
        let behavior = if writes { TransactionBehavior::Immediate } else { TransactionBehavior::Deferred };
        let transaction = self.connection.transaction_with_behavior(behavior).map_err(before)?;
        let store = Store::new(&transaction, &self.policy, Timestamp::system_now());
        for job in jobs {
            job.run(&store).map_err(before)?;
        }
        let mut granted = Granted::new();
        for (index, waiting) in waiting.iter().enumerate() {
            let leased = store.lease(&waiting.wanted).map_err(before)?;
            if !leased.is_empty() {
                granted.push((index, leased));
            }
        }
        transaction.commit().map_err(|error| Failure::of(&error, Moment::Commit))?;
        Ok(granted)
    }

    /// Hands out what was leased; who got nothing goes on waiting.
    fn grant(&mut self, waiting: Vec<Waiting>, granted: Granted) {
        let mut granted = granted.into_iter().peekable();
        for (index, receiver) in waiting.into_iter().enumerate() {
            match granted.next_if(|(granted_to, _)| *granted_to == index) {
                None => self.waiting.push(receiver),
                Some((_, leased)) => {
                    if let Err(Ok(unheard)) = receiver.reply.send(Ok(leased)) {
                        self.undelivered.extend(unheard.into_iter().map(|message| message.id));
                    }
                }
            }
        }
    }

    fn anything_due(&self) -> bool {
        !self.waiting.is_empty() && self.soonest_due().is_some_and(|due| due <= Timestamp::system_now())
    }

    /// When the first message that a receiver waits for is due. An unreadable file counts as due
    /// now: the turn that follows fails, and tells who waits.
    fn soonest_due(&self) -> Option<Timestamp> {
        if !self.undelivered.is_empty() {
            return Some(Timestamp::MIN);
        }
        let subscriptions: BTreeSet<i64> = self.waiting.iter().map(|waiting| waiting.wanted.subscription.0).collect();
        let store = Store::new(&self.connection, &self.policy, Timestamp::MIN);
        subscriptions
            .into_iter()
            .filter_map(|id| store.next_due(SubscriptionId(id)).unwrap_or(Some(Timestamp::MIN)))
            .min()
    }

    /// One round of retention; a full one is followed by the next at once.
    fn maintain(&mut self) {
        let done = self.maintain_once();
        let more = match &done {
            Ok(Maintained { expired, removed }) => *expired >= RETENTION_BATCH || *removed >= RETENTION_BATCH,
            Err(error) => {
                tracing::warn!(file = %self.file.display(), %error, "retention failed, tried again later");
                false
            }
        };
        self.maintain_at = Instant::now() + if more { Duration::ZERO } else { self.retention_interval };
        self.next_due = self.soonest_due();
    }

    fn maintain_once(&mut self) -> rusqlite::Result<Maintained> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let store = Store::new(&transaction, &self.policy, Timestamp::system_now());
        let late = store.repair_after_clock_step()?;
        let done = store.retain(RETENTION_BATCH)?;
        transaction.commit()?;
        if late > 0 {
            tracing::warn!(messages = late, "the clock was set back, messages made due");
        }
        Ok(done)
    }

    /// Gives back what nobody will receive, and closes the file.
    fn stop(mut self) {
        self.waiting.clear();
        if !self.undelivered.is_empty() {
            self.turn(Jobs::new());
        }
    }

    fn attempt(&self, verb: &'static str) -> Attempt {
        Attempt { verb, subject: "".into(), file: Arc::clone(&self.file) }
    }
}

fn finish(jobs: Jobs, outcome: &Result<(), Failure>) {
    for job in jobs {
        job.finish(outcome.clone());
    }
}

fn fail(jobs: Jobs, waiting: Vec<Waiting>, failure: &Failure) {
    finish(jobs, &Err(failure.clone()));
    for receiver in waiting {
        let error = failure.port_error(&receiver.attempt);
        // Who waited may have gone away.
        drop(receiver.reply.send(Err(error)));
    }
}
