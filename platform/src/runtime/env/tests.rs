use std::io::Write as _;

use super::*;
use crate::runtime::{RuntimeSettings, Secret, markdown_table};

crate::settings! {
    /// Settings of a test.
    pub(super) struct Config {
        /// Where calls go.
        url: String, "URL", "";
        /// Tries.
        tries: u32 = "3", "tries", "more | tries are slower";
        /// Whom to tell.
        names: Vec<String> = "", "names joined by commas", "";
        /// A switch.
        loud: bool = "false", "true or false", "";
        /// Signs calls.
        key: Option<Secret>, "text", "";
    }
}

fn env(pairs: &[(&str, &str)]) -> Env {
    Env::from_pairs(pairs.iter().copied())
}

fn error_of<T: Documented + std::fmt::Debug>(pairs: &[(&str, &str)]) -> String {
    env(pairs).read::<T>().unwrap_err().to_string()
}

#[test]
fn settings_are_read_with_their_defaults() {
    let config: Config = env(&[("PODLEDGER_URL", "http://x"), ("PODLEDGER_TRIES", "")]).read().unwrap();
    assert_eq!((config.url.as_str(), config.tries, config.loud), ("http://x", 3, false));
    assert!(config.names.is_empty() && config.key.is_none());
    let pairs = [("PODLEDGER_URL", "u"), ("PODLEDGER_NAMES", "a,b"), ("PODLEDGER_LOUD", "true")];
    let config: Config = env(&pairs).read().unwrap();
    assert_eq!((config.names, config.loud), (vec!["a".to_owned(), "b".to_owned()], true));
}

#[test]
fn a_wrong_setting_is_named_with_its_unit() {
    assert_eq!(error_of::<Config>(&[]), "PODLEDGER_URL: not set (expected: URL)");
    let error = error_of::<Config>(&[("PODLEDGER_URL", "u"), ("PODLEDGER_TRIES", "many")]);
    assert!(error.starts_with("PODLEDGER_TRIES: ") && error.contains("'many'"), "{error}");
    assert!(error.ends_with("(expected: tries)") && !error.contains("provided by"), "{error}");
    let error = error_of::<RuntimeSettings>(&[("PODLEDGER_BROKER", "sqlit:x")]);
    assert!(error.starts_with("PODLEDGER_BROKER: ") && error.contains("did you mean \"sqlite\"?"), "{error}");
    let error = error_of::<RuntimeSettings>(&[("PODLEDGER_FAULTS", "crash=loader.warehouse.laod.after")]);
    assert!(error.contains("\"loader.warehouse.load.after\""), "{error}");
    assert!(error_of::<RuntimeSettings>(&[("PODLEDGER_CLOCK", "fixd:2026-01-01T00:00:00Z")]).contains("\"fixed\""));
    assert!(error_of::<RuntimeSettings>(&[("PODLEDGER_DELIVERY", "pusch")]).contains("\"push\""));
}

#[test]
fn every_default_of_the_runtime_is_within_its_bounds() {
    let settings = env(&[]).read::<RuntimeSettings>().unwrap().checked().unwrap();
    assert_eq!(settings.drain.duration().as_secs(), 25);
    assert_eq!(settings.max_outstanding, 100);
    assert!(!settings.injected_faults().are_on());
    for (name, value) in [
        ("PODLEDGER_MAX_OUTSTANDING", "0"),
        ("PODLEDGER_MAX_OUTSTANDING", "10001"),
        ("PODLEDGER_LEASE", "100ms"),
        ("PODLEDGER_LEASE", "1h"),
        ("PODLEDGER_NACK_FIRST", "2m"),
        ("PODLEDGER_NACK_FIRST", "0"),
        ("PODLEDGER_CALL_TIMEOUT", "0"),
    ] {
        let error = env(&[(name, value)]).read::<RuntimeSettings>().unwrap().checked().unwrap_err();
        assert_eq!(error.variable, name);
    }
}

#[test]
fn a_variable_nobody_asked_for_is_found_with_its_nearest() {
    let pairs = [("PODLEDGER_URL", "u"), ("PODLEDGER_TREIS", "4"), ("PODLEDGER_ZZZZZZZZZ", ""), ("PODLEDGER_KEY", "k")];
    let env = env(&pairs);
    env.read::<Config>().unwrap();
    let unknown = |name: &str, nearest: Option<&str>| UnknownVariable {
        name: name.to_owned(),
        nearest: nearest.map(str::to_owned),
    };
    let expected = [unknown("PODLEDGER_TREIS", Some("PODLEDGER_TRIES")), unknown("PODLEDGER_ZZZZZZZZZ", None)];
    assert_eq!(env.unknown(), expected);
}

fn file(content: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(content).unwrap();
    file
}

fn key_from(file: &tempfile::NamedTempFile, also: &[(&str, &str)]) -> Result<Option<Secret>, ConfigError> {
    let path = file.path().to_str().unwrap();
    let pairs: Vec<_> = [("PODLEDGER_URL", "u"), ("PODLEDGER_KEY_FILE", path)].iter().chain(also).copied().collect();
    env(&pairs).read::<Config>().map(|config| config.key)
}

#[test]
fn a_secret_comes_from_its_variable_or_its_file_but_not_both() {
    assert_eq!(key_from(&file(b"s3cret\n"), &[]).unwrap().unwrap().expose(), "s3cret");
    assert_eq!(key_from(&file(b"two\nlines\r\n"), &[]).unwrap().unwrap().expose(), "two\nlines");
    let error = key_from(&file(b"s3cret"), &[("PODLEDGER_KEY", "0ther")]).unwrap_err().to_string();
    assert_eq!(error, "PODLEDGER_KEY: set together with PODLEDGER_KEY_FILE");
    let error = key_from(&file(&[b'x'; 70_000]), &[]).unwrap_err();
    assert!(error.variable == "PODLEDGER_KEY_FILE" && error.reason.contains("larger than"), "{error}");
    assert!(key_from(&file(&[0xff, 0xfe]), &[]).unwrap_err().reason.contains("not UTF-8"));
    let missing = [("PODLEDGER_URL", "u"), ("PODLEDGER_KEY_FILE", "/nowhere/at/all")];
    assert!(error_of::<Config>(&missing).contains("/nowhere/at/all"));
}

#[test]
fn a_secret_is_never_printed() {
    let env = env(&[("PODLEDGER_URL", "u"), ("PODLEDGER_KEY", "s3cret")]);
    let config: Config = env.read().unwrap();
    let key = config.key.clone().unwrap();
    assert_eq!(key.expose(), "s3cret");
    for printed in [format!("{key}"), format!("{key:?}"), format!("{config:?}"), format!("{config:#?}")] {
        assert!(printed.contains("***") && !printed.contains("s3cret"), "{printed}");
    }
}

#[test]
fn the_documentation_has_a_row_for_every_setting() {
    let table = markdown_table(Config::FIELDS);
    let rows: Vec<&str> = table.lines().collect();
    assert_eq!(rows.len(), 2 + Config::FIELDS.len());
    assert_eq!(rows[2], "| `PODLEDGER_URL` | URL | required | Where calls go. |  |");
    assert_eq!(rows[3], "| `PODLEDGER_TRIES` | tries | `3` | Tries. | more \\| tries are slower |");
    assert!(rows[6].starts_with("| `PODLEDGER_KEY` or `PODLEDGER_KEY_FILE` | text | not set |"));
    for field in RuntimeSettings::FIELDS {
        assert!(!field.doc.is_empty() && !field.unit.is_empty(), "{}", field.name);
    }
}
