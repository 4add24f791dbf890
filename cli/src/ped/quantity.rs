//! Kubernetes quantities, checked as declared; they are kept as written
//! (<https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>).

/// Suffixes a quantity may have.
const SUFFIXES: &[&str] = &["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

/// Longest quantity that is read, in bytes.
const MAX_BYTES: usize = 64;

/// Whether text is a quantity of something there can be some of: `500m`, `1.5`, `4Gi`, `1e3`.
pub(super) fn is_quantity(text: &str) -> bool {
    if text.len() > MAX_BYTES {
        return false;
    }
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(end);
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    if digits == 0 || number.len() - digits > 1 {
        return false;
    }
    SUFFIXES.contains(&suffix) || is_exponent(suffix)
}

/// Whether text is a decimal exponent.
fn is_exponent(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(['e', 'E']) else { return false };
    let digits = rest.strip_prefix(['+', '-']).unwrap_or(rest);
    (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_told_from_other_words() {
        for good in ["500m", "1.5", "4Gi", "4G", "1e3", "1E3", "2", ".5", "5.", "+1", "1E", "100n"] {
            assert!(is_quantity(good), "{good}");
        }
        for bad in
            ["", "-1", "Gi", "4GiB", "4 Gi", "1.2.3", "one", "1e", "m", ".", "4gi", "1e-", "0x10", &"9".repeat(65)]
        {
            assert!(!is_quantity(bad), "{bad}");
        }
    }
}
