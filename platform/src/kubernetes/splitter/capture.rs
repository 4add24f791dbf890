//! Keeps the bytes of one value that may span chunks, within a bound.

use bytes::Bytes;

/// The bytes of a value so far. Bytes of the current chunk are only noted, and copied once: when
/// the value or the chunk ends.
#[derive(Debug)]
pub(super) struct Capture {
    kept: Vec<u8>,
    /// Where the value goes on in the current chunk.
    from: usize,
    bound: usize,
    state: Keeping,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keeping {
    Off,
    On,
    /// The value is larger than the bound; nothing of it is held.
    Over,
}

impl Capture {
    pub(super) fn off() -> Self {
        Self { kept: Vec::new(), from: 0, bound: 0, state: Keeping::Off }
    }

    /// Starts at a byte of the current chunk.
    pub(super) fn start(&mut self, at: usize, bound: usize) {
        self.kept.clear();
        self.from = at;
        self.bound = bound;
        self.state = Keeping::On;
    }

    /// A new chunk begins.
    pub(super) fn resume(&mut self) {
        self.from = 0;
    }

    /// The chunk ends, the value does not.
    pub(super) fn suspend(&mut self, chunk: &[u8]) {
        self.add(chunk.get(self.from..).unwrap_or_default());
        self.from = chunk.len();
    }

    /// The value ends before that byte of the chunk: its bytes, or none if they were not kept.
    pub(super) fn take(&mut self, chunk: &[u8], end: usize) -> Option<Bytes> {
        let rest = chunk.get(self.from..end).unwrap_or_default();
        let bytes = match self.state {
            Keeping::On if self.kept.is_empty() && rest.len() <= self.bound => Some(Bytes::copy_from_slice(rest)),
            _ => {
                self.add(rest);
                (self.state == Keeping::On).then(|| std::mem::take(&mut self.kept).into())
            }
        };
        *self = Self::off();
        bytes
    }

    fn add(&mut self, bytes: &[u8]) {
        if self.state != Keeping::On {
            return;
        }
        if self.kept.len().saturating_add(bytes.len()) > self.bound {
            self.kept = Vec::new();
            self.state = Keeping::Over;
        } else {
            self.kept.extend_from_slice(bytes);
        }
    }
}
