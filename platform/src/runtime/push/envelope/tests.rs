use axum::http::HeaderValue;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::*;

const HERE: Subscription = Subscription::new(Topic::RowBatches, "loader");
const NAME: &str = "projects/p/subscriptions/row-batches--loader";

fn of_body(body: &[u8]) -> Result<Incoming, Refusal> {
    read(HERE, &HeaderMap::new(), body)
}

fn of_json(body: &Value) -> Result<Incoming, Refusal> {
    of_body(body.to_string().as_bytes())
}

fn refusal(body: &[u8]) -> String {
    match of_body(body) {
        Err(Refusal::NoMessage(reason)) => reason,
        other => panic!("{:.100}: {other:?}", String::from_utf8_lossy(body)),
    }
}

/// As Pub/Sub writes it, twins and all.
fn whole() -> Value {
    json!({
        "message": {
            "data": STANDARD.encode([0, 159, 146, 150]),
            "attributes": {"podledger_schema": "RowBatch", "googclient_schemaname": "s", "é": "ä"},
            "messageId": "12", "message_id": "12",
            "publishTime": "2026-10-01T12:00:00.123Z", "publish_time": "2026-10-01T12:00:00.123Z",
            "orderingKey": "a/b", "ordering_key": "a/b",
        },
        "subscription": NAME,
        "deliveryAttempt": 3,
    })
}

#[test]
fn a_wrapped_message_is_read_with_everything_it_says() {
    let message = of_json(&whole()).unwrap();
    assert_eq!(message.payload, [0, 159, 146, 150]);
    assert_eq!(message.attributes.len(), 3);
    assert_eq!(message.attributes["é"], "ä");
    assert_eq!(message.message_id, "12");
    assert_eq!(message.published_at, Timestamp::parse("2026-10-01T12:00:00.123Z").unwrap());
    assert_eq!(message.ordering_key.as_deref(), Some("a/b"));
    assert_eq!(message.delivery_attempt, 3);
}

#[test]
fn of_two_spellings_either_is_enough_and_the_first_counts() {
    let expected = of_json(&whole()).unwrap();
    for left_out in [["messageId", "publishTime", "orderingKey"], ["message_id", "publish_time", "ordering_key"]] {
        let mut body = whole();
        let message = body["message"].as_object_mut().unwrap();
        left_out.iter().for_each(|name| assert!(message.remove(*name).is_some(), "{name}"));
        assert_eq!(of_json(&body).unwrap(), expected);
    }
    let mut body = whole();
    body["message"]["message_id"] = json!("13");
    body["delivery_attempt"] = json!(4);
    assert_eq!(of_json(&body).unwrap(), expected);
}

#[test]
fn what_may_be_missing_may_be_missing() {
    let message = of_json(&json!({"message": {"messageId": "1"}})).unwrap();
    let empty = Incoming {
        message_id: "1".to_owned(),
        payload: Vec::new(),
        attributes: BTreeMap::new(),
        ordering_key: None,
        published_at: Timestamp::MIN,
        delivery_attempt: 1,
    };
    assert_eq!(message, empty);
    let nulls = json!({"message": {"messageId": "1", "data": null, "attributes": null, "orderingKey": ""},
        "subscription": null, "deliveryAttempt": null, "unheard": [{"of": 1}]});
    assert_eq!(of_json(&nulls).unwrap(), empty);
}

#[test]
fn attempts_beyond_all_counting_are_counted_as_far_as_possible() {
    for (told, counted) in [(json!(0), 1), (json!(-5), 1), (json!(7), 7), (json!(i64::MAX), u32::MAX)] {
        let mut body = whole();
        body["deliveryAttempt"] = told;
        assert_eq!(of_json(&body).unwrap().delivery_attempt, counted);
    }
}

#[test]
fn what_is_no_envelope_says_why() {
    let whole_text = whole().to_string();
    let deep = format!(r#"{{"message":{{"messageId":"1","data":{}{}}}}}"#, "[".repeat(200_000), "]".repeat(200_000));
    for (body, reason) in [
        ("", "no envelope"),
        ("null", "no envelope"),
        ("[]", "no envelope"),
        ("{}", "missing field `message`"),
        (r#"{"message":7}"#, "no envelope"),
        (r#"{"message":{}}"#, "no messageId"),
        (r#"{"message":{"messageId":""}}"#, "0 bytes"),
        (r#"{"message":{"messageId":7}}"#, "no envelope"),
        (r#"{"message":{"messageId":"1","data":"?"}}"#, "not base64"),
        (r#"{"message":{"messageId":"1","data":"QQ==QQ"}}"#, "not base64"),
        (r#"{"message":{"messageId":"1","data":7}}"#, "no envelope"),
        (r#"{"message":{"messageId":"1","attributes":{"a":1}}}"#, "no envelope"),
        (r#"{"message":{"messageId":"1","publishTime":"soon"}}"#, "publish time"),
        (r#"{"message":{"messageId":"1"},"deliveryAttempt":1e99}"#, "no envelope"),
        (
            r#"{"message":{"messageId":"1"},"subscription":"projects/p/subscriptions/row-batches--evaluator"}"#,
            "endpoint",
        ),
        (r#"{"message":{"messageId":"1"},"subscription":""}"#, "endpoint"),
        (&deep, "no envelope"),
        (&whole_text[..whole_text.len() - 1], "EOF"),
        (&format!("{whole_text}x"), "trailing"),
    ] {
        assert!(refusal(body.as_bytes()).contains(reason), "{:.80}: {}", body, refusal(body.as_bytes()));
    }
    assert!(refusal(b"{\"message\":{\"messageId\":\"\xff\"}}").contains("UTF-8"));
    let long = json!({"message": {"messageId": "1".repeat(LONGEST_ID + 1)}});
    assert!(refusal(long.to_string().as_bytes()).contains("257 bytes"));
}

#[test]
fn depth_in_what_nobody_reads_harms_nobody() {
    let deep = format!(r#"{{"x":{}{},"message":{{"messageId":"1"}}}}"#, "[".repeat(200_000), "]".repeat(200_000));
    assert_eq!(of_body(deep.as_bytes()).unwrap().message_id, "1");
}

#[test]
fn a_payload_may_be_as_large_as_a_message_and_no_byte_larger() {
    let body = |bytes: usize| {
        json!({"message": {"messageId": "1", "data": STANDARD.encode(vec![7; bytes])}}).to_string().into_bytes()
    };
    let largest = body(MAX_PAYLOAD_BYTES);
    assert!(largest.len() <= LARGEST_BODY);
    assert_eq!(of_body(&largest).unwrap().payload.len(), MAX_PAYLOAD_BYTES);
    assert_eq!(of_body(&body(MAX_PAYLOAD_BYTES + 1)), Err(Refusal::TooLarge));
}

fn unwrapped_headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        (ID, "12"),
        (SUBSCRIPTION, NAME),
        (PUBLISHED, "2026-10-01T12:00:00.123Z"),
        (ORDERING_KEY, "a/b"),
        (ATTEMPT, "3"),
        ("host", "h"),
        ("authorization", "Bearer t"),
        ("content-type", "application/json"),
        ("user-agent", "APIs-Google"),
        ("x-forwarded-for", "1.2.3.4"),
        ("x-cloud-trace-context", "t"),
        ("podledger_schema", "RowBatch"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers
}

#[test]
fn a_reason_quotes_no_more_of_a_body_than_helps() {
    let long = "ä".repeat(1 << 20);
    let mut elsewhere = whole();
    elsewhere["subscription"] = json!(long);
    for body in [json!({ "message": long }), json!({"message": {"messageId": "1", "publishTime": long}}), elsewhere] {
        let reason = refusal(body.to_string().as_bytes());
        assert!(reason.chars().count() <= LONGEST_REASON + 2, "{} characters", reason.chars().count());
        assert!(reason.contains("ää"), "{reason}");
    }
}

#[test]
fn an_unwrapped_message_is_its_body_and_its_headers() {
    let message = read(HERE, &unwrapped_headers(), b"\x00{\"message\":").unwrap();
    assert_eq!(message.payload, b"\x00{\"message\":");
    let names: Vec<&str> = message.attributes.keys().map(String::as_str).collect();
    assert_eq!(names, ["podledger_schema", "traceparent"]);
    assert_eq!(message.message_id, "12");
    assert_eq!(message.published_at, Timestamp::parse("2026-10-01T12:00:00.123Z").unwrap());
    assert_eq!(message.ordering_key.as_deref(), Some("a/b"));
    assert_eq!(message.delivery_attempt, 3);
}

#[test]
fn headers_that_are_none_of_pubsubs_are_no_message() {
    for (name, value, reason) in [
        (ID, &b""[..], "0 bytes"),
        (ID, b"\xff", "not UTF-8"),
        (SUBSCRIPTION, b"projects/p/subscriptions/other", "endpoint"),
        (PUBLISHED, b"soon", "publish time"),
        (ATTEMPT, b"many", "no whole number"),
        ("podledger_schema", b"\xff", "not UTF-8"),
    ] {
        let mut headers = unwrapped_headers();
        headers.insert(HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap());
        match read(HERE, &headers, b"x") {
            Err(Refusal::NoMessage(said)) => assert!(said.contains(reason), "{name}: {said}"),
            other => panic!("{name}: {other:?}"),
        }
    }
    let large = vec![0; MAX_PAYLOAD_BYTES + 1];
    assert_eq!(read(HERE, &unwrapped_headers(), &large), Err(Refusal::TooLarge));
}

#[test]
fn a_dead_letter_of_the_services_policy_says_where_it_is_from_in_our_words() {
    let dead = Subscription::new(Topic::DeadLetters, "loader");
    let body = json!({"message": {"messageId": "1", "attributes": {
        "CloudPubSubDeadLetterSourceSubscription": "raw-batches--normalizer",
        "CloudPubSubDeadLetterSourceDeliveryCount": "5",
    }}});
    let letter = read(dead, &HeaderMap::new(), body.to_string().as_bytes()).unwrap();
    assert_eq!(letter.attributes["podledger_topic"], "raw-batches");
    assert_eq!(letter.attributes["podledger_subscription"], "raw-batches--normalizer");
}
