//! The plan of a region: which sections, and where they will lie.

use super::directory::{self, Inspection, SectionEntry, SectionKind, shown};
use super::error::CreateError;
use super::header::{self, ENTRY_LEN, HEADER_LEN, Header, LAYOUT_VERSION};
use super::{FILE_LEN_MAX, PAGE, SECTIONS_MAX, STRINGS_LEN_MAX};
use crate::memory::LINE_PAIR;
use crate::schema;

/// From this length on rings are staggered; a smaller one doesn't fill the first-level cache's sets.
const STAGGERED_LEN_MIN: usize = 16 << 10;

/// A section that a region shall have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// What it holds.
    pub kind: SectionKind,
    /// Unique among those of its kind; up to 127 bytes without control characters; may contain `/`.
    pub name: String,
    /// Its length in bytes, at least 1.
    pub len: usize,
    /// Its alignment, a power of two from 64 to 4096. It gets at least 128 in any case.
    pub align: usize,
    /// How many items it holds.
    pub count: u64,
    /// Bytes from item to item; `count * stride` is at most `len`.
    pub stride: u64,
    /// The canonical text of the messages' schema, or nothing.
    pub schema: String,
}

/// Everything that a region file is made of.
///
/// A plan may be wrong while it is being built; [`create`](Self::create) says how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegionPlan {
    pub(super) bus: String,
    pub(super) owner: String,
    digest: u64,
    sections: Vec<Section>,
}

/// A plan that holds: offsets, and the bytes that the file starts with.
pub(super) struct Layout {
    entries: Vec<SectionEntry>,
    /// Indices of the entries by kind and name.
    order: Vec<usize>,
    pub(super) file_len: usize,
}

impl RegionPlan {
    /// A region without sections, of `owner` on `bus`, for the topology with that digest.
    #[must_use]
    pub fn new(bus: &str, owner: &str, digest: u64) -> Self {
        Self {
            bus: bus.to_owned(),
            owner: owner.to_owned(),
            digest,
            sections: Vec::new(),
        }
    }

    /// Appends a section.
    pub fn add(&mut self, section: Section) -> &mut Self {
        self.sections.push(section);
        self
    }

    /// The sections so far, in the order of their addition.
    #[must_use]
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The file's length in bytes, a multiple of 4096, with header and directory; `usize::MAX` for a plan that
    /// [`create`](Self::create) refuses.
    #[must_use]
    pub fn size(&self) -> usize {
        self.layout().map_or(usize::MAX, |layout| layout.file_len)
    }

    /// One sentence on what this plan and a region's directory disagree about, or `None` if the sections agree.
    ///
    /// For the message about two digests that differ: policies, which no directory shows, may differ all the same.
    #[must_use]
    pub fn difference(&self, theirs: &Inspection) -> Option<String> {
        for ours in &self.sections {
            let named = format!("{} `{}`", ours.kind, shown(&ours.name));
            let Some(their) = theirs.section(ours.kind, &ours.name) else {
                return Some(format!("{named} is in this program only"));
            };
            if let Some(difference) = schema::difference(&ours.schema, &their.schema) {
                return Some(format!("{named}: {difference}"));
            }
            let numbers = [
                ("count", ours.count, their.count),
                ("stride", ours.stride, their.stride),
                ("length", ours.len as u64, their.len as u64),
            ];
            if let Some((what, our, their)) =
                numbers.into_iter().find(|(_, our, their)| our != their)
            {
                return Some(format!(
                    "{named}: its {what} is {our} in this program, {their} in the region"
                ));
            }
        }
        let ours = |their: &&SectionEntry| {
            self.sections
                .iter()
                .any(|our| (our.kind, &our.name) == (their.kind, &their.name))
        };
        let extra = theirs.sections.iter().find(|their| !ours(their))?;
        Some(format!(
            "{} `{}` is in the region only",
            extra.kind,
            shown(&extra.name)
        ))
    }

    /// Where everything will lie.
    pub(super) fn layout(&self) -> Result<Layout, CreateError> {
        self.check_names()?;
        let strings_len = self.strings_len();
        if self.sections.len() > SECTIONS_MAX || strings_len > STRINGS_LEN_MAX {
            let count = self.sections.len();
            return Err(self.too_large(format!(
                "{count} sections with {strings_len} bytes of names and schemas, expected at most {SECTIONS_MAX} with \
                 {STRINGS_LEN_MAX}"
            )));
        }
        let mut end =
            (HEADER_LEN + self.sections.len() * ENTRY_LEN + strings_len).next_multiple_of(PAGE);
        let mut staggered = 0;
        let mut entries = Vec::with_capacity(self.sections.len());
        for section in &self.sections {
            let mut entry = planned(section);
            if let Some(problem) = directory::defect(&entry) {
                return Err(self.refused(section, problem));
            }
            entry.offset = start(section, end, &mut staggered);
            end = entry.offset.saturating_add(section.len);
            if end > FILE_LEN_MAX {
                let problem =
                    format!("it would end at byte {end}, expected at most {FILE_LEN_MAX}");
                return Err(self.refused(section, problem));
            }
            entries.push(entry);
        }
        let order = directory::order(&entries).map_err(|index| {
            self.refused(
                &self.sections[index],
                "there is another one of that kind and name".to_owned(),
            )
        })?;
        Ok(Layout {
            entries,
            order,
            file_len: end.next_multiple_of(PAGE),
        })
    }

    /// Header, directory and strings.
    pub(super) fn preamble(&self, layout: &Layout, boot_id: [u8; 16]) -> Vec<u8> {
        let rest = directory::encode(&self.bus, &self.owner, &layout.entries);
        let mut header = Header {
            version: LAYOUT_VERSION,
            file_len: layout.file_len,
            boot_id,
            digest: self.digest,
            count: layout.entries.len(),
            strings_len: self.strings_len(),
            bus_len: self.bus.len(),
            owner_len: self.owner.len(),
            checksum: 0,
        };
        header.checksum = header::checksum(&header, &rest);
        [header.encode().as_slice(), &rest].concat()
    }

    /// What a region of this plan says about itself, where nothing of it is read from a file.
    pub(super) fn inspection(&self, layout: Layout, boot_id: [u8; 16]) -> Inspection {
        Inspection {
            bus: self.bus.clone(),
            owner: self.owner.clone(),
            layout_version: LAYOUT_VERSION,
            digest: self.digest,
            boot_id,
            len: layout.file_len,
            sections: layout.entries,
            order: layout.order,
        }
    }

    fn strings_len(&self) -> usize {
        let sections = self
            .sections
            .iter()
            .map(|section| section.name.len() + section.schema.len());
        self.bus.len() + self.owner.len() + sections.sum::<usize>()
    }

    fn check_names(&self) -> Result<(), CreateError> {
        for (what, name) in [("bus", &self.bus), ("owner", &self.owner)] {
            let empty = name.is_empty().then(|| "its name is empty".to_owned());
            if let Some(problem) = empty.or_else(|| directory::name_defect(name)) {
                let (bus, owner) = (shown(&self.bus), shown(&self.owner));
                return Err(CreateError::Name {
                    bus,
                    owner,
                    problem: format!("{what}: {problem}"),
                });
            }
        }
        Ok(())
    }

    fn refused(&self, section: &Section, problem: String) -> CreateError {
        CreateError::Section {
            bus: self.bus.clone(),
            owner: self.owner.clone(),
            kind: section.kind,
            name: shown(&section.name),
            problem,
        }
    }

    fn too_large(&self, problem: String) -> CreateError {
        CreateError::TooLarge {
            bus: self.bus.clone(),
            owner: self.owner.clone(),
            problem,
        }
    }
}

fn planned(section: &Section) -> SectionEntry {
    SectionEntry {
        kind: section.kind,
        name: section.name.clone(),
        offset: 0,
        len: section.len,
        align: section.align,
        count: section.count,
        stride: section.stride,
        schema: section.schema.clone(),
    }
}

/// Where a section starts that follows `end`, which is at most [`FILE_LEN_MAX`].
fn start(section: &Section, end: usize, staggered: &mut usize) -> usize {
    let large = section.kind == SectionKind::Ring && section.len >= STAGGERED_LEN_MIN;
    if !large || section.align > LINE_PAIR {
        return end.next_multiple_of(section.align.max(LINE_PAIR));
    }
    let lines = (*staggered * 3 + 1) % 16;
    *staggered += 1;
    end.next_multiple_of(PAGE) + lines * LINE_PAIR
}
