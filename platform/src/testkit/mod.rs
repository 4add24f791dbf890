//! Contract suites: every adapter of a port is held to the port's promises by the same functions.
//!
//! A suite takes a constructor and runs each promise on what it makes; a promise can be run alone
//! too. A promise that is broken panics, as a failed test does. Where adapters may differ (a shortest
//! lease, an optional ability), they say so in a struct.
#![allow(clippy::unwrap_used, clippy::expect_used)] // A broken promise is a failed test.

pub mod bigquery;
pub mod broker;
pub mod cluster;
pub mod documents;
pub mod firestore;
pub mod kubernetes;
pub mod memory;
pub mod objects;
pub mod oidc;
pub mod proxy;
pub mod pubsub;
pub mod servers;
pub mod storage;
pub mod tokens;
pub mod warehouse;
