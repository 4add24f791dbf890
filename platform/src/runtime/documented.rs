//! Settings that document themselves: struct, defaults and documentation from one declaration.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::config_error::ConfigError;
use super::env::PREFIX;

/// One setting: what the README's table and the reader of the environment know of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldDoc {
    /// Name of the field.
    pub name: &'static str,
    /// Its Rust type, as written.
    pub type_name: &'static str,
    /// Its unit or form, such as `messages` or `URL`.
    pub unit: &'static str,
    /// The default as it would be written into the variable; none for what has no default.
    pub default: Option<&'static str>,
    /// What it is.
    pub doc: &'static str,
    /// What is traded by changing it.
    pub trade_off: &'static str,
}

impl FieldDoc {
    /// Name of its environment variable.
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.name.to_uppercase())
    }

    /// Whether it is a [`Secret`](super::Secret), and so may come from a file named by
    /// `<variable>_FILE`.
    pub fn is_secret(&self) -> bool {
        self.type_name.split(|c: char| !c.is_alphanumeric()).any(|word| word == "Secret")
    }

    /// Whether it must be set.
    pub fn is_required(&self) -> bool {
        self.default.is_none() && !self.type_name.starts_with("Option")
    }
}

/// A struct of settings, made by [`settings!`](crate::settings).
pub trait Documented: Sized {
    /// Its fields in order.
    const FIELDS: &'static [FieldDoc];

    /// Reads every field from the text that `text_of` finds for it.
    fn read(text_of: &dyn Fn(&FieldDoc) -> Result<Option<String>, ConfigError>) -> Result<Self, ConfigError>;
}

/// Reads one field by envy's rules. Of secrets an error says nothing but the name.
pub fn read_field<T: DeserializeOwned>(
    field: &FieldDoc,
    text_of: &dyn Fn(&FieldDoc) -> Result<Option<String>, ConfigError>,
) -> Result<T, ConfigError> {
    #[derive(Deserialize)]
    struct One<T> {
        value: T,
    }
    const VALUE: &str = "value";
    let text = text_of(field)?.or_else(|| field.default.map(str::to_owned));
    let read: Result<One<T>, envy::Error> = envy::from_iter(text.map(|text| (VALUE.to_owned(), text)));
    let reason = match read {
        Ok(one) => return Ok(one.value),
        Err(envy::Error::MissingValue(_)) => format!("not set (expected: {})", field.unit),
        Err(envy::Error::Custom(_)) if field.is_secret() => "not readable as text".to_owned(),
        Err(envy::Error::Custom(reason)) => {
            // What envy adds names the stand-in, not the variable.
            let reason = reason.strip_suffix(&format!(" provided by {VALUE}")).unwrap_or(&reason);
            format!("{reason} (expected: {})", field.unit)
        }
    };
    Err(ConfigError::new(field.variable(), reason))
}

/// The rows of a Markdown table: variable, unit, default, meaning, trade-off.
pub fn markdown_table(fields: &[FieldDoc]) -> String {
    let cell = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
    let mut table = "| variable | unit | default | what it is | what you trade |\n|---|---|---|---|---|\n".to_owned();
    for field in fields {
        let default = match field.default {
            Some("") => "empty".to_owned(),
            Some(default) => format!("`{default}`"),
            None if field.is_required() => "required".to_owned(),
            None => "not set".to_owned(),
        };
        let variable = match field.is_secret() {
            true => format!("`{0}` or `{0}_FILE`", field.variable()),
            false => format!("`{}`", field.variable()),
        };
        let cells = [&variable, &cell(field.unit), &default, &cell(field.doc), &cell(field.trade_off)];
        table.push_str(&format!("| {} |\n", cells.map(String::as_str).join(" | ")));
    }
    table
}

/// Declares a struct of settings with its documentation:
///
/// ```
/// # use podledger_platform as platform;
/// platform::settings! {
///     /// What a courier is told.
///     pub struct Config {
///         /// Parcels carried at once.
///         parcels: u32 = "4", "parcels", "more is faster and heavier";
///         /// Where to ring; without it the parcel stays at the door.
///         door: Option<String>, "name", "";
///         /// The key of the van.
///         key: Option<platform::runtime::Secret>, "text", "";
///     }
/// }
/// let env = platform::runtime::Env::from_pairs([("PODLEDGER_PARCELS", "2")]);
/// assert_eq!(env.read::<Config>().unwrap().parcels, 2);
/// ```
///
/// Each field gives its type, its default as text (none for optional and required ones), its unit
/// and what is traded by changing it.
#[macro_export]
macro_rules! settings {
    (
        $(#[doc = $struct_doc:literal])+
        $vis:vis struct $name:ident {
            $(
                $(#[doc = $doc:literal])+
                $field:ident : $type:ty $(= $default:literal)?, $unit:literal, $trade_off:literal;
            )+
        }
    ) => {
        $(#[doc = $struct_doc])+
        #[derive(Debug, Clone)]
        $vis struct $name {
            $($(#[doc = $doc])+ pub $field: $type,)+
        }

        impl $crate::runtime::Documented for $name {
            const FIELDS: &'static [$crate::runtime::FieldDoc] = &[
                $($crate::settings!(@field $field, $type, [$($default)?], $unit, $trade_off, $($doc)+),)+
            ];

            fn read(
                text_of: &dyn Fn(
                    &$crate::runtime::FieldDoc,
                ) -> ::std::result::Result<
                    ::std::option::Option<::std::string::String>,
                    $crate::runtime::ConfigError,
                >,
            ) -> ::std::result::Result<Self, $crate::runtime::ConfigError> {
                ::std::result::Result::Ok(Self {
                    $($field: $crate::runtime::read_field(
                        &$crate::settings!(@field $field, $type, [$($default)?], $unit, $trade_off, $($doc)+),
                        text_of,
                    )?,)+
                })
            }
        }
    };
    (@field $field:ident, $type:ty, [$($default:literal)?], $unit:literal, $trade_off:literal, $($doc:literal)+) => {
        $crate::runtime::FieldDoc {
            name: ::std::stringify!($field),
            type_name: ::std::stringify!($type),
            unit: $unit,
            default: $crate::settings!(@default $($default)?),
            doc: ::std::concat!($($doc),+),
            trade_off: $trade_off,
        }
    };
    (@default) => { ::std::option::Option::None };
    (@default $default:literal) => { ::std::option::Option::Some($default) };
}
