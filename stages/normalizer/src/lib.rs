//! Stage normalizer.
