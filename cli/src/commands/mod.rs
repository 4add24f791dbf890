//! Commands besides `up` and `explain`: each reads or publishes, prints, and says how it ended.

pub mod alerts;
pub mod explain;
pub mod limit;
pub mod ped;
pub mod schema;
pub mod snapshot;
pub mod verify;

use std::io::Write;

use anyhow::Result;
use platform::ports::Answer;

use crate::args::Format;
use crate::output::{Cell, Grid};

/// An answer of the warehouse as a grid.
pub(crate) fn grid_of(answer: Answer) -> Grid {
    let mut grid = Grid::new(answer.columns);
    for row in answer.rows {
        grid.push(row.into_iter().map(Cell::value));
    }
    grid
}

/// Writes a grid, or one sentence for people when it is empty.
pub(crate) fn write_or_say(grid: &Grid, nothing: &str, format: Format, out: &mut impl Write) -> Result<()> {
    if grid.is_empty() && format == Format::Text {
        writeln!(out, "{nothing}")?;
        return Ok(());
    }
    grid.write(format, out)
}
