//! What is refused before the kernel is asked. A refusal is no error that a retry could cure.

use std::fs;
use std::io::ErrorKind;

use rustix::process::Signal;

use crate::core::result::{OSError, OSResult};
use crate::operations::ProcessSpawnOperation;
use crate::supervise::setup::named;

const PID_MAX: u32 = i32::MAX.cast_unsigned();

pub(super) fn spawn(operation: &ProcessSpawnOperation) -> OSResult<()> {
    if operation.command.is_empty() {
        let reason = "Command cannot be empty: give the path or the name of a program";
        return Err(OSError::process_error("spawn", reason));
    }
    operation
        .working_dir
        .as_deref()
        .map_or(Ok(()), working_dir)
        .map_err(|reason| OSError::process_error(format!("spawn `{}`", operation.command), reason))
}

fn working_dir(dir: &str) -> Result<(), String> {
    match fs::metadata(dir) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(format!("working directory `{dir}` is not a directory")),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(format!("working directory `{dir}` does not exist"))
        }
        Err(error) => Err(format!("working directory `{dir}`: {error}")),
    }
}

pub(super) fn kill(pid: u32) -> OSResult<Signal> {
    let reason = match pid {
        0 => "Cannot kill process with PID 0: it stands for the caller's own process group",
        1 => "Cannot kill init process (PID 1)",
        2..=PID_MAX => return Ok(Signal::KILL),
        _ => &too_large("kill", pid),
    };
    Err(OSError::process_error(format!("kill {pid}"), reason))
}

pub(super) fn signal(pid: u32, signal: i32) -> OSResult<Signal> {
    let operation = format!("signal {pid}");
    let reason = match pid {
        0 => {
            "Cannot send signal to process with PID 0: it stands for the caller's own process group"
        }
        1 => "Cannot send signal to init process (PID 1)",
        2..=PID_MAX => return named(&operation, signal),
        _ => &too_large("send signal to", pid),
    };
    Err(OSError::process_error(operation, reason))
}

/// As a signed number it would be negative, and so stand for a process group.
fn too_large(what: &str, pid: u32) -> String {
    format!("Cannot {what} process with PID {pid}: the largest PID is {PID_MAX}")
}
