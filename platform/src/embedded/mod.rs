//! Adapters that need nothing but a disk: the defaults of `podledger up`.

pub mod broker;

pub use broker::{BrokerSettings, SqliteBroker};
