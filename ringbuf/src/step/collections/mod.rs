//! Durable collections: state beyond the size of a cell, changed in place.
//!
//! | file | concern |
//! |---|---|
//! | `undo` | the undo log, which ties what is changed in place to the step |
//! | `store` | entries over a section's words, and changes that are whole or not at all |
//! | `vector`, `last`, `map`, `table` | the collections |
//! | `attach` | finding them in a region |
//! | `view` | looking at them from outside |
//! | `halt` | places at which tests hold a thread up |

mod attach;
#[cfg(test)]
mod halt;
mod last;
mod map;
mod store;
mod table;
mod undo;
mod vector;
mod view;

pub use self::last::DurableRing;
pub use self::map::{DurableMap, MapEntry};
pub(crate) use self::map::{NoPlace, slot_for};
pub use self::store::CollectionError;
pub use self::table::DurableTable;
pub(crate) use self::undo::UndoLog;
pub use self::vector::DurableVec;
pub use self::view::CollectionView;
