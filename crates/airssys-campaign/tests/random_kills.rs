//! The short form of the campaign `random-kills`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    airssys_campaign::short("random-kills")
}
