//! `SIGINT` and `SIGTERM` while a bus is waited for: caught as long as one join waits, and given back as they were found.

pub(crate) use airssys_ringbuf::signals::Caught as Signals;
