//! Where clusters come from: a live API server, found by kubeconfig or as a cluster of GKE, files that
//! `kubectl` wrote, or a simulation.
//!
//! Consumes API responses and files; emits the objects of one kind as they are. Reads nothing of an
//! object but what tells its kind, and never asks for Secrets.

mod head;
pub mod splitter;

mod cluster_object;
mod dump;
mod gke;
mod listing;
mod live;
pub mod sim;

pub use dump::{DumpCluster, TAKEN_AT, YamlFault, is_its_group, yaml_to_json};
pub use gke::{CredentialsMaker, GkeCluster, GkeName, GkeRoute, GkeSettings, Tokens};
pub use live::{KubeCluster, KubeSettings};
pub use sim::{SimCluster, SimSettings};
