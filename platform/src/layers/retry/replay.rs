//! A body that can be sent again as long as what was already taken from it is still in memory.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, ready};

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream;

use crate::ports::ByteStream;

/// Hands out the same body again and again, one attempt at a time.
pub(super) struct ReplayBody(Arc<Mutex<Source>>);

struct Source {
    body: ByteStream,
    /// What was taken from the body so far; `None` once it was more than may be kept.
    kept: Option<Vec<Bytes>>,
    kept_bytes: usize,
    most_bytes: usize,
    ended: bool,
    failed: bool,
    /// The attempt that may read; an older one left behind by its caller gets an error.
    attempt: u64,
}

impl ReplayBody {
    /// Keeps at most `most_bytes` of the body.
    pub(super) fn new(body: ByteStream, most_bytes: usize) -> Self {
        let kept = Some(Vec::new());
        let source = Source { body, kept, kept_bytes: 0, most_bytes, ended: false, failed: false, attempt: 0 };
        Self(Arc::new(Mutex::new(source)))
    }

    /// Whether another attempt would see the whole body.
    pub(super) fn can_start_over(&self) -> bool {
        let source = lock(&self.0);
        source.kept.is_some() && !source.failed
    }

    /// The body from its start. Only meaningful while [`Self::can_start_over`].
    pub(super) fn whole(&self) -> ByteStream {
        let attempt = {
            let mut source = lock(&self.0);
            source.attempt += 1;
            source.attempt
        };
        let shared = Arc::clone(&self.0);
        let mut position = 0;
        Box::pin(stream::poll_fn(move |context| {
            let mut source = lock(&shared);
            if source.attempt != attempt {
                return Poll::Ready(Some(Err(io::Error::other("a later attempt sends this body"))));
            }
            if let Some(piece) = source.kept.as_ref().and_then(|kept| kept.get(position)) {
                position += 1;
                return Poll::Ready(Some(Ok(piece.clone())));
            }
            if source.ended {
                return Poll::Ready(None);
            }
            let next = ready!(source.body.poll_next_unpin(context));
            source.took(&next);
            position += 1;
            Poll::Ready(next)
        }))
    }
}

impl Source {
    /// Keeps what was just taken from the body.
    fn took(&mut self, next: &Option<io::Result<Bytes>>) {
        match next {
            None => self.ended = true,
            Some(Err(_)) => (self.ended, self.failed) = (true, true),
            Some(Ok(piece)) => {
                self.kept_bytes = self.kept_bytes.saturating_add(piece.len());
                if self.kept_bytes > self.most_bytes {
                    self.kept = None;
                } else if let Some(kept) = &mut self.kept {
                    kept.push(piece.clone());
                }
            }
        }
    }
}

/// A panic while the lock was held left the body where it was.
fn lock(source: &Mutex<Source>) -> MutexGuard<'_, Source> {
    source.lock().unwrap_or_else(PoisonError::into_inner)
}
