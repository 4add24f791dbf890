//! The command line.

pub mod explain;
pub mod nearest;
pub mod ped;
mod yaml;
