//! The nearest right word, for errors about a word nobody knows.

/// Below this likeness (0: nothing in common, 1: equal) a suggestion would confuse.
const LEAST_LIKENESS: f64 = 0.4;
/// Characters of a word that are compared; the rest of a hostile word costs nothing.
const COMPARED_CHARS: usize = 128;

/// The known word most like the given one, if any is like it at all. Of equals the first wins.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: String = word.chars().take(COMPARED_CHARS).flat_map(char::to_lowercase).collect();
    let likeness = |known: &str| strsim::normalized_damerau_levenshtein(&word, &known.to_lowercase());
    known
        .into_iter()
        .map(|known| (likeness(known), known))
        .filter(|(likeness, _)| *likeness >= LEAST_LIKENESS)
        .fold(None, |best: Option<(f64, &str)>, next| match best {
            Some(best) if best.0 >= next.0 => Some(best),
            _ => Some(next),
        })
        .map(|(_, known)| known)
}

/// `did you mean X?` for an error's end, or nothing when no known word is like the given one.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, known).map(|known| format!(", did you mean {known:?}?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_its_word_and_nonsense_finds_none() {
        let known = ["sqlite", "pubsub"];
        assert_eq!(nearest("sqlit", known), Some("sqlite"));
        assert_eq!(nearest("PubSub", known), Some("pubsub"));
        assert_eq!(nearest("zzzzzzzz", known), None);
        assert_eq!(nearest(&"p".repeat(1_000_000), known), None);
    }
}
