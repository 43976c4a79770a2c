//! A bare ring in a file that two processes map: each attaches one end, once.
//!
//! ```text
//! | form, sender taken, receiver taken | credit, receiver's close | sender's close | slots |
//! ```
//!
//! The form word is a digest of the message's schema, the capacity and the layout: whoever comes first sets it, and the other is held
//! against it. An end that was taken is never given again: a bare ring has no recovery, and a crashed end leaves the ring to
//! whoever made the file. Links of a topology are what outlives a crash.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use rustix::fs::{FallocateFlags, fallocate};

use crate::digest::Digest;
use crate::layout::{Layout, RingShape};
use crate::memory::{Access, LINE_PAIR, Memory, Words};
use crate::message::Message;
use crate::ring::bare::{Consumer, Producer, Ring, ShapeError};
use crate::slots::MappedRing;
use crate::word::Ordering;

const FORM: usize = 0;
const SENDER: usize = 1;
const RECEIVER: usize = 2;
const HEAD_WORDS: usize = 3;

/// An end of a shared ring could not be attached.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SharedError {
    /// Capacity, size or alignment.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The file can't be sized or mapped.
    #[error("the ring's file: {0}")]
    Io(#[from] io::Error),
    /// The other end attached with another message or capacity.
    #[error(
        "the ring in this file carries another message or has another capacity or layout: form {found:016x}, this end's is \
         {expected:016x}; attach both ends with the same"
    )]
    Form {
        /// In the file.
        found: u64,
        /// Of this end.
        expected: u64,
    },
    /// The end is taken.
    #[error("the ring's {0} is attached already, or was; make a new file")]
    Taken(&'static str),
}

impl<T: Message> Ring<T> {
    /// Attaches the sending end of the ring in `file`, which is sized for `capacity` messages if need be; an empty file is
    /// a new ring.
    ///
    /// ```
    /// use airssys_ringbuf::Ring;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let path = format!("/dev/shm/airssys-doc-ring-{}", std::process::id());
    /// let file = std::fs::File::options().read(true).write(true).create_new(true).open(&path)?;
    /// let mut tx = Ring::<u64>::producer_in(&file, 64)?;
    /// let mut rx = Ring::<u64>::consumer_in(&file, 64)?; // in another process, as a rule
    /// # std::fs::remove_file(&path)?;
    /// tx.try_send(7)?;
    /// assert_eq!(rx.try_recv(), Some(7));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SharedError`].
    pub fn producer_in(file: &File, capacity: usize) -> Result<Producer<T>, SharedError> {
        Self::producer_in_as(file, capacity, Layout::of(size_of::<T>()))
    }

    /// The same, in this layout, which both ends have to name.
    ///
    /// # Errors
    ///
    /// [`SharedError`].
    pub fn producer_in_as(
        file: &File,
        capacity: usize,
        layout: Layout,
    ) -> Result<Producer<T>, SharedError> {
        let shape = Self::shape(capacity, layout)?;
        Self::attach(file, shape, (SENDER, "sending end")).map(Producer::new)
    }

    /// Attaches the receiving end of the ring in `file`; like [`producer_in`](Self::producer_in).
    ///
    /// # Errors
    ///
    /// [`SharedError`].
    pub fn consumer_in(file: &File, capacity: usize) -> Result<Consumer<T>, SharedError> {
        Self::consumer_in_as(file, capacity, Layout::of(size_of::<T>()))
    }

    /// The same, in this layout, which both ends have to name.
    ///
    /// # Errors
    ///
    /// [`SharedError`].
    pub fn consumer_in_as(
        file: &File,
        capacity: usize,
        layout: Layout,
    ) -> Result<Consumer<T>, SharedError> {
        let shape = Self::shape(capacity, layout)?;
        Self::attach(file, shape, (RECEIVER, "receiving end")).map(Consumer::new)
    }

    fn attach(
        file: &File,
        shape: RingShape,
        (end, name): (usize, &'static str),
    ) -> Result<MappedRing, SharedError> {
        let len = LINE_PAIR + Self::span(&shape);
        // Room for every page now, where a full file system is an error and not a fault later.
        fallocate(file.as_fd(), FallocateFlags::empty(), 0, len as u64).map_err(io::Error::from)?;
        let memory = Arc::new(Memory::map(file, len, Access::ReadWrite)?);
        let head = Words::new(&memory, 0, HEAD_WORDS).expect("the head lies in the span");
        let mut form = Digest::new();
        form.write_text(&T::SCHEMA.to_text());
        form.write(&shape.capacity.to_le_bytes());
        form.write(&shape.stride.to_le_bytes());
        let expected = form.finish() | 1;
        let first =
            head.at(FORM)
                .compare_exchange(0, expected, Ordering::AcqRel, Ordering::Acquire);
        if let Err(found) = first
            && found != expected
        {
            return Err(SharedError::Form { found, expected });
        }
        if head.at(end).swap(1, Ordering::AcqRel) != 0 {
            return Err(SharedError::Taken(name));
        }
        Ok(Self::ring_at(&memory, LINE_PAIR, shape))
    }
}
