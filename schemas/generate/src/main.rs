//! Writes `schemas/src/generated` anew.

use anyhow::Result;
use podledger_schemas_generate::{format_rust, generate, keep_history, schemas_dir};

fn main() -> Result<()> {
    let folder = schemas_dir().join("src/generated");
    std::fs::create_dir_all(&folder)?;
    for kept in keep_history(&schemas_dir())? {
        eprintln!("kept {}", kept.display());
    }
    for file in generate(&schemas_dir())? {
        std::fs::write(folder.join(&file.name), format_rust(&file.text)?)?;
    }
    Ok(())
}
