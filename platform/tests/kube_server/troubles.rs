//! A real API server behind a gate that slows it down, cuts it off and turns requests away. A list is
//! asked for again or fails; it is never partial.

use std::time::Duration;

use futures::TryStreamExt as _;
use podledger_platform::ports::{Cluster as _, ClusterError, Kind};
use podledger_platform::testkit::cluster::{Fault, Gate};

use crate::{AT, PAGES, PODS, SHARED_PODS, all_pods, impatient, pods, settings, shared, through};

#[tokio::test(flavor = "multi_thread")]
async fn bursts_of_429_and_503_are_waited_out() {
    let Some(plane) = shared().await else { return };
    let gate = Gate::open(plane).await;
    gate.fault(PODS, 2..=5, Fault::Status(429));
    gate.fault(PODS, 8..=10, Fault::Status(503));
    gate.fault(PODS, 12..=12, Fault::RetryAfter(429, 1));
    all_pods(&pods(&through(&gate, plane, settings()).await).await.unwrap());
    assert_eq!(gate.requests(PODS), PAGES + 8, "every page once, and the eight that were turned away again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stays_busy_ends_the_list_with_an_outage() {
    let Some(plane) = shared().await else { return };
    for fault in [Fault::Status(429), Fault::Status(503), Fault::RetryAfter(503, 3600), Fault::Status(500)] {
        let gate = Gate::open(plane).await;
        gate.fault(PODS, 3..=u64::MAX, fault.clone());
        let error = pods(&through(&gate, plane, impatient()).await).await.unwrap_err();
        assert!(matches!(error, ClusterError::Unavailable { .. }), "{fault:?}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_cut_in_its_middle_ends_the_list_and_gives_nothing_after() {
    let Some(plane) = shared().await else { return };
    for fault in [Fault::CutOff, Fault::Aborted, Fault::StandStill] {
        for nth in [1, 3, PAGES] {
            let gate = Gate::open(plane).await;
            gate.fault(PODS, nth..=nth, fault.clone());
            let cluster = through(&gate, plane, impatient()).await;
            let error = match cluster.list(Kind::Pods, AT).await {
                Err(error) => error,
                Ok(mut listing) => {
                    let mut listed = 0;
                    let error = loop {
                        match listing.pages.try_next().await {
                            Ok(Some(page)) => listed += page.objects.len() as u64,
                            Ok(None) => panic!("{fault:?} on {nth}: the list ended as if it were whole"),
                            Err(error) => break error,
                        }
                    };
                    assert!(listed < SHARED_PODS, "{fault:?} on {nth}");
                    assert!(listing.pages.try_next().await.unwrap().is_none(), "nothing comes after the error");
                    error
                }
            };
            assert!(matches!(error, ClusterError::Unavailable { .. }), "{fault:?} on {nth}: {error}");
            all_pods(&pods(&cluster).await.unwrap()); // the next list is whole
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_server_is_read_to_its_end() {
    let Some(plane) = shared().await else { return };
    let gate = Gate::open(plane).await;
    gate.slow_down(2_048, Duration::from_millis(2));
    all_pods(&pods(&through(&gate, plane, settings()).await).await.unwrap());
    assert_eq!(gate.requests(PODS), PAGES, "slow is not failed: nothing is asked for twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_answer_is_given_up() {
    let Some(plane) = shared().await else { return };
    let gate = Gate::open(plane).await;
    gate.fault(PODS, 2..=2, Fault::NoAnswer);
    let error = pods(&through(&gate, plane, impatient()).await).await.unwrap_err();
    assert!(error.to_string().contains("no answer within"), "{error}");
}
