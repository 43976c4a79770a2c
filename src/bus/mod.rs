//! The bus: the directory in which all regions of one running topology lie, under one name and one lock.

pub(crate) mod directory;
mod error;
mod leftover;
mod owned;

pub use error::{BusError, Holder};
