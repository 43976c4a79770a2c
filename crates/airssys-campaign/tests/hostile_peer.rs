//! The short form of the campaign `hostile-peer`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    airssys_campaign::short("hostile-peer")
}
