//! `schema check` and `schema ddl`.

use std::io::Write;

use anyhow::Result;
use schemas::Table;
use schemas::ddl::{self, Dialect};

use crate::args::{DialectArg, SchemaDdlArgs};
use crate::exit::{Exit, UsageError};

/// Says whether every past version of every message stays readable.
pub fn check(out: &mut impl Write) -> Result<Exit> {
    let broken = schemas::check_compatibility();
    for incompatibility in &broken {
        writeln!(out, "{incompatibility}")?;
    }
    if broken.is_empty() {
        writeln!(out, "every past version of every message is readable")?;
        return Ok(Exit::Fine);
    }
    Ok(Exit::Failed)
}

/// Prints tables and views.
pub fn ddl(args: &SchemaDdlArgs, out: &mut impl Write) -> Result<Exit> {
    let dialect = match args.dialect {
        DialectArg::Bigquery => Dialect::BigQuery,
        DialectArg::Sqlite => Dialect::Sqlite,
    };
    let tables = Table::ALL.iter().flat_map(|table| ddl::create_table(dialect, *table));
    let views = ddl::views(dialect).iter().flat_map(|view| ddl::view_statements(dialect, view));
    for statement in tables.chain(views) {
        let statement = match dialect {
            Dialect::BigQuery => {
                ddl::in_dataset(&statement, &args.dataset).map_err(|error| UsageError(error.to_string()))?
            }
            Dialect::Sqlite => statement,
        };
        writeln!(out, "{};\n", statement.trim_end().trim_end_matches(';'))?;
    }
    Ok(Exit::Fine)
}
