//! Public keys, as an issuer publishes them (JWKS, RFC 7517).

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Most keys of one issuer; Google has two or three.
const MOST_KEYS: usize = 100;
/// Sizes of a modulus, in bytes: those of 2,048 to 8,192 bits.
const MODULUS: std::ops::RangeInclusive<usize> = 256..=1024;
/// Longest exponent, in bytes; the usual 65,537 has three.
const LONGEST_EXPONENT: usize = 4;

/// A key that verifies RS256 and nothing else.
#[derive(Debug)]
pub(super) struct Key(ParsedPublicKey);

/// An issuer's keys by id.
#[derive(Debug, Clone, Default)]
pub(super) struct Keys(BTreeMap<String, Arc<Key>>);

/// One key as published; other parameters are ignored, so are keys of other kinds and for other uses.
#[derive(Deserialize)]
struct Published {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

impl Key {
    /// Whether the holder of this key signed that.
    pub(super) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify_sig(message, signature).is_ok()
    }

    fn of_published(key: &Published) -> Option<Self> {
        let serves = key.kty == "RSA"
            && key.alg.as_deref().is_none_or(|alg| alg == "RS256")
            && key.purpose.as_deref().is_none_or(|purpose| purpose == "sig");
        let number = |text: &Option<String>| {
            let bytes = URL_SAFE_NO_PAD.decode(text.as_deref()?.trim_end_matches('=')).ok()?;
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            Some(bytes[zeros..].to_vec())
        };
        let (n, e) = (number(&key.n)?, number(&key.e)?);
        if !serves || !MODULUS.contains(&n.len()) || !(1..=LONGEST_EXPONENT).contains(&e.len()) {
            return None;
        }
        RsaPublicKeyComponents { n, e }.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).ok().map(Self)
    }
}

impl Keys {
    /// Reads a published set. A key that does not serve is left out; a set without one that serves
    /// is an error, so that it never replaces one that had some.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Set<'a> {
            #[serde(borrow)]
            keys: Vec<&'a RawValue>,
        }
        let set: Set<'_> = serde_json::from_slice(text).map_err(|error| format!("not a set of keys: {error}"))?;
        if set.keys.len() > MOST_KEYS {
            return Err(format!("a set of {} keys, more than the {MOST_KEYS} allowed", set.keys.len()));
        }
        let published = set.keys.iter().filter_map(|key| serde_json::from_str::<Published>(key.get()).ok());
        let keys: BTreeMap<String, Arc<Key>> = published
            .filter_map(|key| {
                let parsed = Key::of_published(&key)?;
                Some((key.kid.filter(|id| !id.is_empty())?, Arc::new(parsed)))
            })
            .collect();
        if keys.is_empty() {
            return Err(format!("none of {} keys is one for RS256 signatures", set.keys.len()));
        }
        Ok(Self(keys))
    }

    /// The key of that id.
    pub(super) fn get(&self, id: &str) -> Option<Arc<Key>> {
        self.0.get(id).cloned()
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests;
