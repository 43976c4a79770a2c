//! An actor's turn in the partitions' own loop: two hosted partitions, driven on one thread.

use airssys_benches::hosted::{CAPACITY, FULL, Message, busy, end, keeper, plan, sink, source};
use airssys_rt::prelude::*;

use crate::operation::{Operation, Result, nothing, rounds};

#[derive(Clone, Copy)]
enum Way {
    Idle,
    Send,
    Receive,
}

pub(crate) fn operations() -> Vec<Operation> {
    let one = |name: &str, way, kept, count| {
        Operation::new(name, count, move |calls| run(way, kept, count, calls))
    };
    vec![
        one("turn, idle", Way::Idle, false, 1),
        one("turn, sends 1", Way::Send, false, 1),
        one("turn, receives 1", Way::Receive, false, 1),
        one(
            "turn, receives 1, changes a cell of 64 B",
            Way::Receive,
            true,
            1,
        ),
        one("turn, sends 64: a message", Way::Send, false, FULL),
        one("turn, receives 64: a message", Way::Receive, false, FULL),
        one(
            "turn, receives 64, changes a cell of 64 B each: a message",
            Way::Receive,
            true,
            FULL,
        ),
    ]
}

/// `count` messages a turn; the receiver keeps a durable cell or none.
fn run(way: Way, kept: bool, count: u64, calls: u64) -> Result<bool> {
    let mut plan = plan();
    let (out, input) = plan.link::<Message>("messages", CAPACITY);
    source(&mut plan, out, count);
    if kept {
        keeper(&mut plan, input, count);
    } else {
        sink(&mut plan, input, count);
    }
    let running = plan.build()?.launch(Launch::Threads)?;
    let mut source = running.hosted("source")?;
    let mut sink = running.hosted("sink")?;
    let all = match way {
        Way::Idle => {
            let idle = || matches!(sink.turn(), Ok(Turned::Idle));
            rounds(calls, nothing, idle, nothing)
        }
        Way::Send => rounds(calls, nothing, || busy(&mut source), || busy(&mut sink)),
        Way::Receive => rounds(calls, || busy(&mut source), || busy(&mut sink), nothing),
    };
    end(running, vec![source, sink])?;
    Ok(all)
}
