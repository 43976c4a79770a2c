//! The short form of the campaign `every-instruction`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    airssys_campaign::short("every-instruction")
}
