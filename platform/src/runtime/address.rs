//! Addresses: which adapter stands behind a port, and where.
//!
//! An address is `SCHEME:REST`. It says everything an adapter needs, so that nothing is guessed and
//! nothing falls back.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use schemas::ClusterName;

use crate::nearest::did_you_mean;

/// Workloads of a simulated cluster whose address says no size.
const SIMULATED_WORKLOADS: usize = 50;
/// Most workloads an address may ask the simulation for.
const MOST_SIMULATED_WORKLOADS: usize = 1_000_000;
/// Firestore's id of the first database of a project.
const DEFAULT_DATABASE: &str = "(default)";

/// Parameter of a GKE address.
const VIA: &str = "via";

/// An address that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("address {address:?}: {reason}")]
pub struct AddressError {
    /// The address as written.
    pub address: String,
    /// What is wrong, with the nearest right scheme.
    pub reason: String,
}

/// Where topics and subscriptions are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokerAddress {
    /// `sqlite:PATH`: the embedded broker's database file.
    Sqlite(PathBuf),
    /// `pubsub:PROJECT`: Cloud Pub/Sub in that project.
    Pubsub {
        /// The project's id.
        project: String,
    },
}

/// Where objects are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectsAddress {
    /// `file:DIR`: files in a directory.
    Directory(PathBuf),
    /// `gs://BUCKET/PREFIX`: Cloud Storage.
    CloudStorage {
        /// The bucket's name.
        bucket: String,
        /// What every key starts with, without slashes at its ends; may be empty.
        prefix: String,
    },
}

/// Where tables are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WarehouseAddress {
    /// `sqlite:PATH`: the embedded warehouse's database file.
    Sqlite(PathBuf),
    /// `bigquery:PROJECT.DATASET`.
    BigQuery {
        /// The project's id.
        project: String,
        /// The dataset's name.
        dataset: String,
    },
}

/// Where a cluster is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterAddress {
    /// `dump:DIR`: files as kubectl prints them.
    Dump(PathBuf),
    /// `kube:` or `kube:CONTEXT`: in-cluster or from the kubeconfig.
    Kube {
        /// The kubeconfig's context; none for the current one.
        context: Option<String>,
    },
    /// `gke:PROJECT/LOCATION/NAME` or `gke:PROJECT/LOCATION/NAME?via=ROUTE`.
    Gke {
        /// The project's id.
        project: String,
        /// Region or zone.
        location: String,
        /// The cluster's name at Google.
        name: String,
        /// The way to its API server.
        via: GkeVia,
    },
    /// `sim:SEED` or `sim:SEED/WORKLOADS`: a simulated cluster.
    Sim {
        /// Where its dice start.
        seed: u64,
        /// How many workloads it has.
        workloads: usize,
    },
}

/// The way to the API server of a GKE cluster, as `?via=` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GkeVia {
    /// `endpoint`, also without a word: what Google gives as the cluster's endpoint.
    #[default]
    Endpoint,
    /// `private-endpoint`: its address within its network.
    PrivateEndpoint,
    /// `dns-endpoint`: its own DNS name.
    DnsEndpoint,
    /// `connect-gateway`: the Connect gateway of its fleet.
    ConnectGateway,
}

impl GkeVia {
    /// Every way and its name.
    const NAMES: [(&str, Self); 4] = [
        ("endpoint", Self::Endpoint),
        ("private-endpoint", Self::PrivateEndpoint),
        ("dns-endpoint", Self::DnsEndpoint),
        ("connect-gateway", Self::ConnectGateway),
    ];
}
/// Where documents are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DocumentsAddress {
    /// `dump:DIR`: files of documents.
    Dump(PathBuf),
    /// `firestore:PROJECT` or `firestore:PROJECT/DATABASE`.
    Firestore {
        /// The project's id.
        project: String,
        /// The database's id; none for the first one of the project.
        database: Option<String>,
    },
}

/// `name=address,…`: the documents sources of a process by configured name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DocumentsAddresses(pub BTreeMap<ClusterName, DocumentsAddress>);

/// `name=address,…`: the clusters of a process by configured name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClusterAddresses(pub BTreeMap<ClusterName, ClusterAddress>);

impl FromStr for BrokerAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let address = Address::split(text, &["sqlite:PATH", "pubsub:PROJECT"])?;
        match address.scheme {
            "sqlite" => address.path().map(Self::Sqlite),
            "pubsub" => Ok(Self::Pubsub { project: address.id(address.rest, "project")? }),
            _ => Err(address.unknown_scheme()),
        }
    }
}

impl FromStr for ObjectsAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let address = Address::split(text, &["file:DIR", "gs://BUCKET/PREFIX"])?;
        match address.scheme {
            "file" => address.path().map(Self::Directory),
            "gs" => {
                let rest =
                    address.rest.strip_prefix("//").ok_or_else(|| address.wrong("expected gs://BUCKET/PREFIX"))?;
                let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
                let bucket = address.id(bucket, "bucket")?;
                Ok(Self::CloudStorage { bucket, prefix: prefix.trim_matches('/').to_owned() })
            }
            _ => Err(address.unknown_scheme()),
        }
    }
}

impl FromStr for WarehouseAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let address = Address::split(text, &["sqlite:PATH", "bigquery:PROJECT.DATASET"])?;
        match address.scheme {
            "sqlite" => address.path().map(Self::Sqlite),
            "bigquery" => {
                // The dataset has no dot; a project of an organisation's domain has.
                let parts = address.rest.rsplit_once('.');
                let (project, dataset) = parts.ok_or_else(|| address.wrong("expected bigquery:PROJECT.DATASET"))?;
                Ok(Self::BigQuery {
                    project: address.id(project, "project")?,
                    dataset: address.id(dataset, "dataset")?,
                })
            }
            _ => Err(address.unknown_scheme()),
        }
    }
}

impl FromStr for ClusterAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let expected = &["kube:CONTEXT", "gke:PROJECT/LOCATION/NAME", "dump:DIR", "sim:SEED"];
        let address = Address::split(text, expected)?;
        match address.scheme {
            "dump" => address.path().map(Self::Dump),
            "kube" => Ok(Self::Kube { context: Some(address.rest.to_owned()).filter(|context| !context.is_empty()) }),
            "gke" => address.gke(),
            "sim" => address.simulation(),
            _ => Err(address.unknown_scheme()),
        }
    }
}

impl FromStr for DocumentsAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let address = Address::split(text, &["firestore:PROJECT/DATABASE", "dump:DIR"])?;
        match address.scheme {
            "dump" => address.path().map(Self::Dump),
            "firestore" => {
                let (project, database) = match address.rest.split_once('/') {
                    None => (address.rest, None),
                    // The first database's id has what no other one's can.
                    Some((project, DEFAULT_DATABASE)) => (project, None),
                    Some((project, database)) => (project, Some(address.id(database, "database")?)),
                };
                Ok(Self::Firestore { project: address.id(project, "project")?, database })
            }
            _ => Err(address.unknown_scheme()),
        }
    }
}

impl FromStr for ClusterAddresses {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        named(text, "cluster").map(Self)
    }
}

impl FromStr for DocumentsAddresses {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        named(text, "documents source").map(Self)
    }
}

/// Reads `NAME=ADDRESS,…`.
fn named<A: FromStr<Err = AddressError>>(text: &str, what: &str) -> Result<BTreeMap<ClusterName, A>, String> {
    let mut sources = BTreeMap::new();
    for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        let (name, address) = entry
            .split_once('=')
            .ok_or_else(|| format!("{what} {entry:?}: expected NAME=ADDRESS, several joined by commas"))?;
        let name = ClusterName::parse(name).map_err(|error| error.to_string())?;
        let address = address.parse().map_err(|error| format!("{what} {name}: {error}"))?;
        if sources.insert(name.clone(), address).is_some() {
            return Err(format!("{what} {name}: configured twice"));
        }
    }
    Ok(sources)
}

deserialize_from_text!(
    BrokerAddress,
    ObjectsAddress,
    WarehouseAddress,
    ClusterAddress,
    ClusterAddresses,
    DocumentsAddress,
    DocumentsAddresses,
);

/// An address in its parts, and what it could have been.
struct Address<'a> {
    text: &'a str,
    scheme: &'a str,
    rest: &'a str,
    expected: &'static [&'static str],
}

impl<'a> Address<'a> {
    fn split(text: &'a str, expected: &'static [&'static str]) -> Result<Self, AddressError> {
        let text = text.trim();
        match text.split_once(':') {
            Some((scheme, rest)) => Ok(Self { text, scheme, rest, expected }),
            None => Err(Self { text, scheme: text, rest: "", expected }.unknown_scheme()),
        }
    }

    fn wrong(&self, reason: impl Into<String>) -> AddressError {
        AddressError { address: self.text.to_owned(), reason: reason.into() }
    }

    fn unknown_scheme(&self) -> AddressError {
        let schemes = self.expected.iter().filter_map(|form| form.split(':').next());
        let hint = did_you_mean(self.scheme, schemes);
        self.wrong(format!("unknown scheme{hint} (expected {})", self.expected.join(" or ")))
    }

    fn path(&self) -> Result<PathBuf, AddressError> {
        if self.rest.is_empty() {
            return Err(self.wrong(format!("no path after {:?}", format!("{}:", self.scheme))));
        }
        Ok(PathBuf::from(self.rest))
    }

    /// An id as Google allows it in a resource name: letters, digits, `-`, `_`, `.` and `:`.
    fn id(&self, id: &str, what: &str) -> Result<String, AddressError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
        if id.is_empty() || !id.bytes().all(plain) {
            return Err(self.wrong(format!("{id:?} cannot be the name of a {what}")));
        }
        Ok(id.to_owned())
    }

    fn gke(&self) -> Result<ClusterAddress, AddressError> {
        let (path, query) = self.rest.split_once('?').map_or((self.rest, None), |(path, query)| (path, Some(query)));
        let parts: Vec<_> = path.split('/').collect();
        let [project, location, name] = parts[..] else {
            return Err(self.wrong("expected gke:PROJECT/LOCATION/NAME or gke:PROJECT/LOCATION/NAME?via=ROUTE"));
        };
        Ok(ClusterAddress::Gke {
            project: self.id(project, "project")?,
            location: self.id(location, "location")?,
            name: self.id(name, "cluster")?,
            via: query.map_or(Ok(GkeVia::default()), |query| self.via(query))?,
        })
    }

    /// The one parameter a GKE address may have: `via=ROUTE`.
    fn via(&self, query: &str) -> Result<GkeVia, AddressError> {
        let (parameter, word) = query.split_once('=').unwrap_or((query, ""));
        if parameter != VIA {
            let hint = did_you_mean(parameter, [VIA]);
            return Err(self.wrong(format!("unknown parameter {parameter:?}{hint} (expected {VIA}=ROUTE)")));
        }
        let names = || GkeVia::NAMES.into_iter().map(|(name, _)| name);
        GkeVia::NAMES.into_iter().find(|(name, _)| *name == word).map(|(_, via)| via).ok_or_else(|| {
            let hint = did_you_mean(word, names());
            let expected = names().collect::<Vec<_>>().join(", ");
            self.wrong(format!("unknown route {word:?}{hint} (expected one of: {expected})"))
        })
    }

    fn simulation(&self) -> Result<ClusterAddress, AddressError> {
        let (seed, workloads) = match self.rest.split_once('/') {
            None => (self.rest, Ok(SIMULATED_WORKLOADS)),
            Some((seed, workloads)) => (seed, workloads.parse()),
        };
        match (seed.parse(), workloads) {
            (Ok(seed), Ok(workloads)) if workloads <= MOST_SIMULATED_WORKLOADS => {
                Ok(ClusterAddress::Sim { seed, workloads })
            }
            _ => Err(self.wrong(format!(
                "expected sim:SEED or sim:SEED/WORKLOADS, whole numbers, {MOST_SIMULATED_WORKLOADS} workloads at most"
            ))),
        }
    }
}

#[cfg(test)]
mod tests;
