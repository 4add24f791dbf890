//! What a person who knows the changes expects of the tables: words and numbers written by hand, and
//! times as the database gave them.

use std::collections::BTreeMap;

use platform::ports::{Moment, Question, Warehouse};
use schemas::Timestamp;
use serde_json::{Value, json};

use super::{CREDENTIAL, SOURCE, name};
use crate::compare::MOST_ROWS;
use crate::story::Round;

const ALL: &str = "firestore_documents";
const APIS: &str = "firestore_apis";
const CHANNELS: &str = "firestore_capextchannels";
const SERVICES: &str = "firestore_backendservices";
/// Rows of each table, round by round.
const ROWS: [(&str, [usize; 4]); 4] =
    [(ALL, [28, 29, 25, 27]), (APIS, [5, 6, 5, 6]), (CHANNELS, [1, 1, 0, 1]), (SERVICES, [20, 20, 19, 19])];

type Row = BTreeMap<String, Value>;

/// The rows of one table, by snapshot and path.
struct Table(BTreeMap<(String, String), Row>);

/// Holds a warehouse to what is known of the documents of every round.
pub(crate) async fn hold(warehouse: &dyn Warehouse, rounds: &[Round]) {
    let mut tables = BTreeMap::new();
    for (table, rows) in ROWS {
        let found = Table::read(warehouse, table).await;
        assert_eq!(rounds.iter().map(|round| found.of(round).count()).collect::<Vec<_>>(), rows, "{table}");
        assert_eq!(found.0.len(), rows.iter().sum::<usize>(), "{table} has rows of no round");
        tables.insert(table, found);
    }
    are_conserved(warehouse, rounds).await;
    has_what_was_written(&tables[ALL], rounds);
    has_columns(&tables, rounds);
    has_values(&tables, rounds);
    has_times(&tables[APIS], rounds);
}

impl Table {
    async fn read(warehouse: &dyn Warehouse, table: &str) -> Self {
        let question = Question::Rows { name: table.to_owned(), limit: MOST_ROWS };
        let answer = warehouse.ask(&question).await.unwrap();
        let mut rows = BTreeMap::new();
        for cells in answer.rows {
            let row: Row = answer.columns.iter().cloned().zip(cells).collect();
            assert_eq!((&row["cluster"], &row["database"]), (&json!(SOURCE), &json!(super::DATABASE)), "{row:?}");
            assert!(!format!("{row:?}").contains(CREDENTIAL), "{row:?}");
            let of = |column: &str| row[column].as_str().unwrap().to_owned();
            let other = rows.insert((of("snapshot_id"), of("path")), row);
            assert_eq!(other, None, "{table} has a document twice");
        }
        Self(rows)
    }

    fn of<'t>(&'t self, round: &Round) -> impl Iterator<Item = (&'t str, &'t Row)> {
        let snapshot = round.documents_request().request_id.clone();
        self.0.iter().filter(move |((id, _), _)| *id == snapshot).map(|((_, path), row)| (path.as_str(), row))
    }

    fn row(&self, round: &Round, path: &str) -> &Row {
        self.of(round).find(|(found, _)| *found == path).unwrap_or_else(|| panic!("no {path}")).1
    }

    /// A document's column in every round in which it is there.
    fn column(&self, rounds: &[Round], path: &str, column: &str) -> Vec<Value> {
        let of = |round| self.of(round).filter(|(found, _)| *found == path).map(|(_, row)| row[column].clone());
        rounds.iter().flat_map(of).collect()
    }
}

/// As many documents were listed, mapped and loaded as there were.
async fn are_conserved(warehouse: &dyn Warehouse, rounds: &[Round]) {
    let answer = warehouse.ask(&Question::Conservation { from: Timestamp::MIN, to: Timestamp::MAX }).await.unwrap();
    let units = answer.rows.into_iter().map(|cells| answer.columns.iter().cloned().zip(cells).collect::<Row>());
    let units: Vec<Row> = units.filter(|unit| unit["cluster"] == SOURCE).collect();
    assert_eq!(units.len(), ROWS.len() * rounds.len(), "{units:#?}");
    for (number, round) in rounds.iter().enumerate() {
        for (table, rows) in ROWS {
            let of_unit =
                |unit: &&Row| unit["snapshot_id"] == round.documents_request().request_id && unit["table"] == table;
            let unit = units.iter().find(of_unit).unwrap_or_else(|| panic!("no {table} in {units:#?}"));
            assert!(unit["complete"] == true && unit["balanced"] == true, "{unit:#?}");
            for count in ["listed", "mapped", "mapped_rows", "loaded_rows", "table_rows"] {
                assert_eq!(unit[count], rows[number], "{count}: {unit:#?}");
            }
        }
    }
}

/// The documents of each round, no others, and the times that their writes were answered with.
fn has_what_was_written(all: &Table, rounds: &[Round]) {
    let micros = |time: &Value| Timestamp::parse(time.as_str().unwrap()).unwrap();
    for round in rounds {
        let found: Vec<_> = all
            .of(round)
            .map(|(path, row)| {
                assert_eq!(row["observed_at"].as_str().map(Timestamp::parse), Some(Ok(round.at)), "{row:?}");
                (path, micros(&row["create_time"]), micros(&row["update_time"]))
            })
            .collect();
        let written = round.documents.collected();
        let written = written.map(|(path, document)| (path, document.created, document.updated));
        let written: Vec<_> =
            written.map(|(path, created, updated)| (path, created.timestamp(), updated.timestamp())).collect();
        assert_eq!(found, written, "round {}", round.number);
    }
}

/// Fields in their columns, also under a name in camel case; what does not fit is named.
fn has_columns(tables: &BTreeMap<&str, Table>, rounds: &[Round]) {
    let of = |table: &str, path: &str, column: &str| tables[table].column(rounds, path, column);
    let (four, none) = ("max_replicas is \"four\", expected a whole number", Value::Null);
    assert_eq!(of(APIS, "apis/orders", "api_id"), vec![json!("orders"); 4]);
    assert_eq!(of(APIS, "apis/orders", "max_replicas"), [4, 5, 5, 5]);
    assert_eq!(of(APIS, "apis/refunds", "max_replicas"), [none.clone(), json!(4), json!(4), json!(4)]);
    assert_eq!(of(APIS, "apis/refunds", "mistyped"), [json!(four), none.clone(), none.clone(), none.clone()]);
    assert_eq!(of(APIS, "apis/search", "max_replicas"), [json!(8), none.clone()]);
    // Below a team that is deleted in between, and below one that never was.
    assert_eq!(of(APIS, "teams/payments/apis/ledger", "max_replicas"), [3, 3, 3, 3]);
    assert_eq!(of(APIS, "teams/ghost/apis/phantom", "api_id"), vec![json!("phantom"); 4]);
    assert_eq!(of(ALL, "teams/payments", "collection"), vec![json!("teams"); 2]);
    assert_eq!(of(CHANNELS, "capExtChannels/mobile", "capacity"), vec![json!(9_007_199_254_740_991_i64); 2]);
    assert_eq!(of(CHANNELS, "capExtChannels/web", "enabled"), [false]);
    assert_eq!(of(SERVICES, "backendservices/s19", "port"), vec![json!(8_019); 4]);
    let worded = json!("port is \"none\", expected a whole number");
    assert_eq!(of(SERVICES, "backendservices/s05", "port"), [json!(8_005), none.clone(), none.clone(), none.clone()]);
    assert_eq!(of(SERVICES, "backendservices/s05", "mistyped"), [none, worded.clone(), worded.clone(), worded]);
    assert_eq!(of(SERVICES, "backendservices/s07", "host"), vec![json!("s07.example.com"); 2]);

    let typed = tables[APIS].row(&rounds[0], "apis/typed");
    assert_eq!(typed["created_at"], "2026-10-01T12:00:00.123456Z");
    assert_eq!(typed["backend_service"], name("backendservices/s01"));
    assert_eq!((&typed["labels"], &typed["enabled"]), (&json!({"tier": "gold", "a.b": "no path"}), &json!(true)));
    assert_eq!(tables[APIS].column(rounds, "apis/typed", "created_at")[3], Value::Null);
}

/// All fields but the credentials, in the form that people query.
fn has_values(tables: &BTreeMap<&str, Table>, rounds: &[Round]) {
    let typed = json!({
        "absent": null,
        "enabled": true,
        "negative": -7,
        "double": 0.1,
        "whole double": 3.0,
        "tiny": 5e-324,
        "nan": {"$double": "NaN"},
        "downwards": {"$double": "-Infinity"},
        "createdAt": {"$timestamp": "2026-10-01T12:00:00.123456Z"},
        "never": {"$timestamp": "9999-12-31T23:59:59.999999Z"},
        "text": "a\"\\\n\té猫\u{10ffff}",
        "bytes": {"$bytes": "AP8="},
        "backendService": {"$reference": name("backendservices/s01")},
        "place": {"$geoPoint": {"latitude": 51.477_928, "longitude": -0.001_545}},
        "$$timestamp": "not a time",
        "list": [null, "x", {"deep": []}],
        "labels": {"tier": "gold", "a.b": "no path"},
    });
    let mut retyped = typed.clone();
    (retyped["labels"], retyped["createdAt"]) = (json!("no longer a map"), Value::Null);
    let orders = |limit: i64| json!({"apiId": "orders", "maxReplicas": limit, "client": {"id": "c-1"}});
    for table in [ALL, APIS] {
        let data = |path: &str| tables[table].column(rounds, path, "data");
        assert_eq!(data("apis/typed"), [typed.clone(), typed.clone(), typed.clone(), retyped.clone()], "{table}");
        assert_eq!(data("apis/orders"), [orders(4), orders(5), orders(5), orders(5)], "{table}");
    }
}

/// A document is as old as its first write since it was deleted last.
fn has_times(apis: &Table, rounds: &[Round]) {
    let times = |path: &str, column: &str| -> Vec<Moment> {
        let found = apis.column(rounds, path, column);
        found.iter().map(|time| Moment::parse(time.as_str().unwrap()).unwrap()).collect()
    };
    let (created, updated) = (times("apis/orders", "create_time"), times("apis/orders", "update_time"));
    assert!(created.iter().all(|time| *time == updated[0]), "{created:?}");
    assert!(updated[0] < updated[1] && updated[1] == updated[3], "{updated:?}");
    let (created, updated) = (times("apis/search", "create_time"), times("apis/search", "update_time"));
    assert!(created == updated && created[0] < created[1], "{created:?} {updated:?}");
}
