//! What a run of `provision` tells.

use std::io::Write;

use anyhow::Result;
use platform::google::provision::{Finding, State};
use serde::Serialize;

use crate::args::Format;
use crate::output::{Cell, Grid, printable, write_json};

/// Resources nobody asked for that are told one by one; a shared project may have thousands.
const FOREIGN_TOLD: usize = 20;

/// Everything that was found, and whether it was changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether the changes were made: then what was `missing` is there, and what was `different` is
    /// as it should be.
    pub applied: bool,
    /// Settings without an address, whose ports were left out.
    pub left_out: Vec<&'static str>,
    /// What was found, by address.
    pub places: Vec<PlaceReport>,
}

/// What was found at one address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlaceReport {
    /// The address.
    pub address: String,
    /// Every resource that is wanted or there.
    pub resources: Vec<Finding>,
}

impl Report {
    /// How many resources are in a state.
    pub fn count(&self, state: State) -> usize {
        self.places.iter().flat_map(|place| &place.resources).filter(|found| found.state == state).count()
    }

    /// Whether everything that is wanted is there as it should be.
    pub fn is_done(&self) -> bool {
        [State::Missing, State::Different, State::Refused].into_iter().all(|state| self.count(state) == 0)
    }

    /// Prints it.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn write(&self, format: Format, out: &mut impl Write) -> Result<()> {
        match format {
            Format::Json => write_json(self, out),
            Format::Csv => self.grid().write_csv(out),
            Format::Text => self.write_text(out),
        }
    }

    fn grid(&self) -> Grid {
        let mut grid = Grid::new(["address", "kind", "name", "state", "field", "found", "wanted", "refused"]);
        for place in &self.places {
            for found in &place.resources {
                let start = || {
                    let state = word(found.state);
                    [place.address.as_str(), found.kind, found.name.as_str(), state].map(Cell::from)
                };
                if found.differences.is_empty() {
                    grid.push(start().into_iter().chain([(); 4].map(|()| Cell::from(None::<&str>))));
                }
                for difference in &found.differences {
                    let rest = [
                        Cell::from(difference.field),
                        Cell::from(difference.found.as_str()),
                        Cell::from(difference.wanted.as_str()),
                        Cell::from(difference.refused.as_deref()),
                    ];
                    grid.push(start().into_iter().chain(rest));
                }
            }
        }
        grid
    }

    fn write_text(&self, out: &mut impl Write) -> Result<()> {
        for place in &self.places {
            writeln!(out, "{}", printable(&place.address))?;
            let width = place.resources.iter().map(|found| found.name.chars().count()).max().unwrap_or(0);
            let mut foreign = 0;
            for found in &place.resources {
                foreign += usize::from(found.state == State::Foreign);
                if found.state != State::Same && foreign <= FOREIGN_TOLD {
                    write_finding(found, width, out)?;
                }
            }
            if foreign > FOREIGN_TOLD {
                writeln!(out, "  ? and {} more that are not in the topology", foreign - FOREIGN_TOLD)?;
            }
        }
        for variable in &self.left_out {
            writeln!(out, "{variable} is not set: left out")?;
        }
        writeln!(out, "{}", self.summary())?;
        Ok(())
    }

    /// The last line.
    fn summary(&self) -> String {
        let count = |state| self.count(state);
        let (made, changed) = if self.applied { ("created", "changed") } else { ("to create", "to change") };
        let refused = match count(State::Refused) {
            0 => String::new(),
            refused => format!(", {refused} refused, so nothing is done"),
        };
        format!(
            "{} {made}, {} {changed}{refused}, {} as they should be, {} not in the topology",
            count(State::Missing),
            count(State::Different),
            count(State::Same),
            count(State::Foreign)
        )
    }
}

/// A resource, and its differences below it.
fn write_finding(found: &Finding, width: usize, out: &mut impl Write) -> Result<()> {
    let mark = match found.state {
        State::Same => '=',
        State::Missing => '+',
        State::Different => '~',
        State::Refused => '!',
        State::Foreign => '?',
    };
    let note = match (found.state, found.note.as_str()) {
        (State::Foreign, "") => "not in the topology, left alone".to_owned(),
        (State::Foreign, note) => format!("{note}: not in the topology, left alone"),
        (_, note) => note.to_owned(),
    };
    let line = format!("  {mark} {:<12}  {:<width$}  {}", found.kind, printable(&found.name), printable(&note));
    writeln!(out, "{}", line.trim_end())?;
    for difference in &found.differences {
        let why = difference.refused.as_ref().map_or_else(String::new, |why| format!(" (refused: {why})"));
        let change = format!("{}: {} -> {}{why}", difference.field, difference.found, difference.wanted);
        writeln!(out, "      {}", printable(&change))?;
    }
    Ok(())
}

fn word(state: State) -> &'static str {
    match state {
        State::Same => "same",
        State::Missing => "missing",
        State::Different => "different",
        State::Refused => "refused",
        State::Foreign => "foreign",
    }
}
