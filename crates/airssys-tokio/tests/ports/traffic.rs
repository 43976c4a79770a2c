//! Messages there and back, through links so small that both sides sleep.

use airssys_rt::prelude::*;
use airssys_tokio::{AsyncReceiver, AsyncSender};
use futures_util::{SinkExt, StreamExt, TryStreamExt, stream};
use tokio::runtime::Builder;

use crate::bus::{SLOTS, ask, echoes, join, patiently, poll_once, ports};

const MESSAGES: u64 = 10_000;

/// Sends all of them from a task of its own, and receives them meanwhile.
async fn stream_there_and_back(mut asks: AsyncSender<u64>, mut answers: AsyncReceiver<u64>) {
    let sending = tokio::spawn(async move {
        for number in 0..MESSAGES {
            asks.send(number).await.unwrap();
        }
        asks
    });
    for number in 0..MESSAGES {
        assert_eq!(answers.recv().await.unwrap(), Some(number));
    }
    let mut asks = sending.await.unwrap();
    for number in 0..MESSAGES / 10 {
        ask(&mut asks, &mut answers, number).await;
    }
    asks.close().unwrap();
    assert_eq!(answers.recv().await.unwrap(), None);
}

fn round_trips(mut runtime: Builder, tag: &str) {
    let runtime = runtime.enable_all().build().unwrap();
    let bus = echoes(tag, ["echo"], SLOTS)
        .launch(Launch::Threads)
        .unwrap();
    runtime.block_on(async {
        let (asks, answers) = ports!(bus, "echo");
        let traffic = tokio::spawn(stream_there_and_back(asks, answers));
        patiently(traffic).await.unwrap();
    });
    assert!(!bus.join().unwrap().stopped);
}

#[test]
fn round_trips_on_one_thread() {
    round_trips(Builder::new_current_thread(), "one");
}

#[test]
fn round_trips_on_two_threads() {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2);
    round_trips(builder, "two");
}

#[tokio::test]
async fn a_sink_and_a_stream() {
    let bus = echoes("sink", ["echo"], SLOTS)
        .launch(Launch::Threads)
        .unwrap();
    let (mut asks, answers) = ports!(bus, "echo");
    let sending = async {
        let mut first = stream::iter(0..500).map(Ok);
        asks.send_all(&mut first).await.unwrap();
        let rest = stream::iter(500..1000).map(Ok);
        rest.forward(asks).await.unwrap(); // closes the link
    };
    let receiving = answers.try_collect::<Vec<u64>>();
    let ((), received) = patiently(async { tokio::join!(sending, receiving) }).await;
    assert_eq!(received.unwrap(), (0..1000).collect::<Vec<u64>>());
    assert!(!join(bus).await.stopped);
}

#[tokio::test]
async fn dropped_futures_lose_nothing() {
    let bus = echoes("select", ["echo"], SLOTS)
        .launch(Launch::Threads)
        .unwrap();
    let (mut asks, mut answers) = ports!(bus, "echo");
    patiently(async {
        let (mut sent, mut received, mut yields) = (0, 0, 0);
        let mut batch = Vec::new();
        while received < 2000 {
            tokio::select! {
                () = asks.ready(), if sent < 2000 => {
                    asks.try_send(sent).unwrap();
                    sent += 1;
                }
                answer = answers.recv() => {
                    assert_eq!(answer.unwrap(), Some(received));
                    received += 1;
                }
                () = tokio::task::yield_now() => yields += 1,
            }
            tokio::select! {
                count = answers.recv_many(&mut batch, 8) => assert_eq!(count.unwrap(), batch.len()),
                () = std::future::ready(()) => {}
            }
            for answer in batch.drain(..) {
                assert_eq!(answer, received);
                received += 1;
            }
        }
        assert!(yields > 0, "no future was ever dropped");
    })
    .await;
}

#[tokio::test]
async fn a_batch_is_what_there_is() {
    let mut bus = echoes("batch", ["echo"], 8).inline(0).unwrap();
    let (mut asks, mut answers) = ports!(bus, "echo");
    for number in 0..8 {
        asks.try_send(number).unwrap();
    }
    assert!(poll_once(asks.send(8)).await.is_pending(), "it is full");
    bus.run_until_idle(100).unwrap();
    let mut batch = vec![99];
    assert_eq!(answers.recv_many(&mut batch, 0).await.unwrap(), 0);
    assert_eq!(answers.recv_many(&mut batch, 3).await.unwrap(), 3);
    assert_eq!(answers.recv_many(&mut batch, 9).await.unwrap(), 5);
    assert_eq!(batch, [99, 0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(answers.try_recv().unwrap(), None);
}

#[tokio::test]
async fn a_task_that_always_gets_something_lets_others_run() {
    let mut bus = echoes("budget", ["echo"], 4096).inline(0).unwrap();
    let (mut asks, mut answers) = ports!(bus, "echo");
    for number in 0..4096 {
        asks.try_send(number).unwrap();
    }
    bus.run_until_idle(10_000).unwrap();
    let greedy = tokio::spawn(async move {
        for _ in 0..4096 {
            answers.recv().await.unwrap();
        }
    });
    let other = tokio::spawn(async {
        for _ in 0..4 {
            tokio::task::yield_now().await;
        }
    });
    other.await.unwrap();
    assert!(!greedy.is_finished(), "the other task had to wait for it");
    greedy.await.unwrap();
}
