//! Stage loader.
