//! Attaching the ends of links that are hinted at.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::rc::Rc;

use crate::layout::SCANNED_LINKS_MAX;
use crate::message::Message;
use crate::region::Region;
use crate::step::attach::{Attach, AttachError, in_range};
use crate::step::fan_in::{Hinted, Receivers};
use crate::step::hints::{HintReader, Hinting, Hints, links_between, section_of};

/// The numbers of the links between two partitions.
type Numbers = HashMap<String, u32>;

fn numbers(sender: &Region, receiver: &Region) -> Numbers {
    let links = links_between(sender, receiver).map(str::to_owned);
    links.zip(0..).collect()
}

/// The hints to one partition, and the numbers of its links.
pub(super) type HintsTo = (Rc<Hints>, Numbers);

impl<const MISTAKE: u8> Attach<'_, MISTAKE> {
    /// How `link` is hinted at, if it is.
    pub(super) fn hinting(
        &mut self,
        link: &str,
        receiver: &Region,
    ) -> Result<Option<Hinting>, AttachError> {
        if !self.hinted.contains_key(receiver.owner()) {
            let hinted = match section_of(self.own, receiver) {
                Some(section) => {
                    let hints = in_range(self.own, section, Hints::new(self.own, section))?;
                    let hints = Rc::new(hints);
                    self.core.hints.push(Rc::clone(&hints));
                    Some((hints, numbers(self.own, receiver)))
                }
                None => None,
            };
            self.hinted.insert(receiver.owner().to_owned(), hinted);
        }
        let hinted = self.hinted.get(receiver.owner()).and_then(Option::as_ref);
        Ok(hinted.and_then(|(hints, numbers)| {
            Some(Hinting {
                hints: Rc::clone(hints),
                number: *numbers.get(link)?,
            })
        }))
    }

    /// The next incoming ends as one: each link with the region that it is sent in.
    ///
    /// # Errors
    ///
    /// [`AttachError`] if a section is missing, too small, or of another schema.
    ///
    /// # Panics
    ///
    /// If they are more than [`new`](Self::new) was told.
    pub fn receivers<T: Message>(
        &mut self,
        links: &[(&str, &Region)],
    ) -> Result<Receivers<T>, AttachError> {
        let mut ports = Vec::with_capacity(links.len());
        let mut hinted: HashMap<&str, Option<(Hinted, Numbers)>> = HashMap::new();
        let mut scanned = Vec::new();
        for (place, &(link, sender)) in (0..).zip(links) {
            ports.push(self.receiver(link, sender)?);
            let peer = match hinted.entry(sender.owner()) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => entry.insert(self.hinted_by(sender, links.len())?),
            };
            let number = peer
                .as_ref()
                .and_then(|(_, numbers)| numbers.get(link).copied());
            match (peer, number) {
                (Some((hinted, _)), Some(number)) => hinted.links[number as usize] = place,
                _ => scanned.push(place),
            }
        }
        let hinted = hinted.into_values().flatten().map(|(hinted, _)| hinted);
        let gate = Rc::clone(&self.core.gate);
        Ok(Receivers::new(ports, gate, hinted.collect(), scanned))
    }

    /// The hints of `sender`, if it makes any and there are enough links that they are worth reading.
    fn hinted_by(
        &mut self,
        sender: &Region,
        links: usize,
    ) -> Result<Option<(Hinted, Numbers)>, AttachError> {
        let section = section_of(sender, self.own).filter(|_| links > SCANNED_LINKS_MAX);
        let Some(section) = section else {
            return Ok(None);
        };
        let reader = in_range(sender, section, HintReader::new(sender, section))?;
        let reader = Rc::new(reader);
        self.core.hint_readers.push(Rc::clone(&reader));
        let numbers = numbers(sender, self.own);
        Ok(Some((Hinted::new(reader, numbers.len()), numbers)))
    }
}
