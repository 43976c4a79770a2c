//! Writes the corpus of the fuzz target `open`: sound regions of several shapes, and some with changes.
//!
//! `cargo run -p airssys-campaign --example open_corpus -- fuzz/corpus/open`, whenever the layout of a region changes.

#![forbid(unsafe_code)]

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args_os().nth(1).map(PathBuf::from);
    let directory = directory.ok_or("usage: open_corpus DIRECTORY")?;
    std::fs::create_dir_all(&directory)?;
    for (name, bytes) in airssys_campaign::corpus() {
        std::fs::write(directory.join(name), bytes)?;
    }
    Ok(())
}
