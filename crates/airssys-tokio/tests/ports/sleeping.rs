//! What wakes a port that sleeps, and what doesn't.

use std::os::fd::AsFd;
use std::task::Poll;

use airssys_rt::prelude::*;
use airssys_rt::{HostReceiver, Inline};
use airssys_tokio::AsyncReceiver;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::bus::{Counted, SLOTS, ask, echoes, patiently, poll_once, ports};

fn is_readable(port: &mut HostReceiver<u64>) -> bool {
    let descriptor = port.descriptor().unwrap();
    let mut watched = [PollFd::from_borrowed_fd(descriptor.as_fd(), PollFlags::IN)];
    poll(&mut watched, Some(&Timespec::default())).unwrap() > 0
}

/// Lets the runtime see what is readable, and tasks run that it wakes.
async fn look_around() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_task_is_polled_once_for_one_message() {
    let mut bus = echoes("polls", ["echo"], SLOTS).inline(0).unwrap();
    let (mut asks, mut answers) = ports!(bus, "echo");
    // The partition's first turn rings everybody, which a first sleep takes out.
    bus.run_until_idle(10).unwrap();
    assert!(poll_once(answers.recv()).await.is_pending());
    look_around().await;
    assert!(poll_once(answers.recv()).await.is_pending());
    for number in 0..100 {
        let receiving = async move {
            let answer = answers.recv().await;
            (answer, answers)
        };
        let receiving = tokio::spawn(Counted::new(receiving));
        look_around().await;
        for _ in 0..10 {
            bus.turn().unwrap();
            look_around().await;
        }
        asks.try_send(number).unwrap();
        bus.run_until_idle(10).unwrap();
        let ((answer, back), polls) = patiently(receiving).await.unwrap();
        assert_eq!((answer.unwrap(), polls), (Some(number), 2));
        answers = back;
    }
}

#[tokio::test]
async fn others_traffic_wakes_nobody() {
    let bus = echoes("idle", ["quiet", "busy"], SLOTS)
        .launch(Launch::Threads)
        .unwrap();
    let (mut quiet_asks, mut quiet) = ports!(bus, "quiet");
    let (mut asks, mut answers) = ports!(bus, "busy");
    let sleeping = async move {
        // What the start has rung is over after this.
        let first = quiet.recv().await.unwrap();
        let (second, polls) = Counted::new(quiet.recv()).await;
        (first, second.unwrap(), polls)
    };
    let sleeping = tokio::spawn(sleeping);
    patiently(async {
        quiet_asks.send(1).await.unwrap();
        for number in 0..2000 {
            ask(&mut asks, &mut answers, number).await;
        }
        quiet_asks.send(2).await.unwrap();
        let (first, second, polls) = sleeping.await.unwrap();
        assert_eq!((first, second), (Some(1), Some(2)));
        // Its partition shows the credit for the first message after the message itself, and rings for that, too.
        assert!(polls <= 3, "{polls} polls for one message");
    })
    .await;
}

/// An inline bus whose first turn, which rings everybody, is over; and a receiver of its that sleeps.
async fn armed(tag: &str) -> (Inline, AsyncReceiver<u64>) {
    let mut bus = echoes(tag, ["echo"], SLOTS).inline(0).unwrap();
    bus.run_until_idle(10).unwrap();
    let (_, mut answers) = ports!(bus, "echo");
    assert!(poll_once(answers.recv()).await.is_pending());
    (bus, answers)
}

/// Has the echo send one answer.
fn answer(bus: &mut Inline, one: u64) {
    bus.sender::<u64>("echo-asks")
        .unwrap()
        .try_send(one)
        .unwrap();
    bus.run_until_idle(10).unwrap();
}

#[tokio::test]
async fn a_port_that_sleeps_is_rung_for() {
    let (mut bus, mut answers) = armed("rung").await;
    answer(&mut bus, 7);
    assert_eq!(patiently(answers.recv()).await.unwrap(), Some(7));
    let mut port = answers.into_inner();
    assert!(!is_readable(&mut port), "what was rung is taken out");
}

#[tokio::test]
async fn a_port_that_was_given_back_is_awake() {
    let (mut bus, answers) = armed("given-back").await;
    let mut port = answers.into_inner();
    answer(&mut bus, 7);
    assert!(!is_readable(&mut port), "it was rung for in vain");
    assert_eq!(port.try_recv().unwrap(), Some(7));
}

#[tokio::test]
async fn a_port_that_was_dropped_is_awake() {
    let (mut bus, answers) = armed("dropped").await;
    drop(answers);
    answer(&mut bus, 7);
    let mut port = bus.receiver::<u64>("echo-answers").unwrap();
    assert!(!is_readable(&mut port), "nobody was there to be rung for");
    assert_eq!(port.try_recv().unwrap(), Some(7));
}

#[tokio::test]
async fn a_port_that_has_got_something_is_awake() {
    let (mut bus, mut answers) = armed("got").await;
    answer(&mut bus, 7);
    assert_eq!(
        poll_once(answers.recv()).await.map(Result::unwrap),
        Poll::Ready(Some(7))
    );
    answer(&mut bus, 8);
    let mut port = answers.into_inner();
    assert!(!is_readable(&mut port), "it was rung for in vain");
    assert_eq!(port.try_recv().unwrap(), Some(8));
}

#[tokio::test]
async fn rings_that_come_late_cost_one_look() {
    let (mut bus, mut answers) = armed("late").await;
    answer(&mut bus, 7);
    assert_eq!(answers.try_recv().unwrap(), Some(7));
    // Rung for, but what for is gone.
    let receiving = tokio::spawn(Counted::new(async move { answers.recv().await }));
    look_around().await;
    answer(&mut bus, 8);
    let (received, polls) = patiently(receiving).await.unwrap();
    assert_eq!(received.unwrap(), Some(8));
    assert!(polls <= 3, "{polls} polls: it was awake all the time");
}
