//! Stage notifier.
