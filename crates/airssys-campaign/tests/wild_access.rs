//! The short form of the campaign `wild-access`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    airssys_campaign::short("wild-access")
}
