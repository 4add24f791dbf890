//! A time-out per call: a port that hangs becomes a port that failed.

mod broker;
mod objects;
mod warehouse;

use std::time::Duration;

use crate::ports::{PortError, PortResult};

pub use broker::TimeoutBroker;
pub use objects::TimeoutObjects;
pub use warehouse::TimeoutWarehouse;

/// How long calls may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// A call whose size is small: a publish, a state, a listing, a question, a piece of a body.
    pub call: Duration,
    /// A call that moves data: creating an object, a load, an upsert.
    pub transfer: Duration,
}

impl Default for Timeouts {
    /// 30 s and 10 min.
    fn default() -> Self {
        Self { call: Duration::from_secs(30), transfer: Duration::from_secs(600) }
    }
}

/// A call with an effect: too late means that it may have happened.
async fn effect<T>(
    limit: Duration,
    attempted: impl FnOnce() -> String,
    call: impl Future<Output = PortResult<T>>,
) -> PortResult<T> {
    match tokio::time::timeout(limit, call).await {
        Ok(result) => result,
        Err(_) => Err(PortError::may_have_happened(attempted(), too_late(limit))),
    }
}

/// A call that only reads: too late means that it can be made again.
async fn reading<T>(
    limit: Duration,
    attempted: impl FnOnce() -> String,
    call: impl Future<Output = PortResult<T>>,
) -> PortResult<T> {
    match tokio::time::timeout(limit, call).await {
        Ok(result) => result,
        Err(_) => Err(PortError::did_not_happen(attempted(), too_late(limit))),
    }
}

fn too_late(limit: Duration) -> anyhow::Error {
    anyhow::anyhow!("no answer within {limit:?}")
}

#[cfg(test)]
mod tests;
