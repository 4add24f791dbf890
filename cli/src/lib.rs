//! The command line.

pub mod explain;
pub mod ped;
mod yaml;
