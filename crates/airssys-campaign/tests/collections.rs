//! The short form of the campaign `collections`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    airssys_campaign::short("collections")
}
