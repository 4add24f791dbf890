//! What every stage shares: configuration, ports, consuming, health, shutdown.

mod handle;
mod ports;

pub use handle::{Consumer, Handle, HandleError, MessageContext, Receive, Stage};
pub use ports::Ports;
