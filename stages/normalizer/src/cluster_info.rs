//! The cluster itself as a row of `gke_clusters`.

use schemas::GkeClusters;
use serde::Deserialize;

use crate::document::{Fault, Object, Text, decode, owned, text_of};
use crate::map::Seat;

/// The one object of the kind `clusters`; what the source does not know is null or absent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct Cluster<'a> {
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(borrow, default)]
    git_version: Option<Text<'a>>,
    #[serde(borrow, default)]
    platform: Option<Text<'a>>,
    #[serde(borrow, default)]
    project: Option<Text<'a>>,
    #[serde(borrow, default)]
    location: Option<Text<'a>>,
}

/// The row of the cluster. Without a name of its own it goes by the configured one.
pub(crate) fn row(text: &str, seat: &Seat<'_>) -> Result<GkeClusters, Fault> {
    let cluster: Object<Cluster<'_>> = decode(text, "")?;
    let name = text_of(&cluster.name).filter(|name| !name.is_empty());
    Ok(GkeClusters {
        cluster: seat.cluster.clone(),
        snapshot_id: seat.snapshot_id.clone(),
        observed_at: seat.observed_at,
        name: name.unwrap_or(seat.cluster.as_str()).to_owned(),
        version: owned(&cluster.git_version),
        platform: owned(&cluster.platform),
        project: owned(&cluster.project),
        location: owned(&cluster.location),
        node_count: seat.node_count,
    })
}
