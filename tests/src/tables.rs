//! Reads whole tables and views for comparison.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};
use schemas::Table;

/// A table's rows, each as text, sorted.
pub type Rows = Vec<String>;

/// Rows by table or view.
pub type Contents = BTreeMap<String, Rows>;

/// Most differing rows of one table that a message shows.
const SHOWN: usize = 5;
/// Segment of a raw object's key, from 0, that is the number of the attempt at listing:
/// `raw/<cluster>/<day>/<snapshot>/<attempt>/<part>`.
const ATTEMPT_SEGMENT: usize = 4;

/// Columns whose value says how a run went rather than what is true, by table.
pub fn volatile(table: Table) -> &'static [&'static str] {
    match table {
        // How often sending was tried depends on the kills.
        Table::NotificationLog => &["attempts"],
        // The broker gives message ids (the attributes repeat them) and stamps what it is given with
        // the machine's time.
        Table::DeadLetters => &["message_id", "attributes", "received_at"],
        _ => &[],
    }
}

/// Every table of an embedded warehouse, without the volatile columns.
pub fn read_all(warehouse: &Path) -> Contents {
    let connection = open(warehouse);
    Table::ALL.iter().map(|table| (table.name().to_owned(), read_table(&connection, *table))).collect()
}

/// Every view of an embedded warehouse.
pub fn read_views(warehouse: &Path) -> Contents {
    let connection = open(warehouse);
    let mut names = connection.prepare("SELECT name FROM sqlite_master WHERE type = 'view'").unwrap();
    let names: Vec<String> = names.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    names.into_iter().map(|name| (name.clone(), select(&connection, &format!("SELECT * FROM \"{name}\"")))).collect()
}

/// The rows of a query on an embedded warehouse, each cell as text.
pub fn query(warehouse: &Path, sql: &str) -> Vec<Vec<String>> {
    let connection = open(warehouse);
    let mut statement = connection.prepare(sql).unwrap();
    let columns = statement.column_count();
    let text = |value: Value| match value {
        Value::Null => String::new(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(text) => text,
        Value::Blob(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
    };
    let rows = statement.query_map([], |row| (0..columns).map(|place| row.get(place).map(text)).collect());
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

/// How many rows a table has.
pub fn count(warehouse: &Path, table: Table) -> u64 {
    query(warehouse, &format!("SELECT count(*) FROM \"{table}\""))[0][0].parse().unwrap()
}

/// What differs, in words; empty when nothing does.
pub fn difference(expected: &Contents, found: &Contents) -> String {
    let mut text = String::new();
    for name in expected.keys().chain(found.keys().filter(|name| !expected.contains_key(*name))) {
        let none = Rows::new();
        let (expected, found) = (expected.get(name).unwrap_or(&none), found.get(name).unwrap_or(&none));
        if expected == found {
            continue;
        }
        writeln!(text, "{name}: {} rows expected, {} found", expected.len(), found.len()).unwrap();
        for (mark, row) in only_in(expected, found).map(|row| ('-', row)).take(SHOWN) {
            writeln!(text, "  {mark} {row}").unwrap();
        }
        for (mark, row) in only_in(found, expected).map(|row| ('+', row)).take(SHOWN) {
            writeln!(text, "  {mark} {row}").unwrap();
        }
    }
    text
}

/// Rows that one side has, or has more often.
fn only_in<'a>(one: &'a Rows, other: &'a Rows) -> impl Iterator<Item = &'a String> {
    let times = |rows: &Rows, row: &String| rows.iter().filter(|other| *other == row).count();
    one.iter().filter(move |row| times(one, row) > times(other, row))
}

fn open(warehouse: &Path) -> Connection {
    Connection::open_with_flags(warehouse, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

fn read_table(connection: &Connection, table: Table) -> Rows {
    let kept = table.columns().iter().filter(|column| !volatile(table).contains(&column.name.as_str()));
    let columns: Vec<String> = kept.map(|column| format!("\"{}\"", column.name)).collect();
    let rows = select(connection, &format!("SELECT {} FROM \"{table}\"", columns.join(", ")));
    // A snapshot that was begun again after a crash stored its raw parts under another attempt.
    if table == Table::RejectedRows { sorted(rows.iter().map(|row| without_attempt(row)).collect()) } else { rows }
}

fn select(connection: &Connection, sql: &str) -> Rows {
    let mut statement = connection.prepare(sql).unwrap();
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| {
        let cells: Result<Vec<String>, _> =
            (0..columns).map(|place| row.get::<_, Value>(place).map(|value| format!("{value:?}"))).collect();
        Ok(cells?.join(" | "))
    });
    sorted(rows.unwrap().collect::<Result<_, _>>().unwrap())
}

fn sorted(mut rows: Rows) -> Rows {
    rows.sort();
    rows
}

/// A rejected row with the attempt number of its raw object's key taken out; the rest of the key
/// stays.
fn without_attempt(row: &str) -> String {
    let cells = row.split(" | ").map(|cell| match cell.strip_prefix("Text(\"raw/") {
        Some(_) => {
            let mut segments: Vec<&str> = cell.split('/').collect();
            segments[ATTEMPT_SEGMENT] = "*";
            segments.join("/")
        }
        None => cell.to_owned(),
    });
    cells.collect::<Vec<_>>().join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_attempt_of_a_raw_key_is_taken_out() {
        let row =
            |attempt: &str| format!("Text(\"a\") | Text(\"raw/uk/2026-11-20/s1/{attempt}/pods-0.ndjson.gz\") | Null");
        assert_eq!(without_attempt(&row("1")), without_attempt(&row("12")));
        assert_eq!(without_attempt(&row("1")), row("*"));
        assert_ne!(without_attempt(&row("1")), without_attempt(&row("1").replace("pods", "nodes")));
    }

    #[test]
    fn a_row_too_many_is_a_difference() {
        let contents =
            |rows: &[&str]| Contents::from([("t".to_owned(), rows.iter().map(ToString::to_string).collect())]);
        assert_eq!(difference(&contents(&["a", "b"]), &contents(&["a", "b"])), "");
        assert!(difference(&contents(&["a"]), &contents(&["a", "a"])).contains("+ a"));
        assert!(difference(&contents(&["a"]), &Contents::new()).contains("- a"));
    }
}
