//! Adapters on Google Cloud, through Google's own clients.
//!
//! Credentials are the application's default ones. Anonymous ones are used towards an emulator
//! only, and an emulator only where its variable names one: see [`Emulators`].

pub mod broker;
pub mod documents;
mod emulators;
mod failure;
pub mod objects;
pub mod provision;
pub mod warehouse;

pub use broker::{PubsubBroker, PubsubSettings};
pub use documents::{FirestoreDocuments, FirestoreSettings};
pub use emulators::{EmulatorError, Emulators, PubsubEmulator};
pub use objects::{CloudStorageObjects, StorageSettings};
pub use warehouse::{BigQuerySettings, BigQueryWarehouse, DatasetLook, Obstacle, TableChange};

use google_cloud_auth::credentials::{Credentials, anonymous};

/// The credentials to show instead of the application's default ones: those that were chosen, or,
/// towards an emulator only, none.
fn credentials_shown(chosen: Option<&Credentials>, emulated: bool) -> Option<Credentials> {
    chosen.cloned().or_else(|| emulated.then(|| anonymous::Builder::new().build()))
}
