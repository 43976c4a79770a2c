//! The middle's ports and cells, and what it does with them in a step.
//!
//! How many messages it takes, of which links first, and which links the answers go to is drawn. The draws of an incarnation
//! follow from its number: a redo by the next one isn't the first try again, as with time or randomness in a handler.

use airssys_ringbuf::step::{Durable, Receiver, Receivers, Refused, Sender, TrySendError};

use super::{Incarnation, Kept, Log};
use crate::court::LETTERED;
use crate::seed::Seed;
use crate::traffic::{Answers, Flow, IN, Item, LINKS_MAX, OUT};
use crate::witness::{Phase, Witness};

/// The most messages that it takes in one step.
pub(super) const BATCH: usize = 4;

/// By which calls it receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receives {
    /// `try_recv`.
    One,
    /// `drain`.
    Drain,
    /// `drain_slices`.
    Slices,
    /// `recv_slice`.
    Copies,
}

/// By which calls it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sends {
    /// `claim` and `publish`, in place.
    Claim,
    /// `send`.
    Value,
    /// `send_slice`.
    Slice,
}

/// By which calls it works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Style {
    pub(crate) receives: Receives,
    pub(crate) sends: Sends,
}

/// The receiving ends: one by one, or as one port where there are so many that the source hints.
#[derive(Debug)]
pub(super) enum Inputs {
    Each(Vec<Receiver<Item>>),
    Joined(Receivers<Item>),
}

#[derive(Debug)]
pub(super) struct Hands {
    pub(super) inputs: Inputs,
    pub(super) outputs: Vec<Sender<Item>>,
    pub(super) taken: Vec<Durable<Flow>>,
    pub(super) sent: Vec<Durable<Flow>>,
    pub(super) log: Durable<Log>,
    pub(super) fixed: Durable<u64>,
    pub(super) draws: Seed,
    pub(super) life: Incarnation,
    /// The last step was refused: the next one takes one message and sends nothing that it need not.
    pub(super) narrow: bool,
    /// Where messages may be set aside.
    pub(super) mail: Option<Mail>,
    /// Hears what the handler has in hand, where that is judged.
    pub(super) witness: Option<Witness>,
}

/// What the middle keeps where its messages may be set aside.
#[derive(Debug)]
pub(super) struct Mail {
    /// Letters that were handled again.
    pub(super) again: Durable<Flow>,
    /// This step gets a letter in place of the link's next message.
    pub(super) requeues: Option<Requeued>,
}

/// The letter that a step gets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Requeued {
    /// Its place among the letters.
    pub(super) place: u64,
    /// No other one is due.
    pub(super) last: bool,
}

/// What the messages that a step took have to be answered with.
#[derive(Debug, Default)]
struct Tokens {
    list: [u64; BATCH],
    count: usize,
}

impl Tokens {
    fn push(&mut self, token: u64) {
        self.list[self.count] = token;
        self.count += 1;
    }

    fn as_slice(&self) -> &[u64] {
        &self.list[..self.count]
    }
}

impl Hands {
    /// One step's work; whether it was the last. A refused send leaves at once.
    pub(super) fn work(&mut self) -> Result<bool, Refused> {
        let before = self.counts();
        let left = self.life.limit.saturating_sub(self.total());
        let most = if self.narrow { 1 } else { BATCH as u64 };
        let want = (1 + self.draws.below(most)).min(left);
        let mut tokens = Tokens::default();
        let letter = self.mail.as_ref().and_then(|mail| mail.requeues);
        let handled = match letter {
            // Most often it is all that is asked for.
            Some(letter) if left == 0 || self.draws.below(4) > 0 => {
                self.receive_letter(letter, &mut tokens)
            }
            _ => self.receive(want as usize, &mut tokens),
        };
        self.answer(tokens.as_slice())?;
        if tokens.count > 0 && !self.narrow {
            self.chatter()?;
        }
        let ends = (self.total() >= self.life.limit || self.is_closed())
            && letter.is_none_or(|letter| letter.last && handled);
        if tokens.count > 0 || ends {
            self.note(before);
        }
        Ok(ends)
    }

    /// All that it does in the step that ends it because nobody receives any more.
    pub(super) fn note_end(&mut self) {
        let before = self.counts();
        self.note(before);
    }

    fn note(&mut self, before: [u64; LINKS_MAX]) {
        self.log.borrow_mut().note(before);
    }

    /// Which letter the next step gets.
    pub(super) fn requeue(&mut self, letter: Option<Requeued>) {
        if let Some(mail) = &mut self.mail {
            mail.requeues = letter;
        }
    }

    /// Tells what the handler is at.
    pub(super) fn says(&self, phase: Phase) {
        if let Some(witness) = &self.witness {
            witness.says(phase);
        }
    }

    /// Tells that the handler has nothing in hand yet.
    pub(super) fn begins(&self) {
        let Some(witness) = &self.witness else {
            return;
        };
        let places = 0..self.taken.len();
        for index in places.clone() {
            witness.shown(index, self.position(index));
        }
        if let Some(mail) = &self.mail {
            // None but the oldest was ever shown: without one nothing is above what is committed.
            witness.shown(places.end, mail.requeues.map_or(0, |letter| letter.place));
        }
        witness.says(Phase::Handles);
    }

    /// Messages received on a link.
    fn position(&self, index: usize) -> u64 {
        match &self.inputs {
            Inputs::Each(inputs) => inputs[index].received(),
            // None of them is ever set aside.
            Inputs::Joined(_) => self.taken[index].borrow().count,
        }
    }

    /// Takes the letter of this step and nothing else; whether there was one.
    fn receive_letter(&mut self, letter: Requeued, tokens: &mut Tokens) -> bool {
        let Self {
            inputs: Inputs::Each(inputs),
            mail: Some(mail),
            witness,
            life,
            ..
        } = self
        else {
            return false;
        };
        let input = &mut inputs[LETTERED];
        let hidden = self.taken.len();
        let mut found = None;
        if let Some(witness) = &*witness {
            witness.asks(1);
        }
        take(input, life.style.receives, 1, |item| {
            mail.again.borrow_mut().receive(IN[LETTERED], item);
            if let Some(witness) = &*witness {
                witness.shown(hidden, letter.place + 1);
            }
            tokens.push(Answers::to(IN[LETTERED], item.seq));
            found = Some(item.seq);
        });
        // It keeps the key that it had.
        if found.is_some() && input.key().map(|key| key.sequence) != found {
            mail.again.borrow_mut().torn += 1;
        }
        self.says(Phase::Handles);
        found.is_some()
    }

    /// Takes up to `want` messages, from a link that is drawn on, and no more than its letter of one of which there is
    /// a letter in this step; whether that was taken.
    fn receive(&mut self, want: usize, tokens: &mut Tokens) -> bool {
        let receives = self.life.style.receives;
        if let Some(witness) = &self.witness {
            witness.asks(want as u64);
        }
        let letter = self.mail.as_ref().and_then(|mail| mail.requeues);
        let mut handled = false;
        let Self {
            inputs,
            taken,
            draws,
            mail,
            witness,
            ..
        } = self;
        let hidden = taken.len();
        let mut note = |index: usize, item: &Item| {
            let (place, to) = match (letter, &mut *mail) {
                (Some(letter), Some(mail)) if index == LETTERED => {
                    mail.again.borrow_mut().receive(IN[index], item);
                    handled = true;
                    (hidden, letter.place + 1)
                }
                _ => {
                    taken[index].borrow_mut().receive(IN[index], item);
                    (index, item.seq + 1)
                }
            };
            if let Some(witness) = &*witness {
                witness.shown(place, to);
            }
            tokens.push(Answers::to(IN[index], item.seq));
        };
        match inputs {
            Inputs::Joined(inputs) if receives == Receives::One => {
                for _ in 0..want {
                    let Some((index, item)) = inputs.try_recv() else {
                        break;
                    };
                    note(index, &item);
                }
            }
            Inputs::Joined(inputs) => {
                inputs.drain(want, note);
            }
            Inputs::Each(inputs) => {
                let first = draws.below(inputs.len() as u64) as usize;
                let mut left = want;
                for turn in 0..inputs.len() {
                    let index = (first + turn) % inputs.len();
                    // None is left out for ever: the first that has a message gives at least one.
                    let share = left.min(1 + draws.below(left.max(1) as u64) as usize);
                    let note = |item: &Item| note(index, item);
                    left -= take(&mut inputs[index], receives, share, note);
                }
            }
        }
        self.says(Phase::Handles);
        handled
    }

    /// One answer for each, on links that are drawn.
    fn answer(&mut self, tokens: &[u64]) -> Result<(), Refused> {
        let Self {
            outputs,
            sent,
            draws,
            life,
            log,
            ..
        } = self;
        for token in tokens {
            log.borrow_mut().answered.add(*token);
        }
        let mut next = |index: usize, token: u64| {
            sent[index]
                .borrow_mut()
                .answer(OUT[index], life.nonce, token)
        };
        let count = outputs.len() as u64;
        if life.style.sends == Sends::Slice {
            let cut = draws.below(tokens.len() as u64 + 1) as usize;
            for part in [&tokens[..cut], &tokens[cut..]] {
                let index = draws.below(count) as usize;
                let mut items = [Item::new(OUT[index], 0, 0); BATCH];
                for (item, token) in items.iter_mut().zip(part) {
                    *item = next(index, *token);
                }
                outputs[index].send_slice(&items[..part.len()])?;
            }
            return Ok(());
        }
        for token in tokens {
            let index = draws.below(count) as usize;
            let item = next(index, *token);
            if life.style.sends == Sends::Claim {
                let mut slot = outputs[index].claim()?;
                *slot = item;
                slot.publish();
            } else {
                outputs[index].send(item)?;
            }
        }
        Ok(())
    }

    /// None to two messages more on a link that is drawn, if there is room for them: a full link doesn't abort this step.
    fn chatter(&mut self) -> Result<(), Refused> {
        let index = self.draws.below(self.outputs.len() as u64) as usize;
        for _ in 0..self.draws.below(3) {
            let mut flow = self.sent[index].get();
            let item = flow.next(OUT[index], self.life.nonce);
            match self.outputs[index].try_send(item) {
                Ok(()) => self.sent[index].set(flow),
                Err(TrySendError::Full(_)) => break,
                Err(TrySendError::Closed(_)) => return Err(Refused::Closed),
            }
        }
        Ok(())
    }

    fn counts(&self) -> [u64; LINKS_MAX] {
        let mut counts = [0; LINKS_MAX];
        for (count, flow) in counts.iter_mut().zip(&self.sent) {
            *count = flow.borrow().count;
        }
        counts
    }

    fn total(&self) -> u64 {
        self.taken.iter().map(|flow| flow.borrow().count).sum()
    }

    fn is_closed(&self) -> bool {
        match &self.inputs {
            Inputs::Each(inputs) => inputs.iter().all(Receiver::is_closed),
            Inputs::Joined(inputs) => inputs.is_closed(),
        }
    }

    pub(super) fn kept(&self) -> Kept {
        Kept {
            taken: self.taken.iter().map(Durable::get).collect(),
            sent: self.sent.iter().map(Durable::get).collect(),
            log: self.log.get(),
            fixed: self.fixed.get(),
            again: self.mail.as_ref().map(|mail| mail.again.get()),
        }
    }
}

/// Takes up to `most` messages of one link and shows each; how many they were.
fn take(
    input: &mut Receiver<Item>,
    receives: Receives,
    most: usize,
    mut note: impl FnMut(&Item),
) -> usize {
    match receives {
        Receives::One => {
            let items = std::iter::from_fn(|| input.try_recv()).take(most);
            items.map(|item| note(&item)).count()
        }
        Receives::Drain => input.drain(most, note),
        Receives::Slices => input.drain_slices(most, |run| run.iter().for_each(&mut note)),
        Receives::Copies => {
            let mut items = [Item::new(IN[0], 0, 0); BATCH];
            let count = input.recv_slice(&mut items[..most]);
            items[..count].iter().for_each(note);
            count
        }
    }
}
