//! `schema check` and `schema ddl`.

use std::io::Write;

use anyhow::Result;
use schemas::ddl::{self, Dialect};

use crate::args::DialectArg;
use crate::exit::Exit;

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
pub fn ddl(dialect: DialectArg, out: &mut impl Write) -> Result<Exit> {
    let dialect = match dialect {
        DialectArg::Bigquery => Dialect::BigQuery,
        DialectArg::Sqlite => Dialect::Sqlite,
    };
    for statement in ddl::everything(dialect) {
        writeln!(out, "{};\n", statement.trim_end().trim_end_matches(';'))?;
    }
    Ok(Exit::Fine)
}
