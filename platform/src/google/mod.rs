//! Adapters on Google Cloud, through Google's own clients.
//!
//! Credentials are the application's default ones. Anonymous ones are used towards an emulator
//! only, and an emulator only where its variable names one: see [`Emulators`].

pub mod broker;
pub mod documents;
mod emulators;
mod failure;
pub mod objects;

pub use broker::{PubsubBroker, PubsubSettings};
pub use documents::{FirestoreDocuments, FirestoreSettings};
pub use emulators::{EmulatorError, Emulators, PubsubEmulator};
pub use objects::CloudStorageObjects;
