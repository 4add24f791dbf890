//! Messages as bytes: Avro binary (JSON for the one that schedulers write), with the schema's name
//! and fingerprint as attributes, so that every past version stays readable.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use apache_avro::rabin::Rabin;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::writer::datum::GenericDatumWriter;
use apache_avro::{Schema, from_value};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Topic;
use crate::generated::history::HISTORY;

/// Attribute that names the schema of a message.
pub const SCHEMA_ATTRIBUTE: &str = "podledger_schema";
/// Attribute with the fingerprint of the schema the message was written with: CRC-64-AVRO of its
/// parsing canonical form, as the Avro specification defines it, in hex.
pub const SCHEMA_FINGERPRINT_ATTRIBUTE: &str = "podledger_schema_fingerprint";

/// Most bytes that one length in Avro data may make us allocate. Lengths come from outside; a part's
/// blocks and every message are far smaller.
pub const MAX_AVRO_ALLOCATION: usize = 64 * 1024 * 1024;

/// Sets the bound on Avro's allocations, once for the process. Whoever decodes calls it first: what
/// decodes Avro before it has the crate's own, larger bound for good.
pub fn bound_avro_allocations() {
    static BOUND: std::sync::Once = std::sync::Once::new();
    BOUND.call_once(|| {
        apache_avro::util::max_allocation_bytes(MAX_AVRO_ALLOCATION);
    });
}

/// How a message is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Avro binary.
    Binary,
    /// Avro JSON, without unions: plain JSON.
    Json,
}

/// A parsed schema.
#[derive(Debug)]
pub struct RecordSchema {
    /// Name of the record.
    pub name: &'static str,
    /// The `.avsc` file's text.
    pub avsc: &'static str,
    /// The parsed schema.
    pub schema: Schema,
    /// Fingerprint of the parsing canonical form, hex.
    pub fingerprint: String,
}

impl RecordSchema {
    /// Parses a compiled-in schema.
    #[allow(clippy::expect_used)] // The text is compiled in and every schema is parsed by a test.
    pub(crate) fn parse(name: &'static str, avsc: &'static str) -> Self {
        bound_avro_allocations();
        let schema = Schema::parse_str(avsc).expect("compiled-in schemas parse");
        let fingerprint = schema.fingerprint::<Rabin>().to_string();
        Self { name, avsc, schema, fingerprint }
    }
}

/// A record with a schema of its own.
pub trait AvroRecord: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// Its schema.
    fn schema() -> &'static RecordSchema;
}

/// A record that travels on a topic.
pub trait Message: AvroRecord {
    /// The topic.
    const TOPIC: Topic;
    /// How it is encoded.
    const ENCODING: Encoding;

    /// The key under which the broker keeps the order; none where order does not matter.
    fn ordering_key(&self) -> Option<String> {
        None
    }

    /// The message as bytes, and the attributes that say how to read it.
    fn encode(&self) -> Result<Encoded, DecodeError> {
        let record = Self::schema();
        let bytes = match Self::ENCODING {
            Encoding::Binary => GenericDatumWriter::builder(&record.schema)
                .human_readable(false)
                .build()
                .and_then(|writer| writer.write_ser_to_vec(self))
                .map_err(|error| DecodeError::new(record.name, error))?,
            Encoding::Json => serde_json::to_vec(self).map_err(|error| DecodeError::new(record.name, error))?,
        };
        let attributes = BTreeMap::from([
            (SCHEMA_ATTRIBUTE.to_owned(), record.name.to_owned()),
            (SCHEMA_FINGERPRINT_ATTRIBUTE.to_owned(), record.fingerprint.clone()),
        ]);
        Ok(Encoded { bytes, attributes })
    }

    /// Reads a message written with this or any past version of its schema. Without attributes
    /// the current version is assumed.
    fn decode(bytes: &[u8], attributes: &BTreeMap<String, String>) -> Result<Self, DecodeError> {
        let record = Self::schema();
        let error = |reason: String| DecodeError { schema: record.name, reason };
        if let Some(name) = attributes.get(SCHEMA_ATTRIBUTE).filter(|name| *name != record.name) {
            return Err(error(format!("the message says it is a {name}")));
        }
        if Self::ENCODING == Encoding::Json {
            return serde_json::from_slice(bytes).map_err(|reason| error(reason.to_string()));
        }
        match attributes.get(SCHEMA_FINGERPRINT_ATTRIBUTE).filter(|fingerprint| **fingerprint != record.fingerprint) {
            None => read_current(record, bytes),
            Some(fingerprint) => {
                let past = PAST
                    .get(fingerprint.as_str())
                    .ok_or_else(|| error(format!("schema version {fingerprint} is not known here")))?;
                read_past(record, past, bytes)
            }
        }
    }
}

/// A message as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The payload.
    pub bytes: Vec<u8>,
    /// Attributes that name the schema.
    pub attributes: BTreeMap<String, String>,
}

/// Bytes that are not a message of the expected kind; they never will be.
#[derive(Debug, Clone, thiserror::Error)]
#[error("not a {schema}: {reason}")]
pub struct DecodeError {
    /// The schema expected.
    pub schema: &'static str,
    /// What is wrong.
    pub reason: String,
}

impl DecodeError {
    fn new(schema: &'static str, reason: impl std::fmt::Display) -> Self {
        Self { schema, reason: reason.to_string() }
    }
}

/// Every past version by fingerprint.
static PAST: LazyLock<HashMap<String, Schema>> = LazyLock::new(|| {
    HISTORY
        .iter()
        .filter_map(|avsc| Schema::parse_str(avsc).ok())
        .map(|schema| (schema.fingerprint::<Rabin>().to_string(), schema))
        .collect()
});

/// Reads bytes written with the current version: straight into the type.
fn read_current<M: AvroRecord>(record: &'static RecordSchema, mut bytes: &[u8]) -> Result<M, DecodeError> {
    let message = GenericDatumReader::builder(&record.schema)
        .human_readable(false)
        .build()
        .and_then(|reader| reader.read_deser(&mut bytes))
        .map_err(|error| DecodeError::new(record.name, error))?;
    no_rest(record.name, bytes)?;
    Ok(message)
}

/// Reads bytes written with a past version, resolved to the current one.
fn read_past<M: AvroRecord>(record: &'static RecordSchema, past: &Schema, mut bytes: &[u8]) -> Result<M, DecodeError> {
    let value = GenericDatumReader::builder(past)
        .build()
        .and_then(|reader| reader.read_value(&mut bytes))
        .and_then(|value| value.resolve(&record.schema))
        .map_err(|error| DecodeError::new(record.name, error))?;
    no_rest(record.name, bytes)?;
    from_value(&value).map_err(|error| DecodeError::new(record.name, error))
}

/// Bytes after the record mean it was not this record.
fn no_rest(schema: &'static str, rest: &[u8]) -> Result<(), DecodeError> {
    if rest.is_empty() { Ok(()) } else { Err(DecodeError::new(schema, format!("{} bytes too many", rest.len()))) }
}

#[cfg(test)]
mod tests;
