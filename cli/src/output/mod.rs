//! What people and programs read: tables, JSON, CSV.

mod cells;

use std::io::{IsTerminal as _, Write};

use anyhow::Result;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

pub use cells::{Cell, printable};

use crate::args::Format;

/// A result with columns: printed as a table, as JSON or as CSV.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Grid {
    columns: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

impl Grid {
    /// An empty grid with these columns.
    pub fn new<C: Into<String>>(columns: impl IntoIterator<Item = C>) -> Self {
        Self { columns: columns.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn push(&mut self, row: impl IntoIterator<Item = Cell>) {
        self.rows.push(row.into_iter().collect());
    }

    /// The named columns, in that order; unknown ones are left out.
    #[must_use]
    pub fn select(&self, columns: &[&str]) -> Self {
        let places: Vec<usize> =
            columns.iter().filter_map(|wanted| self.columns.iter().position(|column| column == wanted)).collect();
        Self {
            columns: places.iter().map(|place| self.columns[*place].clone()).collect(),
            rows: self.rows.iter().map(|row| places.iter().map(|place| row[*place].clone()).collect()).collect(),
        }
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Writes it as a table for people, within the terminal's width.
    pub fn write_text(&self, out: &mut impl Write) -> Result<()> {
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
        if !std::io::stdout().is_terminal() {
            table.set_width(120);
        }
        table.set_header(&self.columns);
        for row in &self.rows {
            table.add_row(row.iter().map(Cell::text));
        }
        writeln!(out, "{table}")?;
        Ok(())
    }

    /// Writes it as CSV with a header; text that a spreadsheet would take for a formula is quoted
    /// with an apostrophe.
    pub fn write_csv(&self, out: &mut impl Write) -> Result<()> {
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(&self.columns)?;
        for row in &self.rows {
            writer.write_record(row.iter().map(Cell::csv))?;
        }
        writer.flush()?;
        Ok(())
    }

    /// The rows as JSON objects.
    pub fn json(&self) -> Vec<serde_json::Map<String, serde_json::Value>> {
        self.rows
            .iter()
            .map(|row| self.columns.iter().cloned().zip(row.iter().map(Cell::json)).collect())
            .collect()
    }

    /// Writes it in the format asked for.
    pub fn write(&self, format: Format, out: &mut impl Write) -> Result<()> {
        match format {
            Format::Text => self.write_text(out),
            Format::Json => write_json(&self.json(), out),
            Format::Csv => self.write_csv(out),
        }
    }
}

/// Writes a value as indented JSON and a newline.
pub fn write_json(value: &impl Serialize, out: &mut impl Write) -> Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> Grid {
        let mut grid = Grid::new(["name", "replicas"]);
        grid.push([Cell::from("=HYPERLINK(\"x\")\n\u{1b}[31m"), Cell::from(-3)]);
        grid
    }

    #[test]
    fn a_name_cannot_steer_a_terminal_or_a_spreadsheet() {
        let mut text = Vec::new();
        grid().write_text(&mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(!text.contains('\u{1b}') && text.contains("\\n"), "{text}");
        let mut csv = Vec::new();
        grid().write_csv(&mut csv).unwrap();
        assert!(String::from_utf8(csv).unwrap().contains("'=HYPERLINK"));
    }

    #[test]
    fn json_keeps_names_and_numbers_as_they_are() {
        assert_eq!(grid().json()[0]["name"], "=HYPERLINK(\"x\")\n\u{1b}[31m");
        assert_eq!(grid().json()[0]["replicas"], -3);
    }
}
