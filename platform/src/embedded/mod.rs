//! Adapters that need nothing but a disk: the defaults of `podledger up`.

pub mod broker;
pub mod documents;
pub mod objects;
pub mod warehouse;

pub use broker::{BrokerSettings, SqliteBroker};
pub use documents::DumpDocuments;
pub use objects::DirObjects;
pub use warehouse::SqliteWarehouse;
