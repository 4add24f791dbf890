//! Rows as Avro container files: snappy blocks, the same bytes for the same rows.

use std::io::Read;
use std::marker::PhantomData;

use apache_avro::error::Details;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use apache_avro::{AvroResult, Codec, Reader, Schema, Writer};

use crate::codec::bound_avro_allocations;
use crate::{AvroRecord, IdBuilder, Table};

/// What a container file begins with.
const MAGIC: &[u8] = b"Obj\x01";
/// Bytes of the marker between blocks.
const MARKER_BYTES: usize = 16;

/// A record that is a row of a table.
pub trait Row: AvroRecord {
    /// The table.
    const TABLE: Table;
}

/// Rows that cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[error("rows of {schema}: {source}")]
pub struct RowsError {
    /// The schema.
    pub schema: &'static str,
    /// What is wrong.
    #[source]
    pub source: Box<apache_avro::Error>,
}

impl RowsError {
    fn new<R: AvroRecord>(source: apache_avro::Error) -> Self {
        Self { schema: R::schema().name, source: Box::new(source) }
    }
}

/// Writes rows into a container file in memory; parts are bounded by who makes them.
pub struct RowWriter<R> {
    writer: Writer<'static, Vec<u8>>,
    count: u64,
    rows: PhantomData<fn(R)>,
}

impl<R: Row> RowWriter<R> {
    /// An empty file. The head and the block marker are fixed per schema, so that equal rows give
    /// equal bytes.
    pub fn new() -> Result<Self, RowsError> {
        let record = R::schema();
        let digest: String = IdBuilder::new("avro-marker").part("schema", record.name).finish();
        let mut marker = [0; MARKER_BYTES];
        marker.copy_from_slice(&digest.as_bytes()[..MARKER_BYTES]);
        let head = head(&record.schema, &marker).map_err(RowsError::new::<R>)?;
        let writer = Writer::builder()
            .schema(&record.schema)
            .writer(head)
            .has_header(true)
            .codec(Codec::Snappy)
            .marker(marker)
            .human_readable(false)
            .build()
            .map_err(RowsError::new::<R>)?;
        Ok(Self { writer, count: 0, rows: PhantomData })
    }

    /// Adds a row.
    pub fn push(&mut self, row: &R) -> Result<(), RowsError> {
        self.writer.append_ser(row).map_err(RowsError::new::<R>)?;
        self.count += 1;
        Ok(())
    }

    /// Rows so far.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The file.
    pub fn finish(self) -> Result<Vec<u8>, RowsError> {
        self.writer.into_inner().map_err(RowsError::new::<R>)
    }
}

/// The head of a container file of snappy blocks, as
/// <https://avro.apache.org/docs/1.12.0/specification/#object-container-files> has it. The crate's own
/// writes the two entries in an order that changes from file to file.
fn head(schema: &Schema, marker: &[u8; MARKER_BYTES]) -> AvroResult<Vec<u8>> {
    let json = serde_json::to_vec(schema).map_err(Details::ConvertJsonToString)?;
    let entries: [(&str, &[u8]); 2] = [("avro.codec", b"snappy"), ("avro.schema", &json)];
    let mut head = MAGIC.to_vec();
    let long = GenericDatumWriter::builder(&Schema::Long).build()?;
    // Keys are strings, which are encoded as bytes are.
    let bytes = GenericDatumWriter::builder(&Schema::Bytes).build()?;
    long.write_value(&mut head, Value::Long(entries.len() as i64))?;
    for (key, value) in entries {
        bytes.write_value(&mut head, Value::Bytes(key.as_bytes().to_vec()))?;
        bytes.write_value(&mut head, Value::Bytes(value.to_vec()))?;
    }
    long.write_value(&mut head, Value::Long(0))?;
    head.extend_from_slice(marker);
    Ok(head)
}

/// Reads the rows of a container file written by this or a past version.
pub struct RowReader<R>(PhantomData<R>);

impl<R: Row> RowReader<R> {
    /// Streams the rows.
    pub fn read(file: impl Read) -> Result<impl Iterator<Item = Result<R, RowsError>>, RowsError> {
        bound_avro_allocations();
        let reader = Reader::builder(file).human_readable(false).build().map_err(RowsError::new::<R>)?;
        Ok(reader.into_deser_iter::<R>().map(|row| row.map_err(RowsError::new::<R>)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::GkeClusters;

    fn file(rows: &[GkeClusters]) -> Vec<u8> {
        let mut writer = RowWriter::new().unwrap();
        rows.iter().for_each(|row| writer.push(row).unwrap());
        writer.finish().unwrap()
    }

    fn row(name: &str) -> GkeClusters {
        GkeClusters {
            cluster: "prod-uk".into(),
            snapshot_id: "s1".into(),
            observed_at: crate::Timestamp::from_seconds(1),
            name: name.to_owned(),
            version: None,
            platform: None,
            project: None,
            location: None,
            node_count: Some(3),
        }
    }

    #[test]
    fn equal_rows_are_equal_bytes_and_read_back() {
        let rows = [row("a"), row("b")];
        let first = file(&rows);
        // Often: an order that is left to chance is the same one now and then.
        assert!((0..64).all(|_| file(&rows) == first));
        let read: Vec<GkeClusters> = RowReader::read(&first[..]).unwrap().collect::<Result<_, _>>().unwrap();
        assert_eq!(read, rows);
        assert_eq!(RowReader::<GkeClusters>::read(&file(&[])[..]).unwrap().count(), 0);
    }
}
