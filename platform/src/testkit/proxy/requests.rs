//! Where HTTP/1 requests begin and end in what a client sends.
//! <https://www.rfc-editor.org/rfc/rfc9112#section-6>

use std::borrow::Cow;

/// Longest head of a request that is looked at, in bytes; what is longer passes unseen.
const LONGEST_HEAD: usize = 64 * 1024;
/// Longest line with a chunk's size, in bytes.
const LONGEST_SIZE_LINE: usize = 1024;
const END_OF_LINE: &[u8] = b"\r\n";
const END_OF_HEAD: &[u8] = b"\r\n\r\n";
/// How HTTP/2 begins, in the form of a request.
const HTTP_2: &str = "PRI * HTTP/2";

/// A piece of what a client sends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// Bytes that are no HTTP/1, or none any more.
    Opaque(Cow<'a, [u8]>),
    /// A request's head, whole.
    Head {
        /// Its first line.
        first_line: String,
        /// All of it.
        bytes: Vec<u8>,
        /// Whether the request has no body.
        ends: bool,
    },
    /// Bytes of a request's body, in its transfer coding.
    Body {
        /// The bytes.
        bytes: &'a [u8],
        /// Whether the request ends with them.
        ends: bool,
    },
}

/// Takes what a client sends apart.
#[derive(Debug)]
pub(super) struct Requests {
    state: State,
}

#[derive(Debug)]
enum State {
    Head(Vec<u8>),
    /// Bytes of the body that are still to come.
    Length(u64),
    Chunked(Chunk),
    Opaque,
}

#[derive(Debug)]
enum Chunk {
    /// In the line with its size.
    Size(Vec<u8>),
    /// In its content and the end of line after it; bytes still to come.
    Content(u64),
    /// In the lines after the last one; bytes of the current one.
    Trailer(u64),
}

impl Requests {
    pub(super) fn new() -> Self {
        Self { state: State::Head(Vec::new()) }
    }

    /// The next piece of the bytes, which are taken from their front; none once they are used up.
    pub(super) fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Option<Piece<'a>> {
        if bytes.is_empty() {
            return None;
        }
        match &mut self.state {
            State::Opaque => Some(Piece::Opaque(Cow::Borrowed(std::mem::take(bytes)))),
            State::Head(head) => {
                // Only what is new, and the few bytes before in which the end may have begun.
                let from = head.len().saturating_sub(END_OF_HEAD.len() - 1);
                let had = head.len();
                head.extend_from_slice(bytes);
                match position(head.get(from..).unwrap_or_default(), END_OF_HEAD) {
                    Some(at) => {
                        let whole = from + at + END_OF_HEAD.len();
                        head.truncate(whole);
                        *bytes = bytes.get(whole - had..).unwrap_or_default();
                        Some(self.head())
                    }
                    None => {
                        *bytes = &[];
                        let passes = head.len() > LONGEST_HEAD || !may_be_a_request(head);
                        passes.then(|| Piece::Opaque(Cow::Owned(self.give_up())))
                    }
                }
            }
            State::Length(left) => {
                let now = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                let (body, rest) = bytes.split_at(now);
                *left -= now as u64;
                let ends = *left == 0;
                *bytes = rest;
                if ends {
                    self.state = State::Head(Vec::new());
                }
                Some(Piece::Body { bytes: body, ends })
            }
            State::Chunked(chunk) => {
                let all = *bytes;
                let step = chunk.advance(bytes);
                let taken = all.get(..all.len() - bytes.len()).unwrap_or_default();
                match step {
                    Step::Goes => Some(Piece::Body { bytes: taken, ends: false }),
                    Step::Ends => {
                        self.state = State::Head(Vec::new());
                        Some(Piece::Body { bytes: taken, ends: true })
                    }
                    Step::Broken => {
                        self.state = State::Opaque;
                        Some(Piece::Opaque(Cow::Borrowed(taken)))
                    }
                }
            }
        }
    }

    /// What was held back of a head that did not end.
    pub(super) fn unfinished(&mut self) -> Vec<u8> {
        match &mut self.state {
            State::Head(head) => std::mem::take(head),
            _ => Vec::new(),
        }
    }

    /// The head is whole: what it is, and what follows it.
    fn head(&mut self) -> Piece<'static> {
        let bytes = self.unfinished();
        let text = String::from_utf8_lossy(&bytes);
        let mut lines = text.split("\r\n");
        let first_line = lines.next().unwrap_or_default().to_owned();
        if first_line.starts_with(HTTP_2) || !is_request_line(&first_line) {
            self.state = State::Opaque;
            return Piece::Opaque(Cow::Owned(bytes));
        }
        let (mut length, mut chunked, mut upgrades) = (0, false, false);
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
            match name.as_str() {
                "content-length" => length = value.parse().unwrap_or(0),
                "transfer-encoding" => chunked = value.to_ascii_lowercase().contains("chunked"),
                "upgrade" => upgrades = true,
                _ => {}
            }
        }
        let ends = !chunked && length == 0;
        self.state = match (upgrades, chunked, length) {
            (true, ..) => State::Opaque,
            (_, true, _) => State::Chunked(Chunk::Size(Vec::new())),
            (_, _, 0) => State::Head(Vec::new()),
            (_, _, length) => State::Length(length),
        };
        Piece::Head { first_line, bytes, ends: ends || upgrades }
    }

    fn give_up(&mut self) -> Vec<u8> {
        let held = self.unfinished();
        self.state = State::Opaque;
        held
    }
}

enum Step {
    Goes,
    Ends,
    Broken,
}

impl Chunk {
    /// Takes bytes from the front, up to the end of the body.
    fn advance(&mut self, bytes: &mut &[u8]) -> Step {
        while let Some((first, rest)) = bytes.split_first() {
            match self {
                Self::Size(line) => {
                    *bytes = rest;
                    if *first != b'\n' {
                        line.push(*first);
                        if line.len() > LONGEST_SIZE_LINE {
                            return Step::Broken;
                        }
                        continue;
                    }
                    let text = String::from_utf8_lossy(line);
                    let digits = text.split(';').next().unwrap_or_default().trim();
                    *self = match u64::from_str_radix(digits, 16) {
                        Ok(0) => Self::Trailer(0),
                        Ok(size) => Self::Content(size.saturating_add(END_OF_LINE.len() as u64)),
                        Err(_) => return Step::Broken,
                    };
                }
                Self::Content(left) => {
                    let now = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    *bytes = bytes.get(now..).unwrap_or_default();
                    *left -= now as u64;
                    if *left == 0 {
                        *self = Self::Size(Vec::new());
                    }
                }
                Self::Trailer(length) => {
                    *bytes = rest;
                    match first {
                        b'\n' if *length == 0 => return Step::Ends,
                        b'\n' => *length = 0,
                        b'\r' => {}
                        _ => *length = length.saturating_add(1),
                    }
                }
            }
        }
        Step::Goes
    }
}

/// Whether a head that is not whole yet may become one of HTTP/1.
fn may_be_a_request(head: &[u8]) -> bool {
    match position(head, END_OF_LINE) {
        Some(at) => is_request_line(&String::from_utf8_lossy(head.get(..at).unwrap_or_default())),
        None => head.first().is_some_and(u8::is_ascii_uppercase),
    }
}

fn is_request_line(line: &str) -> bool {
    line.ends_with(" HTTP/1.1") || line.ends_with(" HTTP/1.0")
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, wanted)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a stream that comes in pieces of those sizes is taken for: the requests' first lines, and
    /// all bytes that would be passed on.
    fn taken_apart(stream: &[u8], sizes: &[usize]) -> (Vec<String>, Vec<u8>, usize) {
        let (mut requests, mut lines, mut passed, mut ended) = (Requests::new(), Vec::new(), Vec::new(), 0);
        let (mut rest, mut sizes) = (stream, sizes.iter().cycle());
        while !rest.is_empty() {
            let (mut now, later) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
            rest = later;
            while let Some(piece) = requests.next(&mut now) {
                let ends = match piece {
                    Piece::Opaque(bytes) => {
                        passed.extend_from_slice(&bytes);
                        false
                    }
                    Piece::Head { first_line, bytes, ends } => {
                        lines.push(first_line);
                        passed.extend(bytes);
                        ends
                    }
                    Piece::Body { bytes, ends } => {
                        passed.extend_from_slice(bytes);
                        ends
                    }
                };
                ended += usize::from(ends);
            }
        }
        passed.extend(requests.unfinished());
        (lines, passed, ended)
    }

    const THREE: &[u8] = b"GET /a HTTP/1.1\r\nhost: x\r\n\r\n\
        POST /b HTTP/1.1\r\nContent-Length: 20\r\n\r\nGET /no HTTP/1.1\r\n\r\n\
        PUT /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\n\r\n\r\n\r\r\n1A\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nt: v\r\n\r\n\
        HEAD /d HTTP/1.0\r\n\r\n";

    proptest! {
        #[test]
        fn requests_are_found_however_their_bytes_come_in(sizes in prop::collection::vec(1_usize..50, 1..20)) {
            let (lines, passed, ended) = taken_apart(THREE, &sizes);
            prop_assert_eq!(lines, ["GET /a HTTP/1.1", "POST /b HTTP/1.1", "PUT /c HTTP/1.1", "HEAD /d HTTP/1.0"]);
            prop_assert_eq!(ended, 4);
            prop_assert_eq!(passed, THREE);
        }

        #[test]
        fn any_bytes_pass_unchanged(
            stream in prop::collection::vec(any::<u8>(), 0..2000),
            sizes in prop::collection::vec(1_usize..50, 1..20),
        ) {
            prop_assert_eq!(taken_apart(&stream, &sizes).1, stream);
        }
    }

    #[test]
    fn what_is_not_http_1_is_not_held_back() {
        let http_2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0";
        for stream in [&http_2[..], b"\x16\x03\x01", b"EHLO me\r\n"] {
            let (mut requests, mut bytes) = (Requests::new(), stream);
            let mut passed = Vec::new();
            while let Some(piece) = requests.next(&mut bytes) {
                let Piece::Opaque(some) = piece else { panic!("{piece:?}") };
                passed.extend_from_slice(&some);
            }
            assert_eq!(passed, stream);
        }
    }

    #[test]
    fn a_head_without_an_end_is_bounded() {
        let endless = [b"GET /".as_slice(), &vec![b'x'; LONGEST_HEAD + 1]].concat();
        let (mut requests, mut bytes) = (Requests::new(), endless.as_slice());
        let Some(Piece::Opaque(passed)) = requests.next(&mut bytes) else { panic!("it is let go") };
        assert_eq!(passed, endless);
    }
}
