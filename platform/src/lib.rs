//! What a stage runs on.
//!
//! `ports` are what stages know; `embedded`, `google` and `kubernetes` are adapters behind them;
//! `layers` decorate ports (retry, time-outs, faults); `runtime` starts, runs and stops a stage;
//! `testkit` holds every adapter to its port's promises.
//!
//! Consumes configuration from the environment and messages from the broker; never decides what a
//! message means. Only `runtime::open` names adapters.

pub mod embedded;
pub mod google;
pub mod kubernetes;
pub mod layers;
pub mod nearest;
pub mod ports;
pub mod runtime;
pub mod testkit;
