//! `explain`: what the pipeline would make of files.

use std::io::Write;

use anyhow::Result;
use schemas::ClusterName;

use crate::args::ExplainArgs;
use crate::exit::{Exit, UsageError};
use crate::explain::{self, ExitKind, Options};

/// Prints one line or more per item of each file.
pub fn run(args: &ExplainArgs, out: &mut impl Write) -> Result<Exit> {
    let cluster = ClusterName::parse(&args.cluster).map_err(|error| UsageError(error.to_string()))?;
    let mut out = std::io::BufWriter::new(out);
    let ended = explain::run(&args.files, &Options { cluster, ..Options::default() }, &mut out)?;
    out.flush()?;
    match ended {
        ExitKind::Fine => Ok(Exit::Fine),
        ExitKind::SomeUnreadable(unreadable) => {
            for file in unreadable {
                eprintln!("podledger: {file}");
            }
            Ok(Exit::Failed)
        }
    }
}
