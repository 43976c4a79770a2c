//! What the tests run: actors that send back what they get, and futures that count.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use airssys_rt::prelude::*;
use airssys_rt::{Report, Running};
use airssys_tokio::{AsyncReceiver, AsyncSender};

/// Only a test that hangs meets it; no outcome depends on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Slots of the links: few, so that both sides sleep.
pub(crate) const SLOTS: u64 = 2;

/// Sends back what it gets.
pub(crate) struct Echo {
    asks: Receiver<u64>,
    answers: Sender<u64>,
}

impl Actor for Echo {
    fn step(&mut self) -> Result<Step, Refused> {
        let Some(ask) = self.asks.try_recv() else {
            let ended = self.asks.is_closed();
            return Ok(if ended { Step::Done } else { Step::Idle });
        };
        self.answers.send(ask)?;
        Ok(Step::Busy)
    }
}

/// A topology of one partition for each name, which sends `<name>-asks` back as `<name>-answers`.
pub(crate) fn echoes<const N: usize>(tag: &str, names: [&str; N], slots: u64) -> Topology {
    let mut plan = Topology::builder("tokio-ports");
    plan.bus(format!("tokio-{tag}-{}", std::process::id()));
    for name in names {
        let (ask_out, ask_in) = plan.link::<u64>(format!("{name}-asks"), slots);
        let (answer_out, answer_in) = plan.link::<u64>(format!("{name}-answers"), slots);
        plan.host().sends(ask_out).receives(answer_in);
        plan.partition(name).wait(Wait::spin_then_park()).actor(
            name,
            (ask_in, answer_out),
            |(asks, answers)| Echo { asks, answers },
        );
    }
    plan.build().unwrap()
}

/// The two ports of an echo, from whatever runs it.
macro_rules! ports {
    ($bus:expr, $name:expr) => {
        (
            airssys_tokio::AsyncSender::<u64>::new($bus.sender(concat!($name, "-asks")).unwrap())
                .unwrap(),
            airssys_tokio::AsyncReceiver::<u64>::new(
                $bus.receiver(concat!($name, "-answers")).unwrap(),
            )
            .unwrap(),
        )
    };
}
pub(crate) use ports;

/// Waits for the end of a bus, off the runtime's threads.
pub(crate) async fn join(bus: Running) -> Report {
    let joining = tokio::task::spawn_blocking(move || bus.join().unwrap());
    patiently(joining).await.unwrap()
}

/// Asks and awaits the answer.
pub(crate) async fn ask(asks: &mut AsyncSender<u64>, answers: &mut AsyncReceiver<u64>, one: u64) {
    asks.send(one).await.unwrap();
    assert_eq!(answers.recv().await.unwrap(), Some(one));
}

/// Fails a test that hangs.
pub(crate) async fn patiently<F: Future>(work: F) -> F::Output {
    let in_time = tokio::time::timeout(PATIENCE, work).await;
    in_time.expect("the test hangs")
}

/// Polls once.
pub(crate) async fn poll_once<F: Future>(work: F) -> Poll<F::Output> {
    let mut work = pin!(work);
    std::future::poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await
}

/// A future, and how often it was polled.
pub(crate) struct Counted<F> {
    work: Pin<Box<F>>,
    pub(crate) polls: usize,
}

impl<F: Future> Counted<F> {
    pub(crate) fn new(work: F) -> Self {
        Self {
            work: Box::pin(work),
            polls: 0,
        }
    }
}

impl<F: Future> Future for Counted<F> {
    /// With the count.
    type Output = (F::Output, usize);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.polls += 1;
        let polls = self.polls;
        self.work.as_mut().poll(cx).map(|result| (result, polls))
    }
}
