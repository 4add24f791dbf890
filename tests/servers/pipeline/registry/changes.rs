//! What teams write and delete before each round's snapshot.

use serde_json::{Value, json};

use super::CREDENTIAL;

/// Services that there are from the first round on: more than a part holds.
const SERVICES: u32 = 20;

/// One write.
pub(super) enum Change {
    /// The document is there and holds these fields, in the form of the REST interface, and no others.
    Set { path: String, fields: Value },
    /// It is gone.
    Delete { path: &'static str },
}

/// The writes of a round, in order.
pub(super) fn of_round(number: u32) -> Vec<Change> {
    match number {
        0 => first_registrations(),
        1 => vec![
            set("apis/orders", orders(5)),
            set("apis/refunds", json!({"api_id": text("refunds"), "max_replicas": whole(4)})),
            set("backendservices/s05", json!({"port": text("none"), "host": text("s05.example.com")})),
            set("apis/search", json!({"api_id": text("search"), "max_replicas": whole(8)})),
        ],
        // The API below the team stays, the collection of channels becomes empty.
        2 => ["teams/payments", "capExtChannels/mobile", "backendservices/s07", "apis/search"]
            .map(|path| Change::Delete { path })
            .into(),
        _ => vec![
            // Another document of that name, with a field less.
            set("apis/search", json!({"api_id": text("search")})),
            set("capExtChannels/web", json!({"channelId": text("web"), "enabled": {"booleanValue": false}})),
            set("apis/typed", retyped()),
            Change::Delete { path: "elsewhere/e" },
        ],
    }
}

fn first_registrations() -> Vec<Change> {
    let mut changes = vec![
        set("teams/payments", json!({"name": text("payments")})),
        set("teams/platform", json!({"name": text("platform")})),
        set("apis/orders", orders(4)),
        set("apis/refunds", json!({"api_id": text("refunds"), "max_replicas": text("four")})),
        set("apis/typed", typed()),
        set("teams/payments/apis/ledger", json!({"api_id": text("ledger"), "max_replicas": {"doubleValue": 3.0}})),
        // Below a document that nobody wrote.
        set("teams/ghost/apis/phantom", json!({"api_id": text("phantom")})),
        set("capExtChannels/mobile", json!({"channelId": text("mobile"), "capacity": whole(9_007_199_254_740_991)})),
        set("elsewhere/e", json!({"name": text("not collected")})),
    ];
    changes.extend((0..SERVICES).map(|number| {
        let host = format!("s{number:02}.example.com");
        let fields = json!({"port": whole(8_000 + i64::from(number)), "host": text(&host)});
        set(&format!("backendservices/s{number:02}"), fields)
    }));
    changes
}

fn set(path: &str, fields: Value) -> Change {
    Change::Set { path: path.to_owned(), fields }
}

fn text(text: &str) -> Value {
    json!({"stringValue": text})
}

fn whole(number: i64) -> Value {
    json!({"integerValue": number.to_string()})
}

/// An API whose credentials lie on two levels.
fn orders(max_replicas: i64) -> Value {
    let client = json!({"id": text("c-1"), "Client_Secret": text(CREDENTIAL)});
    json!({
        "apiId": text("orders"),
        "maxReplicas": whole(max_replicas),
        "token": text(CREDENTIAL),
        "client": {"mapValue": {"fields": client}},
    })
}

/// A value of every type.
fn typed() -> Value {
    let list =
        json!([{"nullValue": null}, text("x"), {"mapValue": {"fields": {"deep": {"arrayValue": {"values": []}}}}}]);
    json!({
        "absent": {"nullValue": null},
        "enabled": {"booleanValue": true},
        "negative": whole(-7),
        "double": {"doubleValue": 0.1},
        "whole double": {"doubleValue": 3.0},
        "tiny": {"doubleValue": 5e-324},
        "nan": {"doubleValue": "NaN"},
        "downwards": {"doubleValue": "-Infinity"},
        "createdAt": {"timestampValue": "2026-10-01T12:00:00.123456Z"},
        "never": {"timestampValue": "9999-12-31T23:59:59.999999Z"},
        "text": text("a\"\\\n\té猫\u{10ffff}"),
        "bytes": {"bytesValue": "AP8="},
        "backendService": {"referenceValue": super::name("backendservices/s01")},
        "place": {"geoPointValue": {"latitude": 51.477_928, "longitude": -0.001_545}},
        "$timestamp": text("not a time"),
        "list": {"arrayValue": {"values": list}},
        "labels": {"mapValue": {"fields": {"tier": text("gold"), "a.b": text("no path")}}},
    })
}

/// The same with values of other types in two fields.
fn retyped() -> Value {
    let mut fields = typed();
    fields["labels"] = text("no longer a map");
    fields["createdAt"] = json!({"nullValue": null});
    fields
}
