//! `SIGINT` and `SIGTERM`, caught for a while and given back.
//!
//! It has nothing to do with rings. It is here because `sigaction` is unsafe, and this is the one library crate that may
//! hold unsafe code.
//!
//! While at least one [`Caught`] lives, our handler stands in for whatever was found: it tells every guard, through an
//! eventfd of its own, and calls the handler that was found, as the kernel would have. When the last guard goes, what was
//! found is set again, every word of it, unless somebody has replaced our handler meanwhile: theirs stays then.
//!
//! # Who touches what
//!
//! - `GUARDS`, under its lock: catching and dropping. The handler takes no lock.
//! - `PUBLISHED`: swapped by whoever holds that lock, loaded by the handler. What it points to is never written, but for
//!   one flag (`Found::spent`).
//! - `HANDLERS`: handlers that may be reading what they loaded. Each adds itself *before* it loads; the lock's holder looks
//!   *after* it has swapped; all four `SeqCst`. So either the handler loads the new pointer, or it is counted and the old value
//!   with its descriptors lives until it is done.
//!
//! The wait for `HANDLERS` can't deadlock. A handler that interrupts the waiting thread itself runs to its end before
//! that thread looks again, so no signal has to be blocked. One on another thread waits for nothing while it is
//! counted: its writes don't block, and the handler that was found is called after it has stopped counting, so that one
//! may wait for anything, or never return. While nothing is chained every signal is blocked in ours, so that no other
//! handler can leave it by a jump.
//!
//! # Our handler while nobody waits
//!
//! Somebody who replaced it may still call it, or set it again; and a signal may reach it just when the last guard goes.
//! Then it does what the found disposition does.

#![allow(
    unsafe_code,
    reason = "sigaction, and calling the handler that it found"
)]

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use libc::{c_int, c_void, siginfo_t};
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;

const SIGNALS: [c_int; 2] = [libc::SIGINT, libc::SIGTERM];

/// Catches `SIGINT` and `SIGTERM` while it lives. Each of several sees every signal.
///
/// - A handler that the process had goes on being called, after the guards were told.
/// - A signal that the process ignored is caught all the same, and ignored again afterwards. A program started in the
///   background by a shell without job control ignores `SIGINT`.
/// - A signal that a thread blocks stays blocked there.
/// - Who replaces our handler while a guard lives keeps the signal: from then on, guards hear of it as far as the new handler
///   calls the one that it replaced. So do later guards, until one finds the signal ignored or at its default: to install ours
///   above a handler that may call ours would never end.
#[derive(Debug)]
#[must_use = "the signals are given back when it is dropped"]
pub struct Caught {
    arrived: Arc<OwnedFd>,
}

impl Caught {
    /// Starts to catch both signals.
    ///
    /// # Errors
    ///
    /// The kernel refused a descriptor, or a handler. Nothing has changed then.
    pub fn catch() -> io::Result<Self> {
        // A semaphore: two signals in a row are taken one by one.
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK | EventfdFlags::SEMAPHORE;
        let arrived = Arc::new(eventfd(0, flags)?);
        let mut guards = lock();
        guards.told.push(Arc::clone(&arrived));
        // From here on, a drop undoes it.
        let caught = Self { arrived };
        let installed = guards.begin();
        drop(guards);
        installed.map(|()| caught)
    }

    /// Takes one signal of those that have arrived; false if there is none.
    ///
    /// # Errors
    ///
    /// The kernel refused to read the eventfd.
    pub fn take(&self) -> io::Result<bool> {
        let mut count = [0; 8];
        match rustix::io::read(&*self.arrived, &mut count) {
            Ok(_) => Ok(true),
            Err(Errno::AGAIN | Errno::INTR) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }
}

/// Readable when a signal has arrived that was not taken.
impl AsFd for Caught {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.arrived.as_fd()
    }
}

impl Drop for Caught {
    fn drop(&mut self) {
        let mut guards = lock();
        guards.told.retain(|told| !Arc::ptr_eq(told, &self.arrived));
        if guards.told.is_empty() {
            guards.give_back();
        }
        guards.publish();
    }
}

/// The guards that live, and what they found.
struct Guards {
    told: Vec<Arc<OwnedFd>>,
    /// By place in `SIGNALS`. Kept between guards: what our handler does then.
    found: [Option<Arc<Found>>; 2],
    /// Whether another handler had taken our place when the last guard went: it may call ours.
    replaced: [bool; 2],
}

static GUARDS: Mutex<Guards> = Mutex::new(Guards {
    told: Vec::new(),
    found: [const { None }; 2],
    replaced: [false; 2],
});

fn lock() -> MutexGuard<'static, Guards> {
    // Every change of it is whole before anything that can panic.
    GUARDS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Guards {
    /// A guard came.
    fn begin(&mut self) -> io::Result<()> {
        if self.told.len() == 1 {
            for place in 0..SIGNALS.len() {
                self.install(place)?;
            }
        }
        self.publish();
        Ok(())
    }

    fn install(&mut self, place: usize) -> io::Result<()> {
        let signal = SIGNALS[place];
        let current = query(signal)?;
        if is_ours(&current) || (self.replaced[place] && is_handler(&current)) {
            return Ok(());
        }
        self.replaced[place] = false;
        self.found[place] = Some(Arc::new(Found::new(current)));
        // Before ours can be called: what it is to do.
        self.publish();
        let over = set(signal, &stand_in(&current))?;
        if over.sa_sigaction != current.sa_sigaction && !is_ours(&over) {
            self.found[place] = Some(Arc::new(Found::new(over)));
        }
        Ok(())
    }

    /// The last guard goes.
    fn give_back(&mut self) {
        for (place, signal) in SIGNALS.into_iter().enumerate() {
            let Ok(current) = query(signal) else {
                continue;
            };
            self.replaced[place] = is_handler(&current) && !is_ours(&current);
            let found = self.found[place].as_ref().filter(|_| is_ours(&current));
            let Some(found) = found else { continue };
            let Ok(over) = set(signal, &found.to_restore()) else {
                continue;
            };
            if !is_ours(&over) {
                // Somebody came between the look and the change.
                let _ = set(signal, &over);
                self.replaced[place] = is_handler(&over);
            }
        }
    }

    /// Shows the handler the present state, and waits until no handler reads the one before.
    fn publish(&self) {
        let state = Box::new(Published {
            told: self.told.clone(),
            found: self.found.clone(),
        });
        let before = PUBLISHED.swap(Box::into_raw(state), SeqCst);
        while HANDLERS.load(SeqCst) != 0 {
            std::thread::yield_now();
        }
        if !before.is_null() {
            // SAFETY: it came from `Box::into_raw` above, and the swap gave it to this thread alone. A handler that loaded it
            // had counted itself before and is done, as the module's head says.
            drop(unsafe { Box::from_raw(before) });
        }
    }
}

/// What the handler sees.
struct Published {
    told: Vec<Arc<OwnedFd>>,
    found: [Option<Arc<Found>>; 2],
}

static PUBLISHED: AtomicPtr<Published> = AtomicPtr::new(ptr::null_mut());
static HANDLERS: AtomicUsize = AtomicUsize::new(0);

/// The action that a guard found.
struct Found {
    action: libc::sigaction,
    /// It was for one signal (`SA_RESETHAND`), and that has come.
    spent: AtomicBool,
}

/// What is left for our handler to do.
enum Next {
    Nothing,
    Default,
    Call(usize),
    CallWithInfo(usize),
}

impl Found {
    fn new(action: libc::sigaction) -> Self {
        Self {
            action,
            spent: AtomicBool::new(false),
        }
    }

    /// What a signal does that comes now.
    fn next(&self) -> Next {
        let action = &self.action;
        if action.sa_sigaction == libc::SIG_IGN {
            return Next::Nothing;
        }
        let once = action.sa_flags & libc::SA_RESETHAND != 0;
        if !is_handler(action) || (once && self.spent.swap(true, SeqCst)) {
            return Next::Default;
        }
        if action.sa_flags & libc::SA_SIGINFO == 0 {
            Next::Call(action.sa_sigaction)
        } else {
            Next::CallWithInfo(action.sa_sigaction)
        }
    }

    /// As it was found, or as the kernel had left it after its one signal.
    fn to_restore(&self) -> libc::sigaction {
        let mut action = self.action;
        if self.spent.load(SeqCst) {
            action.sa_sigaction = libc::SIG_DFL;
        }
        action
    }
}

/// Our action in place of `found`.
fn stand_in(found: &libc::sigaction) -> libc::sigaction {
    let mut action = *found;
    if is_handler(found) {
        // Ours calls it: on the stack and with the mask that it asked for, and as rude to system calls.
        action.sa_flags &= !libc::SA_RESETHAND;
    } else {
        action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
        // SAFETY: the mask is this function's own.
        unsafe { libc::sigfillset(&raw mut action.sa_mask) };
    }
    action.sa_flags |= libc::SA_SIGINFO;
    action.sa_sigaction = our_address();
    action
}

fn our_address() -> usize {
    on_signal as *const () as usize
}

fn is_ours(action: &libc::sigaction) -> bool {
    action.sa_sigaction == our_address()
}

fn is_handler(action: &libc::sigaction) -> bool {
    action.sa_sigaction != libc::SIG_DFL && action.sa_sigaction != libc::SIG_IGN
}

fn no_action() -> libc::sigaction {
    // SAFETY: it is integers, an array of them and an optional function pointer: all zeros are a value of each.
    unsafe { std::mem::zeroed() }
}

/// The action of `signal`.
fn query(signal: c_int) -> io::Result<libc::sigaction> {
    let mut current = no_action();
    // SAFETY: a null pointer changes nothing, and `current` is there to be written.
    let result = unsafe { libc::sigaction(signal, ptr::null(), &raw mut current) };
    if result == 0 {
        Ok(current)
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Sets the action of `signal`: ours, or one that the kernel gave. Returns the one before.
fn set(signal: c_int, action: &libc::sigaction) -> io::Result<libc::sigaction> {
    let mut before = no_action();
    // SAFETY: both are whole. A handler in `action` is `on_signal`, which is async-signal-safe and has the type that
    // `SA_SIGINFO` says, or was installed by whoever wrote it.
    let result = unsafe { libc::sigaction(signal, action, &raw mut before) };
    if result == 0 {
        Ok(before)
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The handler. Allocates nothing, takes no lock, can't panic.
extern "C" fn on_signal(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: every thread has one.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: it is this thread's own.
    let interrupted = unsafe { *errno };
    match tell(signal) {
        Next::Nothing => {}
        Next::Default => do_default(signal),
        Next::Call(address) => {
            let address = address as *const ();
            // SAFETY: the kernel held it as the handler of this signal, without `SA_SIGINFO`: that is its type.
            let handler =
                unsafe { std::mem::transmute::<*const (), extern "C" fn(c_int)>(address) };
            handler(signal);
        }
        Next::CallWithInfo(address) => {
            type WithInfo = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);
            let address = address as *const ();
            // SAFETY: as above, with `SA_SIGINFO`.
            let handler = unsafe { std::mem::transmute::<*const (), WithInfo>(address) };
            handler(signal, info, context);
        }
    }
    // SAFETY: as above.
    unsafe { *errno = interrupted };
}

/// Tells the guards, and says what else there is to do.
fn tell(signal: c_int) -> Next {
    HANDLERS.fetch_add(1, SeqCst);
    let state = PUBLISHED.load(SeqCst);
    // SAFETY: null, or a value that is not freed before this handler stops counting; only shared references to it exist.
    let state = unsafe { state.as_ref() };
    let next = state.map_or(Next::Nothing, |state| {
        for told in &state.told {
            // Refused only when the count is full: then it is readable anyway.
            let _ = rustix::io::write(told, &1_u64.to_ne_bytes());
        }
        let mut places = SIGNALS.iter().zip(&state.found);
        let found = places.find(|(of, _)| **of == signal);
        let next = found.and_then(|(_, found)| Some(found.as_ref()?.next()));
        match next {
            // The guards stand in for the default.
            Some(Next::Default) if !state.told.is_empty() => Next::Nothing,
            next => next.unwrap_or(Next::Nothing),
        }
    });
    HANDLERS.fetch_sub(1, SeqCst);
    next
}

/// Nobody waits, and what was found is the default.
fn do_default(signal: c_int) {
    let Ok(current) = query(signal) else {
        return;
    };
    if is_ours(&current) {
        let mut default = no_action();
        default.sa_sigaction = libc::SIG_DFL;
        if set(signal, &default).is_err() {
            return;
        }
    } else if current.sa_sigaction != libc::SIG_DFL {
        // Another handler called this one. Without ours it would have found the default, and called nothing.
        return;
    }
    // Pending until our handler returns, which blocks it.
    raise(signal);
}

/// Sends `signal` to the calling thread.
fn raise(signal: c_int) {
    // SAFETY: it is async-signal-safe, and touches no memory of ours.
    unsafe { libc::raise(signal) };
}

#[cfg(test)]
mod tests;
