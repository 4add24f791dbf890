//! Objects as their JSON writes them: lean types that borrow from the line.
//!
//! [`decode`] reads a type fast; only when that fails is the text read again, slowly, to say where
//! and why: `spec.replicas is "three", expected a whole number`.

mod fault;
mod scalar;

use std::borrow::Cow;
use std::marker::PhantomData;

use serde::de::{self, Deserialize, Deserializer};
use serde_json::value::RawValue;

pub(crate) use fault::{Fault, shortened};
pub(crate) use scalar::{Count, Moment, Scalar, Text, Whole};

/// Deepest nesting of a JSON value that is stored as it is. BigQuery reads 500 levels, SQLite
/// 1,000; what Kubernetes itself stores there has about 5.
const MAX_DEPTH: usize = 100;

/// Reads a type from JSON. `at` is the path of the text within its object, empty at the root.
pub(crate) fn decode<'a, T: Deserialize<'a>>(text: &'a str, at: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|_| fault::explain::<T>(text, at))
}

/// Reads null like an absent field.
pub(crate) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

/// Text that stays borrowed where it needs no unescaping.
pub(crate) fn text_of<'a>(text: &'a Option<Text<'_>>) -> Option<&'a str> {
    text.as_ref().map(Text::as_str)
}

/// An owned copy of text.
pub(crate) fn owned(text: &Option<Text<'_>>) -> Option<String> {
    text_of(text).map(str::to_owned)
}

/// A raw value that may be stored: not nested deeper than the warehouses read.
pub(crate) fn storable(raw: &RawValue, at: &str) -> Result<schemas::Json, Fault> {
    if depth(raw.get()) > MAX_DEPTH {
        return Err(Fault::value(at, raw.get(), &format!("at most {MAX_DEPTH} levels")));
    }
    Ok(schemas::Json::from_raw(raw))
}

/// How deep valid JSON is nested.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth = depth.saturating_add(1);
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// A type that is read from a JSON object only. What serde derives would take a list of the
/// fields' values, too.
#[derive(Debug, Default)]
pub(crate) struct Object<T>(pub(crate) T);

impl<T> std::ops::Deref for Object<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> de::Visitor<'de> for Visitor<T> {
            type Value = Object<T>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(de::value::MapAccessDeserializer::new(map)).map(Object)
            }
        }
        from.deserialize_map(Visitor(PhantomData))
    }
}

/// A list of objects, in which Kubernetes' clients and people may leave a null.
pub(crate) type List<T> = Vec<Option<Object<T>>>;

/// The items of a list that are there.
pub(crate) fn present<T>(list: &[Option<Object<T>>]) -> impl Iterator<Item = &T> {
    list.iter().flatten().map(|object| &object.0)
}

/// JSON text held in a string, such as an annotation's.
pub(crate) fn embedded<'a, T: Deserialize<'a>>(text: Option<&'a str>, at: &str) -> Result<Option<T>, Fault> {
    text.map_or(Ok(None), |text| decode::<Option<T>>(text, at))
}

/// Entries of an object whose values are scalars or text, in the order of their keys; of several
/// with one key the last holds, as in every JSON reader Kubernetes uses.
#[derive(Debug)]
pub(crate) struct Entries<'a, V>(Vec<(Cow<'a, str>, V)>);

impl<V> Default for Entries<'_, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'a, V> Entries<'a, V> {
    /// The entries in the order they were written.
    pub(crate) fn of_written(mut entries: Vec<(Cow<'a, str>, V)>) -> Self {
        if !entries.is_sorted_by(|(a, _), (b, _)| a < b) {
            entries.reverse();
            entries.sort_by(|(a, _), (b, _)| a.cmp(b));
            entries.dedup_by(|(later, _), (kept, _)| later == kept);
        }
        Self(entries)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn get(&self, key: &str) -> Option<&V> {
        self.0.binary_search_by(|(entry, _)| entry.as_ref().cmp(key)).ok().map(|found| &self.0[found].1)
    }
}

impl<'de: 'a, 'a, V: Deserialize<'de>> Deserialize<'de> for Entries<'a, V> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor<V>(PhantomData<V>);
        impl<'de, V: Deserialize<'de>> de::Visitor<'de> for Visitor<V> {
            type Value = Entries<'de, V>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries: Vec<(Cow<'de, str>, V)> = Vec::new();
                while let Some(Text(key)) = map.next_key::<Text<'de>>()? {
                    entries.push((key, map.next_value()?));
                }
                Ok(Entries::of_written(entries))
            }
        }
        from.deserialize_map(Visitor(PhantomData))
    }
}

impl<V: serde::Serialize> serde::Serialize for Entries<'_, V> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

#[cfg(test)]
mod tests;
