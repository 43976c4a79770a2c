//! The short form of the campaign `open-bytes`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    airssys_campaign::short("open-bytes")
}
