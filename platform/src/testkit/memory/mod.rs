//! Ports in memory that outlive a test's processes, and what such a process does to them.
//!
//! A [`MemoryObjects`] or a [`MemoryBroker`] is what every process of a test shares. Each process has
//! its own way there, an [`Affected`] port, whose [`Effects`] fail or end the process where the test
//! says.

mod affected;
mod broker;
mod effects;
mod objects;

pub use affected::Affected;
pub use broker::MemoryBroker;
pub use effects::{Effects, Fault};
pub use objects::MemoryObjects;
