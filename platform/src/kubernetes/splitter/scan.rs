//! Finds where one JSON value ends, without looking at what it means.

use memchr::memchr2;

/// Where in a value the scan stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    /// Before the value's first byte.
    Start,
    /// Among brackets, commas, numbers.
    Structure,
    /// In a string.
    Text,
    /// In a string, after a backslash.
    Escape,
    /// In a number or a word.
    Scalar,
}

/// How far a scan came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// The value goes on after this piece.
    More,
    /// The value ended; that many bytes of the piece belong to it.
    Ended(usize),
}

/// A scan of one value, fed in pieces of any size. It balances brackets and skips strings; whether
/// the value is JSON at all is for a parser to say, once its bytes are together.
#[derive(Debug)]
pub(super) struct ValueScan {
    within: Within,
    depth: u32,
    deepest: u32,
}

impl ValueScan {
    /// A scan that stands before a value's first byte, which is no space.
    pub(super) fn new() -> Self {
        Self { within: Within::Start, depth: 0, deepest: 0 }
    }

    /// How deep brackets were nested so far.
    pub(super) fn deepest(&self) -> u32 {
        self.deepest
    }

    /// Goes through the next piece.
    pub(super) fn advance(&mut self, piece: &[u8]) -> Progress {
        let mut at = 0;
        loop {
            match self.within {
                Within::Start => {
                    let Some(first) = piece.first() else { return Progress::More };
                    at = 1;
                    self.within = match first {
                        b'{' | b'[' => {
                            self.depth = 1;
                            self.deepest = 1;
                            Within::Structure
                        }
                        b'"' => Within::Text,
                        _ => Within::Scalar,
                    };
                }
                Within::Structure => match self.structure(piece, at) {
                    Some(end) => return Progress::Ended(end),
                    None => return Progress::More,
                },
                Within::Escape => {
                    if at == piece.len() {
                        return Progress::More;
                    }
                    at += 1;
                    self.within = Within::Text;
                }
                Within::Text => {
                    match end_of_text(&piece[at..]) {
                        TextEnd::After(length) => at += length,
                        TextEnd::Open => return Progress::More,
                        TextEnd::InEscape => {
                            self.within = Within::Escape;
                            return Progress::More;
                        }
                    }
                    if self.depth == 0 {
                        return Progress::Ended(at);
                    }
                    self.within = Within::Structure;
                }
                Within::Scalar => {
                    let ends = |byte: &u8| matches!(byte, b',' | b']' | b'}' | b' ' | b'\n' | b'\r' | b'\t');
                    return match piece[at..].iter().position(ends) {
                        Some(length) => Progress::Ended(at + length),
                        None => Progress::More,
                    };
                }
            }
        }
    }

    /// Goes on among brackets; the end of the value if it lies in this piece. At the piece's end
    /// `within` says whether it stopped inside a string.
    fn structure(&mut self, piece: &[u8], mut at: usize) -> Option<usize> {
        while let Some(byte) = piece.get(at) {
            at += 1;
            match byte {
                b'"' => match end_of_text(&piece[at..]) {
                    TextEnd::After(length) => at += length,
                    TextEnd::Open => {
                        self.within = Within::Text;
                        return None;
                    }
                    TextEnd::InEscape => {
                        self.within = Within::Escape;
                        return None;
                    }
                },
                b'{' | b'[' => {
                    self.depth = self.depth.saturating_add(1);
                    self.deepest = self.deepest.max(self.depth);
                }
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(at);
                    }
                }
                _ => {}
            }
        }
        None
    }
}

/// Where a string ends within the bytes after its opening quote.
enum TextEnd {
    /// After that many bytes, closing quote included.
    After(usize),
    /// Not in these bytes.
    Open,
    /// Not in these bytes, and the last of them is a backslash that escapes the next one.
    InEscape,
}

fn end_of_text(bytes: &[u8]) -> TextEnd {
    let mut at = 0;
    while let Some(found) = memchr2(b'"', b'\\', &bytes[at..]) {
        at += found + 1;
        if bytes[at - 1] == b'"' {
            return TextEnd::After(at);
        }
        if at == bytes.len() {
            return TextEnd::InEscape;
        }
        at += 1;
    }
    TextEnd::Open
}
