//! Documents and their values, with Firestore's types.
//! <https://cloud.google.com/firestore/docs/concepts/data-types>

use std::collections::BTreeMap;

use super::{DocumentName, Moment};

/// Fields by name, in the order of their names' bytes.
pub type Fields = BTreeMap<String, DocumentValue>;

/// One document.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Its full name.
    pub name: DocumentName,
    /// When it was created, where the source knows.
    pub create_time: Option<Moment>,
    /// When it was last written, where the source knows.
    pub update_time: Option<Moment>,
    /// Its fields.
    pub fields: Fields,
}

/// One value.
#[derive(Debug, Clone)]
pub enum DocumentValue {
    /// Null.
    Null,
    /// True or false.
    Bool(bool),
    /// A 64-bit whole number.
    Integer(i64),
    /// A 64-bit floating-point number, infinities and NaN included.
    Double(f64),
    /// A moment.
    Time(Moment),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// The full name of a document, which need not exist.
    Reference(String),
    /// A place on Earth, in degrees.
    GeoPoint {
        /// North of the equator.
        latitude: f64,
        /// East of Greenwich.
        longitude: f64,
    },
    /// An array. Firestore allows none directly within another; their form does.
    Array(Vec<DocumentValue>),
    /// A map. A vector is one too, with the field `__type__`.
    Map(Fields),
}

/// Values are equal when they are the same: NaN is, and zero and minus zero are not.
impl PartialEq for DocumentValue {
    fn eq(&self, other: &Self) -> bool {
        let same = |one: &f64, other: &f64| (one.is_nan() && other.is_nan()) || one.to_bits() == other.to_bits();
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(one), Self::Bool(other)) => one == other,
            (Self::Integer(one), Self::Integer(other)) => one == other,
            (Self::Double(one), Self::Double(other)) => same(one, other),
            (Self::Time(one), Self::Time(other)) => one == other,
            (Self::Text(one), Self::Text(other)) | (Self::Reference(one), Self::Reference(other)) => one == other,
            (Self::Bytes(one), Self::Bytes(other)) => one == other,
            (Self::GeoPoint { latitude, longitude }, Self::GeoPoint { latitude: north, longitude: east }) => {
                same(latitude, north) && same(longitude, east)
            }
            (Self::Array(one), Self::Array(other)) => one == other,
            (Self::Map(one), Self::Map(other)) => one == other,
            _ => false,
        }
    }
}
