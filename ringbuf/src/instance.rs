//! What tells a bus from every other one, also from the next of the same name.
//!
//! A random number of 128 bits in the supervisor's region: written once, when the bus is new, before any partition begins;
//! a resumed bus keeps it. Positions count the messages of one such bus, so only with it do they name a message for ever.

use std::fmt;
use std::fs;
use std::io;

use crate::layout::instance_word;
use crate::memory::{PeerWords, RangeError, Words};
use crate::region::{Region, SectionEntry};
use crate::word::Ordering;

/// One bus, from its creation to its removal. Zero where it has no name among others, as in a unit test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Instance(pub u128);

impl Instance {
    /// A new one, of the kernel's random numbers.
    ///
    /// # Errors
    ///
    /// Where `/proc` can't be read.
    pub fn random() -> io::Result<Self> {
        let text = fs::read_to_string("/proc/sys/kernel/random/uuid")?;
        let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
        u128::from_str_radix(&digits, 16).map(Self).map_err(|_| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("/proc/sys/kernel/random/uuid says {text:?}, which is no UUID"),
            )
        })
    }

    /// The instance section of the supervisor's region, as anybody reads it.
    ///
    /// # Errors
    ///
    /// [`RangeError`] if it is too small.
    pub fn read(supervisor: &Region, section: &SectionEntry) -> Result<Self, RangeError> {
        let words = PeerWords::new(supervisor.memory(), section.offset, instance_word::COUNT)?;
        let half = |word| u128::from(words.load(word, Ordering::Relaxed));
        Ok(Self(
            half(instance_word::HIGH) << 64 | half(instance_word::LOW),
        ))
    }

    /// Writes it into the supervisor's own region.
    ///
    /// # Errors
    ///
    /// [`RangeError`] if the section is too small or the region is mapped read-only.
    pub fn write(self, own: &Region, section: &SectionEntry) -> Result<(), RangeError> {
        let words = Words::new(own.memory(), section.offset, instance_word::COUNT)?;
        let store = |word, half: u128| words.at(word).store(half as u64, Ordering::Relaxed);
        store(instance_word::HIGH, self.0 >> 64);
        store(instance_word::LOW, self.0);
        Ok(())
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at what it didn't expect")]

    use super::*;
    use crate::layout::instance_section;
    use crate::region::{RegionPlan, SectionKind};

    #[test]
    fn it_is_random_and_comes_back() {
        let mut plan = RegionPlan::new("quotes", "supervisor", 0);
        plan.add(instance_section());
        let region = Region::heap(&plan).unwrap();
        let section = region.section(SectionKind::Instance, "instance").unwrap();
        assert_eq!(Instance::read(&region, section).unwrap(), Instance(0));
        let (one, other) = (Instance::random().unwrap(), Instance::random().unwrap());
        assert_ne!(one, other);
        one.write(&region, section).unwrap();
        assert_eq!(Instance::read(&region, section).unwrap(), one);
        assert_eq!(one.to_string().len(), 32);
    }
}
