//! What a supervisor would hold against the middle's messages, in a region of its own: which one is to be set aside, and how
//! many letters are to be dropped or handled again. All of it is positions, so that every life obeys the same.

use std::cell::RefCell;

use airssys_ringbuf::blame::{Aside, Charges, ChargesView};
use airssys_ringbuf::region::SectionKind;

use airssys_ringbuf::step::in_work;

use crate::actors::MIDDLE;
use crate::bus::Bus;
use crate::failure::Failure;
use crate::place::Place;

/// The middle's input whose messages may be set aside. It has others before it.
pub(crate) const LETTERED: usize = 1;
/// The rings of its letters and of the notes about them, from the middle to itself.
pub(crate) const LETTERS: &str = "side/letters";
pub(crate) const NOTES: &str = "side/notes";

/// What its charges say of each message: so many deaths, the last of them for this reason.
pub(crate) const ATTEMPTS: u64 = 3;
pub(crate) const CAUSE: u64 = 11;

/// What was ordered so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Orders {
    /// Messages to be set aside, in their order.
    pub(crate) asides: Vec<u64>,
    /// Letters below this place are dropped.
    pub(crate) drop_to: u64,
    /// Letters below this place, and not dropped, are handled again.
    pub(crate) requeue_to: u64,
    /// Where there is no room for a message, it is dropped.
    pub(crate) drops: bool,
}

/// The supervisor's region, and what was ordered.
#[derive(Debug)]
pub(crate) struct Court {
    place: Place,
    orders: RefCell<Orders>,
}

impl Court {
    pub(crate) fn new(place: Place) -> Self {
        Self {
            place,
            orders: RefCell::default(),
        }
    }

    /// Those that stand now.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if the region isn't of this harness.
    pub(crate) fn orders(&self) -> Result<Orders, Failure> {
        Ok(Orders {
            requeue_to: self.view()?.requeue_to(LETTERED),
            ..self.orders.borrow().clone()
        })
    }

    /// The letter that made its handler panic stays where it is, and those behind it. A life that ended so is asked, as by
    /// airssys-rt's supervisor, whether it had a letter in work; one that goes on isn't.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if the regions aren't of this harness.
    pub(crate) fn withdraw(&self, bus: &Bus, ended: bool) -> Result<(), Failure> {
        let (inputs, outputs) = bus.ends();
        let work = in_work(&bus.middle.seen, MIDDLE, inputs, outputs)?;
        let letters = &work.inputs[bus.shape.inputs.len()];
        if ended && letters.is_empty() {
            return Ok(());
        }
        self.requeue_below(letters.start)
    }

    /// Has letters below this place handled again, and no others.
    ///
    /// # Errors
    ///
    /// As [`orders`](Self::orders).
    pub(crate) fn requeue_below(&self, place: u64) -> Result<(), Failure> {
        self.charges()?.requeue(LETTERED, place);
        Ok(())
    }

    /// Orders again what a death has withdrawn.
    ///
    /// # Errors
    ///
    /// As [`orders`](Self::orders).
    pub(crate) fn order_again(&self) -> Result<(), Failure> {
        self.requeue_below(self.orders.borrow().requeue_to)
    }

    /// Has the message at `position` set aside, with whatever else is ordered, before the next life.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if the region isn't of this harness.
    pub(crate) fn order(&self, position: u64, order: &Orders) -> Result<(), Failure> {
        let charges = self.charges()?;
        let mut orders = self.orders.borrow_mut();
        let mut asides = std::mem::take(&mut orders.asides);
        asides.push(position);
        *orders = Orders {
            asides,
            ..order.clone()
        };
        charges.drop_letters(LETTERED, orders.drop_to);
        charges.requeue(LETTERED, orders.requeue_to);
        charges.set_aside(
            LETTERED,
            Aside {
                position,
                attempts: ATTEMPTS,
                cause: CAUSE,
            },
        );
        Ok(())
    }

    fn charges(&self) -> Result<Charges, Failure> {
        let section = self.place.own.section(SectionKind::Blame, MIDDLE)?;
        let broken = |error| Failure::broken("opening the charges", error);
        Charges::new(&self.place.own, section, LETTERED + 1).map_err(broken)
    }

    /// The middle's view of it.
    ///
    /// # Errors
    ///
    /// [`Failure::Broken`] if the region isn't of this harness.
    pub(crate) fn view(&self) -> Result<ChargesView, Failure> {
        let section = self.place.seen.section(SectionKind::Blame, MIDDLE)?;
        let broken = |error| Failure::broken("opening the charges", error);
        ChargesView::new(&self.place.seen, section, LETTERED + 1).map_err(broken)
    }
}
