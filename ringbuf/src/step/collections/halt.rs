//! Places at which a test holds its thread up: an observer's, when it has copied words and not yet looked at the log, and an
//! owner's, when its entries are out of force.

use std::cell::Cell;

type Halt = Box<dyn FnOnce()>;

thread_local! {
    static NEXT: Cell<Option<Halt>> = const { Cell::new(None) };
}

/// Has this thread do that at the next place.
pub(super) fn at_next(halt: impl FnOnce() + 'static) {
    NEXT.set(Some(Box::new(halt)));
}

/// A place.
pub(super) fn pass() {
    if let Some(halt) = NEXT.take() {
        halt();
    }
}
