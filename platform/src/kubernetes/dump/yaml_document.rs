//! The text of one YAML document, cut out of a file by its separators.

/// Largest YAML document that is read, in bytes. A YAML document cannot be split before it is
/// parsed; dumps larger than this are better written with `-o json`.
pub(super) const YAML_DOCUMENT_BOUND_BYTES: usize = 16 * 1024 * 1024;
/// Whether a line separates YAML documents.
pub(super) fn is_separator(line: &[u8]) -> bool {
    (line.starts_with(b"---") || line.starts_with(b"..."))
        && line.get(3).is_none_or(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
}

/// The text of one YAML document, within its bound.
pub(super) struct YamlDocument {
    pub(super) text: Vec<u8>,
    /// Whether it is larger than the bound; then nothing of it is held.
    pub(super) over: bool,
    /// Whether there is more than comments, directives and the separator.
    pub(super) has_content: bool,
    /// Line it begins at.
    pub(super) line: u64,
}

impl YamlDocument {
    /// An empty document.
    pub(super) fn starting_at(line: u64) -> Self {
        Self { text: Vec::new(), over: false, has_content: false, line }
    }

    /// Adds a line, or a part of one.
    pub(super) fn add(&mut self, piece: &[u8]) {
        if self.over {
            return;
        }
        let bare = piece.strip_prefix(b"---").unwrap_or(piece).trim_ascii();
        self.has_content |= !(bare.is_empty() || bare.starts_with(b"#") || bare.starts_with(b"%"));
        if self.text.len() + piece.len() > YAML_DOCUMENT_BOUND_BYTES {
            self.text = Vec::new();
            self.over = true;
        } else {
            self.text.extend_from_slice(piece);
        }
    }
}
