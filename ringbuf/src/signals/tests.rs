//! Against the real `sigaction`: these tests change the dispositions of their whole process, one test at a time.
//!
//! What ends the process, defaults among it, is in the tests of airssys-rt's processes.

#![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;
use std::thread;

use super::*;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The process's turn for one test, with the host's action for `SIGTERM`; the default is back afterwards.
struct Host(#[expect(dead_code, reason = "held")] MutexGuard<'static, ()>);

impl Host {
    fn with(action: &libc::sigaction) -> Self {
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        set(libc::SIGTERM, action).unwrap();
        Self(turn)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        set(libc::SIGTERM, &no_action()).unwrap();
        // A guard that finds the default forgets who had taken our place.
        drop(Caught::catch());
    }
}

/// How often the host's handler was called in all.
static CALLS: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count(signal: c_int) {
    assert_eq!(signal, libc::SIGTERM);
    CALLS.fetch_add(1, SeqCst);
    let _ = std::fs::OpenOptions::new().write(true).open("/");
}

extern "C" fn count_with_info(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    assert!(!info.is_null() && !context.is_null());
    count(signal);
}

/// Takes our handler's place, and calls it.
extern "C" fn count_and_chain(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    count(signal);
    on_signal(signal, info, context);
}

fn action(address: usize, flags: c_int) -> libc::sigaction {
    let mut action = no_action();
    action.sa_sigaction = address;
    action.sa_flags = flags;
    action
}

fn counting(flags: c_int) -> libc::sigaction {
    action(count as *const () as usize, flags)
}

fn chaining() -> libc::sigaction {
    action(count_and_chain as *const () as usize, libc::SA_SIGINFO)
}

/// With what a handler may ask for.
fn with_mask() -> libc::sigaction {
    let mut action = counting(libc::SA_NODEFER | libc::SA_ONSTACK);
    // SAFETY: the mask is this function's own.
    unsafe { libc::sigaddset(&raw mut action.sa_mask, libc::SIGUSR2) };
    action
}

/// Calls of the host's handler in `work`.
fn calls(work: impl FnOnce()) -> usize {
    let before = CALLS.load(SeqCst);
    work();
    CALLS.load(SeqCst) - before
}

fn terminate() {
    raise(libc::SIGTERM);
}

/// All of an action that the kernel keeps: handler, flags, mask.
fn kept(signal: c_int) -> (usize, c_int, Vec<c_int>) {
    let action = query(signal).unwrap();
    let is_blocked = |other: &c_int| {
        // SAFETY: the mask is this function's own.
        unsafe { libc::sigismember(&raw const action.sa_mask, *other) == 1 }
    };
    let mask = (1..=64).filter(is_blocked).collect();
    (action.sa_sigaction, action.sa_flags, mask)
}

#[test]
fn what_was_found_is_given_back_to_the_last_bit() {
    for found in [
        with_mask(),
        counting(libc::SA_RESTART),
        action(count_with_info as *const () as usize, libc::SA_SIGINFO),
        action(libc::SIG_IGN, 0),
        no_action(),
    ] {
        let _host = Host::with(&found);
        let before = SIGNALS.map(kept);
        let first = Caught::catch().unwrap();
        let second = Caught::catch().unwrap();
        drop(first);
        for signal in SIGNALS {
            assert!(is_ours(&query(signal).unwrap()), "{signal}");
        }
        drop(second);
        assert_eq!(SIGNALS.map(kept), before);
    }
}

#[test]
fn every_guard_takes_every_signal_one_by_one() {
    let _host = Host::with(&no_action());
    let guards = [Caught::catch().unwrap(), Caught::catch().unwrap()];
    terminate();
    raise(libc::SIGINT);
    let late = Caught::catch().unwrap();
    for guard in &guards {
        assert!(guard.take().unwrap() && guard.take().unwrap());
        assert!(!guard.take().unwrap());
    }
    assert!(!late.take().unwrap());
}

#[test]
fn an_ignored_signal_is_caught_and_ignored_again() {
    let _host = Host::with(&action(libc::SIG_IGN, 0));
    let guard = Caught::catch().unwrap();
    terminate();
    assert!(guard.take().unwrap());
    let ours = query(libc::SIGTERM).unwrap();
    drop(guard);
    terminate();
    set(libc::SIGTERM, &ours).unwrap();
    terminate();
}

#[test]
fn a_handler_beneath_has_the_mask_and_the_stack_that_it_asked_for() {
    let _host = Host::with(&with_mask());
    let asked = kept(libc::SIGTERM);
    let _guard = Caught::catch().unwrap();
    let has = kept(libc::SIGTERM);
    assert_eq!((has.1, has.2), (asked.1 | libc::SA_SIGINFO, asked.2));
}

#[test]
fn the_hosts_handler_is_called_before_during_and_after() {
    for found in [
        counting(0),
        action(count_with_info as *const () as usize, libc::SA_SIGINFO),
    ] {
        let _host = Host::with(&found);
        assert_eq!(calls(terminate), 1);
        let guard = Caught::catch().unwrap();
        let _ = std::fs::File::open("/nobody/has/this");
        assert_eq!(calls(terminate), 1);
        let errno = io::Error::last_os_error().raw_os_error();
        assert_eq!(errno, Some(libc::ENOENT), "the handler left another errno");
        assert!(guard.take().unwrap());
        drop(guard);
        assert_eq!(calls(terminate), 1);
    }
}

#[test]
fn a_handler_for_one_signal_is_called_once_and_not_given_back() {
    let found = counting(libc::SA_RESETHAND);
    let _host = Host::with(&found);
    let guard = Caught::catch().unwrap();
    assert_eq!(calls(terminate), 1);
    assert_eq!(calls(terminate), 0);
    drop(guard);
    assert_eq!(query(libc::SIGTERM).unwrap().sa_sigaction, libc::SIG_DFL);

    set(libc::SIGTERM, &found).unwrap();
    drop(Caught::catch().unwrap());
    assert_eq!(calls(terminate), 1);
}

#[test]
fn who_takes_our_place_keeps_it_and_may_call_us() {
    let _host = Host::with(&no_action());
    let guard = Caught::catch().unwrap();
    set(libc::SIGTERM, &chaining()).unwrap();
    assert_eq!(calls(terminate), 1);
    assert!(guard.take().unwrap() && !guard.take().unwrap());
    let theirs = kept(libc::SIGTERM);
    drop(guard);
    assert_eq!(kept(libc::SIGTERM), theirs);
    // Without us it would have found the default, and nothing to call.
    assert_eq!(calls(terminate), 1);

    // It calls us: calling it in turn would never end.
    let guard = Caught::catch().unwrap();
    assert_eq!(kept(libc::SIGTERM), theirs);
    assert_eq!(calls(terminate), 1);
    assert!(guard.take().unwrap() && !guard.take().unwrap());
    drop(guard);
    assert_eq!(kept(libc::SIGTERM), theirs);

    set(libc::SIGTERM, &no_action()).unwrap();
    let guard = Caught::catch().unwrap();
    terminate();
    assert!(guard.take().unwrap());
}

#[test]
fn a_handler_beneath_is_called_once_by_whoever_took_our_place() {
    let _host = Host::with(&counting(0));
    let guard = Caught::catch().unwrap();
    set(libc::SIGTERM, &chaining()).unwrap();
    assert_eq!(calls(terminate), 2);
    drop(guard);
    assert_eq!(calls(terminate), 2);
    let guard = Caught::catch().unwrap();
    assert_eq!(calls(terminate), 2);
    drop(guard);
}

#[test]
fn ours_set_again_while_nobody_waits_does_what_was_found() {
    let _host = Host::with(&counting(0));
    let guard = Caught::catch().unwrap();
    let saved = set(libc::SIGTERM, &action(libc::SIG_IGN, 0)).unwrap();
    drop(guard);
    set(libc::SIGTERM, &saved).unwrap();
    assert_eq!(calls(terminate), 1);
    let guard = Caught::catch().unwrap();
    assert_eq!(calls(terminate), 1);
    assert!(guard.take().unwrap());
    drop(guard);
    assert_eq!(
        query(libc::SIGTERM).unwrap().sa_sigaction,
        counting(0).sa_sigaction
    );
}

/// Set for the process that is to end by the signal.
const VICTIM: &str = "AIRSSYS_TEST_VICTIM";

#[test]
fn ours_set_again_over_a_default_while_nobody_waits_ends_the_process() {
    let name = "signals::tests::ours_set_again_over_a_default_while_nobody_waits_ends_the_process";
    if std::env::var_os(VICTIM).is_none() {
        let mut victim = Command::new(std::env::current_exe().unwrap());
        let ended = victim
            .args(["--exact", name])
            .env(VICTIM, "")
            .output()
            .unwrap();
        assert_eq!(ended.status.signal(), Some(libc::SIGTERM), "{ended:?}");
        return;
    }
    let _host = Host::with(&no_action());
    let guard = Caught::catch().unwrap();
    let saved = set(libc::SIGTERM, &action(libc::SIG_IGN, 0)).unwrap();
    drop(guard);
    set(libc::SIGTERM, &saved).unwrap();
    terminate();
}

#[test]
fn no_signal_is_told_to_another_descriptor_while_guards_come_and_go() {
    const SIGNALS_SENT: usize = 2_000;
    let _host = Host::with(&counting(0));
    // They are told first: that takes the handler long enough to be overtaken.
    let _crowd: Vec<Caught> = (0..100).map(|_| Caught::catch().unwrap()).collect();
    let called = calls(|| {
        thread::scope(|scope| {
            let sender = scope.spawn(|| (0..SIGNALS_SENT).for_each(|_| terminate()));
            while !sender.is_finished() {
                drop(Caught::catch().unwrap());
                // It gets the number of the descriptor that was closed.
                let probe = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC).unwrap();
                thread::yield_now();
                let read = rustix::io::read(&probe, &mut [0; 8]);
                assert_eq!(read, Err(Errno::AGAIN));
            }
        });
    });
    assert_eq!(called, SIGNALS_SENT);
}

#[test]
fn no_signal_is_lost_while_handlers_come_and_go() {
    const SIGNALS_SENT: usize = 20_000;
    let _host = Host::with(&counting(0));
    let called = calls(|| {
        thread::scope(|scope| {
            let sender = scope.spawn(|| (0..SIGNALS_SENT).for_each(|_| terminate()));
            while !sender.is_finished() {
                drop(Caught::catch().unwrap());
            }
        });
    });
    assert_eq!(called, SIGNALS_SENT);
}
