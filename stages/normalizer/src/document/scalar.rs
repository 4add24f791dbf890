//! Single values: text, whole numbers, times, and what may be text or a number.

use std::borrow::Cow;

use schemas::Timestamp;
use serde::de::{self, Deserialize, Deserializer};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// A string, borrowed where it holds no escapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl Text<'_> {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        from.deserialize_str(Visitor)
    }
}

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// A whole number from 0 to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Whole<const MAX: i64>(pub(crate) i64);

/// A count, an `int32` of the Kubernetes API.
pub(crate) type Count = Whole<2_147_483_647>;

impl<'de, const MAX: i64> Deserialize<'de> for Whole<MAX> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor<const MAX: i64>;
        impl<const MAX: i64> de::Visitor<'_> for Visitor<MAX> {
            type Value = Whole<MAX>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a whole number")
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Whole<MAX>, E> {
                let number = i64::try_from(number).ok().filter(|number| *number <= MAX);
                number.map(Whole).ok_or_else(|| E::custom(format!("expected a whole number of at most {MAX}")))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Whole<MAX>, E> {
                let number = u64::try_from(number).map_err(|_| E::custom("expected a whole number of at least 0"))?;
                self.visit_u64(number)
            }
        }
        from.deserialize_i64(Visitor)
    }
}

/// A time as Kubernetes writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) Timestamp);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Moment;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a time such as 2026-10-01T12:00:00Z")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Moment, E> {
                let moment = Timestamp::parse(text).map_err(|_| E::invalid_value(de::Unexpected::Other("text"), &self));
                moment.map(Moment)
            }
        }
        from.deserialize_str(Visitor)
    }
}

/// A string or a number, kept as written: a quantity, or Kubernetes' `IntOrString`.
#[derive(Debug, Clone)]
pub(crate) struct Scalar<'a> {
    raw: &'a RawValue,
    text: Cow<'a, str>,
}

impl Scalar<'_> {
    /// The string's content or the number's digits.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(from)?;
        let written = raw.get();
        let text = match written.as_bytes().first() {
            Some(b'"') => match written[1..written.len() - 1].contains('\\') {
                false => Cow::Borrowed(&written[1..written.len() - 1]),
                true => Cow::Owned(serde_json::from_str::<String>(written).map_err(de::Error::custom)?),
            },
            Some(b'-' | b'0'..=b'9') => Cow::Borrowed(written),
            _ => return Err(de::Error::custom("expected a string or a number")),
        };
        Ok(Self { raw, text })
    }
}

impl Serialize for Scalar<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.raw.serialize(serializer)
    }
}
