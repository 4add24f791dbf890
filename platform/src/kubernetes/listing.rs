//! Listings of objects that are at hand.

use std::collections::VecDeque;

use bytes::Bytes;
use futures::StreamExt as _;

use crate::ports::{KindPage, Listing, RawObject};

/// A listing of nothing.
pub(super) fn empty() -> Listing {
    Listing {
        api_version: String::new(),
        resource_version: String::new(),
        known_gaps: None,
        pages: futures::stream::empty().boxed(),
    }
}

/// A listing of one object.
pub(super) fn of_one(object: Bytes) -> Listing {
    let page = KindPage { objects: vec![RawObject::Json(object)] };
    Listing { pages: futures::stream::iter([Ok(page)]).boxed(), ..empty() }
}

/// Objects on a page at most.
pub(super) const PAGE_OBJECTS: usize = 500;
/// Bytes at which a page is full, however few objects it holds.
pub(super) const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// Puts objects on pages of bounded size.
#[derive(Debug, Default)]
pub(super) struct Pager {
    ready: VecDeque<KindPage>,
    open: Vec<RawObject>,
    open_bytes: usize,
    bytes: usize,
}

impl Pager {
    /// Adds an object to the open page.
    pub(super) fn push(&mut self, object: RawObject) {
        let size = match &object {
            RawObject::Json(bytes) => bytes.len(),
            RawObject::Unreadable { place, reason } => place.len() + reason.len(),
        };
        self.bytes = self.bytes.saturating_add(size);
        self.open_bytes = self.open_bytes.saturating_add(size);
        self.open.push(object);
        if self.open.len() >= PAGE_OBJECTS || self.open_bytes >= PAGE_BYTES {
            self.close();
        }
    }

    /// Bytes of all objects that wait.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// A full page, if there is one.
    pub(super) fn full(&mut self) -> Option<KindPage> {
        let page = self.ready.pop_front()?;
        if self.ready.is_empty() {
            self.bytes = self.open_bytes;
        }
        Some(page)
    }

    /// A page, full or not, if anything waits.
    pub(super) fn any(&mut self) -> Option<KindPage> {
        if self.ready.is_empty() && !self.open.is_empty() {
            self.close();
        }
        self.full()
    }

    fn close(&mut self) {
        self.ready.push_back(KindPage { objects: std::mem::take(&mut self.open) });
        self.open_bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_bounded_in_objects_and_bytes_and_nothing_is_lost() {
        let mut pager = Pager::default();
        for size in (0..1201).map(|n| if n == 700 { PAGE_BYTES } else { 10 }) {
            pager.push(RawObject::Json(vec![b' '; size].into()));
        }
        let lengths: Vec<_> = std::iter::from_fn(|| pager.any()).map(|page| page.objects.len()).collect();
        assert_eq!(lengths, [500, 201, 500]);
        assert_eq!(pager.bytes(), 0);
    }
}
