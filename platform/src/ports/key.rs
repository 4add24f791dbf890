//! What a key of an object may be.

/// Longest key, in bytes: Cloud Storage's bound.
/// <https://cloud.google.com/storage/docs/objects#naming>
pub const MAX_KEY_BYTES: usize = 1024;
/// How much of a key an error shows, in characters.
const SHOWN_CHARS: usize = 80;

/// Says what is wrong with a key, if anything.
pub(crate) fn check(key: &str) -> Result<(), String> {
    let shown = || key.chars().take(SHOWN_CHARS).collect::<String>();
    if key.len() > MAX_KEY_BYTES {
        return Err(format!("key {:?}… has {} bytes, more than the {MAX_KEY_BYTES} allowed", shown(), key.len()));
    }
    match key.split('/').find(|segment| !is_segment(segment)) {
        None => Ok(()),
        Some(bad) => {
            let bad: String = bad.chars().take(SHOWN_CHARS).collect();
            Err(format!(
                "key {:?} has the segment {bad:?}: expected printable characters, not \".\" or \"..\"",
                shown()
            ))
        }
    }
}

/// Whether a piece between slashes can be one.
pub(crate) fn is_segment(segment: &str) -> bool {
    !matches!(segment, "" | "." | "..") && !segment.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_key_is_refused() {
        for bad in ["", "/", "a/", "/a", "a//b", ".", "a/..", "../a", "a\nb", "a\0b", &"k".repeat(MAX_KEY_BYTES + 1)] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
        for good in ["a", "...", "a/b", "a b", "Ü", "%2e", &"k".repeat(MAX_KEY_BYTES)] {
            assert!(check(good).is_ok(), "{good:?}");
        }
    }
}
