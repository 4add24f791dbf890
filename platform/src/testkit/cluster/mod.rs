//! Holds every cluster adapter to the port's promises, stands in for an API server, and stands in front
//! of a real one.

// A failed expectation here is a failed test, which is what this module is for.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::missing_panics_doc)]

mod api_server;
mod contract;
mod fault;
mod gate;
mod interrupted;
mod served;

pub use api_server::ApiServer;
pub use contract::{Subject, contract, drain};
pub use fault::Fault;
pub use gate::Gate;
pub use interrupted::Interrupted;
pub use served::{Served, Source};
