//! Decorators over ports: retry, time-outs, and faults on purpose.
//!
//! From the outside in, a stage's port is retry, then time-out, then (in tests of crashes) faults,
//! then the adapter: so an injected failure and a time-out are retried like a real one.

pub mod faults;
mod retry;
#[cfg(test)]
pub(crate) mod scripted;
mod timeout;

pub use faults::{FaultSpec, Faults, FaultyBroker, FaultyObjects, FaultyWarehouse, Points};
pub use retry::{AfterDoubt, Delays, RetryBroker, RetryObjects, RetryPolicy, RetryWarehouse, retry};
pub use timeout::{TimeoutBroker, TimeoutObjects, TimeoutWarehouse, Timeouts};
