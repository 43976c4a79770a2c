//! Messages set aside, shown again and dropped: each by one step, whatever comes in between.

#![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

use airssys_ringbuf::blame::Aside;
use airssys_ringbuf::layout::{
    RingShape, actor_section, cell_section, credit_section, ring_section,
};
use airssys_ringbuf::region::{Region, RegionPlan};
use airssys_ringbuf::step::{
    Attach, Durable, LetterNames, Letters, Note, Receiver, SetAside, StepCore, Tally, Verdict,
    read_cell,
};
use airssys_ringbuf::{Layout, Message};

const MESSAGES: u64 = 20;
const ROOM: u64 = 2;
const NAMES: LetterNames<'_> = LetterNames {
    letters: "link/letters",
    notes: "link/notes",
    tally: "link/letters",
    payload: 12,
};
/// The sink's cells and its ends.
const SUM: (&str, usize) = ("sum", 0);
const TALLY: (&str, usize) = ("link/letters", 1);
const ENDS: (usize, usize) = (3, 2);

/// Twelve bytes: no whole number of words.
type Item = [u32; 3];

fn item(nth: u64) -> Item {
    let nth = u32::try_from(nth).unwrap();
    [nth, nth ^ 0xffff, nth * 3]
}

fn bus(layout: Layout) -> Region {
    let schema = Item::SCHEMA.to_text();
    let shape = |capacity| RingShape::with_layout(12, capacity, false, layout).unwrap();
    let notes = RingShape::new(size_of::<Note>(), ROOM, false).unwrap();
    let mut plan = RegionPlan::new("letters", "own", 1);
    plan.add(actor_section("source", 0, 1))
        .add(actor_section("sink", ENDS.0, ENDS.1))
        .add(cell_section("sink/sum", &u64::SCHEMA.to_text(), 8))
        .add(cell_section(
            "sink/link/letters",
            &Tally::SCHEMA.to_text(),
            size_of::<Tally>(),
        ))
        .add(ring_section("link", &schema, &shape(32)))
        .add(credit_section("link"))
        .add(ring_section(NAMES.letters, &schema, &shape(ROOM)))
        .add(credit_section(NAMES.letters))
        .add(ring_section(NAMES.notes, &Note::SCHEMA.to_text(), &notes))
        .add(credit_section(NAMES.notes));
    let region = Region::heap(&plan).unwrap();
    let mut attach = Attach::<0>::new(&region, "source", 0, 1).unwrap();
    let mut link = attach.sender::<Item>("link", &region).unwrap();
    let mut core = attach.finish();
    core.begin(u64::MAX);
    for nth in 0..MESSAGES {
        link.send(item(nth)).unwrap();
    }
    assert!(core.finish(Verdict::Keep).unwrap().committed);
    region
}

struct Sink {
    core: StepCore,
    link: Receiver<Item>,
    sum: Durable<u64>,
    letters: Letters,
}

const INITIAL: u64 = 1_000_000;

impl Sink {
    /// The next life; the one before is dropped, wherever it was.
    fn begin(region: &Region) -> Self {
        let mut attach = Attach::new(region, "sink", ENDS.0, ENDS.1).unwrap();
        let link = attach.receiver::<Item>("link", region).unwrap();
        let sum = attach.durable::<u64>("sum", INITIAL).unwrap();
        let letters = attach.letters(0, &NAMES).unwrap();
        Self {
            core: attach.finish(),
            link,
            sum,
            letters,
        }
    }

    /// One message by the handler: what it got.
    fn handle(&mut self) -> Option<Item> {
        let item = self.link.try_recv()?;
        *self.sum.borrow_mut() += u64::from(item[0]);
        Some(item)
    }

    fn step(&mut self) -> Option<Item> {
        self.core.begin(1);
        let got = self.handle();
        let _ = self.core.finish(Verdict::Keep).unwrap();
        got
    }

    fn set_aside(&mut self, position: u64, drops: bool) -> SetAside {
        let aside = Aside {
            position,
            attempts: 3,
            cause: 0,
        };
        self.core
            .set_aside(&mut self.letters, &aside, drops)
            .unwrap()
    }

    /// Shows the oldest letter to the handler.
    fn requeue(&mut self, verdict: Verdict) -> (Option<Item>, bool) {
        self.core.begin_requeue(&self.letters);
        let got = self.handle();
        let ended = self.core.finish_requeue(&mut self.letters, verdict);
        (got, ended.unwrap().1)
    }
}

fn tally(region: &Region) -> Tally {
    read_cell(region, "sink", ENDS, TALLY).unwrap().unwrap()
}

fn sum(region: &Region) -> u64 {
    read_cell(region, "sink", ENDS, SUM).unwrap().unwrap()
}

/// The same actor, or its next life.
fn next(sink: Sink, region: &Region, dies: bool) -> Sink {
    if dies {
        drop(sink);
        Sink::begin(region)
    } else {
        sink
    }
}

/// Where each life does one thing and is dropped, the next one finds it done, whole, and goes on.
#[test]
fn every_message_is_handled_or_set_aside_once() {
    for layout in [Layout::Sequenced, Layout::Contiguous] {
        for dies in [false, true] {
            through_all_messages(&bus(layout), dies);
        }
    }
}

fn through_all_messages(region: &Region, dies: bool) {
    let mut expected = INITIAL;
    let mut sink = Sink::begin(region);
    // Far more letters than there is room for at a time.
    for nth in (0..MESSAGES).step_by(2) {
        let kept = sink.set_aside(nth, false);
        assert!(matches!(kept, SetAside::Kept(_)), "{kept:?}");
        sink = next(sink, region, dies);
        assert_eq!(sink.set_aside(nth, false), SetAside::Behind);
        assert_eq!(sink.step(), Some(item(nth + 1)));
        sink = next(sink, region, dies);
        let left = sink.requeue(Verdict::Abort);
        assert_eq!(left, (Some(item(nth)), false));
        sink = next(sink, region, dies);
        let handled = sink.requeue(Verdict::Keep);
        assert_eq!(handled, (Some(item(nth)), true));
        sink = next(sink, region, dies);
        expected += 2 * nth + 1;
        assert_eq!(sum(region), expected);
    }
    assert_eq!(tally(region), [MESSAGES / 2, 0, MESSAGES / 2, 0]);
    assert_eq!(sink.requeue(Verdict::Keep), (None, false));
    assert_eq!(sink.step(), None);
}

/// Where the actor goes on, the next steps get what lies on the link, and nothing else.
#[test]
fn a_letter_that_its_handler_unwound_with_stays() {
    let region = bus(Layout::Sequenced);
    let mut sink = Sink::begin(&region);
    let kept = sink.set_aside(0, false);
    assert!(matches!(kept, SetAside::Kept(_)), "{kept:?}");
    sink.core.begin_requeue(&sink.letters);
    assert_eq!(sink.handle(), Some(item(0)));
    sink.core.abandon();
    for nth in 1..MESSAGES {
        assert_eq!(sink.step(), Some(item(nth)));
    }
    assert_eq!(sink.step(), None);
    assert_eq!(tally(&region), [1, 0, 0, 0]);
    assert_eq!(sink.requeue(Verdict::Keep), (Some(item(0)), true));
}

#[test]
fn without_room_nothing_is_done_or_the_message_is_dropped() {
    let region = bus(Layout::Sequenced);
    let mut sink = Sink::begin(&region);
    for position in 0..ROOM {
        let kept = sink.set_aside(position, false);
        assert!(matches!(kept, SetAside::Kept(_)), "{kept:?}");
    }
    let full = sink.set_aside(ROOM, false);
    assert!(matches!(full, SetAside::Full(_)), "{full:?}");
    assert_eq!((sink.letters.received(), sum(&region)), (ROOM, INITIAL));
    let dropped = sink.set_aside(ROOM, true);
    assert!(matches!(dropped, SetAside::Dropped(_)), "{dropped:?}");
    assert!(sink.core.drop_letter(&mut sink.letters).unwrap().committed);
    let kept = sink.set_aside(ROOM + 1, false);
    assert!(matches!(kept, SetAside::Kept(_)), "{kept:?}");
    assert_eq!((sink.letters.oldest(), sink.letters.end()), (1, 3));
    assert_eq!(tally(&region), [3, 1, 0, 1]);
}
