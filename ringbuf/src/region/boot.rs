//! The identity of this boot: what lay in shared memory before a reboot, or came from another machine, is not ours.

use std::fmt;
use std::fs;
use std::io;

const SOURCE: &str = "/proc/sys/kernel/random/boot_id";

/// The kernel's random id of this boot, equal in every process until the machine restarts.
///
/// # Errors
///
/// What reading `/proc/sys/kernel/random/boot_id` says; `InvalidData` when it holds no UUID.
pub fn boot_id() -> io::Result<[u8; 16]> {
    let text = fs::read_to_string(SOURCE)?;
    parse(text.trim_end()).ok_or_else(|| {
        let why = format!("{SOURCE}: found {text:?}, expected a UUID");
        io::Error::new(io::ErrorKind::InvalidData, why)
    })
}

fn parse(text: &str) -> Option<[u8; 16]> {
    let digits: Vec<u32> = text
        .chars()
        .filter(|c| *c != '-')
        .map(|c| c.to_digit(16))
        .collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits
        .chunks_exact(2)
        .map(|pair| u8::try_from(pair[0] << 4 | pair[1]).ok())
        .collect::<Option<_>>()?;
    (digits.len() == 32).then(|| bytes.try_into().ok())?
}

/// A boot id as the kernel prints it.
pub(super) struct Uuid<'a>(pub(super) &'a [u8; 16]);

impl fmt::Display for Uuid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let dash = if matches!(index, 4 | 6 | 8 | 10) {
                "-"
            } else {
                ""
            };
            write!(f, "{dash}{byte:02x}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_id_survives_printing_and_parsing() {
        let text = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";
        let id = parse(text).expect("a UUID");
        assert_eq!(id[0], 0x0a);
        assert_eq!(Uuid(&id).to_string(), text);
        for bad in [
            "",
            "0a",
            &text[1..],
            &format!("{text}0"),
            &text.replace('0', "g"),
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_kernel_names_one_boot() {
        let id = boot_id().expect("Linux has a boot id");
        assert_eq!(id, boot_id().expect("Linux has a boot id"));
        assert_ne!(id, [0; 16]);
    }
}
