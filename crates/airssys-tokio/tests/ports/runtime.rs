//! Where there is no runtime, or not the right one.

use airssys_tokio::{AsyncReceiver, AsyncSender, WatchError};
use tokio::runtime::Builder;

use crate::bus::{SLOTS, echoes, ports};

#[test]
fn no_runtime() {
    let bus = echoes("no-runtime", ["echo"], SLOTS).inline(0).unwrap();
    let error = AsyncSender::<u64>::new(bus.sender("echo-asks").unwrap()).unwrap_err();
    assert!(matches!(&error, WatchError::NoRuntime { link } if link == "echo-asks"));
    assert!(error.to_string().contains("no Tokio runtime"), "{error}");
    let error = AsyncReceiver::<u64>::new(bus.receiver("echo-answers").unwrap()).unwrap_err();
    assert!(matches!(error, WatchError::NoRuntime { .. }));
}

#[test]
fn no_io_driver_and_then_one() {
    let bus = echoes("no-io", ["echo"], SLOTS).inline(0).unwrap();
    let without = Builder::new_current_thread().build().unwrap();
    without.block_on(async {
        let error = AsyncSender::<u64>::new(bus.sender("echo-asks").unwrap()).unwrap_err();
        assert!(matches!(&error, WatchError::NoIo { link } if link == "echo-asks"));
        assert!(error.to_string().contains("enable_io"), "{error}");
    });
    let with = Builder::new_current_thread().enable_io().build().unwrap();
    let (mut asks, answers) = with.block_on(async { ports!(bus, "echo") });
    assert!(asks.try_send(1).is_ok(), "the port was free again");
    drop(with);
    drop((asks, answers));
}

#[test]
#[should_panic(expected = "host port of link `echo-answers`")]
fn a_wait_in_a_runtime_that_is_gone() {
    let bus = echoes("gone", ["echo"], SLOTS).inline(0).unwrap();
    let build = || Builder::new_current_thread().enable_io().build().unwrap();
    let (_asks, mut answers) = build().block_on(async { ports!(bus, "echo") });
    let _ = build().block_on(answers.recv());
}

/// Tasks may be moved between the threads of a runtime.
#[test]
fn ports_and_their_futures_are_send() {
    fn is_send<T: Send>(_: &T) {}
    let bus = echoes("send", ["echo"], SLOTS).inline(0).unwrap();
    let runtime = Builder::new_current_thread().enable_io().build().unwrap();
    let (mut asks, mut answers) = runtime.block_on(async { ports!(bus, "echo") });
    is_send(&asks.send(1));
    is_send(&asks.ready());
    is_send(&answers.recv());
    is_send(&answers.recv_many(&mut Vec::new(), 1));
}
