//! Every end that there is, attached to a region that says anything: each refuses, or works until it meets an error.

use std::time::Duration;

use airssys_ringbuf::blame::{Charges, ChargesView};
use airssys_ringbuf::park::{Barrier, Sleeper, Waker};
use airssys_ringbuf::pulse::{CommandView, PulseView};
use airssys_ringbuf::region::{Region, SectionEntry, SectionKind};
use airssys_ringbuf::step::{
    Attach, Durable, End, HostReceiver, HostSender, Observer, Receiver, Sender, StepCore, Verdict,
    in_work, latencies, link_fault, mistake, progress, read_cell, read_clock, recover,
};
use airssys_ringbuf::{Instance, Message, panic_text};

use crate::failure::{Failure, ensure};
use crate::traffic::Item;

/// Ends of the actors that are attached: inputs, outputs.
const ACTORS: [(usize, usize); 5] = [(0, 0), (1, 0), (0, 1), (1, 1), (3, 2)];

/// Inputs of the actors whose charges are read.
const ACTORS_INPUTS: [usize; 5] = [0, 1, 3, 100, usize::MAX / 32];

/// Steps that each actor takes, at most, and messages that it moves in one.
const STEPS: u64 = 6;
const BATCH: u64 = 3;

/// Looks at everything, as an observer does.
pub(crate) fn watch_all(seen: &Region) {
    for section in seen.sections() {
        let name = section.name.as_str();
        match section.kind {
            SectionKind::Pulse => drop(PulseView::new(seen, section).map(|view| {
                let _ = (view.vitals(), view.pages());
            })),
            SectionKind::Command => drop(CommandView::new(seen, section).map(|view| view.order())),
            SectionKind::Latency => drop(latencies(seen, name)),
            SectionKind::Cell => cells(seen, name),
            SectionKind::Ring | SectionKind::Credit => {
                drop(link_fault(seen, seen, name));
                observe::<u64>(seen, name);
                observe::<Item>(seen, name);
                observe::<[u64; 8]>(seen, name);
                observe::<[u8; 3]>(seen, name);
            }
            SectionKind::Actor => {
                for (inputs, outputs) in ACTORS {
                    drop(progress(seen, name, inputs, outputs));
                    drop(in_work(seen, name, inputs, outputs));
                }
            }
            SectionKind::Clock => drop(read_clock(seen, name, 0)),
            SectionKind::Instance => drop(Instance::read(seen, section)),
            SectionKind::Panic => drop(panic_text::left_by(seen, section, 0)),
            SectionKind::Blame => charges(seen, section),
            SectionKind::Doorbells
            | SectionKind::Hints
            | SectionKind::Undo
            | SectionKind::Vector
            | SectionKind::Last
            | SectionKind::Map
            | SectionKind::Table => {}
        }
    }
}

fn observe<T: Message>(seen: &Region, link: &str) {
    if let Ok(mut observer) = Observer::<T>::attach(seen, seen, link) {
        for _ in 0..4 * STEPS {
            let _ = (observer.next(), observer.position());
        }
    }
}

/// Attaches everything to everything: `own` is writable, `seen` the same region read-only.
///
/// # Errors
///
/// [`Failure::Violated`] if something works that can't.
pub(crate) fn use_all(own: &Region, seen: &Region) -> Result<(), Failure> {
    for section in own.sections() {
        let name = section.name.as_str();
        match section.kind {
            SectionKind::Pulse => pulse(own, seen, section),
            SectionKind::Doorbells => doorbells(own, seen, section),
            SectionKind::Ring | SectionKind::Credit => {
                hosted::<u64>(own, name);
                hosted::<Item>(own, name);
                hosted::<[u64; 8]>(own, name);
                hosted::<[u8; 3]>(own, name);
            }
            SectionKind::Actor => {
                actor::<u64>(own, name)?;
                actor::<Item>(own, name)?;
                actor::<[u64; 8]>(own, name)?;
                actor::<[u8; 3]>(own, name)?;
                drop(super::letters::use_letters(own, name));
                let refused = Attach::<{ mistake::NONE }>::new(seen, name, 0, 0);
                ensure!(refused.is_err(), "an actor on a read-only region");
            }
            SectionKind::Blame => {
                for inputs in ACTORS_INPUTS {
                    let held = Charges::new(own, section, inputs);
                    for input in 0..inputs.min(ACTORS_INPUTS[2]) {
                        if let Ok(held) = &held {
                            held.suspect(input, 1);
                            held.drop_letters(input, u64::MAX);
                        }
                    }
                }
            }
            SectionKind::Command
            | SectionKind::Latency
            | SectionKind::Cell
            | SectionKind::Clock
            | SectionKind::Instance
            | SectionKind::Panic
            | SectionKind::Hints
            | SectionKind::Undo
            | SectionKind::Vector
            | SectionKind::Last
            | SectionKind::Map
            | SectionKind::Table => {}
        }
    }
    Ok(())
}

/// Reads all that is held against the messages of actors with so many inputs.
fn charges(seen: &Region, section: &SectionEntry) {
    for inputs in ACTORS_INPUTS {
        let Ok(held) = ChargesView::new(seen, section, inputs) else {
            continue;
        };
        for input in 0..inputs {
            let _ = (held.suspect_to(input), held.aside(input));
            let _ = (held.requeue_to(input), held.drop_to(input));
        }
    }
}

fn pulse(own: &Region, seen: &Region, section: &SectionEntry) {
    let Ok(mut sleeper) = Sleeper::new(own, section, Barrier::Fences) else {
        return;
    };
    for bells in own
        .sections()
        .iter()
        .filter(|section| section.kind == SectionKind::Doorbells)
    {
        for index in [0, bells.count as usize, usize::MAX - 1] {
            let _ = sleeper.listen(seen, bells, index);
        }
    }
    sleeper.park(Duration::ZERO, || false);
}

fn doorbells(own: &Region, seen: &Region, section: &SectionEntry) {
    let Ok(mut waker) = Waker::new(own, section, Barrier::Fences) else {
        return;
    };
    let bells = section.count as usize;
    for pulse in own
        .sections()
        .iter()
        .filter(|section| section.kind == SectionKind::Pulse)
    {
        if bells > 0 {
            let _ = waker.add(seen, pulse, bells - 1);
        }
    }
    waker.wake();
    waker.wake_all();
}

fn cells(seen: &Region, name: &str) {
    let Some((actor, cell)) = name.split_once('/') else {
        return;
    };
    for (ends, index) in ACTORS.into_iter().zip([0, 1, 63, 64, usize::MAX]) {
        drop(read_cell::<u64>(seen, actor, ends, (cell, index)));
        drop(read_cell::<Item>(seen, actor, ends, (cell, index)));
    }
}

/// The ends of host ports, which are actors named after their links.
fn hosted<T: Message>(own: &Region, link: &str) {
    // One after the other: there is one end at a time.
    for attach in [
        HostReceiver::<T>::attach,
        HostReceiver::<T>::attach_untrusting,
    ] {
        let Ok(mut receiver) = attach(own, link, own) else {
            continue;
        };
        for _ in 0..STEPS {
            let _ = (receiver.try_recv(), receiver.fault());
            let _ = (receiver.has_news(), receiver.is_closed());
        }
    }
    for attach in [HostSender::<T>::attach, HostSender::<T>::attach_untrusting] {
        let Ok(mut sender) = attach(own, link, own) else {
            continue;
        };
        for _ in 0..STEPS {
            let _ = (sender.try_send(T::zeroed()), sender.fault());
            let _ = (sender.room(), sender.has_room(), sender.is_closed());
        }
    }
}

/// An actor whose links are all that the region has, as often as it needs ends.
fn actor<T: Message>(own: &Region, name: &str) -> Result<(), Failure> {
    for (inputs, outputs) in ACTORS {
        let links = links(own, inputs.max(outputs));
        let ends = |count: usize| -> Vec<End<'_>> {
            let end = |link| End {
                link,
                peer: own,
                payload: size_of::<T>(),
            };
            links.iter().copied().map(end).take(count).collect()
        };
        drop(recover(own, name, &ends(inputs), &ends(outputs)));
        for trusts in [true, false] {
            let live = Live::<T>::attach(own, name, &links, (inputs, outputs), trusts);
            if let Some(mut live) = live {
                let mut numbers = 0..STEPS;
                while numbers
                    .next()
                    .map_or(Ok(false), |number| live.step(number))?
                {}
            }
        }
    }
    Ok(())
}

fn links(own: &Region, count: usize) -> Vec<&str> {
    let rings = own
        .sections()
        .iter()
        .filter(|section| section.kind == SectionKind::Ring);
    rings
        .map(|section| section.name.as_str())
        .take(count)
        .collect()
}

/// An actor that opened.
struct Live<T: Message> {
    core: StepCore,
    inputs: Vec<Receiver<T>>,
    outputs: Vec<Sender<T>>,
    cell: Option<Durable<u64>>,
}

impl<T: Message> Live<T> {
    fn attach(
        own: &Region,
        name: &str,
        links: &[&str],
        (inputs, outputs): (usize, usize),
        trusts: bool,
    ) -> Option<Self> {
        // An actor without all its ends isn't finished; what it had is dropped.
        let mut attach = Attach::<{ mistake::NONE }>::new(own, name, inputs, outputs).ok()?;
        attach.trusting(trusts);
        let input = |index: usize| attach.receiver(links.get(index)?, own).ok();
        let received: Option<Vec<Receiver<T>>> = (0..inputs).map(input).collect();
        let output = |index: usize| attach.sender(links.get(index)?, own).ok();
        let sent: Option<Vec<Sender<T>>> = (0..outputs).map(output).collect();
        let (inputs, outputs) = (received?, sent?);
        let cell = attach.durable(super::shapes::CELL, 7_u64).ok();
        Some(Self {
            inputs,
            outputs,
            cell,
            core: attach.finish(),
        })
    }

    /// One step; false after one that can't be ended.
    fn step(&mut self, number: u64) -> Result<bool, Failure> {
        let steps = self.core.steps();
        self.core.begin(BATCH);
        for port in &mut self.inputs {
            if number.is_multiple_of(2) {
                port.drain(2, |_| {});
            }
            let _ = (port.drain_slices(1, |_| {}), port.try_recv());
            let _ = (port.is_closed(), port.received(), port.fault());
        }
        for port in &mut self.outputs {
            let _ = (port.room(), port.try_send(T::zeroed()));
            let _ = (port.is_closed(), port.fault());
        }
        if let Some(cell) = &mut self.cell {
            cell.set(cell.get().wrapping_add(1));
        }
        let verdict = match number {
            1 => Verdict::Abort,
            5 => Verdict::Done,
            _ => Verdict::Keep,
        };
        let news = self.core.has_news(None);
        let Ok(outcome) = self.core.finish(verdict) else {
            return Ok(false);
        };
        ensure!(
            self.core.steps() == steps + u64::from(outcome.committed),
            "a step went from number {steps} to {}; news {news}",
            self.core.steps()
        );
        Ok(true)
    }
}
