use super::*;

#[test]
fn every_scheme_is_read_into_its_parts() {
    assert_eq!("sqlite:/d/broker.db".parse(), Ok(BrokerAddress::Sqlite("/d/broker.db".into())));
    assert_eq!("pubsub:acme".parse(), Ok(BrokerAddress::Pubsub { project: "acme".to_owned() }));
    assert_eq!("file:objects".parse(), Ok(ObjectsAddress::Directory("objects".into())));
    let bucket = |prefix: &str| ObjectsAddress::CloudStorage { bucket: "b".to_owned(), prefix: prefix.to_owned() };
    assert_eq!("gs://b/a/c/".parse(), Ok(bucket("a/c")));
    assert_eq!("gs://b".parse(), Ok(bucket("")));
    assert_eq!("sqlite:w.db".parse(), Ok(WarehouseAddress::Sqlite("w.db".into())));
    let tables = WarehouseAddress::BigQuery { project: "example.com:acme".to_owned(), dataset: "pods".to_owned() };
    assert_eq!("bigquery:example.com:acme.pods".parse(), Ok(tables));
    assert_eq!("dump:./d".parse(), Ok(ClusterAddress::Dump("./d".into())));
    assert_eq!("kube:".parse(), Ok(ClusterAddress::Kube { context: None }));
    assert_eq!("kube:arn:aws:x/y".parse(), Ok(ClusterAddress::Kube { context: Some("arn:aws:x/y".to_owned()) }));
    assert_eq!("sim:7".parse(), Ok(ClusterAddress::Sim { seed: 7, workloads: SIMULATED_WORKLOADS }));
    assert_eq!("sim:7/9".parse(), Ok(ClusterAddress::Sim { seed: 7, workloads: 9 }));
    let gke: ClusterAddress = "gke:p/europe-west2/c".parse().unwrap();
    let parts = ["p", "europe-west2", "c"].map(str::to_owned);
    let [project, location, name] = parts;
    assert_eq!(gke, ClusterAddress::Gke { project, location, name, via: GkeVia::Endpoint });
}

#[test]
fn a_gke_cluster_is_reached_by_the_route_it_names() {
    let via = |text: &str| match text.parse() {
        Ok(ClusterAddress::Gke { project, location, name, via }) => {
            assert_eq!([project, location, name], ["p", "l", "c"]);
            via
        }
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(via("gke:p/l/c?via=endpoint"), GkeVia::Endpoint);
    assert_eq!(via("gke:p/l/c?via=private-endpoint"), GkeVia::PrivateEndpoint);
    assert_eq!(via("gke:p/l/c?via=dns-endpoint"), GkeVia::DnsEndpoint);
    assert_eq!(via("gke:p/l/c?via=connect-gateway"), GkeVia::ConnectGateway);
    let configured: ClusterAddresses = "prod=gke:p/l/c?via=connect-gateway,test=sim:1".parse().unwrap();
    assert_eq!(configured.0.len(), 2, "the equals sign of the parameter is not that of the name");

    let refused = |text: &str| text.parse::<ClusterAddress>().unwrap_err().to_string();
    let route = refused("gke:p/l/c?via=connect_gateway");
    assert!(route.contains(r#"unknown route "connect_gateway", did you mean "connect-gateway"? (expected one of: endpoint, private-endpoint, dns-endpoint, connect-gateway)"#), "{route}");
    assert!(refused("gke:p/l/c?vai=endpoint").contains(r#"unknown parameter "vai", did you mean "via"?"#));
    for text in ["gke:p/l/c?", "gke:p/l/c?via", "gke:p/l/c?via=", "gke:p/l/c?via=endpoint&x=1", "gke:p/l?via=endpoint"]
    {
        refused(text);
    }
}

#[test]
fn a_wrong_scheme_names_the_nearest_right_one() {
    let message = |error: AddressError| error.to_string();
    let broker = message("sqllite:x".parse::<BrokerAddress>().unwrap_err());
    assert_eq!(
        broker,
        r#"address "sqllite:x": unknown scheme, did you mean "sqlite"? (expected sqlite:PATH or pubsub:PROJECT)"#
    );
    assert!(message("pub-sub:x".parse::<BrokerAddress>().unwrap_err()).contains("\"pubsub\""));
    assert!(message("files:x".parse::<ObjectsAddress>().unwrap_err()).contains("\"file\""));
    assert!(message("big-query:a.b".parse::<WarehouseAddress>().unwrap_err()).contains("\"bigquery\""));
    assert!(message("kubernetes:x".parse::<ClusterAddress>().unwrap_err()).contains("\"kube\""));
    // A path alone is not taken for one of the schemes: nothing falls back.
    assert!("/d/broker.db".parse::<BrokerAddress>().is_err());
}

#[test]
fn what_lacks_a_part_is_refused() {
    for text in ["", "sqlite:", "pubsub:", "pubsub:a/b", "pubsub:a b"] {
        assert!(text.parse::<BrokerAddress>().is_err(), "{text:?}");
    }
    for text in ["file:", "gs:b", "gs://", "gs:///x"] {
        assert!(text.parse::<ObjectsAddress>().is_err(), "{text:?}");
    }
    for text in ["bigquery:a", "bigquery:.b", "bigquery:a."] {
        assert!(text.parse::<WarehouseAddress>().is_err(), "{text:?}");
    }
    for text in ["gke:a/b", "gke:a//c", "gke:a/b/c/d", "sim:", "sim:-1", "sim:1/", "sim:1/99999999999", "dump:"] {
        assert!(text.parse::<ClusterAddress>().is_err(), "{text:?}");
    }
}

#[test]
fn clusters_have_distinct_plain_names() {
    let two: ClusterAddresses = "prod-uk=kube:prod, test=sim:1".parse().unwrap();
    assert_eq!(two.0.len(), 2);
    assert_eq!("".parse(), Ok(ClusterAddresses::default()));
    assert_eq!("a=sim:1,a=sim:2".parse::<ClusterAddresses>().unwrap_err(), "cluster a: configured twice");
    assert!("prod".parse::<ClusterAddresses>().unwrap_err().contains("NAME=ADDRESS"));
    assert!("../x=sim:1".parse::<ClusterAddresses>().is_err());
    assert!("a=simm:1".parse::<ClusterAddresses>().unwrap_err().contains("did you mean \"sim\""));
}

#[test]
fn documents_sources_are_databases_or_folders() {
    let database = |project: &str, database: Option<&str>| DocumentsAddress::Firestore {
        project: project.to_owned(),
        database: database.map(str::to_owned),
    };
    assert_eq!("firestore:acme".parse(), Ok(database("acme", None)));
    assert_eq!("firestore:acme/(default)".parse(), Ok(database("acme", None)));
    assert_eq!("firestore:acme/eu".parse(), Ok(database("acme", Some("eu"))));
    assert_eq!("dump:./d".parse(), Ok(DocumentsAddress::Dump("./d".into())));
    for text in ["", "firestore:", "firestore:a/", "firestore:a/b/c", "firestore:/b", "dump:"] {
        assert!(text.parse::<DocumentsAddress>().is_err(), "{text:?}");
    }
    let error = "fire-store:x".parse::<DocumentsAddress>().unwrap_err().to_string();
    assert!(error.contains("did you mean \"firestore\"?"), "{error}");
    let two: DocumentsAddresses = "reg-uk=firestore:acme-uk,reg-de=firestore:acme-de/eu".parse().unwrap();
    assert_eq!(two.0.len(), 2);
    let twice = "a=dump:x,a=dump:y".parse::<DocumentsAddresses>().unwrap_err();
    assert_eq!(twice, "documents source a: configured twice");
}
