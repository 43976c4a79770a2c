//! The raid: words of the raider's own region, written without any rule, or by a rule that is meant to hurt.

use std::error::Error;
use std::path::PathBuf;

use airssys_ringbuf::memory::Words;
use airssys_ringbuf::region::{Access, Expected, Region, SectionEntry, SectionKind, inspect};
use airssys_ringbuf::word::Ordering;

use super::{Count, RAIDER};
use crate::seed::Seed;

/// Words of a ring section, by the layout's table: what its owner writes.
const CLOSE: usize = 0;
const FAULT: usize = 1;
const FOUND: usize = 2;
const RESERVED: usize = 16;
const TAIL: usize = 32;
const SLOTS: usize = 48;
/// And of a credit section.
const CREDIT: usize = 0;
const RECEIVER_CLOSE: usize = 16;

/// Writes between two looks at whether others may have the core.
const BURST: u64 = 256;

/// What a raid does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strategy {
    /// Random words anywhere: header, pulse, doorbells, records, rings, credits.
    Noise,
    /// Random words into slots, sequence words and ring words.
    Rings,
    /// Sequence words and tails far ahead of what can be.
    Ahead,
    /// Sequence words and tails of before.
    Back,
    /// Credit beyond what was sent.
    CreditAhead,
    /// Credit below what it was.
    CreditBack,
    /// What the region held at the beginning, again and again.
    Replay,
    /// Close words that come and go.
    Closes,
    /// Reserved, fault words and records: what is the raider's own affair, or its observers'.
    Hints,
    /// Pulse, parked and doorbells.
    Pulse,
    /// Messages by the rules with random contents, then whatever comes.
    Plausible,
    /// All of these by turns.
    Mixed,
}

const ALL: [Strategy; 12] = [
    Strategy::Noise,
    Strategy::Rings,
    Strategy::Ahead,
    Strategy::Back,
    Strategy::CreditAhead,
    Strategy::CreditBack,
    Strategy::Replay,
    Strategy::Closes,
    Strategy::Hints,
    Strategy::Pulse,
    Strategy::Plausible,
    Strategy::Mixed,
];

impl Strategy {
    pub(super) fn draw(draws: &mut Seed) -> Self {
        ALL[draws.below(ALL.len() as u64) as usize]
    }

    /// The links that the victim can't but give up: raid0, raid1, bait0, bait1.
    pub(super) fn due(self) -> u64 {
        match self {
            Self::Ahead => 0b0011,
            Self::CreditAhead => 0b1100,
            Self::Noise
            | Self::Rings
            | Self::Back
            | Self::CreditBack
            | Self::Replay
            | Self::Closes
            | Self::Hints
            | Self::Pulse
            | Self::Plausible
            | Self::Mixed => 0,
        }
    }
}

/// Never returns but with an error.
pub(super) fn raid(seed: u64, strategy: Strategy, count: &Count) -> Result<(), Box<dyn Error>> {
    let mut raid = Raid::new(seed)?;
    let mut written = 0;
    let mut turns = strategy;
    loop {
        if strategy == Strategy::Mixed && raid.draws.below(8) == 0 {
            turns = Strategy::draw(&mut raid.draws);
        }
        for _ in 0..BURST {
            raid.write(turns);
        }
        written += BURST;
        count.set(written)?;
        // Nobody is starved: the raid is judged by what others do meanwhile.
        std::thread::yield_now();
    }
}

/// Of the raider's two rings the second has the larger messages.
fn is_contiguous(ring: usize) -> bool {
    ring == 1
}

struct Raid {
    words: Words,
    len: usize,
    draws: Seed,
    rings: Vec<SectionEntry>,
    credits: Vec<SectionEntry>,
    others: Vec<SectionEntry>,
    /// The region at the beginning.
    image: Vec<u64>,
    /// Where a plausible message comes next, by ring.
    next: [u64; 2],
    turn: u64,
}

impl Raid {
    fn new(seed: u64) -> Result<Self, Box<dyn Error>> {
        let root = format!("/dev/shm/airssys-{}", nix::unistd::geteuid());
        let place = PathBuf::from(root).join(format!("hostile-{seed:016x}/{RAIDER}.region"));
        let found = inspect(&place)?;
        let expected = Expected {
            bus: &found.bus,
            owner: &found.owner,
            digest: found.digest,
            boot_id: found.boot_id,
        };
        let region = Region::open(&place, Access::ReadWrite, &expected)?;
        let len = region.memory().len() / 8;
        let words = Words::new(region.memory(), 0, len)?;
        let of = |wanted: &[SectionKind]| -> Vec<SectionEntry> {
            let all = region.sections().iter();
            all.filter(|section| wanted.contains(&section.kind))
                .cloned()
                .collect()
        };
        let mut raid = Self {
            image: (0..len)
                .map(|index| words.at(index).load(Ordering::Relaxed))
                .collect(),
            words,
            len,
            draws: Seed::new(seed.rotate_left(17)),
            rings: of(&[SectionKind::Ring]),
            credits: of(&[SectionKind::Credit]),
            others: of(&[
                SectionKind::Pulse,
                SectionKind::Doorbells,
                SectionKind::Actor,
            ]),
            next: [0; 2],
            turn: 0,
        };
        raid.next = [raid.newest(0), raid.newest(1)];
        Ok(raid)
    }

    fn load(&self, index: usize) -> u64 {
        self.words.at(index % self.len).load(Ordering::Relaxed)
    }

    fn store(&self, index: usize, value: u64) {
        self.words
            .at(index % self.len)
            .store(value, Ordering::Release);
    }

    fn below(&mut self, bound: usize) -> usize {
        self.draws.below(bound as u64) as usize
    }

    fn random(&mut self) -> u64 {
        self.draws.below(u64::MAX)
    }

    /// A value near one that is right, or far from it, or nothing at all.
    fn near(&mut self, known: u64) -> u64 {
        match self.draws.below(8) {
            0 => known.wrapping_add(1),
            1 => known.wrapping_sub(1),
            2 => known.wrapping_add(self.draws.below(256)),
            3 => known.wrapping_sub(self.draws.below(256)),
            4 => known.wrapping_add(1 << self.draws.below(64)),
            5 => [0, 1, u64::MAX, u64::MAX - 1, 1 << 63, (1 << 63) - 1][self.below(6)],
            6 => known,
            _ => self.random(),
        }
    }

    /// The index of a ring's word, or of its slots' sequence words behind them.
    fn sequence(&self, ring: usize, slot: u64) -> usize {
        let entry = &self.rings[ring];
        let slot = slot % entry.count.max(1);
        entry.offset / 8 + SLOTS + ((slot + 1) * entry.stride / 8) as usize - 1
    }

    /// How many messages a ring has seen.
    fn newest(&self, ring: usize) -> u64 {
        if is_contiguous(ring) {
            return self.load(self.rings[ring].offset / 8 + TAIL);
        }
        let slots = 0..self.rings[ring].count;
        let sequences = slots.map(|slot| self.load(self.sequence(ring, slot)));
        sequences.max().unwrap_or(0)
    }

    /// One write, or a few that belong together.
    fn write(&mut self, strategy: Strategy) {
        self.turn += 1;
        let ring = self.below(2);
        let ring_at = self.rings[ring].offset / 8;
        match strategy {
            Strategy::Noise | Strategy::Mixed => {
                let (index, value) = (self.below(self.len), self.random());
                self.store(index, value);
            }
            Strategy::Rings => {
                let index = ring_at + self.below(self.rings[ring].len / 8);
                let value = self.load(index);
                let value = self.near(value);
                self.store(index, value);
            }
            Strategy::Ahead => self.jump(ring, true),
            Strategy::Back => self.jump(ring, false),
            Strategy::CreditAhead => {
                let at = self.credits[ring].offset / 8 + CREDIT;
                let ahead = 1 << (20 + self.draws.below(42));
                self.store(at, ahead);
            }
            Strategy::CreditBack => {
                let at = self.credits[ring].offset / 8 + CREDIT;
                let known = self.load(at);
                let back = known.saturating_sub(1 + self.draws.below(64));
                self.store(at, back);
            }
            Strategy::Replay => {
                let run = 1 << self.draws.below(10);
                let first = self.below(self.len);
                for index in first..(first + run).min(self.len) {
                    self.store(index, self.image[index]);
                }
            }
            Strategy::Closes => {
                let credit_at = self.credits[ring].offset / 8;
                let at = [ring_at + CLOSE, credit_at + RECEIVER_CLOSE][self.below(2)];
                let known = self.newest(ring).wrapping_add(1);
                let value = self.near(known);
                self.store(
                    at,
                    if self.turn.is_multiple_of(2) {
                        0
                    } else {
                        value
                    },
                );
            }
            Strategy::Hints => {
                let choices = [FAULT, FOUND, RESERVED];
                let at = ring_at + choices[self.below(choices.len())];
                let value = self.load(at);
                let value = self.near(value);
                self.store(at, value);
                self.elsewhere();
            }
            Strategy::Pulse => self.elsewhere(),
            Strategy::Plausible => self.plausible(ring),
        }
    }

    /// A word of pulse, doorbells or records.
    fn elsewhere(&mut self) {
        let place = self.below(self.others.len());
        let index = self.others[place].offset / 8 + self.below(self.others[place].len / 8);
        let value = self.load(index);
        let value = self.near(value);
        self.store(index, value);
    }

    /// Sequence word or tail, as far from what it should be as the draw says.
    fn jump(&mut self, ring: usize, ahead: bool) {
        let slot = self.draws.below(self.rings[ring].count);
        let index = if is_contiguous(ring) {
            self.rings[ring].offset / 8 + TAIL
        } else {
            self.sequence(ring, slot)
        };
        let far = if ahead {
            // Beyond everything that was ever sent, below half of all numbers: ahead, not behind.
            (1 << 40) + self.draws.below(1 << 60)
        } else {
            let known = self.image[index];
            known.saturating_sub(self.draws.below(known.saturating_add(2)))
        };
        self.store(index, far);
    }

    /// The next message, by the rules but for its contents; now and then a step too far or back.
    fn plausible(&mut self, ring: usize) {
        let at = self.next[ring];
        let credit_free = self.rings[ring].count;
        let entry = &self.rings[ring];
        let (slots, stride) = (entry.offset / 8 + SLOTS, (entry.stride / 8) as usize);
        let first = slots + (at % credit_free) as usize * stride;
        let payload = if is_contiguous(ring) {
            stride
        } else {
            stride - 1
        };
        for word in 0..payload {
            let value = self.random();
            self.store(first + word, value);
        }
        let shown = if is_contiguous(ring) {
            self.rings[ring].offset / 8 + TAIL
        } else {
            self.sequence(ring, at)
        };
        let next = if self.draws.below(4096) == 0 {
            self.near(at)
        } else {
            at.wrapping_add(1)
        };
        self.store(shown, next);
        self.next[ring] = next;
    }
}
