//! Chance that is always the same: numbers drawn from a seed and the name of what they decide.

/// Characters that Kubernetes puts into generated names.
const NAME_CHARACTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// Draws for one decision. The generator is SplitMix64 (Steele, Lea, Flood: "Fast splittable
/// pseudorandom number generators", 2014).
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    /// The draws for what these numbers name.
    pub(super) fn of(seed: u64, name: &[u64]) -> Self {
        let mut dice = Self(seed);
        for part in name {
            let drawn = dice.next();
            dice.0 ^= drawn.wrapping_add(part.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            dice.next();
        }
        dice
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from 0 to below `bound`; 0 for a bound of 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next().checked_rem(bound).unwrap_or(0)
    }

    /// A number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = u64::try_from(high.saturating_sub(low).saturating_add(1)).unwrap_or(0);
        low.saturating_add(i64::try_from(self.below(span)).unwrap_or(0))
    }

    /// True that often in a thousand times.
    pub(super) fn chance(&mut self, permille: u64) -> bool {
        self.below(1000) < permille
    }

    /// One of these; they are never none.
    pub(super) fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        let at = usize::try_from(self.below(words.len() as u64)).unwrap_or(0);
        words.get(at).copied().unwrap_or_default()
    }

    /// Characters of a generated name.
    pub(super) fn name(&mut self, length: usize) -> String {
        (0..length).map(|_| name_character(self.next())).collect()
    }

    /// A unique id in the usual form.
    pub(super) fn uid(&mut self) -> String {
        let (a, b) = (self.next(), self.next());
        let (top, middle, low) = (a >> 32, (a >> 16) & 0xffff, a & 0x0fff);
        format!("{top:08x}-{middle:04x}-4{low:03x}-a{:03x}-{:012x}", (b >> 48) & 0x0fff, b & 0xffff_ffff_ffff)
    }
}

/// The character a number stands for; different numbers below 27 stand for different ones.
pub(super) fn name_character(number: u64) -> char {
    let at = usize::try_from(number % NAME_CHARACTERS.len() as u64).unwrap_or(0);
    NAME_CHARACTERS.get(at).map_or('x', |byte| char::from(*byte))
}
