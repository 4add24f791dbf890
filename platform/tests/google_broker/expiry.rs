//! Credentials that expire while the broker is in use.

use std::time::Duration;

use podledger_platform::google::PubsubSettings;
use podledger_platform::layers::{RetryBroker, RetryPolicy};
use podledger_platform::ports::Broker as _;
use podledger_platform::testkit::broker::PLAIN;
use podledger_platform::testkit::servers::Server;
use podledger_platform::testkit::tokens::TokenServer;

use super::world::{ABILITIES, FLOW, came_to, message, open, open_new, start, text};

/// Lets the service take these tokens only.
async fn accept(server: &Server, tokens: &[u64]) {
    let tokens: Vec<String> = tokens.iter().map(|number| TokenServer::token(*number)).collect();
    let url = format!("{}/_test/tokens", server.url("rest"));
    let accept = serde_json::json!({"accept": tokens});
    reqwest::Client::new().post(url).json(&accept).send().await.unwrap().error_for_status().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_expires_delays_messages_and_loses_none() {
    // Streams end now and then, and are opened again with whatever token there is.
    let Some((server, settings)) = start(&["--stream-lifetime", "300ms"]) else { return };
    let tokens = TokenServer::start(Duration::from_secs(2)).await;
    open_new("tokens", &server, &settings).await;
    let settings = PubsubSettings { credentials: Some(tokens.credentials()), ..settings };
    let broker = open("tokens", &settings).await;
    accept(&server, &[1]).await;
    broker.publish(PLAIN.topic, vec![message("before")]).await.unwrap();
    accept(&server, &[2, 3, 4, 5, 6]).await;
    let error = broker.publish(PLAIN.topic, vec![message("refused")]).await.unwrap_err();
    assert_eq!(came_to(&error), "not", "{error}");
    let policy = RetryPolicy { within: ABILITIES.patience, ..RetryPolicy::default() };
    let retried = RetryBroker::new(broker.clone(), policy);
    retried.publish(PLAIN.topic, vec![message("after")]).await.unwrap();
    assert!(tokens.issued() >= 2, "with a new token");
    let mut came = Vec::new();
    let receiving = async {
        let mut receiver = None;
        while came.len() < 2 {
            let Some(open) = &mut receiver else {
                receiver = broker.subscribe(PLAIN, FLOW).await.ok(); // the loop is bounded in time
                continue;
            };
            match open.next().await {
                Ok(delivery) => {
                    came.push(text(&delivery));
                    assert!(delivery.ack().await.unwrap());
                }
                Err(error) => {
                    assert!(error.is_outage() && !error.is_not_set_up(), "{error}");
                    receiver = None;
                }
            }
        }
    };
    tokio::time::timeout(ABILITIES.patience, receiving).await.expect("both come");
    came.sort();
    assert_eq!(came, ["after", "before"]);
}
