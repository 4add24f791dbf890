//! The nearest right word, for errors.

/// The known word most like the one written, if any is alike enough to be meant.
pub fn word<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = written.to_lowercase();
    known
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(&written, &word.to_lowercase()), word))
        .filter(|(distance, word)| *distance <= 1 + word.len() / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_or_none() {
        assert_eq!(word("deploymets", ["pods", "deployments"]), Some("deployments"));
        assert_eq!(word("xyzzy", ["pods", "deployments"]), None);
    }
}
