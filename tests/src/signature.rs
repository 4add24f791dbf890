//! Checks a webhook call's signature as its receiver would, from the documented recipe alone.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::webhook::Call;

/// Whether the signature is the HMAC-SHA256, under the secret, of time stamp, full stop and body.
pub fn is_valid(call: &Call, secret: &str) -> bool {
    let Some(signature) = call.signature.strip_prefix("sha256=").and_then(|hex| hex::decode(hex).ok()) else {
        return false;
    };
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(call.timestamp.as_bytes());
    mac.update(b".");
    mac.update(&call.raw);
    mac.verify_slice(&signature).is_ok()
}
