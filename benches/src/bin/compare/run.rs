//! The rounds: every question to its subjects in turn, in an order that is another one each round.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Instant;

use crate::Result;
use crate::catalog::{self, BATCH, PAYLOADS, QUICK_PAYLOADS, Which};
use crate::cell::{Cell, Metric, Mode};
use crate::clock::Clock;
use crate::control::Side;
use crate::cores::pin;
use crate::figures::{Figures, Question, Slower};
use crate::leftovers::Names;
use crate::nameless::Held;
use crate::sides::turns;
use clap::ValueEnum as _;

/// The payload at which unequal sides are measured, in words.
const UNEQUAL_WORDS: usize = 7;

/// How much.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    pub(crate) payloads: &'static [usize],
    pub(crate) slower: &'static [Slower],
    pub(crate) rounds: usize,
    /// Of each measurement.
    pub(crate) lasts_us: u64,
}

impl Extent {
    pub(crate) const FULL: Self = Self {
        payloads: &PAYLOADS,
        slower: &Slower::ALL,
        rounds: 9,
        lasts_us: 50_000,
    };

    /// A look at everything.
    pub(crate) const QUICK: Self = Self {
        payloads: &QUICK_PAYLOADS,
        slower: &[Slower::Sender(67), Slower::Receiver(35)],
        rounds: 5,
        lasts_us: 12_000,
    };

    fn questions(&self) -> Vec<Question> {
        let mut questions = Vec::new();
        let plain = |metric, mode, payload, batch| Question {
            metric,
            mode,
            payload,
            batch,
            slower: None,
        };
        for mode in [Mode::Threads, Mode::Processes] {
            for &payload in self.payloads {
                questions.push(plain(Metric::Rtt, mode, payload, 1));
                questions.push(plain(Metric::Stream, mode, payload, 1));
                questions.push(plain(Metric::Stream, mode, payload, BATCH));
            }
            for &slower in self.slower {
                questions.push(Question {
                    slower: Some(slower),
                    ..plain(Metric::Unequal, mode, UNEQUAL_WORDS * 8, 1)
                });
            }
        }
        questions
    }
}

/// What a run needs throughout.
pub(crate) struct Run<'a> {
    pub(crate) extent: Extent,
    pub(crate) cores: Vec<usize>,
    pub(crate) names: &'a Names,
    pub(crate) clock: Clock,
    /// Only these subjects, if any are named; the limits always.
    pub(crate) only: Vec<Which>,
    measured: usize,
    turns: BTreeMap<Slower, u32>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(
        extent: Extent,
        cores: Vec<usize>,
        names: &'a Names,
        only: Vec<Which>,
    ) -> Self {
        Self {
            extent,
            cores,
            names,
            clock: Clock::new(),
            only,
            measured: 0,
            turns: BTreeMap::new(),
        }
    }

    pub(crate) fn measure(&mut self) -> Result<Figures> {
        let mut figures = Figures::default();
        let questions = self.extent.questions();
        let all = self.extent.rounds * questions.len();
        let begin = Instant::now();
        for round in 0..self.extent.rounds {
            for (number, &question) in questions.iter().enumerate() {
                self.ask(&mut figures, question, round, number)?;
                let done = round * questions.len() + number + 1;
                let _ = write!(
                    std::io::stderr(),
                    "\rround {}/{}, {done}/{all} questions, {:.0} s ",
                    round + 1,
                    self.extent.rounds,
                    begin.elapsed().as_secs_f64()
                );
            }
        }
        let _ = writeln!(std::io::stderr());
        Ok(figures)
    }

    fn subjects(&self, question: Question) -> Vec<Which> {
        let Question {
            metric,
            mode,
            batch,
            ..
        } = question;
        let all = Which::value_variants().iter().copied();
        all.filter(|which| {
            which.can(metric, mode, batch)
                && (self.only.is_empty() || which.is_raw() || self.only.contains(which))
        })
        .collect()
    }

    fn ask(
        &mut self,
        figures: &mut Figures,
        question: Question,
        round: usize,
        number: usize,
    ) -> Result<()> {
        let mut subjects = self.subjects(question);
        let count = subjects.len();
        subjects.rotate_left((round * count.div_ceil(self.extent.rounds) + number) % count);
        let turns = self.turns(question)?;
        let mut samples = Vec::new();
        for which in subjects {
            let held = Held::new()?;
            let mut cell = Cell {
                subject: which,
                metric: question.metric,
                mode: question.mode,
                payload: question.payload,
                batch: question.batch_of(which),
                lasts_us: self.extent.lasts_us,
                sender_work: 0,
                receiver_work: 0,
                cores: self.cores.clone(),
                name: self.names.of(self.measured),
                files: held.descriptors(),
                parent: std::process::id().cast_signed(),
            };
            match question.slower {
                Some(Slower::Sender(_)) => cell.sender_work = turns,
                Some(Slower::Receiver(_)) => cell.receiver_work = turns,
                None => {}
            }
            // The limit that unequal sides are held against is the round trip's.
            if which == Which::Raw && question.metric == Metric::Unequal {
                cell.metric = Metric::Rtt;
            }
            self.measured += 1;
            let sample = catalog::measure(&cell);
            drop(held);
            samples.push((which, sample?));
        }
        figures.add(&self.clock, question, samples)
    }

    /// The turns of work that the slower side does for a message: found once, on its core.
    fn turns(&mut self, question: Question) -> Result<u32> {
        let Some(slower) = question.slower else {
            return Ok(0);
        };
        if let Some(&turns) = self.turns.get(&slower) {
            return Ok(turns);
        }
        let (clock, cores) = (&self.clock, &self.cores);
        let writes = matches!(slower, Slower::Sender(_));
        let found = std::thread::scope(|scope| {
            let alone = scope.spawn(move || {
                pin(cores, if writes { Side::Far } else { Side::Near })?;
                let target = slower.work_ns().into();
                Ok(turns::<UNEQUAL_WORDS>(clock, target, writes))
            });
            alone.join().map_err(|_| "work alone panicked")
        });
        let found: Result<u32> = found?;
        let found = found?;
        self.turns.insert(slower, found);
        Ok(found)
    }
}
