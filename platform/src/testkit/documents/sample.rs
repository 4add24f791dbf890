//! Documents to hold adapters to.

use crate::ports::{Document, DocumentValue, Fields, Moment};

/// A document of the project `test`, in its first database.
///
/// # Panics
/// For a path that is none.
pub fn document(path: &str, fields: Fields) -> Document {
    let name = format!("projects/test/databases/(default)/documents/{path}");
    Document { name: name.parse().expect("a name"), create_time: None, update_time: None, fields }
}

/// That many documents of one collection, under as many parents, each of them numbered.
pub fn many(collection: &str, count: i64) -> Vec<Document> {
    let numbered = |number: i64| {
        let fields = Fields::from([("number".to_owned(), DocumentValue::Integer(number))]);
        document(&format!("teams/t{}/{collection}/d{number}", number % 7), fields)
    };
    (0..count).map(numbered).collect()
}

/// Values of every type, their extremes among them; `exact` says whether whole numbers beyond ±2⁵³
/// are.
///
/// # Panics
/// Never: its moments are moments.
pub fn every_type(exact: bool) -> Fields {
    let time = |seconds, nanos| DocumentValue::Time(Moment::new(seconds, nanos).expect("a moment"));
    let text = |text: &str| DocumentValue::Text(text.to_owned());
    let mut fields: Vec<(&str, DocumentValue)> = vec![
        ("null", DocumentValue::Null),
        ("true", DocumentValue::Bool(true)),
        ("false", DocumentValue::Bool(false)),
        ("zero", DocumentValue::Integer(0)),
        ("negative", DocumentValue::Integer(-7)),
        ("plain", DocumentValue::Integer((1 << 53) - 1)),
        ("double", DocumentValue::Double(0.1)),
        ("whole double", DocumentValue::Double(3.0)),
        ("minus zero", DocumentValue::Double(-0.0)),
        ("least", DocumentValue::Double(5e-324)),
        ("greatest", DocumentValue::Double(f64::MAX)),
        ("nan", DocumentValue::Double(f64::NAN)),
        ("infinity", DocumentValue::Double(f64::INFINITY)),
        ("minus infinity", DocumentValue::Double(f64::NEG_INFINITY)),
        ("time", time(1_790_856_000, 123_456_000)),
        ("before 1970", time(-1, 500_000_000)),
        ("never", time(253_402_300_799, 999_999_000)),
        ("text", text("a\"\\\n\t é猫\u{10ffff}")),
        ("empty text", text("")),
        ("bytes", DocumentValue::Bytes((0..=255).collect())),
        ("no bytes", DocumentValue::Bytes(Vec::new())),
        ("reference", DocumentValue::Reference("projects/test/databases/(default)/documents/teams/t".to_owned())),
        ("place", DocumentValue::GeoPoint { latitude: 51.477_928, longitude: -0.001_545 }),
        ("null island", DocumentValue::GeoPoint { latitude: 0.0, longitude: 0.0 }),
        ("$timestamp", text("not a time")),
        ("$$", text("escaped")),
        ("a.b", text("no path")),
        ("array", DocumentValue::Array(vec![DocumentValue::Null, text("x"), DocumentValue::Map(Fields::new())])),
        ("no items", DocumentValue::Array(Vec::new())),
        ("no fields", DocumentValue::Map(Fields::new())),
        ("deep", nested(20)),
    ];
    if exact {
        fields.push(("large", DocumentValue::Integer(1 << 53)));
        fields.push(("largest", DocumentValue::Integer(i64::MAX)));
        fields.push(("smallest", DocumentValue::Integer(i64::MIN)));
    }
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Maps and arrays in turn, that many within each other: as many as Firestore allows.
fn nested(levels: usize) -> DocumentValue {
    (0..levels).fold(DocumentValue::Bool(true), |inner, level| match level % 2 {
        0 => DocumentValue::Array(vec![inner]),
        _ => DocumentValue::Map(Fields::from([("a".to_owned(), inner)])),
    })
}
