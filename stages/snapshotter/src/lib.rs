//! Stage snapshotter.
