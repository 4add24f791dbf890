//! From what the Container API says of a cluster to where its API server is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Uri;
use http::uri::Authority;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;

use super::GkeRoute;

/// Where Google serves the Connect gateway, but for a region in front of it.
const CONNECT_GATEWAY: &str = "connectgateway.googleapis.com";
/// How a fleet membership's full name begins.
const FLEET_SERVICE: &str = "//gkehub.googleapis.com/";
/// Location of memberships that are of no region.
const GLOBAL: &str = "global";

/// The part of a cluster's description that says where it is.
/// <https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters>
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Description {
    endpoint: String,
    master_auth: MasterAuth,
    private_cluster_config: PrivateClusterConfig,
    control_plane_endpoints_config: ControlPlaneEndpoints,
    fleet: Fleet,
    /// Such as `RUNNING` or `PROVISIONING`.
    status: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct MasterAuth {
    cluster_ca_certificate: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PrivateClusterConfig {
    private_endpoint: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ControlPlaneEndpoints {
    dns_endpoint_config: DnsEndpoint,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DnsEndpoint {
    endpoint: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Fleet {
    membership: String,
}

/// Where an API server is and who vouches for it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// Where requests go; paths are appended.
    pub(super) url: Uri,
    /// Certificates of its authorities in DER; none where public ones vouch.
    pub(super) authorities: Option<Vec<Vec<u8>>>,
}

/// The fields of [`Description`], as the Container API wants them named.
pub(super) const FIELDS: &str = "endpoint,status,masterAuth/clusterCaCertificate,\
    privateClusterConfig/privateEndpoint,controlPlaneEndpointsConfig/dnsEndpointConfig/endpoint,fleet/membership";

impl Endpoint {
    /// Where a described cluster is by one of its routes.
    pub(super) fn of(description: &Description, route: GkeRoute, gateway: Option<&str>) -> Result<Self, String> {
        let written = description.written(route);
        if written.is_empty() {
            return Err(description.missing(route));
        }
        match route {
            GkeRoute::Endpoint | GkeRoute::PrivateEndpoint => {
                Ok(Self { url: of_authority(written, route)?, authorities: Some(description.authorities()?) })
            }
            GkeRoute::DnsEndpoint => Ok(Self { url: of_authority(written, route)?, authorities: None }),
            GkeRoute::ConnectGateway => Ok(Self { url: of_membership(written, gateway)?, authorities: None }),
        }
    }
}

impl Description {
    /// What the description says of a route; empty if nothing.
    fn written(&self, route: GkeRoute) -> &str {
        match route {
            GkeRoute::Endpoint => &self.endpoint,
            GkeRoute::PrivateEndpoint => &self.private_cluster_config.private_endpoint,
            GkeRoute::DnsEndpoint => &self.control_plane_endpoints_config.dns_endpoint_config.endpoint,
            GkeRoute::ConnectGateway => &self.fleet.membership,
        }
    }

    fn missing(&self, route: GkeRoute) -> String {
        let what = match route {
            GkeRoute::ConnectGateway => "the cluster is a member of no fleet".to_owned(),
            _ => format!("the cluster has no {}", route.name()),
        };
        let status = if self.status.is_empty() { String::new() } else { format!(" and is {}", self.status) };
        let others: Vec<_> =
            GkeRoute::ALL.into_iter().filter(|other| !self.written(*other).is_empty()).map(GkeRoute::name).collect();
        match others[..] {
            [] => format!("{what}{status}; it has no other way in yet"),
            _ => format!("{what}{status}; ?via={} leads to it", others.join(" or ?via=")),
        }
    }

    fn authorities(&self) -> Result<Vec<Vec<u8>>, String> {
        let wrong = |reason: String| format!("the cluster's CA certificate cannot be read: {reason}");
        let pem =
            STANDARD.decode(&self.master_auth.cluster_ca_certificate).map_err(|error| wrong(error.to_string()))?;
        let certificates: Result<Vec<_>, _> =
            CertificateDer::pem_slice_iter(&pem).map(|found| found.map(|der| der.to_vec())).collect();
        match certificates.map_err(|error| wrong(error.to_string()))? {
            none if none.is_empty() => Err(wrong("there is none".to_owned())),
            some => Ok(some),
        }
    }
}

/// `https://HOST[:PORT]` of a host name or an address.
fn of_authority(written: &str, route: GkeRoute) -> Result<Uri, String> {
    let wrong = || format!("{written:?} is no address of an API server ({})", route.name());
    let bracketed = match written.parse::<std::net::Ipv6Addr>() {
        Ok(address) => format!("[{address}]"),
        Err(_) => written.to_owned(),
    };
    let authority: Authority = bracketed.parse().map_err(|_| wrong())?;
    if authority.as_str().contains('@') {
        return Err(wrong());
    }
    format!("https://{authority}/").parse().map_err(|_| wrong())
}

/// The Connect gateway's URL for a membership, `//gkehub.googleapis.com/projects/P/locations/L/memberships/M`.
/// <https://cloud.google.com/kubernetes-engine/enterprise/multicluster-management/gateway/using>
fn of_membership(membership: &str, gateway: Option<&str>) -> Result<Uri, String> {
    let wrong = || format!("{membership:?} is no name of a fleet membership");
    let plain = |part: &&str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
    };
    let name = membership.strip_prefix(FLEET_SERVICE).ok_or_else(wrong)?;
    let parts: Vec<_> = name.split('/').collect();
    let ["projects", project, "locations", location, "memberships", member] = parts[..] else { return Err(wrong()) };
    if ![project, location, member].iter().all(plain) {
        return Err(wrong());
    }
    let base = match gateway {
        Some(base) => base.to_owned(),
        None if location == GLOBAL => format!("https://{CONNECT_GATEWAY}"),
        None => format!("https://{location}-{CONNECT_GATEWAY}"),
    };
    let url = format!("{base}/v1/projects/{project}/locations/{location}/gkeMemberships/{member}");
    url.parse().map_err(|_| wrong())
}

#[cfg(test)]
mod tests;
