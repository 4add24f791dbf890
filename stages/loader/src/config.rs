//! Configuration of the loader.

use platform::runtime::Period;

platform::settings! {
    /// What the loader is told besides what every process is told.
    pub struct Config {
        /// Complete snapshots of one table that arrive within this time share a load job.
        load_interval: Period = "0s", "period", "longer makes fewer jobs (BigQuery allows 1,500 a table and day: use 60s there) and later rows";
    }
}
