//! The webhook against a real server on loopback.

use schemas::NotificationId;

use super::*;
use crate::testing::{Answer, Server, install_crypto, noon, violation};

fn webhook(url: &str, timeout_ms: u64) -> anyhow::Result<Webhook> {
    install_crypto();
    Webhook::new(WebhookSettings {
        url: Secret::new(url),
        secret: Some(Secret::new("shared")),
        connect_timeout: Duration::from_millis(timeout_ms),
        timeout: Duration::from_millis(timeout_ms),
    })
}

async fn send(server: &Server, timeout_ms: u64) -> Sending {
    let violation = violation("event-1");
    let notification_id = NotificationId::from("notification-1");
    let outbound = Outbound { violation: &violation, notification_id: &notification_id, at: noon() };
    webhook(&server.url, timeout_ms).unwrap().send(outbound).await
}

#[tokio::test]
async fn a_call_carries_the_violation_signed_and_keyed() {
    let server = Server::start(vec![Answer::status(204)]).await;
    assert_eq!(send(&server, 10_000).await, Sending::Sent);
    let [call] = server.calls().try_into().unwrap();
    assert_eq!(call.headers["idempotency-key"], "notification-1");
    assert_eq!(call.headers["content-type"], "application/json");
    let timestamp = &call.headers["x-podledger-timestamp"];
    assert_eq!(timestamp, "1790856000");
    let mut mac = Hmac::<Sha256>::new_from_slice(b"shared").unwrap();
    mac.update(format!("{timestamp}.").as_bytes());
    mac.update(&call.body);
    let sent = hex::decode(call.headers["x-podledger-signature"].strip_prefix("sha256=").unwrap()).unwrap();
    mac.verify_slice(&sent).unwrap();
    let body: serde_json::Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(body, serde_json::to_value(violation("event-1")).unwrap());
    assert_eq!(
        (&body["alert_type"], &body["observed"], &body["ended_at"]),
        (&"over-limit".into(), &6.into(), &().into())
    );
    assert_eq!(body["evidence"]["cause_row"], 7);
}

#[test]
fn the_signature_is_the_documented_one() {
    // Computed with: printf '1790856000.{}' | openssl dgst -sha256 -hmac shared
    let signature = signature(&Secret::new("shared"), "1790856000", b"{}").unwrap();
    assert_eq!(signature, "sha256=f78f5764233c5914597fea4a2c8db54a1035e7c472da0a0f5d2064226a0e8808");
}

#[tokio::test]
async fn an_answer_decides_whether_it_is_tried_again() {
    let wait = |seconds| Some(Duration::from_secs(seconds));
    let with =
        |status, header: &str| Answer::With(status, vec![("retry-after", header.to_owned())], b"slow\ndown".to_vec());
    for (answer, again, retry_after, reason) in [
        (Answer::status(500), true, None, "HTTP 500"),
        (with(503, "7"), true, wait(7), "HTTP 503: slow down"),
        (with(429, "Thu, 01 Oct 2026 12:00:30 GMT"), true, wait(30), "HTTP 429: slow down"),
        (with(429, "soon"), true, None, "HTTP 429: slow down"),
        (Answer::status(408), true, None, "HTTP 408"),
        (with(400, "7"), false, None, "HTTP 400: slow down"),
        (Answer::status(401), false, None, "HTTP 401"),
        (Answer::status(410), false, None, "HTTP 410"),
    ] {
        let server = Server::start(vec![answer.clone()]).await;
        let reason = reason.to_owned();
        let expected = if again { Sending::Failed { reason, retry_after } } else { Sending::Refused(reason) };
        assert_eq!(send(&server, 10_000).await, expected, "{answer:?}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Server::start(vec![Answer::status(200)]).await;
    let to = vec![("location", elsewhere.url.clone())];
    let server = Server::start(vec![Answer::With(307, to, Vec::new())]).await;
    assert_eq!(send(&server, 10_000).await, Sending::Refused("HTTP 307: redirects are not followed".to_owned()));
    assert!(elsewhere.calls().is_empty());
}

#[tokio::test]
async fn a_receiver_that_does_not_answer_is_left_in_time_and_its_url_is_not_told() {
    let server = Server::start(vec![Answer::Hang]).await;
    let Sending::Failed { reason, retry_after: None } = send(&server, 200).await else { panic!("it did not fail") };
    assert!(!reason.contains("s3cret") && !reason.contains("hook"), "{reason}");
    assert_eq!(server.calls().len(), 1);
}

#[tokio::test]
async fn an_endless_answer_is_read_up_to_its_bound() {
    let server = Server::start(vec![Answer::Endless(400)]).await;
    assert_eq!(send(&server, 60_000).await, Sending::Refused(format!("HTTP 400: {}", "x".repeat(MAX_QUOTE))));
    let server = Server::start(vec![Answer::Endless(200)]).await;
    assert_eq!(send(&server, 60_000).await, Sending::Sent);
}

#[tokio::test]
async fn nobody_there_is_an_outage() {
    // Bound and dropped: nobody listens on it.
    let port = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap().port();
    let violation = violation("event-1");
    let notification_id = NotificationId::from("n");
    let outbound = Outbound { violation: &violation, notification_id: &notification_id, at: noon() };
    let webhook = webhook(&format!("http://127.0.0.1:{port}/s3cret"), 2_000).unwrap();
    let Sending::Failed { reason, .. } = webhook.send(outbound).await else { panic!("it did not fail") };
    assert!(!reason.contains("s3cret"), "{reason}");
}

#[test]
fn a_url_that_cannot_be_used_stops_the_start_without_being_told() {
    for url in ["", "s3cret", "ftp://s3cret/", "http://", "file:///s3cret"] {
        let error = format!("{:#}", webhook(url, 1_000).err().unwrap());
        assert!(error.contains("webhook URL") && !error.contains("s3cret"), "{url}: {error}");
    }
}
