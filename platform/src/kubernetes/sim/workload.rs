//! What a simulated workload is, apart from time.

use super::dice::Dice;
use super::settings::SimSettings;

/// What a draw decides; part of every draw's name.
mod of {
    pub(super) const WORKLOAD: u64 = 1;
    pub(super) const DECLARATION: u64 = 2;
}

const DAY_SECONDS: i64 = 86_400;
/// The platform's range of declared limits.
const LIMITS: std::ops::RangeInclusive<i64> = 2..=8;
/// What an undeclared workload's pipeline takes for its limit.
const UNDECLARED_TARGET: i64 = 4;

const TEAMS: [&str; 12] = [
    "payments",
    "orders",
    "catalog",
    "search",
    "identity",
    "ledger",
    "shipping",
    "media",
    "pricing",
    "fraud",
    "loyalty",
    "reporting",
];
const NOUNS: [&str; 16] = [
    "invoice", "basket", "quote", "stock", "session", "parcel", "refund", "voucher", "profile", "tariff", "image",
    "alert", "export", "webhook", "token", "rate",
];
const ROLES: [&str; 4] = ["api", "worker", "gateway", "web"];
const USERS: [&str; 6] = ["alice", "bola", "chen", "dara", "emil", "farah"];

/// How a workload is scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scaling {
    /// By people and pipelines.
    Fixed,
    /// By an autoscaler, which is written in this shape.
    Auto(HpaShape),
}

/// The shapes autoscalers have in the wild.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HpaShape {
    /// `autoscaling/v2`, one metric.
    V2,
    /// `autoscaling/v2`, all five metric types and a behavior.
    V2Full,
    /// Flat targets under `autoscaling/v2`.
    Flat,
    /// `autoscaling/v1` with annotations.
    V1,
}

/// A declared limit and the raise that follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Declaration {
    pub(super) limit: i64,
    /// A higher limit, and since when, in seconds since the epoch.
    pub(super) raise: Option<(i64, i64)>,
}

/// One workload.
#[derive(Debug, Clone)]
pub(super) struct Workload {
    pub(super) seed: u64,
    pub(super) index: u64,
    pub(super) team: String,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) api: String,
    /// Who works on it, by e-mail address.
    pub(super) user: String,
    pub(super) scaling: Scaling,
    pub(super) declaration: Option<Declaration>,
    /// When its first version was created, in seconds since the epoch.
    pub(super) born: i64,
    pub(super) cpu_millicores: i64,
    pub(super) memory_mebibytes: i64,
    /// Seconds by which its weeks begin later than other workloads'.
    pub(super) phase: i64,
}

/// How many teams share that many Deployments.
fn teams(settings: &SimSettings) -> u64 {
    u64::from(settings.deployments / 5).clamp(3, TEAMS.len() as u64 * 10)
}

impl Workload {
    /// The workload at a position, from 0.
    pub(super) fn at(seed: u64, settings: &SimSettings, index: u64) -> Self {
        let mut dice = Dice::of(seed, &[of::WORKLOAD, index]);
        let start = settings.start.micros().div_euclid(1_000_000);
        let team_number = index % teams(settings);
        let team = nth(&TEAMS, team_number, TEAMS.len() as u64);
        let number = index / teams(settings);
        let noun = nth(&NOUNS, number, u64::MAX);
        let role = nth(&ROLES, number / NOUNS.len() as u64, u64::MAX);
        let again = number / (NOUNS.len() as u64 * ROLES.len() as u64);
        let name = if again == 0 { format!("{noun}-{role}") } else { format!("{noun}-{role}-{}", again + 1) };
        let scaling = match dice.below(8) {
            0 => Scaling::Auto(HpaShape::V2),
            1 => Scaling::Auto(HpaShape::V2Full),
            2 => Scaling::Auto(HpaShape::Flat),
            3 => Scaling::Auto(HpaShape::V1),
            _ => Scaling::Fixed,
        };
        Self {
            seed,
            index,
            namespace: team.clone(),
            api: format!("{team}-{noun}"),
            user: format!("{}@example.com", dice.pick(&USERS)),
            team,
            name,
            scaling,
            declaration: declaration(seed, index, start),
            born: start.saturating_sub(dice.between(1, 365).saturating_mul(DAY_SECONDS)),
            cpu_millicores: dice.between(1, 8).saturating_mul(250),
            memory_mebibytes: dice.between(1, 8).saturating_mul(512),
            phase: dice.between(0, 7 * DAY_SECONDS - 1),
        }
    }

    /// The limit its pipeline keeps to at a time.
    pub(super) fn target(&self, at: i64) -> i64 {
        match self.declaration {
            None => UNDECLARED_TARGET,
            Some(Declaration { raise: Some((limit, since)), .. }) if since <= at => limit,
            Some(Declaration { limit, .. }) => limit,
        }
    }

    /// The draws for one of its decisions.
    pub(super) fn dice(&self, name: &[u64]) -> Dice {
        let mut full = vec![self.index];
        full.extend_from_slice(name);
        Dice::of(self.seed, &full)
    }
}

/// The word at a position; past the end they come again, numbered where `numbered_from` says so.
fn nth(words: &[&str], position: u64, numbered_from: u64) -> String {
    let length = words.len() as u64;
    let word = usize::try_from(position % length).ok().and_then(|at| words.get(at)).copied().unwrap_or_default();
    if position < numbered_from { word.to_owned() } else { format!("{word}-{}", position / length + 1) }
}

fn declaration(seed: u64, index: u64, start: i64) -> Option<Declaration> {
    let mut dice = Dice::of(seed, &[of::DECLARATION, index]);
    if dice.chance(50) {
        return None;
    }
    let limit = dice.between(3, 6);
    let raise = dice.chance(170).then(|| {
        let raised = limit.saturating_add(dice.between(1, 3)).min(*LIMITS.end());
        (raised, start.saturating_add(dice.between(5, 25).saturating_mul(DAY_SECONDS)))
    });
    Some(Declaration { limit, raise })
}
