//! The log as a receiver: one structured line.

use async_trait::async_trait;
use schemas::Severity;

use super::{Channel, Outbound, Sending};

/// Writes violations to the log; critical ones as errors, warnings as warnings.
#[derive(Debug, Clone, Copy, Default)]
pub struct Log;

macro_rules! line {
    ($level:ident, $outbound:ident) => {
        tracing::$level!(
            notification_id = %$outbound.notification_id,
            event_id = %$outbound.violation.event_id,
            episode_id = %$outbound.violation.episode_id,
            rule = %$outbound.violation.alert_type,
            state = %$outbound.violation.state,
            cause = %$outbound.violation.cause,
            cluster = %$outbound.violation.cluster,
            namespace = $outbound.violation.namespace,
            deployment = $outbound.violation.deployment_name,
            told = $outbound.violation.message,
            "violation"
        )
    };
}

#[async_trait]
impl Channel for Log {
    fn name(&self) -> &'static str {
        "log"
    }

    async fn send(&self, message: Outbound<'_>) -> Sending {
        match message.violation.severity {
            Severity::Critical => line!(error, message),
            Severity::Warning => line!(warn, message),
            Severity::Info => line!(info, message),
        }
        Sending::Sent
    }
}
