//! The partition that is raided: an actor as its author might write it, with honest links and hostile ones.

use airssys_ringbuf::message;
use airssys_rt::{Actor, Durable, LinkFault, Receiver, Refused, Sender, Step};

use super::{Line, RAIDER};
use crate::seed::Seed;
use crate::traffic::{Flow, IN, Item, OUT};

/// Most messages of one link in a step.
const BATCH: usize = 16;

#[message]
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct VictimState {
    pub(super) asked: Flow,
    pub(super) answered: Flow,
    /// Messages from the raider.
    pub(super) raided: u64,
    /// What they said, so that every byte of them is read.
    sum: u64,
    /// Messages to the raider.
    baited: u64,
    /// Links that were given up, a bit each: raid0, raid1, bait0, bait1.
    pub(super) faults: u64,
    /// Errors that named somebody else.
    pub(super) misnamed: u64,
}

type Raids = (Receiver<Item>, Receiver<Line>);
type Baits = (Sender<Item>, Sender<Line>);
pub(super) type Ports = (
    Receiver<Item>,
    Sender<Item>,
    Raids,
    Baits,
    Durable<VictimState>,
);

#[derive(Debug)]
pub(super) struct Victim {
    ask: Receiver<Item>,
    answer: Sender<Item>,
    raids: Raids,
    baits: Baits,
    state: Durable<VictimState>,
    draws: Seed,
}

impl Victim {
    pub(super) fn new((ask, answer, raids, baits, state): Ports, seed: u64) -> Self {
        Self {
            ask,
            answer,
            raids,
            baits,
            state,
            draws: Seed::new(!seed),
        }
    }

    fn answer_all(&mut self, state: &mut VictimState) -> Result<usize, Refused> {
        let room = self.answer.room().min(BATCH);
        let mut asked = 0;
        while asked < room {
            let Some(item) = self.ask.try_recv() else {
                break;
            };
            state.asked.receive(IN[0], &item);
            let answer = state.answered.next(OUT[0], 0);
            self.answer.send(answer)?;
            asked += 1;
        }
        Ok(asked)
    }

    /// Takes what the raider sent, by any of the ways there are.
    fn be_raided(&mut self, state: &mut VictimState) -> usize {
        let (items, lines) = &mut self.raids;
        let mut sum = 0_u64;
        let mut add = |bytes: &[u8]| {
            sum = bytes
                .iter()
                .fold(sum, |sum, byte| sum.wrapping_mul(31) + u64::from(*byte));
        };
        let taken = match self.draws.below(4) {
            0 => {
                let item = items.try_recv().map(|item| add(bytemuck::bytes_of(&item)));
                let line = lines.try_recv().map(|line| add(bytemuck::bytes_of(&line)));
                usize::from(item.is_some()) + usize::from(line.is_some())
            }
            1 => {
                let taken = items.drain(BATCH, |item| add(bytemuck::bytes_of(item)));
                taken + lines.drain(BATCH, |line| add(bytemuck::bytes_of(line)))
            }
            2 => {
                let taken = items.drain_slices(BATCH, |items| add(bytemuck::cast_slice(items)));
                taken + lines.drain_slices(BATCH, |lines| add(bytemuck::cast_slice(lines)))
            }
            _ => {
                let mut room = [bytemuck::Zeroable::zeroed(); BATCH];
                let taken = lines.recv_slice(&mut room);
                add(bytemuck::cast_slice(&room[..taken]));
                taken
            }
        };
        state.raided += taken as u64;
        state.sum ^= sum;
        taken
    }

    /// Sends to the raider what there is room for. A full link is left as it is: the raider may never give back.
    fn bait(&mut self, state: &mut VictimState) {
        let (items, lines) = &mut self.baits;
        for _ in 0..=self.draws.below(4) {
            let item = Item::new(OUT[1], state.baited, 0);
            state.baited += u64::from(items.try_send(item).is_ok());
            let words = [state.baited; 8];
            if let Ok(mut slot) = lines.try_claim() {
                *slot = Line { words };
                slot.publish();
                state.baited += 1;
            }
        }
    }

    fn note_faults(&self, state: &mut VictimState) {
        let faults: [Option<LinkFault>; 4] = [
            self.raids.0.fault(),
            self.raids.1.fault(),
            self.baits.0.fault(),
            self.baits.1.fault(),
        ];
        for (bit, fault) in faults.into_iter().enumerate() {
            let known = state.faults & (1 << bit) != 0;
            if let Some(fault) = fault.filter(|_| !known) {
                state.faults |= 1 << bit;
                let named = fault.peer == RAIDER && fault.to_string().contains(RAIDER);
                state.misnamed += u64::from(!named);
            }
        }
    }
}

impl Actor for Victim {
    fn step(&mut self) -> Result<Step, Refused> {
        let before = self.state.get();
        let mut state = before;
        let asked = self.answer_all(&mut state)?;
        let raided = self.be_raided(&mut state);
        self.bait(&mut state);
        self.note_faults(&mut state);
        let ends = self.ask.is_closed();
        if state != before {
            self.state.set(state);
        }
        Ok(if ends {
            Step::Done
        } else {
            (asked + raided).into()
        })
    }
}
