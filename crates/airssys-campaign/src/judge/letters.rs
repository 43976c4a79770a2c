//! Where each message of a link is whose messages may be set aside: on the link, among the letters, or handled; and what is said
//! to be in work.

use airssys_ringbuf::step::{Note, Progress, Tally, in_work, read_cell};

use crate::actors::{Kept, MIDDLE, SOURCE, TALLY};
use crate::bus::Bus;
use crate::court::{ATTEMPTS, CAUSE, Court, LETTERED, LETTERS, NOTES, Orders};
use crate::failure::{Failure, ensure};
use crate::place::word_at;
use crate::traffic::{Flow, IN, Item};

/// What became of the messages of one link.
#[derive(Clone, Debug)]
pub(crate) struct Fates {
    /// Handled in their order.
    pub(crate) handled: Vec<u64>,
    /// Handled as letters.
    pub(crate) requeued: Vec<u64>,
}

impl Fates {
    /// All messages below `received` were handled.
    pub(crate) fn all(received: u64) -> Self {
        Self {
            handled: (0..received).collect(),
            requeued: Vec::new(),
        }
    }

    pub(crate) fn each(&self) -> impl Iterator<Item = u64> {
        self.handled.iter().chain(&self.requeued).copied()
    }
}

/// What became of the messages of input `input`, of which none is in two places or in none.
///
/// # Errors
///
/// [`Failure::Violated`] if one is.
pub(crate) fn fates(
    bus: &Bus,
    committed: &Progress,
    kept: &Kept,
    input: usize,
) -> Result<Fates, Failure> {
    let received = committed.received[input];
    match (&bus.court, &kept.again) {
        (Some(court), Some(_)) if input == LETTERED => {
            let desk = Desk {
                bus,
                committed,
                orders: court.orders()?,
                tally: tally(bus)?,
            };
            desk.check_rings()?;
            desk.fates(received)
        }
        _ => Ok(Fates::all(received)),
    }
}

/// The flow of these messages of a source, in this order.
pub(crate) fn flow_of(input: usize, positions: &[u64]) -> Flow {
    let mut flow = Flow::NONE;
    for position in positions {
        flow.receive(IN[input], &Item::new(IN[input], *position, 0));
    }
    flow
}

/// At the end all that was ordered is done; only drops, where the end was that nobody `receives` answers.
///
/// # Errors
///
/// [`Failure::Violated`] if it isn't.
pub(crate) fn check_obeyed(bus: &Bus, committed: &Progress, receives: bool) -> Result<(), Failure> {
    let Some(orders) = bus.court.as_ref().map(Court::orders).transpose()? else {
        return Ok(());
    };
    let [kept, overflowed, requeued, dropped] = tally(bus)?;
    let requeue_to = if receives { orders.requeue_to } else { 0 };
    let due = orders.drop_to.max(requeue_to).min(kept);
    ensure!(
        kept + overflowed == orders.asides.len() as u64 && requeued + dropped >= due,
        "ended with {orders:?} while {kept} are set aside, {overflowed} dropped for want of room, {requeued} handled again, \
         {dropped} dropped; received {:?}",
        committed.received
    );
    Ok(())
}

struct Desk<'a> {
    bus: &'a Bus,
    committed: &'a Progress,
    orders: Orders,
    tally: Tally,
}

impl Desk<'_> {
    /// Letters, notes and their count are of one step.
    fn check_rings(&self) -> Result<(), Failure> {
        let [kept, _, requeued, dropped] = self.tally;
        let (ins, outs) = (self.bus.shape.inputs.len(), self.bus.shape.outputs.len());
        let Progress { received, sent, .. } = self.committed;
        ensure!(
            sent[outs..] == [kept; 2] && received[ins..] == [requeued + dropped; 2],
            "letters and notes {:?} filled, {:?} emptied, counted as {:?}",
            &sent[outs..],
            &received[ins..],
            self.tally
        );
        Ok(())
    }

    fn fates(&self, received: u64) -> Result<Fates, Failure> {
        let [kept, overflowed, requeued, dropped] = self.tally;
        let aside = self.orders.asides.iter().copied();
        let aside: Vec<u64> = aside.filter(|position| *position < received).collect();
        ensure!(
            aside.len() as u64 == kept + overflowed,
            "{aside:?} lie behind and were to be set aside; {kept} were, {overflowed} found no room"
        );
        // What finds no room is ordered last.
        let letters = &aside[..kept as usize];
        let gone = requeued + dropped;
        let may_drop = self.orders.drop_to;
        ensure!(
            dropped == gone.min(may_drop) && gone <= may_drop.max(self.orders.requeue_to),
            "{dropped} letters dropped, {requeued} handled again, ordered {:?}",
            self.orders
        );
        self.check_letters(letters, gone)?;
        Ok(Fates {
            handled: (0..received)
                .filter(|position| !aside.contains(position))
                .collect(),
            requeued: letters[dropped as usize..gone as usize].to_vec(),
        })
    }

    /// What lies there is what was set aside, whole, with what there is to say about it.
    fn check_letters(&self, letters: &[u64], gone: u64) -> Result<(), Failure> {
        let place = &self.bus.middle;
        let image = place.image()?;
        let (mut slots, mut notes) = (Vec::new(), Vec::new());
        for position in gone..letters.len() as u64 {
            slots.push(place.slot(LETTERS, position)?);
            notes.push(place.slot(NOTES, position)?);
        }
        let left = &letters[gone as usize..];
        for (position, (slot, note)) in left.iter().zip(slots.into_iter().zip(notes)) {
            let item = Item::new(IN[LETTERED], *position, 0);
            ensure!(
                image[slot..slot + size_of::<Item>()] == *bytemuck::bytes_of(&item),
                "the letter of message {position} is another"
            );
            let words: Note = std::array::from_fn(|word| word_at(&image, note + 8 * word));
            ensure!(
                words[..3] == [*position, ATTEMPTS, CAUSE],
                "the note about message {position} is {words:?}"
            );
        }
        Ok(())
    }
}

fn tally(bus: &Bus) -> Result<Tally, Failure> {
    let ends = bus.ends();
    let shape = bus.shape;
    // Behind all cells of the actor's own.
    let place = shape.inputs.len() + shape.outputs.len() + 2 + 1;
    let tally = read_cell::<Tally>(&bus.middle.seen, MIDDLE, ends, (TALLY, place))?;
    Ok(tally.unwrap_or_default())
}

/// Who looks at a dead life finds nothing in work that was committed, or never sent.
///
/// # Errors
///
/// [`Failure::Violated`] if it does.
pub(crate) fn check_work(bus: &Bus, committed: &Progress) -> Result<(), Failure> {
    let (inputs, outputs) = bus.ends();
    let work = in_work(&bus.middle.seen, MIDDLE, inputs, outputs)?;
    let declared = bus.shape.inputs.len();
    let sent = airssys_ringbuf::step::progress(&bus.source.seen, SOURCE, 0, declared)?.sent;
    for ((range, received), sent) in work.inputs.iter().zip(&committed.received).zip(sent) {
        ensure!(
            range.start == *received && range.end <= sent.max(*received),
            "{range:?} is said to be in work; {received} are received, {sent} sent"
        );
    }
    Ok(())
}

/// Between two steps of life `life` nothing is in work.
///
/// # Errors
///
/// [`Failure::Violated`] if something is.
pub(crate) fn check_no_work(bus: &Bus, life: u64) -> Result<(), Failure> {
    let (inputs, outputs) = bus.ends();
    let work = in_work(&bus.middle.seen, MIDDLE, inputs, outputs)?;
    ensure!(
        work.incarnation == life && work.inputs.iter().all(std::ops::Range::is_empty),
        "between two steps of life {life}: {work:?}"
    );
    Ok(())
}
