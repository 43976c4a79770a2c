//! Where this process has something mapped, by the kernel's account.

use std::fs;
use std::ops::Range;
use std::path::Path;

use crate::failure::Failure;

/// One line of `/proc/self/maps`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mapped {
    /// From its first byte to the one behind its last.
    pub(crate) addresses: Range<usize>,
    /// May be read.
    pub(crate) readable: bool,
    /// May be written.
    pub(crate) writable: bool,
    /// The file's name, or what the kernel says instead.
    pub(crate) name: String,
}

impl Mapped {
    /// Whether any access faults.
    pub(crate) fn is_guard(&self) -> bool {
        !self.readable && !self.writable
    }

    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split_ascii_whitespace();
        let (first, end) = fields.next()?.split_once('-')?;
        let access = fields.next()?;
        let address = |text| usize::from_str_radix(text, 16).ok();
        Some(Self {
            addresses: address(first)?..address(end)?,
            readable: access.starts_with('r'),
            writable: access.as_bytes().get(1) == Some(&b'w'),
            name: fields.skip(3).collect::<Vec<_>>().join(" "),
        })
    }
}

/// Everything that is mapped, by address.
pub(crate) fn all() -> Result<Vec<Mapped>, Failure> {
    let text = fs::read_to_string("/proc/self/maps")
        .map_err(|error| Failure::broken("reading /proc/self/maps", error))?;
    text.lines()
        .map(|line| Mapped::parse(line).ok_or_else(|| Failure::broken("reading a mapping", line)))
        .collect()
}

/// The mappings of that file, with those that lie right before and behind each.
pub(crate) fn of(path: &Path) -> Result<Vec<[Mapped; 3]>, Failure> {
    let all = all()?;
    let name = path.to_string_lossy();
    let around = |three: &[Mapped]| -> Option<[Mapped; 3]> {
        let [before, own, behind] = three else {
            return None;
        };
        let touches = before.addresses.end == own.addresses.start
            && own.addresses.end == behind.addresses.start;
        (touches && own.name.starts_with(&*name))
            .then(|| [before.clone(), own.clone(), behind.clone()])
    };
    Ok(all.windows(3).filter_map(around).collect())
}
