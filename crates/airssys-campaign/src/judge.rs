//! What must hold after a kill, found out by going on.

mod letters;

use std::panic::{AssertUnwindSafe, catch_unwind};

use airssys_ringbuf::region::SectionKind;
use airssys_ringbuf::step::{Progress, progress};

use self::letters::Fates;
use crate::actors::{
    FIXED_VALUE, Incarnation, Kept, MIDDLE, Plan, Sink, Source, Subject, Turn, attach,
};
use crate::bus::Bus;
use crate::court::LETTERED;
use crate::failure::{Failure, ensure};
use crate::place::{Place, word_at};
use crate::traffic::{Answers, Flow, IN, OUT};
use crate::watch::Watch;

/// Rounds of all three actors within which every life has come to its end.
const ROUNDS_MAX: usize = 128;

/// The round from which on what ended a letter's life is mended, and the letter ordered again.
const MENDED: usize = 1;

/// Who moves first after the kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum First {
    /// The next incarnation of the middle.
    Middle,
    /// The sink, which takes what it sees, and the source, which overwrites what was given back.
    Peers,
    /// The next incarnation of the middle; the sink has been there since before the killed life, and nothing but what shows
    /// and what is hinted tells it of a message.
    Waiting,
}

/// A kill of the middle.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kill<'a> {
    /// The mistake that is planted in the middle.
    pub(crate) mistake: u8,
    /// Where it happened; the middle's memory is as the kill left it.
    pub(crate) bus: &'a Bus,
    /// Knows the memory before the kill.
    pub(crate) watch: &'a Watch,
    /// Messages after which the sink ends.
    pub(crate) sink_ends: u64,
    /// The incarnation that recovers.
    pub(crate) next: Incarnation,
}

/// Judges one kill: recovers, lets all three actors go on to the end, and compares what each of them has. `waiting` is a sink
/// that was attached before the kill.
///
/// # Errors
///
/// [`Failure::Violated`] with the first promise that was broken.
pub(crate) fn judge(kill: Kill<'_>, first: First, waiting: Option<Sink>) -> Result<(), Failure> {
    // A planted mistake may make the step panic; that is a way to be caught.
    let judged = catch_unwind(AssertUnwindSafe(|| {
        let mut trial = Trial {
            kill,
            watch: kill.watch.clone(),
        };
        // What the peers would see comes first: it is what counts, and shows that the harness needs no look inside.
        let ahead = trial.nothing_is_ahead();
        trial.go_on(first, waiting)?;
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

struct Trial<'a> {
    kill: Kill<'a>,
    watch: Watch,
}

impl Trial<'_> {
    fn go_on(&mut self, first: First, waiting: Option<Sink>) -> Result<(), Failure> {
        let bus = self.kill.bus;
        self.look()?;
        letters::check_work(bus, &self.committed()?)?;
        let mut source = Source::attach(bus, 0)?;
        let mut sink = match waiting {
            Some(sink) => sink,
            None => Sink::attach(bus, self.kill.sink_ends)?,
        };
        if first == First::Peers {
            sink.drain()?;
            source.step(u64::MAX, false)?;
        }
        let mut middle = self.recover()?;
        if first == First::Waiting {
            sink.drain()?;
            self.check_received(&sink)?;
        }
        for round in 0..ROUNDS_MAX {
            source.step(u64::MAX, false)?;
            if let (MENDED, false, Some(court)) = (round, middle.is_done(), &bus.court) {
                court.order_again()?;
            }
            self.step(&mut *middle, Plan::Work)?;
            // A step that comes to nothing gives back what is owed.
            if round % 3 == 1 {
                self.step(&mut *middle, Plan::Retry)?;
            }
            sink.step(usize::MAX)?;
            let source_ends = source.is_done() || source.is_refused();
            if middle.is_done() && sink.is_done() && source_ends {
                return self.check_end(middle, &source, &sink);
            }
        }
        Err(Failure::Violated(format!(
            "not at the end after {ROUNDS_MAX} rounds: middle {:?}, sink {:?}",
            middle.kept(),
            sink.state()
        )))
    }

    /// One step of the middle, and what must hold after any.
    fn step(&mut self, middle: &mut dyn Subject, plan: Plan) -> Result<(), Failure> {
        if middle.is_done() {
            return Ok(());
        }
        let before = self.committed()?;
        let turn = middle.step(plan)?;
        self.look()?;
        letters::check_no_work(self.kill.bus, self.kill.next.nonce)?;
        self.check_consistent(middle)?;
        if turn != Turn::Done {
            self.check_credit(&before)?;
        }
        Ok(())
    }

    fn look(&mut self) -> Result<(), Failure> {
        self.watch.look(&self.kill.bus.middle.image()?)
    }

    fn committed(&self) -> Result<Progress, Failure> {
        let (ins, outs) = self.kill.bus.ends();
        Ok(progress(&self.kill.bus.middle.seen, MIDDLE, ins, outs)?)
    }

    /// What peers see is committed: no message above `out_to`, no credit above the in position, no close but by an end.
    fn nothing_is_ahead(&self) -> Result<(), Failure> {
        let Bus { middle, .. } = self.kill.bus;
        let committed = self.committed()?;
        let image = middle.image()?;
        for ((link, _), received) in self.kill.bus.inputs().zip(committed.received) {
            let (credit, close) = middle.credit_words(link)?;
            let (credit, close) = (word_at(&image, credit), word_at(&image, close));
            ensure!(
                credit <= received,
                "credit {credit} of `{link}` while {received} messages are committed"
            );
            ensure!(
                close == 0 || committed.done,
                "`{link}` is closed by a receiver that has not ended"
            );
        }
        for ((link, payload), sent) in self.kill.bus.outputs().zip(committed.sent) {
            let ring = middle.ring_words(link, payload)?;
            let shown = ring.shows.iter().map(|word| word_at(&image, *word));
            let newest = shown.max().unwrap_or(0);
            ensure!(
                newest <= sent,
                "{newest} messages of `{link}` are visible, {sent} committed"
            );
            ensure!(
                word_at(&image, ring.close) == 0 || committed.done,
                "`{link}` is closed by a sender that has not ended"
            );
        }
        Ok(())
    }

    fn credit(&self, image: &[u8], link: &str) -> Result<u64, Failure> {
        let (credit, _) = self.kill.bus.middle.credit_words(link)?;
        Ok(word_at(image, credit))
    }

    /// Credit is stored when an eighth of a ring is behind, and after any turn in which that link's position did not move.
    fn check_credit(&self, before: &Progress) -> Result<(), Failure> {
        let after = self.committed()?;
        let image = self.kill.bus.middle.image()?;
        let positions = before.received.iter().zip(&after.received);
        for ((link, capacity), (before, after)) in self.kill.bus.inputs().zip(positions) {
            let credit = self.credit(&image, link)?;
            let moved = before != after;
            let most = if moved { (capacity / 8).max(1) - 1 } else { 0 };
            ensure!(
                credit <= *after && after - credit <= most,
                "credit {credit} of `{link}` after a step that took it from {before} to {after}"
            );
        }
        Ok(())
    }

    /// What is committed is what a sink has received that was there all the time.
    fn check_received(&self, sink: &Sink) -> Result<(), Failure> {
        if sink.is_done() {
            return Ok(());
        }
        let sent = self.committed()?.sent;
        let seen = sink.state().seen;
        for ((link, sent), seen) in self.kill.bus.shape.outs().iter().zip(sent).zip(seen) {
            ensure!(
                sent == seen.count,
                "`{}`: {sent} messages sent, a receiver that waits for them was shown {} by recovery",
                link.name,
                seen.count
            );
        }
        Ok(())
    }

    /// The next incarnation, which must find a committed state and have given back all that is consumed.
    fn recover(&mut self) -> Result<Box<dyn Subject>, Failure> {
        let Kill {
            mistake, bus, next, ..
        } = self.kill;
        let middle = attach(mistake, bus, next)?;
        let recovered = bus.middle.image()?;
        self.watch.look(&recovered)?;
        self.check_consistent(&*middle)?;
        letters::check_no_work(bus, next.nonce)?;
        for ((link, _), received) in bus.inputs().zip(self.committed()?.received) {
            let credit = self.credit(&recovered, link)?;
            ensure!(
                credit == received,
                "recovered with credit {credit} of `{link}`, {received} messages consumed"
            );
        }
        if middle.is_done() {
            self.check_closed(&recovered)?;
        }
        drop(middle);
        // Whoever is killed at the end of a recovery leaves it to the next, which finds nothing to do but to hint again.
        let middle = attach(mistake, bus, next)?;
        ensure!(
            self.without_hints(bus.middle.image()?)? == self.without_hints(recovered)?,
            "a second recovery changed what the first had left"
        );
        Ok(middle)
    }

    fn check_closed(&self, image: &[u8]) -> Result<(), Failure> {
        let Bus { middle, .. } = self.kill.bus;
        for (link, _) in self.kill.bus.inputs() {
            let (_, close) = middle.credit_words(link)?;
            ensure!(
                word_at(image, close) != 0,
                "`{link}`: the middle has ended, and recovery didn't tell the source"
            );
        }
        for (link, payload) in self.kill.bus.outputs() {
            let ring = middle.ring_words(link, payload)?;
            ensure!(
                word_at(image, ring.close) != 0,
                "`{link}`: the middle has ended, and recovery didn't tell the sink"
            );
        }
        Ok(())
    }

    /// An image with no count of hints: each recovery puts their readers behind.
    fn without_hints(&self, mut image: Vec<u8>) -> Result<Vec<u8>, Failure> {
        if let Some(hints) = self.kill.bus.hints()? {
            image[hints..hints + 8].fill(0);
        }
        Ok(image)
    }

    /// State, positions and input agree.
    fn check_consistent(&self, middle: &dyn Subject) -> Result<(), Failure> {
        let kept = middle.kept();
        let bus = self.kill.bus;
        let place = &bus.middle;
        let (ins, outs) = bus.ends();
        let committed = self.committed()?;
        let fates: Vec<Fates> = (0..kept.taken.len())
            .map(|input| letters::fates(bus, &committed, &kept, input))
            .collect::<Result<_, _>>()?;
        let counts = |flows: &[Flow]| flows.iter().map(|flow| flow.count).collect::<Vec<_>>();
        let (taken, sent) = (counts(&kept.taken), counts(&kept.sent));
        let handled: Vec<u64> = fates
            .iter()
            .map(|fates| fates.handled.len() as u64)
            .collect();
        ensure!(
            handled == taken && committed.sent[..sent.len()] == sent,
            "positions and state of different steps: {committed:?}, {kept:?}"
        );
        let ranges = place.ranges(&place.image()?, MIDDLE, ins, outs)?;
        let expected = kept.log.before.iter().copied().zip(sent);
        for (link, (range, expected)) in OUT.iter().zip(ranges.into_iter().zip(expected)) {
            // A step past the handler sends no more than letters.
            let is_past = bus.court.is_some() && range == (expected.1, expected.1);
            ensure!(
                range == expected || is_past,
                "`{}`: the record publishes {range:?}, the step sent {expected:?}",
                link.name
            );
        }
        check_model(&kept, &fates)?;
        ensure!(
            committed.done == middle.is_done(),
            "done in the record: {}",
            committed.done
        );
        Ok(())
    }

    /// Everything that was taken was answered once, and one more incarnation finds itself done.
    fn check_end(
        &mut self,
        middle: Box<dyn Subject>,
        source: &Source,
        sink: &Sink,
    ) -> Result<(), Failure> {
        self.check_consistent(&*middle)?;
        let receives = self.kill.sink_ends == u64::MAX;
        letters::check_obeyed(self.kill.bus, &self.committed()?, receives)?;
        let kept = middle.kept();
        drop(middle);
        if receives {
            self.check_arrived(&kept, source, sink)?;
        } else {
            check_part_arrived(&kept, sink)?;
        }
        self.check_stays_ended(&kept)
    }

    fn check_arrived(&self, kept: &Kept, source: &Source, sink: &Sink) -> Result<(), Failure> {
        let taken: u64 = kept.taken.iter().map(|flow| flow.count).sum();
        let limit = self.kill.next.limit;
        let expected = match limit {
            // All but those that were set aside, whatever became of them as letters.
            u64::MAX => source.sent() - self.kill.bus.asides()?,
            limit => limit,
        };
        ensure!(
            taken == expected,
            "{taken} messages consumed, expected {expected}"
        );
        let state = sink.state();
        for (link, (sent, seen)) in OUT.iter().zip(kept.sent.iter().zip(state.seen)) {
            ensure!(
                *sent == seen,
                "`{}`: lost, repeated, torn or out of order: sent {sent:?}, seen {seen:?}",
                link.name
            );
        }
        ensure!(
            state.answered == kept.log.answered,
            "answered {:?}, the sink has {:?}",
            kept.log.answered,
            state.answered
        );
        Ok(())
    }

    fn check_stays_ended(&mut self, kept: &Kept) -> Result<(), Failure> {
        let Kill {
            mistake, bus, next, ..
        } = self.kill;
        let mut ended = bus.middle.image()?;
        let next = attach(mistake, bus, next)?;
        // A step gives back when it is due, recovery gives back everything: nothing else may have changed.
        let (ins, outs) = bus.ends();
        let control = bus.middle.offset(SectionKind::Actor, MIDDLE)?;
        let in_flight = Place::in_flight_at(control, ins, outs);
        for (input, received) in self.committed()?.received.into_iter().enumerate() {
            let link = bus.inputs().nth(input).map_or("", |(link, _)| link);
            let (credit, _) = bus.middle.credit_words(link)?;
            ended[credit..credit + 8].copy_from_slice(&received.to_ne_bytes());
            // A step past the handler shows it nothing: what it moves is raised by the next life.
            let shown = in_flight + 8 * (1 + input);
            ended[shown..shown + 8].copy_from_slice(&received.to_ne_bytes());
        }
        ensure!(next.is_done(), "an incarnation after the end isn't done");
        ensure!(
            next.kept() == *kept,
            "an incarnation after the end has {:?}, not {kept:?}",
            next.kept()
        );
        ensure!(
            self.without_hints(bus.middle.image()?)? == self.without_hints(ended)?,
            "an incarnation after the end changed the region"
        );
        Ok(())
    }
}

/// What it keeps is what a model has that never died: its input whole and in order, and one answer to each message of it.
fn check_model(kept: &Kept, fates: &[Fates]) -> Result<(), Failure> {
    for (input, (taken, fates)) in kept.taken.iter().zip(fates).enumerate() {
        ensure!(
            *taken == letters::flow_of(input, &fates.handled),
            "`{}`: lost, repeated, torn or out of order: {taken:?}",
            IN[input].name
        );
    }
    if let (Some(found), Some(fates)) = (&kept.again, fates.get(LETTERED)) {
        ensure!(
            *found == letters::flow_of(LETTERED, &fates.requeued),
            "handled again {found:?}, expected {:?}",
            fates.requeued
        );
    }
    check_answered(kept, fates)
}

/// One answer to each message of a bus without letters, and no cell of two steps.
pub(crate) fn check_answers(kept: &Kept) -> Result<(), Failure> {
    let fates = kept.taken.iter().map(|taken| Fates::all(taken.count));
    check_answered(kept, &fates.collect::<Vec<_>>())
}

fn check_answered(kept: &Kept, fates: &[Fates]) -> Result<(), Failure> {
    let mut answered = Answers::NONE;
    for (link, fates) in IN.iter().zip(fates) {
        for seq in fates.each() {
            answered.add(Answers::to(*link, seq));
        }
    }
    ensure!(
        kept.log.answered == answered,
        "answered {:?}, received {answered:?}",
        kept.log.answered
    );
    ensure!(kept.log.is_whole(), "a torn cell: {:?}", kept.log);
    ensure!(
        kept.fixed == FIXED_VALUE,
        "the cell that no step touches holds {:#x}",
        kept.fixed
    );
    Ok(())
}

/// A sink that has ended has what came until then.
fn check_part_arrived(kept: &Kept, sink: &Sink) -> Result<(), Failure> {
    for (link, (sent, seen)) in OUT.iter().zip(kept.sent.iter().zip(sink.state().seen)) {
        ensure!(
            seen.count <= sent.count && seen.torn == 0 && seen.misordered == 0,
            "`{}`: repeated, torn or out of order: sent {sent:?}, seen {seen:?}",
            link.name
        );
    }
    Ok(())
}
