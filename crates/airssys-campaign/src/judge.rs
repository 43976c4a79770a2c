//! What must hold after a kill, found out by going on.

use std::panic::{AssertUnwindSafe, catch_unwind};

use airssys_ringbuf::region::SectionKind;
use airssys_ringbuf::step::progress;

use crate::actors::{
    FIXED_VALUE, Flow, IN, Incarnation, MIDDLE, Middle, OUT, Plan, Sink, Source, Turn,
};
use crate::bus::Bus;
use crate::failure::{Failure, ensure};
use crate::watch::{Watch, word_at};

/// Rounds of all three actors within which every life has come to its end.
const ROUNDS_MAX: usize = 64;

/// Who moves first after the kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum First {
    /// The next incarnation of the middle.
    Middle,
    /// The sink, which takes what it sees, and the source, which overwrites what was given back.
    Peers,
}

/// Judges one kill of the middle, whose memory is as the kill left it: recovers as `life`, lets all three
/// actors go on to the end, and compares what each of them has.
///
/// `watch` knows the memory before the kill.
///
/// # Errors
///
/// [`Failure::Violated`] with the first promise that was broken.
pub(crate) fn judge<const MISTAKE: u8>(
    bus: &Bus,
    watch: &Watch,
    first: First,
    life: Incarnation,
) -> Result<(), Failure> {
    // A planted mistake may make the step panic; that is a way to be caught.
    let judged = catch_unwind(AssertUnwindSafe(|| {
        let mut trial = Trial::<MISTAKE> {
            bus,
            watch: watch.clone(),
            life,
        };
        // What the peers would see comes first: it is what counts, and shows that the harness needs no look inside.
        let ahead = trial.nothing_is_ahead();
        trial.go_on(first)?;
        ahead
    }));
    judged.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(Failure::Violated(format!(
            "panicked: {}",
            text.unwrap_or("without a text")
        )))
    })
}

struct Trial<'a, const MISTAKE: u8> {
    bus: &'a Bus,
    watch: Watch,
    life: Incarnation,
}

impl<const MISTAKE: u8> Trial<'_, MISTAKE> {
    fn go_on(&mut self, first: First) -> Result<(), Failure> {
        self.look()?;
        let mut source = Source::attach(self.bus, 0)?;
        let mut sink = Sink::attach(self.bus)?;
        if first == First::Peers {
            while sink.step(u64::MAX)? == Turn::Busy {}
            source.step(u64::MAX, false)?;
        }
        let mut middle = self.recover()?;
        for _ in 0..ROUNDS_MAX {
            source.step(u64::MAX, false)?;
            middle.step(Plan::Work)?;
            self.look()?;
            self.check_consistent(&middle)?;
            sink.step(u64::MAX)?;
            if middle.is_done() && sink.is_done() && source.is_refused() {
                return self.check_end(middle, &sink);
            }
        }
        let (middle, sink) = (middle.state(), sink.state());
        Err(Failure::Violated(format!(
            "not at the end after {ROUNDS_MAX} rounds: middle {middle:?}, sink {sink:?}"
        )))
    }

    fn look(&mut self) -> Result<(), Failure> {
        self.watch.look(&self.bus.middle.image()?)
    }

    /// What peers see is committed: no message above `out_to`, no credit above the in position.
    fn nothing_is_ahead(&self) -> Result<(), Failure> {
        let committed = progress(&self.bus.middle.seen, MIDDLE, IN.len(), OUT.len())?;
        let image = self.bus.middle.image()?;
        for (link, received) in IN.iter().zip(committed.received) {
            let credit = self.credit(&image, link.name)?;
            ensure!(
                credit <= received,
                "credit {credit} of `{}` while {received} messages are committed",
                link.name
            );
        }
        for (link, sent) in OUT.iter().zip(committed.sent) {
            let offsets = self.bus.middle.sequences(link.name)?;
            let newest = offsets
                .into_iter()
                .map(|offset| word_at(&image, offset))
                .max();
            let newest = newest.unwrap_or(0);
            ensure!(
                newest <= sent,
                "{newest} messages of `{}` are visible, {sent} committed",
                link.name
            );
        }
        Ok(())
    }

    fn credit(&self, image: &[u8], link: &str) -> Result<u64, Failure> {
        Ok(word_at(
            image,
            self.bus.middle.offset(SectionKind::Credit, link)?,
        ))
    }

    /// The next incarnation, which must find a committed state and have given back all that is consumed.
    fn recover(&mut self) -> Result<Middle<MISTAKE>, Failure> {
        let middle = Middle::<MISTAKE>::attach(self.bus, self.life)?;
        let recovered = self.bus.middle.image()?;
        self.watch.look(&recovered)?;
        self.check_consistent(&middle)?;
        for (link, taken) in IN.iter().zip(middle.state().taken) {
            let credit = self.credit(&recovered, link.name)?;
            ensure!(
                credit == taken.count,
                "recovered with credit {credit} of `{}`, {} messages consumed",
                link.name,
                taken.count
            );
        }
        drop(middle);
        // Whoever is killed at the end of a recovery leaves it to the next, which finds nothing to do.
        let middle = Middle::<MISTAKE>::attach(self.bus, self.life)?;
        ensure!(
            self.bus.middle.image()? == recovered,
            "a second recovery changed what the first had left"
        );
        Ok(middle)
    }

    /// State, positions and input agree.
    fn check_consistent(&self, middle: &Middle<MISTAKE>) -> Result<(), Failure> {
        let state = middle.state();
        let committed = progress(&self.bus.middle.seen, MIDDLE, IN.len(), OUT.len())?;
        let taken = state.taken.map(|flow| flow.count);
        let sent = state.sent.map(|flow| flow.count);
        ensure!(
            committed.received == taken && committed.sent == sent,
            "positions and state of different steps: {committed:?}, {state:?}"
        );
        let image = self.bus.middle.image()?;
        let ranges = self
            .bus
            .middle
            .ranges(&image, MIDDLE, IN.len(), OUT.len())?;
        for (link, (range, expected)) in OUT
            .iter()
            .zip(ranges.iter().zip(state.before.iter().zip(sent)))
        {
            ensure!(
                *range == (*expected.0, expected.1),
                "`{}`: the record publishes {range:?}, the step sent {expected:?}",
                link.name
            );
        }
        for (link, taken) in IN.iter().zip(state.taken) {
            ensure!(
                taken == Flow::of(*link, taken.count, 0),
                "`{}`: lost, repeated, torn or out of order: {taken:?}",
                link.name
            );
        }
        let fixed = middle.fixed();
        ensure!(
            fixed == FIXED_VALUE,
            "the cell that no step touches holds {fixed:#x}"
        );
        ensure!(
            committed.done == middle.is_done(),
            "done in the record: {}",
            committed.done
        );
        Ok(())
    }

    /// Everything that was taken was answered once, and one more incarnation finds itself done.
    fn check_end(&mut self, middle: Middle<MISTAKE>, sink: &Sink) -> Result<(), Failure> {
        self.check_consistent(&middle)?;
        let (state, seen) = (middle.state(), sink.state().seen);
        drop(middle);
        ensure!(
            state.taken[0].count == self.life.limit,
            "{} messages consumed, expected {}",
            state.taken[0].count,
            self.life.limit
        );
        for (link, (sent, seen)) in OUT.iter().zip(state.sent.iter().zip(seen)) {
            ensure!(
                *sent == seen,
                "`{}`: lost, repeated, torn or out of order: sent {sent:?}, seen {seen:?}",
                link.name
            );
        }
        let mut ended = self.bus.middle.image()?;
        let next = Middle::<MISTAKE>::attach(self.bus, self.life)?;
        // A step gives back when it is due, recovery gives back everything: nothing else may have changed.
        for (link, taken) in IN.iter().zip(state.taken) {
            let credit = self.bus.middle.offset(SectionKind::Credit, link.name)?;
            ended[credit..credit + 8].copy_from_slice(&taken.count.to_ne_bytes());
        }
        ensure!(next.is_done(), "an incarnation after the end isn't done");
        ensure!(
            next.state() == state,
            "an incarnation after the end has {:?}, not {state:?}",
            next.state()
        );
        ensure!(
            self.bus.middle.image()? == ended,
            "an incarnation after the end changed the region"
        );
        Ok(())
    }
}
