//! The launching program's own ports, towards a hosted partition on the same thread.

use airssys_benches::hosted::{CAPACITY, Message, busy, end, plan, sink, source};
use airssys_rt::prelude::*;

use crate::operation::{Operation, Result, nothing, rounds};

pub(crate) fn operations() -> Vec<Operation> {
    vec![
        Operation::new("host port: try_send", 1, sends),
        Operation::new("host port: try_recv", 1, receives),
    ]
}

fn sends(calls: u64) -> Result<bool> {
    let mut plan = plan();
    let (out, input) = plan.link::<Message>("messages", CAPACITY);
    plan.host().sends(out);
    sink(&mut plan, input, 1);
    let running = plan.build()?.launch(Launch::Threads)?;
    let mut port = running.sender::<Message>("messages")?;
    let mut sink = running.hosted("sink")?;
    let all = rounds(
        calls,
        nothing,
        || port.try_send([7; 7]).is_ok(),
        || busy(&mut sink),
    );
    drop(port);
    end(running, vec![sink])?;
    Ok(all)
}

fn receives(calls: u64) -> Result<bool> {
    let mut plan = plan();
    let (out, input) = plan.link::<Message>("messages", CAPACITY);
    plan.host().receives(input);
    source(&mut plan, out, 1);
    let running = plan.build()?.launch(Launch::Threads)?;
    let mut port = running.receiver::<Message>("messages")?;
    let mut source = running.hosted("source")?;
    let all = rounds(
        calls,
        || busy(&mut source),
        || matches!(port.try_recv(), Ok(Some(_))),
        nothing,
    );
    drop(port);
    end(running, vec![source])?;
    Ok(all)
}
