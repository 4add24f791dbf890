//! What every process is told.

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use super::address::{BrokerAddress, ClusterAddresses, DocumentsAddresses, ObjectsAddress, WarehouseAddress};
use super::clock::ClockSetting;
use super::config_error::ConfigError;
use super::documented::{Documented, FieldDoc};
use super::logs::LogFormat;
use super::period::Period;
use crate::layers::{FaultSpec, Faults, RetryPolicy, Timeouts};
use crate::nearest::did_you_mean;
use crate::ports::Flow;

/// Most deliveries one consumer may hold at once; the bound of its memory.
const MOST_OUTSTANDING: usize = 10_000;
/// The shortest lease: shorter ones are lost by a pause of the machine.
const SHORTEST_LEASE: Duration = Duration::from_secs(1);
/// The longest lease, Pub/Sub's bound.
const LONGEST_LEASE: Duration = Duration::from_secs(600);

crate::settings! {
    /// What every process is told.
    pub struct RuntimeSettings {
        /// Topics and subscriptions: `sqlite:PATH` or `pubsub:PROJECT`.
        broker: Option<BrokerAddress>, "address", "embedded needs one machine, Pub/Sub needs Google Cloud";
        /// Parts and states: `file:DIR` or `gs://BUCKET/PREFIX`.
        objects: Option<ObjectsAddress>, "address", "embedded needs one machine, Cloud Storage needs Google Cloud";
        /// Tables: `sqlite:PATH` or `bigquery:PROJECT.DATASET`. For loader and evaluator.
        warehouse: Option<WarehouseAddress>, "address", "embedded needs one machine, BigQuery needs Google Cloud";
        /// Clusters by name: `dump:DIR`, `kube:CONTEXT`, `gke:PROJECT/LOCATION/NAME?via=ROUTE`, `sim:SEED`. For the snapshotter.
        clusters: ClusterAddresses = "", "NAME=ADDRESS,…", "";
        /// Documents sources by name: `firestore:PROJECT/DATABASE` (without `/DATABASE` the first one), `dump:DIR`. No name may be a cluster's. For the snapshotter.
        documents: DocumentsAddresses = "", "NAME=ADDRESS,…", "";
        /// How messages come: `pull`, or `push` to `POST /push/SUBSCRIPTION` on `PODLEDGER_HTTP`, as Cloud Run needs it.
        delivery: DeliveryMode = "pull", "word", "push runs only while there is work, and bounds its length by the acknowledgement deadline";
        /// Deliveries one consumer holds at once, 1 to 10,000.
        max_outstanding: usize = "100", "messages", "more is faster, needs more memory, and leaves less for other replicas";
        /// How long a delivery is ours before somebody else gets it, 1 s to 10 min; extended while work goes on.
        lease: Period = "30s", "period", "longer survives longer pauses; after a crash redelivery takes that long";
        /// How long a process that is asked to stop may finish what is in hand.
        drain: Period = "25s", "period", "longer repeats less work; must be less than the platform's grace before SIGKILL";
        /// First delay before a message that met an outage comes again.
        nack_first: Period = "1s", "period", "shorter recovers faster and burdens what is down";
        /// Greatest such delay; each is about twice the one before.
        nack_max: Period = "1m", "period", "longer burdens less what is down and recovers later";
        /// How long a failing call is retried before the message is given back.
        retry_for: Period = "20s", "period", "longer holds the message longer; should be less than the drain";
        /// How long a small call may take.
        call_timeout: Period = "30s", "period", "shorter notices a hanging service earlier and fails slow ones";
        /// How long a call that moves data may take.
        transfer_timeout: Period = "10m", "period", "shorter notices a hanging transfer earlier and fails large ones";
        /// Where health, readiness and metrics are served; port 0 takes a free one and logs it.
        http: SocketAddr = "127.0.0.1:0", "IP:PORT", "0.0.0.0:8080 lets a platform's probes in, and everybody else";
        /// What is logged: a level, or `target=level` pairs.
        log: String = "info", "filter", "debug says more and costs more";
        /// How it is logged: `text`, `json` (Cloud Logging), or `auto`: text on a terminal.
        log_format: LogFormat = "auto", "word", "";
        /// Google Cloud project that trace ids are linked to in JSON logs.
        trace_project: Option<String>, "project id", "";
        /// The clock of the pipeline's acts: `system`, or `fixed:TIME` for runs that can be repeated.
        clock: ClockSetting = "system", "clock", "fixed is for tests only";
        /// Faults on purpose, for crash tests: such as `crash=loader.warehouse.load.after:2` or `fail=0.05,seed=7`.
        faults: Option<FaultSpec>, "fault list", "never set it in production";
    }
}

impl RuntimeSettings {
    /// The same settings, if they are within their bounds.
    pub fn checked(self) -> Result<Self, ConfigError> {
        let error = |field: &str, reason: String| {
            let variable = Self::FIELDS.iter().find(|doc| doc.name == field).map(FieldDoc::variable);
            Err(ConfigError::new(variable.unwrap_or_else(|| field.to_owned()), reason))
        };
        let lease = self.lease.duration();
        if !(1..=MOST_OUTSTANDING).contains(&self.max_outstanding) {
            return error("max_outstanding", format!("{} is not within 1 to {MOST_OUTSTANDING}", self.max_outstanding));
        }
        if !(SHORTEST_LEASE..=LONGEST_LEASE).contains(&lease) {
            return error("lease", format!("{lease:?} is not within {SHORTEST_LEASE:?} to {LONGEST_LEASE:?}"));
        }
        if let (DeliveryMode::Push, Some(BrokerAddress::Sqlite(_))) = (self.delivery, &self.broker) {
            let reason = "push, but the embedded broker pushes nothing (expected: pull, or a broker pubsub:PROJECT)";
            return error("delivery", reason.to_owned());
        }
        if self.nack_first.duration().is_zero() {
            return error("nack_first", "zero: what is down would be asked again without a pause".to_owned());
        }
        if self.nack_first > self.nack_max {
            return error("nack_first", "longer than the greatest delay, nack_max".to_owned());
        }
        if let Some(name) = self.documents.0.keys().find(|name| self.clusters.0.contains_key(*name)) {
            return error("documents", format!("{name} is the name of a cluster too"));
        }
        for (field, period) in [("call_timeout", self.call_timeout), ("transfer_timeout", self.transfer_timeout)] {
            if period.duration().is_zero() {
                return error(field, "zero: no call could ever succeed".to_owned());
            }
        }
        Ok(self)
    }

    /// Bounds of one consumer.
    pub fn flow(&self) -> Flow {
        Flow { max_outstanding: self.max_outstanding, lease: self.lease.duration() }
    }

    /// Delays before messages that met an outage come again.
    pub fn redelivery(&self) -> RetryPolicy {
        RetryPolicy {
            first: self.nack_first.duration(),
            max: self.nack_max.duration(),
            within: self.nack_max.duration(),
        }
    }

    /// How calls of ports are retried.
    pub fn retry(&self) -> RetryPolicy {
        RetryPolicy { within: self.retry_for.duration(), ..RetryPolicy::default() }
    }

    /// How long calls of ports may take.
    pub fn timeouts(&self) -> Timeouts {
        Timeouts { call: self.call_timeout.duration(), transfer: self.transfer_timeout.duration() }
    }

    /// The faults to inject; off without the variable.
    pub fn injected_faults(&self) -> Faults {
        self.faults.clone().map_or_else(Faults::off, Faults::new)
    }
}

/// How messages come to a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryMode {
    /// The stage asks for them.
    Pull,
    /// Pub/Sub posts them to the stage.
    Push,
}

impl FromStr for DeliveryMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "pull" => Ok(Self::Pull),
            "push" => Ok(Self::Push),
            _ => Err(format!("{text:?} is no way of delivery{}", did_you_mean(text, ["pull", "push"]))),
        }
    }
}

deserialize_from_text!(DeliveryMode, FaultSpec);
