//! Names as Kubernetes takes them
//! (<https://kubernetes.io/docs/concepts/overview/working-with-objects/names/>).

/// Longest DNS label, in bytes (RFC 1123).
const MAX_LABEL_BYTES: usize = 63;
/// Longest DNS subdomain, in bytes (RFC 1123).
const MAX_SUBDOMAIN_BYTES: usize = 253;

/// What a label may be, for errors.
pub(super) const LABEL: &str =
    "a DNS label: 1 to 63 lower-case letters, digits and '-', beginning and ending with a letter or digit";
/// What a subdomain may be, for errors.
pub(super) const SUBDOMAIN: &str =
    "a DNS name: lower-case letters, digits, '-' and '.', beginning and ending with a letter or digit";

/// Whether text is a DNS label, as namespaces are named.
pub(super) fn is_label(text: &str) -> bool {
    let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    text.len() <= MAX_LABEL_BYTES && edge(text.bytes().next()) && edge(text.bytes().last()) && text.bytes().all(inner)
}

/// Whether text is a DNS subdomain, as Deployments are named.
pub(super) fn is_subdomain(text: &str) -> bool {
    text.len() <= MAX_SUBDOMAIN_BYTES && text.split('.').all(is_label)
}
