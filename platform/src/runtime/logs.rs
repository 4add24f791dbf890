//! Logs: for people on a terminal, for Cloud Logging otherwise.
//!
//! JSON lines have the fields of Cloud Logging's structured logs
//! (<https://cloud.google.com/logging/docs/structured-logging>): `severity`, `time`, `message`,
//! `logging.googleapis.com/trace` and `…/spanId`; all other fields stand beside them.

use std::io::{IsTerminal as _, Write as _};
use std::str::FromStr;

use anyhow::Context as _;
use schemas::Timestamp;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer};

use crate::nearest::did_you_mean;

/// Longest text of one field, in characters; the rest is cut off.
const LONGEST_FIELD: usize = 8192;

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text when standard error is a terminal, JSON otherwise.
    Auto,
    /// Lines for people.
    Text,
    /// Cloud Logging's JSON.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => {
                let hint = did_you_mean(text, ["auto", "text", "json"]);
                Err(format!("{text:?} is no log format{hint} (expected auto, text or json)"))
            }
        }
    }
}

deserialize_from_text!(LogFormat);

/// Starts logging to standard error. Fails when the filter cannot be read or logs were started
/// before. `trace_project` is the Google Cloud project traces are linked to.
pub fn init_logs(format: LogFormat, filter: &str, trace_project: Option<&str>) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter).with_context(|| format!("log filter {filter:?}"))?;
    let json = match format {
        LogFormat::Auto => !std::io::stderr().is_terminal(),
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let registry = tracing_subscriber::registry().with(filter);
    if json {
        registry.with(CloudLogging::new(std::io::stderr, trace_project)).try_init()
    } else {
        let ansi = std::io::stderr().is_terminal();
        let text = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(ansi).with_target(false);
        registry.with(text).try_init()
    }
    .context("start logging")
}

/// Writes one JSON object per event.
pub(super) struct CloudLogging<W> {
    writer: W,
    trace_project: Option<String>,
}

impl<W> CloudLogging<W> {
    pub(super) fn new(writer: W, trace_project: Option<&str>) -> Self {
        Self { writer, trace_project: trace_project.map(str::to_owned) }
    }

    /// Under its name, or under the name Cloud Logging looks for it.
    fn place(&self, line: &mut Map<String, Value>, name: &str, value: Value) {
        let (name, value) = match (name, value) {
            ("trace_id", Value::String(id)) => {
                let trace = self.trace_project.as_ref().map(|project| format!("projects/{project}/traces/{id}"));
                ("logging.googleapis.com/trace".to_owned(), Value::String(trace.unwrap_or(id)))
            }
            ("span_id", id) => ("logging.googleapis.com/spanId".to_owned(), id),
            // A field must not take the place of what every line has.
            ("severity" | "time", value) => (format!("field_{name}"), value),
            (name, value) => (name.to_owned(), value),
        };
        line.insert(name, value);
    }
}

/// A span's fields, kept with it.
struct SpanFields(Map<String, Value>);

impl<S, W> Layer<S> for CloudLogging<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(SpanFields(fields.0));
        }
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        record.record(&mut fields);
        if let Some(span) = context.span(id)
            && let Some(kept) = span.extensions_mut().get_mut::<SpanFields>()
        {
            kept.0.extend(fields.0);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut line = Map::new();
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(SpanFields(fields)) = span.extensions().get::<SpanFields>() {
                for (name, value) in fields {
                    self.place(&mut line, name, value.clone());
                }
            }
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        for (name, value) in fields.0 {
            self.place(&mut line, &name, value);
        }
        let severity = match *event.metadata().level() {
            Level::ERROR => "ERROR",
            Level::WARN => "WARNING",
            Level::INFO => "INFO",
            Level::DEBUG | Level::TRACE => "DEBUG",
        };
        line.entry("message").or_insert_with(|| Value::String(event.metadata().name().to_owned()));
        line.insert("severity".to_owned(), severity.into());
        line.insert("time".to_owned(), Timestamp::system_now().to_string().into());
        line.insert("target".to_owned(), event.metadata().target().into());
        let mut bytes = Value::Object(line).to_string().into_bytes();
        bytes.push(b'\n');
        // A log that cannot be written has nowhere to say so.
        drop(self.writer.make_writer().write_all(&bytes));
    }
}

/// Collects fields as JSON values.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn insert(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().trim_start_matches("r#").to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value);
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        match u64::try_from(value) {
            Ok(value) => self.insert(field, value),
            Err(_) => self.insert(field, value.to_string()),
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field, value.chars().take(LONGEST_FIELD).collect::<String>());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests;
