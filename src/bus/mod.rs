//! The bus: the directory in which all regions of one running topology lie, under one name and one lock.
//!
//! | file | concern |
//! |---|---|
//! | `directory` | taking a bus, and leaving nothing of it |
//! | `owned` | directories that are this user's alone |
//! | `lock` | the file whose lock is the bus's, and who holds it |
//! | `leftover` | what an earlier run left: who holds it, and what becomes of it |
//! | `resume` | whether it can be taken up again |
//! | `migrate` | taking it up with other types |
//! | `described` | the launched topology's text, for those who come to another one |

pub(crate) mod described;
pub(crate) mod directory;
mod error;
pub(crate) mod leftover;
mod lock;
mod migrate;
mod owned;
mod resume;

pub use error::{BusError, Holder};
