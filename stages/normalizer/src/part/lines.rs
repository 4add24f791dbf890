//! Lines of bounded length from a stream of bounded length.

use std::io::{self, BufRead, BufReader, Read};

/// Bytes inflated at a time.
const BUFFER: usize = 256 << 10;

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line<'l> {
    /// Its bytes, without the line's end.
    Whole(&'l [u8]),
    /// It is longer than the bound; it was skipped.
    TooLong,
}

/// Reads lines. The last one need not end.
pub(crate) struct Lines<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
    max_line: usize,
    left: u64,
    /// Bytes of the buffer that the last line took.
    taken: usize,
}

impl<R: Read> Lines<R> {
    pub(crate) fn new(reader: R, max_line: usize, max_total: u64) -> Self {
        let reader = BufReader::with_capacity(BUFFER, reader);
        Self { reader, line: Vec::new(), max_line, left: max_total, taken: 0 }
    }

    /// The next line; none at the end. An error says that the stream broke or is too long.
    pub(crate) fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        self.reader.consume(std::mem::take(&mut self.taken));
        self.line.clear();
        let mut too_long = false;
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                return Ok(match (too_long, self.line.is_empty()) {
                    (true, _) => Some(Line::TooLong),
                    (false, true) => None,
                    (false, false) => Some(Line::Whole(&self.line)),
                });
            }
            let end = memchr::memchr(b'\n', buffer);
            let piece = end.unwrap_or(buffer.len());
            let consumed = piece + usize::from(end.is_some());
            self.left = self
                .left
                .checked_sub(u64::try_from(consumed).unwrap_or(u64::MAX))
                .ok_or_else(|| io::Error::new(io::ErrorKind::FileTooLarge, "larger than the bound once inflated"))?;
            too_long |= self.line.len() + piece > self.max_line;
            if end.is_some() && self.line.is_empty() && !too_long {
                // The usual case: the whole line is in the buffer and need not be copied.
                self.taken = consumed;
                return Ok(Some(Line::Whole(&self.reader.buffer()[..piece])));
            }
            if !too_long {
                self.line.extend_from_slice(&buffer[..piece]);
            }
            self.reader.consume(consumed);
            if end.is_some() {
                return Ok(Some(if too_long { Line::TooLong } else { Line::Whole(&self.line) }));
            }
        }
    }
}
