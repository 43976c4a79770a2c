//! Ends of local links, declared by value like those of links.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::ends::{Declaration, Ends, Origin};
use crate::local::{LocalReceiver, LocalSender};
use crate::partition::ports::{PortError, PortOpener};

/// The sending end of a local link, to be wired to exactly one actor; becomes its [`LocalSender`].
#[must_use = "a local link whose end is not wired is refused by `build`"]
pub struct LocalOut<T> {
    origin: Origin<usize>,
    value: PhantomData<fn(T)>,
}

/// The receiving end of a local link, to be wired to exactly one actor; becomes its [`LocalReceiver`].
#[must_use = "a local link whose end is not wired is refused by `build`"]
pub struct LocalIn<T> {
    origin: Origin<usize>,
    value: PhantomData<fn() -> T>,
}

/// Both ends of a new local link of the builder.
pub(super) fn pair<T>(builder: u64, link: usize, name: &str) -> (LocalOut<T>, LocalIn<T>) {
    let name: Arc<str> = name.into();
    let origin = |name: Arc<str>| Origin {
        builder,
        link,
        name,
    };
    let out = LocalOut {
        origin: origin(Arc::clone(&name)),
        value: PhantomData,
    };
    let into = LocalIn {
        origin: origin(name),
        value: PhantomData,
    };
    (out, into)
}

impl<T> fmt::Debug for LocalOut<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LocalOut").field(&self.origin.name).finish()
    }
}

impl<T> fmt::Debug for LocalIn<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LocalIn").field(&self.origin.name).finish()
    }
}

impl<T: Send + 'static> Ends for LocalOut<T> {
    type Ports = LocalSender<T>;

    fn declare(&mut self, declaration: &mut Declaration) {
        if let Some(link) = self.origin.checked(declaration) {
            declaration.local_outputs.push(link);
        }
    }

    fn open(&self, opener: &mut PortOpener<'_>) -> Result<Self::Ports, PortError> {
        opener.local_sender(self.origin.link)
    }
}

impl<T: Send + 'static> Ends for LocalIn<T> {
    type Ports = LocalReceiver<T>;

    fn declare(&mut self, declaration: &mut Declaration) {
        if let Some(link) = self.origin.checked(declaration) {
            declaration.local_inputs.push(link);
        }
    }

    fn open(&self, opener: &mut PortOpener<'_>) -> Result<Self::Ports, PortError> {
        opener.local_receiver(self.origin.link)
    }
}
