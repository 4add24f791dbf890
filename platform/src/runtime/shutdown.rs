//! Stopping: asked for by a signal or by code, seen by everything that runs.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Exit status when a second signal cuts a drain short.
const FORCED_EXIT: i32 = 1;

/// The wish to stop, shared by all loops of a process.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    token: CancellationToken,
}

impl Shutdown {
    /// A wish nobody has made yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes SIGTERM and SIGINT ask for the stop; a second one ends the process at once. Must be
    /// called within the async runtime.
    pub fn on_signals(&self) -> std::io::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let shutdown = self.clone();
        tokio::spawn(async move {
            let mut next = async || {
                tokio::select! {
                    _ = terminate.recv() => "SIGTERM",
                    _ = interrupt.recv() => "SIGINT",
                }
            };
            let first = next().await;
            tracing::info!(signal = first, "stopping");
            shutdown.trigger();
            let second = next().await;
            tracing::error!(signal = second, "stopped at once by a second signal");
            std::process::exit(FORCED_EXIT);
        });
        Ok(())
    }

    /// Asks everything to stop.
    pub fn trigger(&self) {
        self.token.cancel();
    }

    /// Whether the stop was asked for.
    pub fn is_requested(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Waits until the stop is asked for.
    pub async fn requested(&self) {
        self.token.cancelled().await;
    }
}
