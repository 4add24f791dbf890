//! How large a simulated cluster is, and when its story begins.

use anyhow::anyhow;
use schemas::Timestamp;

/// Most Deployments a simulation may have.
const DEPLOYMENTS_BOUND: u32 = 1_000_000;
/// 2026-01-01T00:00:00Z, in seconds since the epoch.
const DEFAULT_START_SECONDS: i64 = 1_767_225_600;

/// Settings of a simulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SimSettings {
    /// Deployments, about 4.5 pods each.
    pub deployments: u32,
    /// When declarations begin to hold. Workloads are up to a year older.
    pub start: Timestamp,
}

impl Default for SimSettings {
    fn default() -> Self {
        Self { deployments: 60, start: Timestamp::from_seconds(DEFAULT_START_SECONDS) }
    }
}

impl SimSettings {
    /// Reads `SEED[?deployments=N][&start=TIME]`, what follows `sim:` in an address.
    pub fn parse(address: &str) -> anyhow::Result<(u64, Self)> {
        let (seed, query) = address.split_once('?').unwrap_or((address, ""));
        let seed = seed.parse().map_err(|_| anyhow!("the seed is {seed:?}, expected a whole number"))?;
        let mut settings = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("deployments", number)) => {
                    let count = number.parse().ok().filter(|count| (1..=DEPLOYMENTS_BOUND).contains(count));
                    settings.deployments =
                        count.ok_or_else(|| anyhow!("deployments is {number:?}, expected 1 to {DEPLOYMENTS_BOUND}"))?;
                }
                Some(("start", time)) => settings.start = Timestamp::parse(time)?,
                _ => return Err(anyhow!("{pair:?} is not known, expected deployments=NUMBER or start=TIME")),
            }
        }
        Ok((seed, settings))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_or_refused_by_name() {
        let (seed, settings) = SimSettings::parse("7?deployments=100&start=2026-10-01T00:00:00Z").unwrap();
        assert_eq!((seed, settings.deployments, settings.start.day().as_str()), (7, 100, "2026-10-01"));
        assert_eq!(SimSettings::parse("7").unwrap().1, SimSettings::default());
        for (address, reason) in [
            ("x", "the seed is \"x\", expected a whole number"),
            ("1?deployments=0", "deployments is \"0\", expected 1 to 1000000"),
            ("1?pods=3", "\"pods=3\" is not known, expected deployments=NUMBER or start=TIME"),
        ] {
            assert_eq!(SimSettings::parse(address).unwrap_err().to_string(), reason);
        }
    }
}
