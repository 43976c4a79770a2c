//! What is kept of a crash: the actor, the messages that it had in work, its state before them, what it read of the clock.
//!
//! | file | concern |
//! |---|---|
//! | `capture` | reading it off the regions, once the life is over |
//! | `store` | the directory: bounded, written on a thread of its own |
//! | `hex` | bytes in the file |
//! | `show` | a text for people |
//!
//! A capsule is a JSON file, described in docs/capsules.md. Whoever opens it checks it: what can't be is an error that names
//! it, and no number of it is used as an index before.

pub(crate) mod capture;
mod hex;
mod show;
pub(crate) mod store;

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use airssys_osl::supervise::signal_name;
use airssys_ringbuf::schema::quote;
use serde::{Deserialize, Serialize};

/// What the file says that it is.
const FORMAT: &str = "airssys-capsule";
/// The version of the format.
const VERSION: u32 = 1;
/// The longest file that is opened, in bytes.
const FILE_LEN_MAX: u64 = 1 << 30;
/// No link comes so far; sums with a capacity stay in a word below it.
const POSITION_MAX: u64 = 1 << 62;

/// Why a life ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
#[non_exhaustive]
pub enum Crash {
    /// A panic, with its message where that is known.
    Panic {
        /// What it said.
        message: Option<String>,
    },
    /// A fault signal, or an abort.
    Signal {
        /// Its number on Linux.
        number: i32,
    },
    /// Its own exit.
    Exit {
        /// With this code.
        code: i32,
    },
    /// It made no turn for too long.
    Hang,
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panic {
                message: Some(message),
            } => write!(f, "an actor panicked: {message}"),
            Self::Panic { message: None } => f.write_str("an actor panicked"),
            Self::Signal { number } => write!(f, "killed by {}", signal_name(*number)),
            Self::Exit { code } => write!(f, "exited with code {code}"),
            Self::Hang => f.write_str("hung"),
        }
    }
}

/// A message, with its position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CapsuleMessage {
    /// Its place on the link, counted from zero.
    pub sequence: u64,
    /// When it was sent, in nanoseconds of `CLOCK_MONOTONIC`, on a stamped link.
    pub stamp_ns: Option<u64>,
    /// Its bytes.
    #[serde(with = "hex")]
    pub bytes: Vec<u8>,
}

/// An incoming link at the time of the crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CapsuleInput {
    /// The link.
    pub link: String,
    /// What its messages are: the canonical text of their schema.
    pub schema: String,
    /// Messages that committed steps had received.
    pub received: u64,
    /// How many of the messages the step had in work.
    pub in_work: u64,
    /// The position at which the sender has ended, if it has.
    pub sender_ended: Option<u64>,
    /// The messages from `received` on: those in work, then some of those that waited.
    pub messages: Vec<CapsuleMessage>,
}

/// An outgoing link at the time of the crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CapsuleOutput {
    /// The link.
    pub link: String,
    /// What its messages are: the canonical text of their schema.
    pub schema: String,
    /// Slots.
    pub capacity: u64,
    /// Messages that committed steps had sent.
    pub sent: u64,
    /// Messages that the receiver had given back.
    pub given_back: u64,
    /// Whether the receiver has ended.
    pub receiver_ended: bool,
}

/// A durable cell before the step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CapsuleCell {
    /// Its name.
    pub cell: String,
    /// What it holds: the canonical text of its schema.
    pub schema: String,
    /// Its bytes; none before the actor's first life had set it.
    #[serde(with = "hex::optional")]
    pub bytes: Option<Vec<u8>>,
}

/// A durable collection of the actor, or its undo log, as it lay in the region: changes of the step that died may be in the one,
/// and what undoes them in the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CapsuleSection {
    /// What kind of section.
    pub kind: String,
    /// Its name: the actor, or "actor/name".
    pub name: String,
    /// What it holds: the canonical text of its schema, or nothing.
    pub schema: String,
    /// Its bytes.
    #[serde(with = "hex")]
    pub bytes: Vec<u8>,
}

/// What the step had read of its clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct CapsuleClock {
    /// Nanoseconds of `CLOCK_MONOTONIC`, if it had asked for them.
    pub monotonic_ns: Option<u64>,
    /// Nanoseconds of `CLOCK_REALTIME` since 1970, if it had asked for them.
    pub realtime_ns: Option<u64>,
}

/// All that the supervisor keeps of a crash, to look at and to run the step that died again: see [`replay`](crate::replay).
///
/// Printed with `{}` it is a text for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Capsule {
    format: String,
    version: u32,
    /// The topology's name.
    pub topology: String,
    /// The bus's name.
    pub bus: String,
    /// What tells this bus from every other one: 32 hexadecimal digits.
    pub instance: String,
    /// The partition that died.
    pub partition: String,
    /// The actor whose step it was in.
    pub actor: String,
    /// The n-th life of the partition.
    pub incarnation: u64,
    /// What it died of.
    pub crash: Crash,
    /// When the supervisor saw it dead, in nanoseconds since 1970.
    pub died_at_ns: u64,
    /// Steps that the actor had committed: the one that died is the next.
    pub steps: u64,
    /// What the step had read of its clock.
    pub clock: CapsuleClock,
    /// In the order of their declaration.
    pub inputs: Vec<CapsuleInput>,
    /// In the order of their declaration.
    pub outputs: Vec<CapsuleOutput>,
    /// In the order of their declaration.
    pub cells: Vec<CapsuleCell>,
    /// Its durable collections and their undo log.
    pub sections: Vec<CapsuleSection>,
}

/// A file is no capsule that can be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CapsuleError {
    /// It can't be read.
    #[error("capsule {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the kernel says.
        source: std::io::Error,
    },
    /// It is longer than any capsule.
    #[error("capsule {}: {len} bytes long, expected at most {FILE_LEN_MAX}", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its length.
        len: u64,
    },
    /// It says what can't be.
    #[error("capsule {}: {problem}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is off, and what was expected.
        problem: String,
    },
}

impl Capsule {
    /// Reads and checks the file at `path`, of at most 1 GiB. Any bytes are a capsule or an error.
    ///
    /// # Errors
    ///
    /// [`CapsuleError`]: it can't be read, is too long, of another version, or says what can't be.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, CapsuleError> {
        let path = path.as_ref();
        let io = |source| CapsuleError::Io {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(io)?;
        let len = file.metadata().map_err(io)?.len();
        let too_long = |len| CapsuleError::TooLong {
            path: path.to_owned(),
            len,
        };
        if len > FILE_LEN_MAX {
            return Err(too_long(len));
        }
        let mut bytes = Vec::new();
        // It may be something without a length, or grow.
        file.take(FILE_LEN_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(io)?;
        if bytes.len() as u64 > FILE_LEN_MAX {
            return Err(too_long(bytes.len() as u64));
        }
        Self::from_bytes(&bytes).map_err(|problem| CapsuleError::Malformed {
            path: path.to_owned(),
            problem,
        })
    }

    /// The capsules in a directory by their names, the oldest first, whatever bus they are of. None is opened.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn list(directory: impl AsRef<Path>) -> std::io::Result<Vec<PathBuf>> {
        store::list(directory.as_ref(), None)
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        /// The part that says how to read the rest.
        #[derive(Deserialize)]
        struct Head {
            format: String,
            version: u32,
        }
        let wrong = |error: serde_json::Error| format!("no capsule's JSON: {error}");
        let head: Head = serde_json::from_slice(bytes).map_err(wrong)?;
        if head.format != FORMAT {
            let found = quote(&head.format);
            return Err(format!("format is `{found}`, expected `{FORMAT}`"));
        }
        if head.version != VERSION {
            return Err(format!(
                "version {}, this program reads version {VERSION}; use a program of the version that wrote it",
                head.version
            ));
        }
        let capsule: Self = serde_json::from_slice(bytes).map_err(wrong)?;
        capsule.check()?;
        Ok(capsule)
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// What can't be, of what the types allow.
    fn check(&self) -> Result<(), String> {
        self.instance_number()?;
        if self.steps > POSITION_MAX {
            return Err(format!("{} steps are impossible", self.steps));
        }
        for input in &self.inputs {
            let named = |problem| format!("link `{}`: {problem}", quote(&input.link));
            check_input(input).map_err(named)?;
        }
        for output in &self.outputs {
            let (sent, given_back) = (output.sent, output.given_back);
            let in_flight = sent.checked_sub(given_back);
            let possible = in_flight.is_some_and(|in_flight| in_flight <= output.capacity);
            if !possible || sent > POSITION_MAX || size_of(&output.schema).is_none() {
                return Err(format!(
                    "link `{}`: {sent} messages sent and {given_back} given back are impossible with capacity {} and schema `{}`",
                    quote(&output.link),
                    output.capacity,
                    quote(&output.schema),
                ));
            }
        }
        for cell in &self.cells {
            let expected = size_of(&cell.schema);
            let found = cell.bytes.as_ref().map(Vec::len);
            if expected.is_none() || found.is_some() && found != expected {
                return Err(format!(
                    "cell `{}`: {} bytes, which its schema `{}` doesn't describe",
                    quote(&cell.cell),
                    found.unwrap_or(0),
                    quote(&cell.schema)
                ));
            }
        }
        Ok(())
    }

    /// The bus's instance as a number.
    pub(crate) fn instance_number(&self) -> Result<u128, String> {
        let is_plain = self.instance.len() == 32 && self.instance.is_ascii();
        let number = u128::from_str_radix(&self.instance, 16).ok();
        number.filter(|_| is_plain).ok_or_else(|| {
            format!(
                "instance is `{}`, expected 32 hexadecimal digits",
                quote(&self.instance)
            )
        })
    }
}

fn check_input(input: &CapsuleInput) -> Result<(), String> {
    let schema = || quote(&input.schema);
    let size = size_of(&input.schema)
        .ok_or_else(|| format!("its schema `{}` has no size of a message", schema()))?;
    if input.received > POSITION_MAX || input.in_work > POSITION_MAX {
        return Err(format!(
            "{} messages received and {} in work are impossible",
            input.received, input.in_work
        ));
    }
    for (expected, message) in (input.received..).zip(&input.messages) {
        if message.sequence != expected {
            return Err(format!(
                "message {} where {expected} was expected",
                message.sequence
            ));
        }
        let len = message.bytes.len();
        if len != size {
            return Err(format!(
                "message {expected} has {len} bytes, {size} by its schema `{}`",
                schema()
            ));
        }
    }
    Ok(())
}

/// The bytes of a message by the first line of its schema: name, size, alignment.
fn size_of(schema: &str) -> Option<usize> {
    let size: usize = schema.lines().next()?.rsplit(' ').nth(1)?.parse().ok()?;
    (1..=airssys_ringbuf::layout::MESSAGE_SIZE_MAX)
        .contains(&size)
        .then_some(size)
}

#[cfg(test)]
mod tests;
