//! Documents as Firestore's REST interface writes them: every value names its type.
//! <https://cloud.google.com/firestore/docs/reference/rest/Shared.Types/ArrayValue#Value>

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::nearest::did_you_mean;
use crate::ports::{Document, DocumentName, DocumentValue, Fields, MAX_DOCUMENT_DEPTH, Moment, WireError};

/// Base64 of either alphabet comes with padding or without.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, LENIENT);
/// Characters of a value that an error repeats.
const SHOWN_CHARS: usize = 40;
/// The types there are.
const TYPES: [&str; 11] = [
    "nullValue",
    "booleanValue",
    "integerValue",
    "doubleValue",
    "timestampValue",
    "stringValue",
    "bytesValue",
    "referenceValue",
    "geoPointValue",
    "arrayValue",
    "mapValue",
];

/// Reads a document whose name is known.
pub(super) fn document(
    name: DocumentName,
    create_time: Option<&str>,
    update_time: Option<&str>,
    fields: &RawValue,
) -> Result<Document, WireError> {
    let time = |member, text: Option<&str>| {
        text.map(Moment::parse).transpose().map_err(|source| WireError::Time { member, source })
    };
    Ok(Document {
        name,
        create_time: time("createTime", create_time)?,
        update_time: time("updateTime", update_time)?,
        fields: map(fields, "fields", 0)?,
    })
}

fn wrong(place: &str, reason: impl Into<String>) -> WireError {
    WireError::Form { place: place.to_owned(), reason: reason.into() }
}

fn parse<'a, T: Deserialize<'a>>(json: &'a RawValue, place: &str) -> Result<T, WireError> {
    serde_json::from_str(json.get()).map_err(|error| wrong(place, error.to_string()))
}

fn map(fields: &RawValue, place: &str, depth: usize) -> Result<Fields, WireError> {
    // The document's own fields are the level that does not count.
    if depth > MAX_DOCUMENT_DEPTH {
        return Err(WireError::TooDeep);
    }
    let members: BTreeMap<String, &RawValue> = parse(fields, place)?;
    members
        .into_iter()
        .map(|(name, json)| {
            let value = value(json, &format!("{place}.{}", shown(&name)), depth + 1)?;
            Ok((name, value))
        })
        .collect()
}

fn value(json: &RawValue, place: &str, depth: usize) -> Result<DocumentValue, WireError> {
    let members: BTreeMap<String, &RawValue> = parse(json, place)?;
    let mut members = members.into_iter();
    let (Some((type_name, inner)), None) = (members.next(), members.next()) else {
        return Err(wrong(place, "expected an object with one member that names its type"));
    };
    let bad = |what: &str| wrong(place, format!("{type_name} {}, expected {what}", shown(inner.get())));
    match type_name.as_str() {
        "nullValue" => Ok(DocumentValue::Null),
        "booleanValue" => parse(inner, place).map(DocumentValue::Bool),
        "integerValue" => {
            // As text, by the rules for 64-bit numbers; by hand often as a number.
            inner.get().trim_matches('"').parse().map(DocumentValue::Integer).map_err(|_| bad("a 64-bit whole number"))
        }
        "doubleValue" => double(inner).map(DocumentValue::Double).ok_or_else(|| bad("a number")),
        "timestampValue" => {
            let moment = Moment::parse(&parse::<String>(inner, place)?);
            moment.map(DocumentValue::Time).map_err(|_| bad("a time in RFC 3339"))
        }
        "stringValue" => parse(inner, place).map(DocumentValue::Text),
        "bytesValue" => {
            let text: String = parse(inner, place)?;
            let bytes = STANDARD.decode(&text).or_else(|_| URL_SAFE.decode(&text));
            bytes.map(DocumentValue::Bytes).map_err(|_| bad("base64"))
        }
        "referenceValue" => parse(inner, place).map(DocumentValue::Reference),
        "geoPointValue" => geo_point(inner, place),
        "arrayValue" => array(inner, place, depth),
        "mapValue" => {
            #[derive(Deserialize)]
            struct Map<'a> {
                #[serde(borrow, default)]
                fields: Option<&'a RawValue>,
            }
            match parse::<Map<'_>>(inner, place)?.fields {
                Some(fields) => map(fields, place, depth).map(DocumentValue::Map),
                None if depth > MAX_DOCUMENT_DEPTH => Err(WireError::TooDeep),
                None => Ok(DocumentValue::Map(Fields::new())),
            }
        }
        other => Err(wrong(place, format!("unknown type {:?}{}", shown(other), did_you_mean(other, TYPES)))),
    }
}

/// A number, or one of the words for what JSON has no number.
fn double(json: &RawValue) -> Option<f64> {
    match json.get() {
        "\"NaN\"" => Some(f64::NAN),
        "\"Infinity\"" => Some(f64::INFINITY),
        "\"-Infinity\"" => Some(f64::NEG_INFINITY),
        number => number.parse().ok().filter(|number: &f64| number.is_finite()),
    }
}

/// Zero is left out.
fn geo_point(json: &RawValue, place: &str) -> Result<DocumentValue, WireError> {
    #[derive(Deserialize)]
    struct Degrees<'a> {
        #[serde(borrow, default)]
        latitude: Option<&'a RawValue>,
        #[serde(borrow, default)]
        longitude: Option<&'a RawValue>,
    }
    let degrees: Degrees<'_> = parse(json, place)?;
    let angle = |json: Option<&RawValue>| match json {
        None => Ok(0.0),
        Some(json) => double(json).ok_or_else(|| wrong(place, format!("{} is no angle", shown(json.get())))),
    };
    Ok(DocumentValue::GeoPoint { latitude: angle(degrees.latitude)?, longitude: angle(degrees.longitude)? })
}

fn array(json: &RawValue, place: &str, depth: usize) -> Result<DocumentValue, WireError> {
    #[derive(Deserialize)]
    struct Array<'a> {
        #[serde(borrow, default)]
        values: Vec<&'a RawValue>,
    }
    if depth > MAX_DOCUMENT_DEPTH {
        return Err(WireError::TooDeep);
    }
    let values = parse::<Array<'_>>(json, place)?.values.into_iter().enumerate();
    values
        .map(|(position, json)| value(json, &format!("{place}.{position}"), depth + 1))
        .collect::<Result<_, _>>()
        .map(DocumentValue::Array)
}

fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_CHARS).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}
