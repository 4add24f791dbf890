//! What is in a file: opened without following links, unpacked, and its form found by looking.

use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::kubernetes::splitter::{Piece, Splitter};

/// Bytes read at once.
const BUFFER_BYTES: usize = 256 * 1024;
/// Most bytes read of one file, unpacked: what a packed file may grow to.
const CONTENT_BOUND_BYTES: u64 = 64 * 1024 * 1024 * 1024;

/// The form of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Nothing but white space.
    Empty,
    /// JSON values one after the other.
    Json,
    /// A JSON value on each line.
    JsonLines,
    /// YAML documents.
    Yaml,
    /// Text in UTF-16, as some shells write it.
    Utf16,
    /// No text.
    Binary,
}

/// Bytes of a file, unpacked.
pub(super) type Content = BufReader<Box<dyn Read>>;

/// Opens a regular file and finds its form.
pub(super) fn open(path: &Path) -> io::Result<(Form, Content)> {
    // Neither a link nor a pipe that took the file's place since it was listed is followed.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    unpack(file)
}

fn unpack(file: impl Read + 'static) -> io::Result<(Form, Content)> {
    let mut packed = BufReader::with_capacity(BUFFER_BYTES, file);
    let gzip = packed.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    let plain: Box<dyn Read> = if gzip { Box::new(MultiGzDecoder::new(packed)) } else { Box::new(packed) };
    let mut plain: Box<dyn Read> = Box::new(plain.take(CONTENT_BOUND_BYTES));
    let mut head = Vec::new();
    plain.by_ref().take(BUFFER_BYTES as u64).read_to_end(&mut head)?;
    let whole = head.len() < BUFFER_BYTES;
    let form = form(&head, whole);
    let marked = head.starts_with(BYTE_ORDER_MARK);
    let head = io::Cursor::new(head.split_off(if marked { BYTE_ORDER_MARK.len() } else { 0 }));
    Ok((form, BufReader::with_capacity(BUFFER_BYTES, Box::new(head.chain(plain)))))
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The form of a text that begins so; `whole` says that nothing follows.
fn form(head: &[u8], whole: bool) -> Form {
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return Form::Utf16;
    }
    if head.contains(&0) {
        return Form::Binary;
    }
    let text = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head).trim_ascii_start();
    let mut tokens = text.iter().filter(|byte| !byte.is_ascii_whitespace());
    match (tokens.next(), tokens.next()) {
        (None, _) if whole => Form::Empty,
        (Some(b'{'), Some(b'"' | b'}') | None) | (Some(b'['), Some(b'{' | b'[' | b']' | b'"') | None) => {
            if value_per_line(text, whole) {
                Form::JsonLines
            } else {
                Form::Json
            }
        }
        _ => Form::Yaml,
    }
}

/// Whether the first line is a whole value, and the second as well if there is one.
fn value_per_line(text: &[u8], whole: bool) -> bool {
    let mut lines = text.split_inclusive(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    let is_value = |line: &[u8]| {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut splitter = Splitter::default();
        splitter.feed(line, &mut pieces).is_ok() && splitter.finish(&mut pieces).is_ok()
    };
    let first = lines.next().is_some_and(|line| line.ends_with(b"\n") && is_value(line));
    first
        && match lines.next() {
            None => true,
            // A line that the look ahead cuts off begins, at least, as one.
            Some(line) if !line.ends_with(b"\n") && !whole => line.len() > 1,
            // A broken second line is a broken line if it does not look like a printed object's first.
            Some(line) => is_value(line) || line.trim_ascii().len() > 1,
        }
}

/// The next bytes; none at the end.
pub(super) fn next_bytes(content: &mut Content) -> io::Result<Option<&[u8]>> {
    let bytes = content.fill_buf()?;
    Ok((!bytes.is_empty()).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_found_by_looking() {
        for (text, expected) in [
            (&b""[..], Form::Empty),
            (b" \n\t", Form::Empty),
            (b"{\n  \"kind\": \"List\"", Form::Json),
            (b"{\"a\":1}", Form::Json),
            (b"{\"a\":1}\n", Form::JsonLines),
            (b"{\"a\":1}\n{\"b\":2}\n", Form::JsonLines),
            (b"{\"a\":1}\n{\"b\":\n{\"c\":3}\n", Form::JsonLines),
            (b"{\"a\":1}\n{\n\"b\":2}\n", Form::Json),
            (b"\xef\xbb\xbf{\"a\":1}", Form::Json),
            (b"[\n{}]", Form::Json),
            (b"{{ .Values.x }}: 1", Form::Yaml),
            (b"{a: 1}", Form::Yaml),
            (b"# comment\nkind: Pod\n", Form::Yaml),
            (b"[section]\nkey = 1\n", Form::Yaml),
            (b"\xff\xfe{\0", Form::Utf16),
            (b"\x89PNG\0", Form::Binary),
        ] {
            assert_eq!(form(text, true), expected, "{:?}", String::from_utf8_lossy(text));
        }
    }
}
