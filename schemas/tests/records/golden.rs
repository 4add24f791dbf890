//! Bytes that were written once stay readable for good.
//!
//! `schemas/golden/<record>-<fingerprint>-<full|sparse>.hex` holds a message, or a container file
//! of one row, as a past or the current version wrote it; the `.json` beside it what it says. Files
//! are only ever added: with `PODLEDGER_WRITE_GOLDEN` set, a test writes those of the current
//! version where they are missing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use podledger_schemas::{
    AvroRecord, Message, Row, RowReader, RowWriter, SCHEMA_ATTRIBUTE, SCHEMA_FINGERPRINT_ATTRIBUTE,
};

/// Makes the test write what is missing.
const WRITE: &str = "PODLEDGER_WRITE_GOLDEN";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

/// Reads one golden pair.
fn pair(stem: &str) -> (Vec<u8>, String) {
    let read = |ending: &str| {
        let path = folder().join(format!("{stem}.{ending}"));
        std::fs::read_to_string(&path).unwrap_or_else(|error| {
            panic!("{}: {error}; set {WRITE}=1 to write what is missing, then commit it", path.display())
        })
    };
    let hex: String = read("hex").split_whitespace().collect();
    (hex::decode(hex).unwrap(), read("json"))
}

/// Writes a pair where it is missing; never over another.
fn write_missing(stem: &str, bytes: &[u8], json: &str) {
    if std::env::var_os(WRITE).is_none() {
        return;
    }
    let digits = hex::encode(bytes);
    let lines: Vec<&str> = digits.as_bytes().chunks(100).map(|line| std::str::from_utf8(line).unwrap()).collect();
    for (ending, text) in [("hex", lines.join("\n")), ("json", json.to_owned())] {
        let path = folder().join(format!("{stem}.{ending}"));
        if !path.exists() {
            std::fs::write(path, text + "\n").unwrap();
        }
    }
}

/// Stems of a record's golden files, of every version.
fn stems(prefix: &str) -> Vec<String> {
    let mut stems: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name.strip_suffix(".hex").filter(|stem| stem.starts_with(prefix)).map(str::to_owned)
        })
        .collect();
    stems.sort();
    stems
}

fn stem<R: AvroRecord>(prefix: &str, full: bool) -> String {
    format!("{prefix}{}-{}", R::schema().fingerprint, if full { "full" } else { "sparse" })
}

/// The current version writes its golden bytes, and every version's are read.
fn hold_message<M: Message + PartialEq + std::fmt::Debug>() {
    let prefix = format!("message-{}-", M::schema().name);
    for full in [true, false] {
        let sample: M = crate::support::sample(full);
        let bytes = sample.encode().unwrap().bytes;
        let stem = stem::<M>(&prefix, full);
        write_missing(&stem, &bytes, &serde_json::to_string_pretty(&sample).unwrap());
        assert_eq!(pair(&stem).0, bytes, "{stem}: the same message gives other bytes");
    }
    for stem in stems(&prefix) {
        let (bytes, json) = pair(&stem);
        let fingerprint = stem.split('-').nth(2).unwrap();
        let attributes = BTreeMap::from([
            (SCHEMA_ATTRIBUTE.to_owned(), M::schema().name.to_owned()),
            (SCHEMA_FINGERPRINT_ATTRIBUTE.to_owned(), fingerprint.to_owned()),
        ]);
        let expected: M = serde_json::from_str(&json).unwrap();
        assert_eq!(M::decode(&bytes, &attributes).unwrap(), expected, "{stem}");
    }
}

/// Every version's files are read. Their bytes may differ from what a newer compressor writes.
fn hold_rows<R: Row + PartialEq + std::fmt::Debug>() {
    let prefix = format!("row-{}-", R::schema().name);
    for full in [true, false] {
        let sample: R = crate::support::sample(full);
        let mut writer = RowWriter::<R>::new().unwrap();
        writer.push(&sample).unwrap();
        let stem = stem::<R>(&prefix, full);
        write_missing(&stem, &writer.finish().unwrap(), &serde_json::to_string_pretty(&sample).unwrap());
        assert_eq!(serde_json::from_str::<R>(&pair(&stem).1).unwrap(), sample, "{stem}");
    }
    for stem in stems(&prefix) {
        let (bytes, json) = pair(&stem);
        let rows: Vec<R> = RowReader::read(bytes.as_slice()).unwrap().collect::<Result<_, _>>().unwrap();
        assert_eq!(rows, [serde_json::from_str::<R>(&json).unwrap()], "{stem}");
    }
}

macro_rules! golden {
    (messages: $($message:ident),+; rows: $($row:ident),+;) => {
        #[test]
        fn every_message_reads_and_writes_its_golden_bytes() {
            $(hold_message::<podledger_schemas::$message>();)+
        }

        #[test]
        fn every_row_reads_its_golden_file() {
            $(hold_rows::<podledger_schemas::$row>();)+
        }
    };
}
crate::support::every_record!(golden);
