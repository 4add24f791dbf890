//! Bodies of unknown size, as the client takes them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures::StreamExt as _;
use google_cloud_storage::streaming_source::{SizeHint, StreamingSource};

use crate::ports::ByteStream;

/// Bodies up to this size are gathered and sent in one request; longer ones are streamed in an
/// upload of several, which costs two requests more. In bytes.
const ONE_REQUEST: usize = 1024 * 1024;

/// A body, and what is known of its size.
pub(super) struct Payload {
    /// What was read ahead to learn the size.
    ahead: VecDeque<Bytes>,
    /// What is still to come; none once the size is known.
    rest: Option<Mutex<ByteStream>>,
    broken: Broken,
}

/// Whether the source broke off: then the upload was never finished, and nothing was stored.
#[derive(Debug, Clone, Default)]
pub(super) struct Broken(Arc<AtomicBool>);

impl Broken {
    pub(super) fn is_broken(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Payload {
    /// Reads ahead until the body ends or is long.
    pub(super) async fn of(mut body: ByteStream) -> std::io::Result<Self> {
        let (mut ahead, mut bytes) = (VecDeque::new(), 0);
        let rest = loop {
            match body.next().await.transpose()? {
                None => break None,
                Some(piece) => {
                    bytes += piece.len();
                    if !piece.is_empty() {
                        ahead.push_back(piece);
                    }
                }
            }
            if bytes > ONE_REQUEST {
                break Some(Mutex::new(body));
            }
        };
        Ok(Self { ahead, rest, broken: Broken::default() })
    }

    pub(super) fn broken(&self) -> Broken {
        self.broken.clone()
    }
}

impl StreamingSource for Payload {
    type Error = std::io::Error;

    async fn next(&mut self) -> Option<std::io::Result<Bytes>> {
        if let Some(piece) = self.ahead.pop_front() {
            return Some(Ok(piece));
        }
        // The lock only makes the stream shareable for the compiler: `&mut` needs no locking.
        let rest = self.rest.as_mut()?.get_mut().unwrap_or_else(PoisonError::into_inner);
        let piece = rest.next().await;
        if matches!(piece, Some(Err(_))) {
            self.broken.0.store(true, Ordering::Release);
        }
        piece
    }

    async fn size_hint(&self) -> std::io::Result<SizeHint> {
        let ahead: usize = self.ahead.iter().map(Bytes::len).sum();
        Ok(match self.rest {
            None => SizeHint::with_exact(ahead as u64),
            Some(_) => SizeHint::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(pieces: Vec<std::io::Result<Bytes>>) -> ByteStream {
        Box::pin(futures::stream::iter(pieces))
    }

    async fn all(mut payload: Payload) -> std::io::Result<usize> {
        let mut bytes = 0;
        while let Some(piece) = payload.next().await {
            bytes += piece?.len();
        }
        Ok(bytes)
    }

    #[tokio::test]
    async fn a_short_body_tells_its_size_and_a_long_one_does_not() {
        let short = Payload::of(body(vec![Ok(Bytes::from_static(b"ab")), Ok(Bytes::new())])).await.unwrap();
        assert_eq!(short.size_hint().await.unwrap().exact(), Some(2));
        assert_eq!(all(short).await.unwrap(), 2);
        let pieces = (0..5).map(|_| Ok(Bytes::from(vec![1; ONE_REQUEST / 2]))).collect();
        let long = Payload::of(body(pieces)).await.unwrap();
        assert_eq!(long.size_hint().await.unwrap().upper(), None);
        assert_eq!(all(long).await.unwrap(), ONE_REQUEST / 2 * 5);
    }

    #[tokio::test]
    async fn a_source_that_breaks_off_late_is_remembered() {
        let cut = || Err(std::io::Error::other("cut"));
        assert!(Payload::of(body(vec![cut()])).await.is_err());
        let late = Payload::of(body(vec![Ok(Bytes::from(vec![1; ONE_REQUEST + 1])), cut()])).await.unwrap();
        let broken = late.broken();
        assert!(!broken.is_broken());
        assert!(all(late).await.is_err());
        assert!(broken.is_broken());
    }
}
