//! Progress of long work, shown on a terminal only.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressStyle};

/// A line that says what is being done.
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Shown on standard error when that is a terminal, hidden otherwise.
    pub(super) fn new() -> Self {
        let bar = if std::io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            bar.set_style(style);
        }
        Self { bar }
    }

    /// Says what is being done now.
    pub(super) fn doing(&self, what: &'static str) {
        self.bar.set_prefix(what);
        self.bar.set_message(what);
    }

    /// Says how many messages are done and waiting.
    pub(super) fn messages(&self, done: u64, waiting: u64) {
        self.bar.set_message(format!("{} ({done} messages done, {waiting} in flight)", self.bar.prefix()));
        self.bar.tick();
    }

    /// Removes the line.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
