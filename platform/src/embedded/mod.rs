//! Adapters that need nothing but a disk: the defaults of `podledger up`.

pub mod broker;
pub mod objects;

pub use broker::{BrokerSettings, SqliteBroker};
pub use objects::DirObjects;
