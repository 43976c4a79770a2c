//! Many incoming links as one port.

use std::fmt;

use airssys_ringbuf::Message;
use airssys_ringbuf::step::Receivers;

use super::ends::{Declaration, Ends, LinkIn};
use super::model::LinkId;
use crate::partition::ports::{PortError, PortOpener};

/// The receiving ends of many links, to be wired to one actor, whose [`Receivers`] they become. Made by [`fan_in`].
#[must_use = "a link whose end is not wired is refused by `build`"]
pub struct FanIn<T> {
    links: Vec<LinkIn<T>>,
}

/// Joins many incoming links into one port: the actor receives from whichever has a message, and looks at none of the
/// others. Their places in the port are their places in `links`.
pub fn fan_in<T>(links: impl IntoIterator<Item = LinkIn<T>>) -> FanIn<T> {
    FanIn {
        links: links.into_iter().collect(),
    }
}

impl<T> fmt::Debug for FanIn<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.links).finish()
    }
}

impl<T: Message> Ends for FanIn<T> {
    type Ports = Receivers<T>;

    fn declare(&mut self, declaration: &mut Declaration) {
        self.links.declare(declaration);
    }

    fn open(&self, opener: &mut PortOpener<'_>) -> Result<Self::Ports, PortError> {
        let links: Vec<LinkId> = self.links.iter().map(LinkIn::link).collect();
        opener.receivers(&links)
    }
}
