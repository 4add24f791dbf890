//! Rows of figures as one table.

use std::fmt::Write as _;

use crate::Effort;

/// What a figure is held against.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    /// More is better.
    AtLeast(f64),
    /// Less is better.
    AtMost(f64),
    /// Nothing: it explains another row.
    None,
}

/// One row.
#[derive(Debug)]
pub(crate) struct Figure {
    what: String,
    unit: &'static str,
    samples: Vec<f64>,
    target: Target,
    note: String,
}

impl Figure {
    /// A row over the samples of several runs, at least one.
    pub(crate) fn new(what: impl Into<String>, unit: &'static str, target: Target, samples: Vec<f64>) -> Self {
        let what = what.into();
        assert!(!samples.is_empty() && samples.iter().all(|sample| sample.is_finite()), "{what}: {samples:?}");
        Self { what, unit, samples, target, note: String::new() }
    }

    /// With a remark, such as the processor time that was used.
    pub(crate) fn noting(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }

    fn met(&self) -> &'static str {
        let median = median(&self.samples);
        match self.target {
            Target::AtLeast(least) if median >= least => "yes",
            Target::AtMost(most) if median <= most => "yes",
            Target::None => "",
            _ => "NO",
        }
    }

    fn cells(&self, effort: Effort) -> [String; 6] {
        let least = self.samples.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.samples.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let target = match self.target {
            Target::AtLeast(least) => format!("≥ {}", number(least)),
            Target::AtMost(most) => format!("≤ {}", number(most)),
            Target::None => String::new(),
        };
        [
            self.what.clone(),
            format!("{} {}", number(median(&self.samples)), self.unit),
            format!("{} – {} ({})", number(least), number(most), self.samples.len()),
            target,
            effort.choose(self.met(), "").to_owned(),
            self.note.clone(),
        ]
    }
}

/// The middle sample; of an even number the mean of the two in the middle.
pub(crate) fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) { (sorted[middle - 1] + sorted[middle]) / 2.0 } else { sorted[middle] }
}

/// The sample that so many of a hundred do not exceed (nearest rank).
pub(crate) fn percentile(samples: &[f64], hundredths: usize) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * hundredths).div_ceil(100).max(1);
    sorted[rank - 1]
}

/// Three significant digits for small numbers, thousands set apart for large ones.
fn number(value: f64) -> String {
    if value < 10.0 {
        return format!("{value:.2}");
    }
    if value < 100.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// The table, columns aligned.
pub(crate) fn render(figures: &[Figure], effort: Effort) -> String {
    let head = ["figure", "median", "min – max (runs)", "target", "met", "processor time"].map(str::to_owned);
    let mut rows = vec![head];
    rows.extend(figures.iter().map(|figure| figure.cells(effort)));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(width);
    let mut text = String::new();
    if effort == Effort::Short {
        text.push_str("short form: every row was produced; these are no figures\n");
    }
    for (place, row) in rows.iter().enumerate() {
        let cells: Vec<String> = row
            .iter()
            .zip(widths)
            .enumerate()
            .map(|(column, (cell, width))| match column {
                1..=3 => format!("{cell:>width$}"),
                _ => format!("{cell:<width$}"),
            })
            .collect();
        // Writing into a String cannot fail.
        writeln!(text, "{}", cells.join("  ").trim_end()).unwrap();
        if place == 0 {
            writeln!(text, "{}", "─".repeat(widths.iter().sum::<usize>() + 10)).unwrap();
        }
    }
    text
}
