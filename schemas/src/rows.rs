//! Rows as Avro container files: snappy blocks, the same bytes for the same rows.

use std::io::Read;
use std::marker::PhantomData;

use apache_avro::{Codec, Reader, Writer};

use crate::codec::{RecordSchema, bound_avro_allocations};
use crate::{AvroRecord, IdBuilder, Table};

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
    /// An empty file. The block marker is fixed per schema, so that equal rows give equal bytes.
    pub fn new() -> Result<Self, RowsError> {
        let record = R::schema();
        let marker = marker(record);
        let writer = Writer::builder()
            .schema(&record.schema)
            .writer(Vec::new())
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

    /// The file. The crate writes the head's entries in the order of a hash map, another one each
    /// time; they are put into one order here.
    pub fn finish(self) -> Result<Vec<u8>, RowsError> {
        let mut file = self.writer.into_inner().map_err(RowsError::new::<R>)?;
        let head = head(R::schema());
        if let Some(written) = file.get_mut(..head.len()).filter(|written| written.ends_with(&marker(R::schema()))) {
            written.copy_from_slice(&head);
        }
        Ok(file)
    }
}

/// What stands between the blocks of a schema's files.
fn marker(record: &RecordSchema) -> [u8; 16] {
    let digest: String = IdBuilder::new("avro-marker").part("schema", record.name).finish();
    let mut marker = [0; 16];
    marker.copy_from_slice(&digest.as_bytes()[..16]);
    marker
}

/// The head of a schema's files: magic, a map of codec and schema, the marker; see "Object
/// Container Files" in the Avro specification.
fn head(record: &RecordSchema) -> Vec<u8> {
    // A parsed schema can be written again; if not, the head fits no file and is not used.
    let schema = serde_json::to_string(&record.schema).unwrap_or_default();
    let mut head = b"Obj\x01\x04".to_vec();
    for text in ["avro.codec", "snappy", "avro.schema", &schema] {
        let mut length = text.len() << 1;
        while length >= 0x80 {
            head.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        head.push(length as u8);
        head.extend_from_slice(text.as_bytes());
    }
    head.push(0);
    head.extend_from_slice(&marker(record));
    head
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
