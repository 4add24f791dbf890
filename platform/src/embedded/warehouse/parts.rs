//! Parts of a load: read through the objects port on the asynchronous side, consumed as plain
//! readers on the thread that holds the transaction, with few pieces in between.

use std::io::{self, Read};

use anyhow::anyhow;
use bytes::{Buf, Bytes};
use futures::TryStreamExt as _;
use tokio::sync::mpsc;

use super::failure::Failure;
use crate::ports::{Objects, PortError, PortResult};

/// Pieces of a part on their way at once; with the store's piece size this bounds memory.
const PIECES_AHEAD: usize = 8;

/// One message of a part's body.
enum Piece {
    Bytes(Bytes),
    /// The part is whole. A body that ends without it was cut off.
    End,
}

/// A part that is wanted, and where its pieces go.
struct Wanted {
    key: String,
    pieces: mpsc::Sender<Piece>,
}

/// Opens parts; lives on the blocking thread.
pub(super) struct PartSource {
    wanted: mpsc::Sender<Wanted>,
}

/// Serves parts; lives on the asynchronous side.
pub(super) struct PartFeed {
    wanted: mpsc::Receiver<Wanted>,
}

/// The two ends. The feed ends when the source is dropped.
pub(super) fn channel() -> (PartSource, PartFeed) {
    let (wanted, receiver) = mpsc::channel(1);
    (PartSource { wanted }, PartFeed { wanted: receiver })
}

impl PartSource {
    /// Starts reading a part.
    pub(super) fn open(&self, key: &str) -> Result<PartReader, Failure> {
        let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
        self.wanted
            .blocking_send(Wanted { key: key.to_owned(), pieces: sender })
            .map_err(|_| PortError::did_not_happen(format!("read object {key}"), anyhow!("the load was given up")))?;
        Ok(PartReader { pieces, current: Bytes::new(), ended: false })
    }
}

impl PartFeed {
    /// Reads the parts that are asked for until nobody can ask any more. The first part that cannot
    /// be read ends it: the reader at the other end then sees a body cut off.
    pub(super) async fn serve(mut self, objects: &dyn Objects) -> PortResult<()> {
        while let Some(Wanted { key, pieces }) = self.wanted.recv().await {
            let attempted = || format!("read object {key}");
            let Some(object) = objects.read(&key).await? else {
                return Err(PortError::never_will(attempted(), anyhow!("there is no such object")));
            };
            let mut body = object.body;
            let mut wanted = true;
            while let Some(piece) =
                body.try_next().await.map_err(|error| PortError::did_not_happen(attempted(), error))?
            {
                wanted = pieces.send(Piece::Bytes(piece)).await.is_ok();
                if !wanted {
                    break;
                }
            }
            // A reader that went away has found something wrong and says so itself.
            if wanted && pieces.send(Piece::End).await.is_err() {
                tracing::debug!(key, "part was not read to its end");
            }
        }
        Ok(())
    }
}

/// A part's bytes.
pub(super) struct PartReader {
    pieces: mpsc::Receiver<Piece>,
    current: Bytes,
    ended: bool,
}

impl Read for PartReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() && !self.ended {
            match self.pieces.blocking_recv() {
                Some(Piece::Bytes(bytes)) => self.current = bytes,
                Some(Piece::End) => self.ended = true,
                None => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the body was cut off")),
            }
        }
        let count = buffer.len().min(self.current.len());
        buffer[..count].copy_from_slice(&self.current[..count]);
        self.current.advance(count);
        Ok(count)
    }
}
