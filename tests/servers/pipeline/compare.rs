//! Whole tables and views of a warehouse, whichever it is.

use platform::ports::{Question, Warehouse};
use podledger_tests::tables::{Contents, volatile};
use schemas::Table;
use schemas::ddl::{Dialect, views};

/// More rows than any table of a test has.
pub(crate) const MOST_ROWS: u64 = 1_000_000;

/// Every table without what is volatile, and every view.
pub(crate) async fn contents(warehouse: &dyn Warehouse) -> Contents {
    let mut contents = Contents::new();
    for table in Table::ALL {
        contents.insert(table.name().to_owned(), rows_of(warehouse, table.name(), volatile(*table)).await);
    }
    for view in views(Dialect::Sqlite) {
        contents.insert(view.name.to_owned(), rows_of(warehouse, view.name, &[]).await);
    }
    contents
}

/// How many rows a table has.
pub(crate) fn rows(contents: &Contents, table: &str) -> usize {
    contents[table].len()
}

async fn rows_of(warehouse: &dyn Warehouse, name: &str, left_out: &[&str]) -> Vec<String> {
    let question = Question::Rows { name: name.to_owned(), limit: MOST_ROWS };
    let answer = warehouse.ask(&question).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    let kept: Vec<usize> =
        (0..answer.columns.len()).filter(|place| !left_out.contains(&answer.columns[*place].as_str())).collect();
    let row = |row: &Vec<serde_json::Value>| {
        kept.iter().map(|place| format!("{}={}", answer.columns[*place], row[*place])).collect::<Vec<_>>().join(" | ")
    };
    let mut rows: Vec<String> = answer.rows.iter().map(row).collect();
    rows.sort();
    rows
}
