//! Stage evaluator.
