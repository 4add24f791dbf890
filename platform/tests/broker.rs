//! The embedded broker keeps the port's promises.

use std::sync::Arc;
use std::time::Duration;

use podledger_platform::embedded::{BrokerSettings, SqliteBroker};
use podledger_platform::ports::Broker;
use podledger_platform::testkit::broker::{Abilities, Subject, contract};

const ABILITIES: Abilities = Abilities {
    shortest_lease: Duration::from_millis(100),
    max_delivery_attempts: 5,
    keeps_nack_delay: true,
    knows_lost_leases: true,
    counts: true,
    seeks_exactly: true,
    extends_leases_itself: false,
    seek_reaches_receivers: true,
    counts_attempts_without_policy: true,
    dead_letters_name_their_message: true,
    largest_payload: 10_000_000,
    patience: Duration::from_secs(30),
};

#[tokio::test(flavor = "multi_thread")]
async fn a_file_keeps_the_contract() {
    contract(async || {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        Subject::new(ABILITIES, move || {
            let folder = Arc::clone(&folder);
            async move {
                let settings =
                    BrokerSettings { max_delivery_attempts: ABILITIES.max_delivery_attempts, ..Default::default() };
                Arc::new(SqliteBroker::open(folder.path().join("broker.db"), settings).unwrap()) as Arc<dyn Broker>
            }
        })
    })
    .await;
}
