//! The bare ring, by layout and message size.

use std::hint::black_box;

use airssys_ringbuf::{Layout, Ring};

use crate::operation::{BATCH, Operation, Result, nothing, rounds};

/// Messages of a slice.
const SLICE: usize = 32;
/// A batch of slices fits.
const CAPACITY: usize = (SLICE * BATCH as usize).next_power_of_two();

#[derive(Clone, Copy)]
enum Way {
    Claim,
    TrySend,
    SendSlice,
    TryRecv,
    Drain,
    RecvSlice,
}

impl Way {
    const ALL: [(Self, &str, u64); 6] = [
        (Self::Claim, "claim, write, publish", 1),
        (Self::TrySend, "try_send", 1),
        (Self::SendSlice, "send_slice of 32", SLICE as u64),
        (Self::TryRecv, "try_recv", 1),
        (Self::Drain, "drain of 1", 1),
        (Self::RecvSlice, "recv_slice of 32", SLICE as u64),
    ];
}

pub(crate) fn operations() -> Vec<Operation> {
    let mut all = vec![Operation::new("the counting loop alone", 1, |calls| {
        Ok(rounds(calls, nothing, || black_box(true), nothing))
    })];
    for (layout, name) in [
        (Layout::Sequenced, "sequenced"),
        (Layout::Contiguous, "contiguous"),
    ] {
        for (way, what, messages) in Way::ALL {
            all.push(Operation::new(
                format!("ring, {name}, 8 B: {what}"),
                messages,
                move |calls| run::<1>(layout, way, calls),
            ));
        }
        for (way, what, messages) in Way::ALL {
            all.push(Operation::new(
                format!("ring, {name}, 56 B: {what}"),
                messages,
                move |calls| run::<7>(layout, way, calls),
            ));
        }
    }
    all
}

fn run<const WORDS: usize>(layout: Layout, way: Way, calls: u64) -> Result<bool> {
    let (mut tx, mut rx) = Ring::<[u64; WORDS]>::heap_in(CAPACITY, layout)?;
    let message = black_box([7u64; WORDS]);
    let messages = black_box([[7u64; WORDS]; SLICE]);
    let mut received = [[0u64; WORDS]; SLICE];
    Ok(match way {
        Way::Claim => rounds(
            calls,
            nothing,
            || {
                let Some(mut slot) = tx.claim() else {
                    return false;
                };
                *slot = black_box(message);
                slot.publish();
                true
            },
            || rx.try_recv().is_some(),
        ),
        Way::TrySend => rounds(
            calls,
            nothing,
            || tx.try_send(black_box(message)).is_ok(),
            || rx.try_recv().is_some(),
        ),
        Way::SendSlice => rounds(
            calls,
            nothing,
            || tx.send_slice(black_box(&messages)) == SLICE,
            || rx.recv_slice(&mut received) == SLICE,
        ),
        Way::TryRecv => rounds(
            calls,
            || tx.try_send(message).is_ok(),
            || black_box(rx.try_recv()).is_some(),
            nothing,
        ),
        Way::Drain => rounds(
            calls,
            || tx.try_send(message).is_ok(),
            || {
                rx.drain(1, |message| {
                    black_box(message);
                }) == 1
            },
            nothing,
        ),
        Way::RecvSlice => rounds(
            calls,
            || tx.send_slice(&messages) == SLICE,
            || rx.recv_slice(black_box(&mut received)) == SLICE,
            nothing,
        ),
    })
}
