use std::io;
use std::sync::{Arc, Mutex};

use super::*;
use crate::runtime::Secret;

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Captured {
    type Writer = Self;
    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// The lines that `work` logs, as JSON.
fn logged(project: Option<&str>, work: impl FnOnce()) -> Vec<Value> {
    let captured = Captured::default();
    let subscriber = tracing_subscriber::registry().with(CloudLogging::new(captured.clone(), project));
    tracing::subscriber::with_default(subscriber, work);
    let bytes = captured.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_json_line_has_what_cloud_logging_looks_for() {
    let lines = logged(Some("acme"), || {
        let span = tracing::info_span!("handle", stage = "loader", trace_id = "abc", span_id = "def");
        let _entered = span.enter();
        tracing::warn!(rows = 3_u64, elapsed_ms = 7_u128, ok = true, note = "a \"quoted\"\nnote", "part loaded");
    });
    let line = &lines[0];
    assert_eq!(lines.len(), 1);
    assert_eq!(line["severity"], "WARNING");
    assert_eq!(line["message"], "part loaded");
    assert!(Timestamp::parse(line["time"].as_str().unwrap()).is_ok());
    assert_eq!(line["logging.googleapis.com/trace"], "projects/acme/traces/abc");
    assert_eq!(line["logging.googleapis.com/spanId"], "def");
    assert_eq!((&line["rows"], &line["elapsed_ms"], &line["ok"]), (&3.into(), &7.into(), &true.into()));
    assert_eq!((&line["stage"], &line["note"]), (&"loader".into(), &"a \"quoted\"\nnote".into()));
}

#[test]
fn levels_are_severities_and_fields_cannot_forge_them() {
    let lines = logged(None, || {
        tracing::error!(severity = "fake", time = "fake", "e");
        tracing::info!(trace_id = "abc", "i");
        tracing::debug!("d");
    });
    let severities: Vec<_> = lines.iter().map(|line| line["severity"].as_str().unwrap()).collect();
    assert_eq!(severities, ["ERROR", "INFO", "DEBUG"]);
    assert_eq!((&lines[0]["field_severity"], &lines[0]["field_time"]), (&"fake".into(), &"fake".into()));
    assert_eq!(lines[1]["logging.googleapis.com/trace"], "abc");
}

#[test]
fn fields_recorded_later_and_large_ones_are_kept_within_bounds() {
    let lines = logged(None, || {
        let span = tracing::info_span!("work", id = tracing::field::Empty);
        let _entered = span.enter();
        span.record("id", "late");
        tracing::info!(body = "x".repeat(1_000_000), "big");
    });
    assert_eq!(lines[0]["id"], "late");
    assert_eq!(lines[0]["body"].as_str().unwrap().len(), LONGEST_FIELD);
}

#[test]
fn a_secret_is_not_logged() {
    let secret = Secret::new("s3cret");
    let lines = logged(None, || tracing::info!(?secret, shown = %secret, "has a secret"));
    assert_eq!((&lines[0]["secret"], &lines[0]["shown"]), (&"***".into(), &"***".into()));
    assert!(!lines[0].to_string().contains("s3cret"));
}
