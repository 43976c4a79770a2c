//! This program again, under valgrind.

use std::io::ErrorKind;
use std::process::{Command, Output};

use crate::operation::{Operation, Result};

/// The calls of the two runs whose difference counts: what happens once is in both.
pub(crate) const FEW: u64 = 2_048;
pub(crate) const MANY: u64 = 12_288;

/// What `valgrind --version` says.
pub(crate) fn version() -> Result<String> {
    let output = valgrind(&["--version".to_owned()])?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Instructions of one call, by the messages that it handles.
pub(crate) fn per_message(operation: &Operation) -> Result<f64> {
    let few = collected(&operation.name, FEW)?;
    let many = collected(&operation.name, MANY)?;
    let more = many.checked_sub(few).ok_or_else(|| {
        format!(
            "`{}`: {MANY} calls took {many} instructions, {FEW} took {few}",
            operation.name
        )
    })?;
    Ok(more as f64 / ((MANY - FEW) * operation.messages) as f64)
}

fn collected(operation: &str, calls: u64) -> Result<u64> {
    let program = std::env::current_exe()?;
    let arguments = [
        "--tool=callgrind".to_owned(),
        "--callgrind-out-file=/dev/null".to_owned(),
        // Other threads, and what is done around the calls, aren't counted.
        "--toggle-collect=*counted_by_callgrind*".to_owned(),
        program.to_string_lossy().into_owned(),
        "run".to_owned(),
        operation.to_owned(),
        calls.to_string(),
    ];
    let output = valgrind(&arguments)?;
    let said = String::from_utf8_lossy(&output.stderr);
    match collected_of(&said) {
        Some(count) if output.status.success() && count > 0 => Ok(count),
        Some(0) if output.status.success() => Err(
            "valgrind found no function to count in: were this program's symbols stripped?".into(),
        ),
        _ => {
            let status = output.status;
            Err(format!("`{operation}` under valgrind ended with {status}:\n{said}").into())
        }
    }
}

/// The count in what callgrind says at its end.
fn collected_of(said: &str) -> Option<u64> {
    let (_, counts) = said
        .lines()
        .find_map(|line| line.split_once("Collected :"))?;
    counts.trim().parse().ok()
}

fn valgrind(arguments: &[String]) -> Result<Output> {
    Command::new("valgrind")
        .args(arguments)
        .output()
        .map_err(|error| {
            if error.kind() == ErrorKind::NotFound {
                "valgrind isn't installed; it is the package `valgrind` of Linux distributions: \
                 `apt install valgrind`, `dnf install valgrind`"
                    .into()
            } else {
                format!("valgrind can't be started: {error}").into()
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_what_was_collected() {
        let said = "==7== Events    : Ir\n==7== Collected : 120345\n==7== \n==7== I   refs:      120,345\n";
        assert_eq!(collected_of(said), Some(120_345));
        assert_eq!(collected_of("==7== Events    : Ir\n"), None);
    }
}
