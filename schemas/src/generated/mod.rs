//! Types written from the Avro schemas; see `schemas/generate`.

pub(crate) mod history;
pub(crate) mod messages;
pub(crate) mod rows;
