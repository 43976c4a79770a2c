//! A task that sleeps is told when its link ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use airssys_rt::prelude::*;
use airssys_rt::{Running, SendError};
use airssys_tokio::SinkError;
use futures_util::{SinkExt, StreamExt};

use crate::bus::{SLOTS, echoes, join, patiently, poll_once, ports};

fn launch(tag: &str) -> Running {
    echoes(tag, ["echo"], SLOTS)
        .launch(Launch::Threads)
        .unwrap()
}

#[tokio::test]
async fn a_stop_ends_a_stream_that_waits() {
    let bus = launch("stop");
    let (_asks, mut answers) = ports!(bus, "echo");
    assert!(poll_once(answers.recv()).await.is_pending());
    let waiting = tokio::spawn(async move { (answers.next().await, answers.next().await) });
    bus.stop();
    assert_eq!(patiently(waiting).await.unwrap(), (None, None));
    assert!(join(bus).await.stopped);
}

#[tokio::test]
async fn a_stop_refuses_a_sender_that_waits() {
    // Nobody empties the inbox of a partition that has no turn.
    let mut bus = echoes("refused", ["echo"], SLOTS).inline(0).unwrap();
    let (mut asks, _answers) = ports!(bus, "echo");
    for number in 0..SLOTS {
        asks.send(number).await.unwrap();
    }
    let waiting = tokio::spawn(async move {
        let refused = asks.send(SLOTS).await;
        asks.ready().await;
        (refused, SinkExt::send(&mut asks, SLOTS).await)
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    bus.stop();
    bus.turn().unwrap();
    let (refused, sunk) = patiently(waiting).await.unwrap();
    assert_eq!(refused, Err(SendError::Closed(SLOTS)));
    assert_eq!(sunk, Err(SinkError::Closed));
}

#[tokio::test]
async fn a_peer_that_is_done_ends_a_stream_that_waits() {
    let bus = launch("done");
    let (asks, mut answers) = ports!(bus, "echo");
    let waiting = tokio::spawn(async move { answers.recv().await });
    tokio::task::yield_now().await;
    asks.into_inner().close().unwrap();
    assert_eq!(patiently(waiting).await.unwrap(), Ok(None));
    assert!(!join(bus).await.stopped);
}

/// Sends back what it gets, but panics in the middle of a step whenever the fuse is lit.
struct Fragile {
    asks: Receiver<u64>,
    answers: Sender<u64>,
    fuse: Arc<AtomicBool>,
}

impl Actor for Fragile {
    fn step(&mut self) -> Result<Step, Refused> {
        let Some(ask) = self.asks.try_recv() else {
            return Ok(Step::Idle);
        };
        self.answers.send(ask)?;
        assert!(!self.fuse.swap(false, Ordering::Relaxed), "on purpose");
        Ok(Step::Busy)
    }
}

#[tokio::test]
async fn restarts_of_the_peer_lose_nothing() {
    let fuse = Arc::new(AtomicBool::new(false));
    let lit = Arc::clone(&fuse);
    let mut plan = Topology::builder("tokio-restarts");
    plan.bus(format!("tokio-restarts-{}", std::process::id()));
    let (ask_out, ask_in) = plan.link::<u64>("fragile-asks", SLOTS);
    let (answer_out, answer_in) = plan.link::<u64>("fragile-answers", SLOTS);
    plan.host().sends(ask_out).receives(answer_in);
    plan.partition("fragile")
        .wait(Wait::spin_then_park())
        .actor("fragile", (ask_in, answer_out), move |(asks, answers)| {
            Fragile {
                asks,
                answers,
                fuse: Arc::clone(&fuse),
            }
        });
    let bus = plan.build().unwrap().launch(Launch::Threads).unwrap();
    let (mut asks, mut answers) = ports!(bus, "fragile");
    patiently(async {
        for number in 0..100 {
            lit.store(number % 20 == 0, Ordering::Relaxed);
            asks.send(number).await.unwrap();
            assert_eq!(answers.recv().await.unwrap(), Some(number));
        }
    })
    .await;
    assert_eq!(bus.partitions()[0].restarts, 5);
}

#[tokio::test]
async fn a_closed_receiver_ends_its_stream_and_its_peer() {
    let mut bus = echoes("closed", ["echo"], SLOTS).inline(0).unwrap();
    let (mut asks, mut answers) = ports!(bus, "echo");
    answers.close().unwrap();
    answers.close().unwrap();
    assert!(answers.is_closed());
    assert_eq!(answers.recv().await.unwrap(), None);
    asks.send(1).await.unwrap();
    assert!(bus.turn().is_ok());
}
