//! Reading and verifying a signed token (RFC 7515 and 7519), as Google signs them: compact, RS256.
//!
//! There is one algorithm. The token's own word for it is compared and never followed, so there is
//! nothing to confuse: see `docs/decisions/0035-tokens-are-verified-by-one-algorithm.md`.

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::admission::Claims;
use super::keys::Key;
use super::refusal::Refusal;

/// Longest token, in bytes; Google's have about 1,000.
pub(super) const LONGEST_TOKEN: usize = 8 << 10;
/// The only algorithm: RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518, 3.3).
const ALGORITHM: &str = "RS256";
/// The only type, where one is said.
const TYPE: &str = "JWT";

/// A token whose signature was not verified yet; until then it tells nothing but its key's id.
#[derive(Debug)]
pub(super) struct Token<'a> {
    signed: &'a str,
    key_id: String,
    claims: &'a str,
    signature: Vec<u8>,
}

/// What is read of a token's header. A parameter that stands there twice is an error.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    /// Extensions that must be understood; none is.
    crit: Option<IgnoredAny>,
}

/// The token of a request's only `Authorization` header (RFC 6750, 2.1).
pub(super) fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Err(Refusal::Unauthenticated("no-token")),
        (Some(_), Some(_)) => return Err(Refusal::Unauthenticated("several-tokens")),
        (Some(value), None) => value.to_str().map_err(|_| Refusal::Unauthenticated("malformed"))?,
    };
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("Bearer") => Ok(token),
        _ => Err(Refusal::Unauthenticated("scheme")),
    }
}

impl<'a> Token<'a> {
    /// Reads a token as far as needed to find the key it names.
    pub(super) fn read(text: &'a str) -> Result<Self, Refusal> {
        let malformed = || Refusal::Unauthenticated("malformed");
        if text.len() > LONGEST_TOKEN {
            return Err(Refusal::Unauthenticated("too-long"));
        }
        let (signed, signature) = text.rsplit_once('.').ok_or_else(malformed)?;
        let (header, claims) = signed.split_once('.').ok_or_else(malformed)?;
        // A dot that is left is no base64: the claims or the signature fail.
        let header: Header = json(header).ok_or_else(malformed)?;
        if header.alg != ALGORITHM {
            return Err(Refusal::Unauthenticated("algorithm"));
        }
        if header.crit.is_some() || header.typ.is_some_and(|typ| !typ.eq_ignore_ascii_case(TYPE)) {
            return Err(Refusal::Unauthenticated("header"));
        }
        let key_id = header.kid.filter(|id| !id.is_empty()).ok_or(Refusal::Unauthenticated("no-key-id"))?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| malformed())?;
        Ok(Self { signed, key_id, claims, signature })
    }

    /// The id of the key it says to be signed with.
    pub(super) fn key_id(&self) -> &str {
        &self.key_id
    }

    /// What it claims, if that key signed it.
    pub(super) fn claims(self, key: &Key) -> Result<Claims, Refusal> {
        if !key.signed(self.signed.as_bytes(), &self.signature) {
            return Err(Refusal::Unauthenticated("signature"));
        }
        json(self.claims).ok_or(Refusal::Unauthenticated("claims"))
    }
}

/// JSON in base64.
fn json<T: serde::de::DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

#[cfg(test)]
mod tests;
