//! All partitions on the caller's thread, over heap memory.
//!
//! No process, no thread, no file, no pin, and no clock but the one that its owner sets: what happens is decided by the actors, by
//! what the host ports are given, and by the seed, which orders the partitions anew at each turn. The same seed and the same input
//! give the same run.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use airssys_ringbuf::park::Barrier;
use airssys_ringbuf::pulse::{Command as OrderCell, Order, PulseView};
use airssys_ringbuf::region::{CreateError, SectionKind};
use airssys_ringbuf::step::{ClockSource, ManualClock};
use airssys_ringbuf::{Instance, Message};

use crate::embed::hosted::{TurnError, Turned};
use crate::embed::receiver::HostReceiver;
use crate::embed::sender::HostSender;
use crate::embed::side::{HostError, HostSide, Regions};
use crate::local::LocalRings;
use crate::monitor::Monitor;
use crate::partition::bells::Waiting;
use crate::partition::view::{BusView, pulse};
use crate::partition::{Begun, Ending, PartitionError, Pass, Turns};
use crate::supervisor::Command;
use crate::supervisor::blame::Blame;
use crate::supervisor::cause::Cause;
use crate::supervisor::control::{Requests, control_inline};
use crate::supervisor::faults::FaultWatch;
use crate::supervisor::status::StatusBoard;
use crate::topology::Topology;
use crate::topology::model::{Plan, WaitKind};

/// A topology whose partitions run on the caller's thread, one turn at a time. Reads like its [`Monitor`].
///
/// For unit tests, doctests, replay and simulation: nothing happens but in [`turn`](Self::turn), and the seed decides in which
/// order. [`Monitor::kill`] ends a partition between two steps; its next turn begins the next incarnation, which recovers
/// like any other: plain fields are made anew, durable state and inboxes hold.
///
/// Time stands still but for its [`clock`](Self::clock), and there is no supervisor: restart types, intensity, backoff and
/// timeouts don't apply, and no capsules are kept. A panic is laid to the charge of messages as elsewhere, so dead letters work;
/// nobody gives up. [`Monitor::stop`] lets inboxes drain until a turn has found nothing to do, then ends every partition. Dropping
/// it ends the bus for its host ports, too.
pub struct Inline {
    monitor: Monitor,
    side: HostSide,
    seats: Seats,
    clock: ManualClock,
}

impl fmt::Debug for Inline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inline")
            .field("monitor", &self.monitor)
            .finish_non_exhaustive()
    }
}

impl Deref for Inline {
    type Target = Monitor;
    fn deref(&self) -> &Monitor {
        &self.monitor
    }
}

impl Topology {
    /// Runs the topology on the calling thread, over heap memory, turn by turn; `seed` decides the order of the partitions in
    /// each turn, 0 being the order of their declaration.
    ///
    /// # Errors
    ///
    /// [`CreateError`] for a region that can't be laid out.
    pub fn inline(&self, seed: u64) -> Result<Inline, CreateError> {
        let clock = ManualClock::default();
        let (monitor, side, commands) = in_heap(self.plan(), ClockSource::Manual(clock.clone()))?;
        Ok(Inline {
            clock,
            seats: Seats::new(&side, &monitor, commands, seed),
            monitor,
            side,
        })
    }
}

/// A bus in this process's heap that nobody drives yet.
pub(crate) fn in_heap(
    plan: &Arc<Plan>,
    clock: ClockSource,
) -> Result<(Monitor, HostSide, Requests), CreateError> {
    let side = HostSide {
        plan: Arc::clone(plan),
        view: BusView::heap(plan, Instance::default(), clock)?,
        regions: Regions::Heap,
        waiting: Waiting {
            auto: WaitKind::SpinThenYield,
            barrier: Barrier::Fences,
        },
        locals: LocalRings::of(plan),
    };
    let (send, commands) = control_inline();
    let names = plan.partitions.iter();
    let names = names.map(|partition| partition.name.clone());
    let monitor = Monitor {
        plan: Arc::clone(plan),
        view: side.view.clone(),
        status: Arc::new(StatusBoard::new(names)),
        commands: send,
    };
    Ok((monitor, side, commands))
}

impl Inline {
    /// Runs each partition once, that is each of its actors once.
    ///
    /// # Errors
    ///
    /// [`TurnError`] if a step can never commit. Its partition begins its next incarnation in the next turn.
    ///
    /// # Panics
    ///
    /// If an actor does; the partitions after it have no turn this time. Nothing of the step that panicked counts, and its
    /// partition begins its next incarnation in the next turn.
    pub fn turn(&mut self) -> Result<Turned, TurnError> {
        self.seats.turn()
    }

    /// Runs turns until one has found nothing to do, or until there have been `most`: [`Turned::Busy`] then.
    ///
    /// # Errors
    ///
    /// As [`turn`](Self::turn).
    ///
    /// # Panics
    ///
    /// As [`turn`](Self::turn).
    pub fn run_until_idle(&mut self, most: usize) -> Result<Turned, TurnError> {
        for _ in 0..most {
            let turned = self.turn()?;
            if turned != Turned::Busy {
                return Ok(turned);
            }
        }
        Ok(Turned::Busy)
    }

    /// Takes the host port that sends on `link`.
    ///
    /// # Errors
    ///
    /// [`HostError`]: there is none, it is held already, or it carries another type.
    pub fn sender<T: Message>(&self, link: &str) -> Result<HostSender<T>, HostError> {
        self.side.sender(link)
    }

    /// Takes the host port that receives from `link`.
    ///
    /// # Errors
    ///
    /// [`HostError`]: there is none, it is held already, or it carries another type.
    pub fn receiver<T: Message>(&self, link: &str) -> Result<HostReceiver<T>, HostError> {
        self.side.receiver(link)
    }

    /// The clock that this bus's actors read, in nanoseconds: both of its readings are 0 until they are set, and stand still.
    #[must_use]
    pub fn clock(&self) -> &ManualClock {
        &self.clock
    }

    /// A handle for reading, also after the end.
    #[must_use]
    pub fn monitor(&self) -> Monitor {
        self.monitor.clone()
    }
}

/// Where a partition of an inline bus is in its lives.
enum Seat {
    /// Its next turn begins an incarnation.
    Vacant,
    Live(Box<Turns>),
    Ended,
}

/// The partitions of an inline bus, on the thread that drives them.
pub(crate) struct Seats {
    side: HostSide,
    monitor: Monitor,
    commands: Requests,
    /// `None` where the regions don't hold it, which they were made with.
    blame: Option<Blame>,
    places: Vec<Seat>,
    order: Order,
    /// Somebody asked for the end before it came by itself.
    is_stopped: bool,
    shuffle: Option<SplitMix64>,
}

impl Seats {
    pub(crate) fn new(side: &HostSide, monitor: &Monitor, commands: Requests, seed: u64) -> Self {
        Self {
            side: side.clone(),
            monitor: monitor.clone(),
            commands,
            blame: Blame::new(&side.plan, &side.view).ok(),
            places: side.plan.partitions.iter().map(|_| Seat::Vacant).collect(),
            order: Order::Run,
            is_stopped: false,
            shuffle: (seed != 0).then_some(SplitMix64(seed)),
        }
    }

    /// Whether somebody has asked for the end before it came by itself.
    pub(crate) fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// One turn of every partition.
    pub(crate) fn turn(&mut self) -> Result<Turned, TurnError> {
        self.obey();
        let mut sequence: Vec<usize> = (0..self.places.len()).collect();
        if let Some(shuffle) = &mut self.shuffle {
            shuffle.permute(&mut sequence);
        }
        let mut all = Turned::Ended;
        for partition in sequence {
            let one = self.turn_of(partition);
            let one = one.map_err(|source| TurnError::new(&self.side.plan, partition, source))?;
            all = match (all, one) {
                (Turned::Busy, _) | (_, Turned::Busy) => Turned::Busy,
                (Turned::Idle, _) | (_, Turned::Idle) => Turned::Idle,
                (Turned::Ended, Turned::Ended) => Turned::Ended,
            };
        }
        if all == Turned::Idle && self.order == Order::Drain {
            self.give(Order::Stop);
            return Ok(Turned::Busy);
        }
        if all == Turned::Ended {
            self.give(Order::Stop);
        }
        Ok(all)
    }

    fn turn_of(&mut self, partition: usize) -> Result<Turned, PartitionError> {
        // Put back only if it can go on: what panics or fails leaves its seat.
        let mut turns = match std::mem::replace(&mut self.places[partition], Seat::Vacant) {
            Seat::Live(turns) => turns,
            Seat::Vacant => match self.begin(partition)? {
                Begun::Live(turns) => turns,
                Begun::Ended(ending) => {
                    self.ended(partition, ending);
                    return Ok(Turned::Ended);
                }
            },
            Seat::Ended => {
                self.places[partition] = Seat::Ended;
                return Ok(Turned::Ended);
            }
        };
        let turned = match turns.pass()? {
            Pass::Ended(ending) => {
                self.ended(partition, ending);
                return Ok(Turned::Ended);
            }
            Pass::Idle => Turned::Idle,
            Pass::Busy => Turned::Busy,
        };
        self.places[partition] = Seat::Live(turns);
        Ok(turned)
    }

    fn ended(&mut self, partition: usize, ending: Ending) {
        self.places[partition] = Seat::Ended;
        self.monitor.status.update(partition, |status| {
            status.pid = None;
            status.last_cause = Some(match ending {
                Ending::Done => Cause::Done,
                Ending::Stopped => Cause::Stopped,
            });
        });
    }

    fn begin(&mut self, partition: usize) -> Result<Begun, PartitionError> {
        // A life that ended with something in work panicked: a kill comes between two turns.
        let HostSide { plan, view, .. } = &self.side;
        if let Some(blame) = &mut self.blame
            && let Ok(pulse) =
                PulseView::new(view.partition(partition), pulse(view.partition(partition))?)
        {
            let last = pulse.vitals().identity.incarnation;
            // There is no supervisor that could give up: whoever makes the turns saw the panic.
            let judgement = blame.judge(plan, view, (partition, last), &Cause::Panic(None));
            if let Some(reset) = judgement.resets {
                // Nor one that something else would wait for.
                let _ = blame.reset(plan, &reset, reset.state.write(plan));
            }
        }
        self.monitor.status.update(partition, |status| {
            status.begun();
            status.pid = Some(std::process::id());
        });
        self.side.begin(partition)
    }

    /// Does what was asked for since the last turn.
    fn obey(&mut self) {
        while let Some(command) = self.commands.try_recv() {
            match command {
                Command::Stop if self.order == Order::Run => {
                    self.is_stopped = true;
                    self.give(Order::Drain);
                }
                Command::Stop | Command::Join => {}
                Command::Letters { link, order, count } => {
                    if let Some(blame) = &self.blame {
                        let HostSide { plan, view, .. } = &self.side;
                        blame.order(plan, view, link, (order, count));
                    }
                }
                Command::Abort => {
                    self.is_stopped |= self.order == Order::Run;
                    self.give(Order::Stop);
                }
                Command::Kill(partition) => {
                    if matches!(self.places[partition], Seat::Live(_)) {
                        self.places[partition] = Seat::Vacant;
                    }
                }
            }
        }
    }

    /// Gives an order to everybody on the bus.
    fn give(&mut self, order: Order) {
        self.order = order;
        let supervisor = self.side.view.supervisor();
        for party in 0..self.side.plan.parties() {
            let name = self.side.plan.party_name(party);
            let section = supervisor.section(SectionKind::Command, name).ok();
            if let Some(cell) = section.and_then(|at| OrderCell::new(supervisor, at).ok()) {
                cell.give(order);
            }
        }
        if let Ok(waker) = self
            .side
            .waiting
            .supervisor_waker(&self.side.plan, &self.side.view)
        {
            waker.wake();
        }
    }
}

/// Nobody drives it any more: whoever waits on its ports is told, and which links were given up.
impl Drop for Seats {
    fn drop(&mut self) {
        self.give(Order::Stop);
        FaultWatch::new(&self.side.plan).look(&self.side.plan, &self.side.view);
    }
}

/// Sebastiano Vigna's generator: its sequence is part of what a seed means, so it is written down here.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Fisher and Yates' shuffle. The modulus favours some orders by less than one in 2^50.
    fn permute(&mut self, items: &mut [usize]) {
        for last in (1..items.len()).rev() {
            let other = self.next() % (last as u64 + 1);
            items.swap(last, other as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_the_published_one() {
        let mut seeded = SplitMix64(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| seeded.next()).collect();
        let published = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!(first, published);
    }

    #[test]
    fn every_order_of_three_comes_up() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 1..=100 {
            let mut order = vec![0, 1, 2];
            SplitMix64(seed).permute(&mut order);
            seen.insert(order);
        }
        assert_eq!(seen.len(), 6);
    }
}
