//! An async body, read by blocking code on a thread of its own.

use std::io::{self, Read};

use bytes::{Buf as _, Bytes};
use futures::StreamExt as _;
use platform::ports::ByteStream;
use platform::runtime::HandleError;
use tokio::sync::mpsc;

/// Pieces of the body that may wait to be read.
const PIECES_AHEAD: usize = 4;

/// Runs `work` off the async threads on a body that streams in. A body that breaks off is an
/// outage, whatever `work` made of it; work that stops early is fine.
pub(super) async fn read<T: Send + 'static>(
    mut body: ByteStream,
    work: impl FnOnce(Piped) -> T + Send + 'static,
) -> Result<T, HandleError> {
    let (pieces, received) = mpsc::channel(PIECES_AHEAD);
    let working = tokio::task::spawn_blocking(move || work(Piped { received, piece: Bytes::new() }));
    let mut broken = None;
    while let Some(piece) = body.next().await {
        match piece {
            Ok(piece) => {
                if pieces.send(piece).await.is_err() {
                    break;
                }
            }
            Err(error) => {
                broken = Some(error);
                break;
            }
        }
    }
    drop(pieces);
    let made = working.await.map_err(|panicked| HandleError::Outage(panicked.into()))?;
    match broken {
        None => Ok(made),
        Some(error) => Err(HandleError::Outage(anyhow::Error::new(error).context("read a raw part"))),
    }
}

/// The reading end.
pub(super) struct Piped {
    received: mpsc::Receiver<Bytes>,
    piece: Bytes,
}

impl Read for Piped {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.received.blocking_recv() {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let length = self.piece.len().min(buffer.len());
        self.piece.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}
