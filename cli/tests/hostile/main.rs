//! Hostile input, end to end: the real `podledger` on files, folders and data directories that are
//! wrong in every way that was thought of. Each test holds it to the same promises: the error names
//! the file and the place, the neighbours of what is wrong are there, nothing is half-written, and
//! the exit code says which kind of ending it was.
#![allow(clippy::unwrap_used, clippy::expect_used)] // In a test a failed unwrap is a failed claim.

mod data_dir;
mod declarations;
mod full_disk;
mod house;
mod names;
mod objects;
mod policy;
mod size;
mod workload;
