//! `schema check` and `schema ddl`.

use std::io::Write;

use anyhow::Result;
use schemas::Table;
use schemas::ddl::{self, Dialect};

use crate::args::{DialectArg, Format, SchemaDdlArgs};
use crate::exit::{Exit, UsageError};
use crate::output::{Cell, Grid, write_json};

/// Says whether every past version of every message stays readable.
pub fn check(format: Format, out: &mut impl Write) -> Result<Exit> {
    let broken = schemas::check_compatibility();
    let mut grid = Grid::new(["incompatibility"]);
    for incompatibility in &broken {
        grid.push([Cell::from(incompatibility.to_string())]);
    }
    match format {
        Format::Text if broken.is_empty() => writeln!(out, "every past version of every message is readable")?,
        Format::Text => broken.iter().try_for_each(|incompatibility| writeln!(out, "{incompatibility}"))?,
        Format::Json => {
            let told: Vec<_> = broken.iter().map(ToString::to_string).collect();
            write_json(&serde_json::json!({"readable": broken.is_empty(), "incompatibilities": told}), out)?;
        }
        Format::Csv => grid.write_csv(out)?,
    }
    Ok(if broken.is_empty() { Exit::Fine } else { Exit::Failed })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_is_told_in_the_format_asked_for() {
        let told = |format| {
            let mut out = Vec::new();
            assert_eq!(check(format, &mut out).unwrap(), Exit::Fine);
            String::from_utf8(out).unwrap()
        };
        let json: serde_json::Value = serde_json::from_str(&told(Format::Json)).unwrap();
        assert_eq!(json, serde_json::json!({"readable": true, "incompatibilities": []}));
        assert_eq!(told(Format::Csv), "incompatibility\n");
        assert_eq!(told(Format::Text), "every past version of every message is readable\n");
    }
}
