//! From the wire form back to values.
//!
//! Values are read from their text, not through a tree of JSON: only the text tells a whole number
//! from a floating-point one, and keeps the latter exact.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{
    BYTES, DOUBLE, GEO_POINT, INFINITY, INTEGER, MARK, MAX_DOCUMENT_BYTES, MAX_DOCUMENT_DEPTH, MINUS_INFINITY, NAN,
    REFERENCE, SPECIAL, TIMESTAMP, WireDocument, WireError,
};
use crate::nearest::did_you_mean;
use crate::ports::{DocumentValue, Fields, Moment};

/// Characters of a value that an error repeats.
const SHOWN_CHARS: usize = 40;
/// What the place of a document's own fields is called.
const ROOT: &str = "data";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a document")]
struct Head<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    create_time: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    update_time: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// Reads a document up to its fields.
pub(super) fn head(json: &str) -> Result<WireDocument<'_>, WireError> {
    if json.len() > MAX_DOCUMENT_BYTES {
        return Err(WireError::TooLarge);
    }
    let head: Head<'_> = serde_json::from_str(json).map_err(|error| wrong("document", error.to_string()))?;
    let time = |member, text: Option<Cow<'_, str>>| {
        text.map(|text| Moment::parse(&text)).transpose().map_err(|source| WireError::Time { member, source })
    };
    if !head.data.get().starts_with('{') {
        return Err(wrong(ROOT, format!("{} is not an object", shown(head.data.get()))));
    }
    Ok(WireDocument {
        name: head.name.parse()?,
        create_time: time("createTime", head.create_time)?,
        update_time: time("updateTime", head.update_time)?,
        data: head.data,
    })
}

/// Reads the fields of a document.
pub(crate) fn decode_fields(data: &RawValue) -> Result<Fields, WireError> {
    let mut place = Place::new(ROOT);
    let members = members(data, &place)?;
    fields(members, &mut place)
}

/// Reads one value of the wire form.
///
/// # Errors
/// For JSON that is not of the form, or nested too deeply.
pub fn decode_value(json: &RawValue) -> Result<DocumentValue, WireError> {
    value(json, &mut Place::new("value"))
}

/// Where in a document we are.
struct Place<'a> {
    root: &'static str,
    /// Names and positions from the root on.
    steps: Vec<Cow<'a, str>>,
}

impl<'a> Place<'a> {
    fn new(root: &'static str) -> Self {
        Self { root, steps: Vec::new() }
    }

    /// Whether an array or a map may be here: the document's own fields do not count as a level.
    fn allows_a_level(&self) -> Result<(), WireError> {
        if self.steps.len() > MAX_DOCUMENT_DEPTH { Err(WireError::TooDeep) } else { Ok(()) }
    }

    fn error(&self, reason: impl Into<String>) -> WireError {
        let mut place = self.root.to_owned();
        for step in &self.steps {
            place.push('.');
            place.push_str(&shown(step));
        }
        wrong(&place, reason)
    }
}

fn wrong(place: &str, reason: impl Into<String>) -> WireError {
    WireError::Form { place: place.to_owned(), reason: reason.into() }
}

fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_CHARS).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

fn value<'a>(json: &'a RawValue, place: &mut Place<'a>) -> Result<DocumentValue, WireError> {
    let text = json.get();
    match text.as_bytes().first() {
        Some(b'n') => Ok(DocumentValue::Null),
        Some(b't') => Ok(DocumentValue::Bool(true)),
        Some(b'f') => Ok(DocumentValue::Bool(false)),
        Some(b'"') => string(json, place).map(|text| DocumentValue::Text(text.into_owned())),
        Some(b'[') => array(json, place),
        Some(b'{') => object(json, place),
        _ => number(text, place),
    }
}

fn number(text: &str, place: &Place<'_>) -> Result<DocumentValue, WireError> {
    let wrong = |what| place.error(format!("{} is not a {what}", shown(text)));
    if text.contains(['.', 'e', 'E']) {
        let number: f64 = text.parse().map_err(|_| wrong("number"))?;
        return if number.is_finite() { Ok(DocumentValue::Double(number)) } else { Err(wrong("64-bit number")) };
    }
    text.parse().map(DocumentValue::Integer).map_err(|_| wrong("64-bit whole number"))
}

fn array<'a>(json: &'a RawValue, place: &mut Place<'a>) -> Result<DocumentValue, WireError> {
    place.allows_a_level()?;
    let items: Vec<&RawValue> = serde_json::from_str(json.get()).map_err(|error| place.error(error.to_string()))?;
    let mut values = Vec::with_capacity(items.len());
    for (position, item) in items.into_iter().enumerate() {
        place.steps.push(Cow::Owned(position.to_string()));
        values.push(value(item, place)?);
        place.steps.pop();
    }
    Ok(DocumentValue::Array(values))
}

fn object<'a>(json: &'a RawValue, place: &mut Place<'a>) -> Result<DocumentValue, WireError> {
    let members = members(json, place)?;
    if let [(member, inner)] = members.as_slice()
        && SPECIAL.contains(&member.as_ref())
    {
        return special(member, inner, place);
    }
    place.allows_a_level()?;
    fields(members, place).map(DocumentValue::Map)
}

fn fields<'a>(members: Vec<(Cow<'a, str>, &'a RawValue)>, place: &mut Place<'a>) -> Result<Fields, WireError> {
    let mut fields = Fields::new();
    for (member, inner) in members {
        let name = match member.strip_prefix(MARK) {
            None => member.clone().into_owned(),
            Some(escaped) if escaped.starts_with(MARK) => escaped.to_owned(),
            Some(_) => {
                let hint = did_you_mean(&member, SPECIAL);
                return Err(place.error(format!("unknown member {:?}{hint}", shown(&member))));
            }
        };
        place.steps.push(member);
        let read = value(inner, place)?;
        if fields.insert(name, read).is_some() {
            return Err(place.error("it is there twice"));
        }
        place.steps.pop();
    }
    Ok(fields)
}

fn special<'a>(member: &str, json: &'a RawValue, place: &mut Place<'a>) -> Result<DocumentValue, WireError> {
    if member == GEO_POINT {
        return geo_point(json, place);
    }
    let text = string(json, place)?;
    let wrong = |expected: &str| place.error(format!("{member} is {:?}, expected {expected}", shown(&text)));
    match member {
        INTEGER => text.parse().map(DocumentValue::Integer).map_err(|_| wrong("a 64-bit whole number")),
        DOUBLE => match text.as_ref() {
            NAN => Ok(DocumentValue::Double(f64::NAN)),
            INFINITY => Ok(DocumentValue::Double(f64::INFINITY)),
            MINUS_INFINITY => Ok(DocumentValue::Double(f64::NEG_INFINITY)),
            _ => Err(wrong("NaN, Infinity or -Infinity")),
        },
        TIMESTAMP => Moment::parse(&text).map(DocumentValue::Time).map_err(|_| wrong("a time in RFC 3339")),
        BYTES => STANDARD.decode(text.as_bytes()).map(DocumentValue::Bytes).map_err(|_| wrong("base64")),
        REFERENCE => Ok(DocumentValue::Reference(text.into_owned())),
        _ => Err(place.error(format!("unknown member {:?}", shown(member)))),
    }
}

fn geo_point<'a>(json: &'a RawValue, place: &mut Place<'a>) -> Result<DocumentValue, WireError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, expecting = "an object with latitude and longitude")]
    struct Degrees<'a> {
        #[serde(borrow)]
        latitude: &'a RawValue,
        #[serde(borrow)]
        longitude: &'a RawValue,
    }
    let degrees: Degrees<'a> = serde_json::from_str(json.get()).map_err(|error| place.error(error.to_string()))?;
    let mut double = |json: &'a RawValue| match value(json, place)? {
        DocumentValue::Double(number) => Ok(number),
        // A person may write whole degrees.
        DocumentValue::Integer(number) => Ok(number as f64),
        _ => Err(place.error(format!("{} is no angle", shown(json.get())))),
    };
    Ok(DocumentValue::GeoPoint { latitude: double(degrees.latitude)?, longitude: double(degrees.longitude)? })
}

fn string<'a>(json: &'a RawValue, place: &Place<'_>) -> Result<Cow<'a, str>, WireError> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    let text: Result<Text<'a>, _> = serde_json::from_str(json.get());
    text.map(|text| text.0).map_err(|_| place.error(format!("{} is not text", shown(json.get()))))
}

/// The members of an object as they stand there.
fn members<'a>(json: &'a RawValue, place: &Place<'_>) -> Result<Vec<(Cow<'a, str>, &'a RawValue)>, WireError> {
    let members: Members<'a> = serde_json::from_str(json.get()).map_err(|error| place.error(error.to_string()))?;
    Ok(members.0)
}

struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Key<'k>(#[serde(borrow)] Cow<'k, str>);
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Key(key), value)) = map.next_entry::<Key<'de>, &'de RawValue>()? {
                    members.push((key, value));
                }
                Ok(Members(members))
            }
        }
        let Members(members) = deserializer.deserialize_map(InOrder)?;
        Ok(Self(members))
    }
}
