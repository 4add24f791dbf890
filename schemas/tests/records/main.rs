//! Every message and every row: written, read, damaged, and as past versions wrote them.
#![allow(clippy::unwrap_used)] // A failed unwrap here is a failed test.

mod golden;
mod round_trip;
mod support;
