//! Every message and every row survives being written and read, and bytes from outside never do
//! harm.

use std::collections::BTreeMap;

use podledger_schemas::{AvroRecord, MAX_AVRO_ALLOCATION, Message, Row, RowReader, RowWriter};
use proptest::prelude::*;

fn message_survives<M: Message + PartialEq + std::fmt::Debug>(message: &M) -> Result<(), TestCaseError> {
    let encoded = message.encode().unwrap();
    prop_assert_eq!(&M::decode(&encoded.bytes, &encoded.attributes).unwrap(), message);
    prop_assert_eq!(&M::decode(&encoded.bytes, &BTreeMap::new()).unwrap(), message);
    json_survives(message)
}

fn json_survives<R: AvroRecord + PartialEq + std::fmt::Debug>(record: &R) -> Result<(), TestCaseError> {
    let text = serde_json::to_string(record).unwrap();
    prop_assert_eq!(&serde_json::from_str::<R>(&text).unwrap(), record);
    Ok(())
}

fn file<R: Row>(rows: &[R]) -> Vec<u8> {
    let mut writer = RowWriter::<R>::new().unwrap();
    rows.iter().for_each(|row| writer.push(row).unwrap());
    assert_eq!(writer.count(), rows.len() as u64);
    writer.finish().unwrap()
}

fn rows_survive<R: Row + PartialEq + std::fmt::Debug>(rows: &[R]) -> Result<(), TestCaseError> {
    let bytes = file(rows);
    let read: Vec<R> = RowReader::read(bytes.as_slice()).unwrap().collect::<Result<_, _>>().unwrap();
    prop_assert_eq!(read.as_slice(), rows);
    prop_assert_eq!(file(&read), bytes, "equal rows give equal bytes");
    rows.iter().try_for_each(json_survives)
}

/// Reads bytes that may be anything: an error or a value, never a panic.
fn reads_or_refuses<R: Row>(bytes: &[u8]) {
    if let Ok(rows) = RowReader::<R>::read(bytes) {
        // An iterator that went on for ever after an error would not end here.
        let read = rows.take(100_000).filter(Result::is_ok).count();
        assert!(read < 100_000);
    }
}

macro_rules! round_trips {
    (messages: $($message:ident),+; rows: $($row:ident),+;) => {
        mod messages {
            use super::*;
            $(#[allow(non_snake_case)] mod $message {
                use super::*;
                proptest! {
                    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]
                    #[test]
                    fn survives(message in crate::support::any_record::<podledger_schemas::$message>()) {
                        message_survives(&message)?;
                    }
                    #[test]
                    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
                        if let Ok(message) = podledger_schemas::$message::decode(&bytes, &BTreeMap::new()) {
                            message_survives(&message)?;
                        }
                    }
                    #[test]
                    fn damaged_bytes_are_read_or_refused(
                        message in crate::support::any_record::<podledger_schemas::$message>(),
                        place in any::<prop::sample::Index>(),
                        byte in any::<u8>(),
                    ) {
                        let mut encoded = message.encode().unwrap();
                        let place = place.index(encoded.bytes.len());
                        encoded.bytes[place] = byte;
                        if let Ok(other) = podledger_schemas::$message::decode(&encoded.bytes, &encoded.attributes) {
                            message_survives(&other)?;
                        }
                    }
                }
            })+
        }
        mod rows {
            use super::*;
            $(#[allow(non_snake_case)] mod $row {
                use super::*;
                proptest! {
                    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(32) })]
                    #[test]
                    fn survive(rows in prop::collection::vec(crate::support::any_record::<podledger_schemas::$row>(), 0..4)) {
                        rows_survive(&rows)?;
                    }
                    #[test]
                    fn damaged_files_are_read_or_refused(
                        row in crate::support::any_record::<podledger_schemas::$row>(),
                        place in any::<prop::sample::Index>(),
                        byte in any::<u8>(),
                    ) {
                        let mut bytes = file(&[row]);
                        let place = place.index(bytes.len());
                        reads_or_refuses::<podledger_schemas::$row>(&bytes[..place]);
                        bytes[place] = byte;
                        reads_or_refuses::<podledger_schemas::$row>(&bytes);
                    }
                }
            })+
        }

        #[test]
        fn every_schema_is_tested() {
            let named = |folder: &str| -> Vec<String> {
                let path = format!("{}/avro/{folder}", env!("CARGO_MANIFEST_DIR"));
                let mut names: Vec<String> = std::fs::read_dir(path).unwrap().map(|entry| {
                    let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
                    let avsc: serde_json::Value = serde_json::from_str(&text).unwrap();
                    avsc["name"].as_str().unwrap().to_owned()
                }).collect();
                names.sort();
                names
            };
            assert_eq!(named("messages"), [$(stringify!($message)),+]);
            let rows = [$(stringify!($row)),+];
            for name in named("rows") {
                assert!(rows.contains(&name.as_str()), "{name}");
            }
        }
    };
}
crate::support::every_record!(round_trips);

/// A length as Avro writes it.
fn length(mut number: u64) -> Vec<u8> {
    number <<= 1;
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

#[test]
fn a_length_beyond_the_bound_is_refused_before_anything_is_allocated() {
    for claimed in [MAX_AVRO_ALLOCATION as u64 + 1, 1 << 40, i64::MAX as u64] {
        let error =
            podledger_schemas::Notification::decode(&length(claimed), &BTreeMap::new()).unwrap_err().to_string();
        assert!(error.contains(&format!("maximum allowed: {MAX_AVRO_ALLOCATION}")), "{claimed}: {error}");
    }
}

#[test]
fn a_block_that_claims_to_inflate_beyond_the_bound_is_refused() {
    let good = file(&[crate::support::sample::<podledger_schemas::GkePodUsage>(true)]);
    let marker = good[good.len() - 16..].to_vec();
    let header = good.windows(16).position(|window| window == marker).unwrap() + 16;
    // One row; a Snappy block whose head claims 1 GiB (a varint of 2^30), and a checksum.
    let block = [&[0x80, 0x80, 0x80, 0x80, 0x04][..], &[0; 20]].concat();
    let bytes = [&good[..header], &length(1), &length(block.len() as u64), &block, &marker].concat();
    let error =
        RowReader::<podledger_schemas::GkePodUsage>::read(bytes.as_slice()).unwrap().next().unwrap().unwrap_err();
    assert!(error.to_string().contains("maximum allowed"), "{error}");
}
