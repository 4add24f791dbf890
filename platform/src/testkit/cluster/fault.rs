//! What an API server can do wrong.

use bytes::Bytes;

/// A way to answer other than asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A `Status` with that code.
    Status(u16),
    /// A `Status` with that code, and how many seconds to wait.
    RetryAfter(u16, u64),
    /// 200 with this body instead.
    Body(Bytes),
    /// The right answer up to its middle, then the connection breaks.
    Aborted,
    /// The right answer up to its middle, then a proper end.
    CutOff,
    /// The right answer up to its middle, then nothing more, with the connection held open.
    StandStill,
    /// No answer at all, with the connection held open.
    NoAnswer,
    /// The right page, of another resource version.
    OtherVersion,
}

impl Fault {
    /// Whether the page stops at its middle.
    pub(super) fn stops_half_way(&self) -> bool {
        matches!(self, Self::Aborted | Self::CutOff | Self::StandStill)
    }
}

/// A fault for some requests of one path.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    pub(super) path: String,
    /// Requests of the path it is for, counted from 1.
    pub(super) requests: std::ops::RangeInclusive<u64>,
    pub(super) fault: Fault,
}
