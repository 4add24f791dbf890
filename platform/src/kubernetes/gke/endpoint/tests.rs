use serde_json::json;

use super::*;

/// A certificate's PEM need not hold a certificate to be told from what is none.
const PEM: &str = "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n";

fn described(value: serde_json::Value) -> Description {
    serde_json::from_value(value).unwrap()
}

fn whole() -> Description {
    described(json!({
        "name": "c", "endpoint": "203.0.113.7", "status": "RUNNING",
        "masterAuth": {"clusterCaCertificate": STANDARD.encode(PEM.repeat(2))},
        "privateClusterConfig": {"privateEndpoint": "10.0.0.2"},
        "controlPlaneEndpointsConfig": {"dnsEndpointConfig": {"endpoint": "gke-0a.europe-west2.gke.goog"}},
        "fleet": {"membership": "//gkehub.googleapis.com/projects/123/locations/europe-west2/memberships/c-1"},
    }))
}

fn url(description: &Description, route: GkeRoute) -> String {
    Endpoint::of(description, route, None).unwrap().url.to_string()
}

#[test]
fn every_route_has_its_url_and_its_authorities() {
    let whole = whole();
    assert_eq!(url(&whole, GkeRoute::Endpoint), "https://203.0.113.7/");
    assert_eq!(url(&whole, GkeRoute::PrivateEndpoint), "https://10.0.0.2/");
    assert_eq!(url(&whole, GkeRoute::DnsEndpoint), "https://gke-0a.europe-west2.gke.goog/");
    assert_eq!(
        url(&whole, GkeRoute::ConnectGateway),
        "https://europe-west2-connectgateway.googleapis.com/v1/projects/123/locations/europe-west2/gkeMemberships/c-1"
    );
    let authorities = |route| Endpoint::of(&whole, route, None).unwrap().authorities;
    assert_eq!(authorities(GkeRoute::Endpoint), Some(vec![vec![0, 1, 2]; 2]));
    assert_eq!(authorities(GkeRoute::DnsEndpoint), None);
    assert_eq!(authorities(GkeRoute::ConnectGateway), None);
}

#[test]
fn a_global_membership_and_another_gateway_change_the_host_only() {
    let member = |location: &str| {
        let name = format!("//gkehub.googleapis.com/projects/p/locations/{location}/memberships/m");
        described(json!({"fleet": {"membership": name}}))
    };
    assert_eq!(
        url(&member("global"), GkeRoute::ConnectGateway),
        "https://connectgateway.googleapis.com/v1/projects/p/locations/global/gkeMemberships/m"
    );
    let elsewhere = Endpoint::of(&member("l"), GkeRoute::ConnectGateway, Some("http://127.0.0.1:1")).unwrap();
    assert_eq!(elsewhere.url.to_string(), "http://127.0.0.1:1/v1/projects/p/locations/l/gkeMemberships/m");
}

#[test]
fn a_route_that_is_missing_is_told_with_those_that_are_there() {
    let only = described(json!({"endpoint": "h", "status": "RUNNING"}));
    assert_eq!(
        Endpoint::of(&only, GkeRoute::DnsEndpoint, None).unwrap_err(),
        "the cluster has no dns-endpoint and is RUNNING; ?via=endpoint leads to it"
    );
    assert_eq!(
        Endpoint::of(&described(json!({"status": "PROVISIONING"})), GkeRoute::ConnectGateway, None).unwrap_err(),
        "the cluster is a member of no fleet and is PROVISIONING; it has no other way in yet"
    );
}

#[test]
fn an_ipv6_address_is_put_in_brackets_and_nonsense_is_refused() {
    let at = |endpoint: &str| described(json!({"endpoint": endpoint, "masterAuth": whole_auth()}));
    assert_eq!(url(&at("2001:db8::1"), GkeRoute::Endpoint), "https://[2001:db8::1]/");
    for bad in ["a b", "user@host", "host/path", "http://x", "[::1"] {
        let error = Endpoint::of(&at(bad), GkeRoute::Endpoint, None).unwrap_err();
        assert!(error.contains("no address"), "{bad}: {error}");
    }
}

fn whole_auth() -> serde_json::Value {
    json!({"clusterCaCertificate": STANDARD.encode(PEM)})
}

#[test]
fn a_certificate_that_is_none_is_refused() {
    for bad in [String::new(), "%".to_owned(), STANDARD.encode("no certificate")] {
        let description = described(json!({"endpoint": "h", "masterAuth": {"clusterCaCertificate": bad}}));
        let error = Endpoint::of(&description, GkeRoute::Endpoint, None).unwrap_err();
        assert!(error.starts_with("the cluster's CA certificate cannot be read"), "{error}");
    }
}

#[test]
fn a_membership_of_another_form_is_refused() {
    for bad in [
        "projects/p/locations/l/memberships/m",
        "//gkehub.googleapis.com/projects/p/locations/l/memberships/",
        "//gkehub.googleapis.com/projects/p/locations/l/memberships/m/x",
        "//gkehub.googleapis.com/projects/p?/locations/l/memberships/m",
    ] {
        let description = described(json!({"fleet": {"membership": bad}}));
        assert!(Endpoint::of(&description, GkeRoute::ConnectGateway, None).is_err(), "{bad}");
    }
}
