//! Mistakes that the kill harness plants in the step, to show that it would catch them.
//!
//! A mistake is a constant parameter of [`StepCore`](super::StepCore): the code that users run is compiled with [`NONE`], and
//! not one instruction of this is in it.

/// The step as it is meant.
pub const NONE: u8 = 0;
/// Sequence words are stored before the control word.
pub const PUBLISH_BEFORE_COMMIT: u8 = 1;
/// Input is given back before the control word is stored.
pub const CREDIT_BEFORE_COMMIT: u8 = 2;
/// A changed cell's bit isn't flipped: the record goes on selecting the old buffer.
pub const STALE_CELL: u8 = 3;
/// A changed cell is written into the buffer that the active record selects.
pub const CELL_IN_PLACE: u8 = 4;
/// The commit fills the active record.
pub const RECORD_IN_PLACE: u8 = 5;
/// Recovery doesn't publish again.
pub const NO_REPUBLISH: u8 = 6;
/// Recovery reads the inactive record.
pub const RECOVER_INACTIVE: u8 = 7;
/// The in positions are stored after the control word.
pub const TWO_WORD_COMMIT: u8 = 8;
/// A cell that wasn't changed has its bit flipped.
pub const UNTOUCHED_CELL_FLIPPED: u8 = 9;
/// The done word is left out of the record.
pub const DONE_OUTSIDE_RECORD: u8 = 10;
/// A commit writes what it moved itself, and not what the commit before has moved.
pub const LAST_COMMIT_FORGOTTEN: u8 = 11;
/// The first commits of an incarnation write what they moved, into a record that may be torn.
pub const INACTIVE_TRUSTED: u8 = 12;
/// A range that was published stays in its record until its output sends again.
pub const RANGE_KEPT: u8 = 13;

/// A collection's word is changed before the undo log has what was there.
pub const CHANGED_BEFORE_LOGGED: u8 = 100;
/// An undo entry is in force before it is written.
pub const COUNTED_BEFORE_LOGGED: u8 = 101;
/// Whatever the undo log holds is undone, whichever step it is of.
pub const UNDO_UNTAGGED: u8 = 102;
/// What was undone stays in force.
pub const UNDO_KEPT: u8 = 103;
/// The first change is undone first.
pub const UNDO_FORWARD: u8 = 104;

/// Every mistake of the undo log, and its name.
pub const UNDO: [(u8, &str); 5] = [
    (CHANGED_BEFORE_LOGGED, "collection changed before the log"),
    (COUNTED_BEFORE_LOGGED, "undo entry counted before written"),
    (UNDO_UNTAGGED, "undo log not tied to its step"),
    (UNDO_KEPT, "undone entries kept in force"),
    (UNDO_FORWARD, "undone first to last"),
];

/// Every mistake and its name, but for those of the undo log.
pub const ALL: [(u8, &str); 13] = [
    (PUBLISH_BEFORE_COMMIT, "publish before commit"),
    (CREDIT_BEFORE_COMMIT, "credit before commit"),
    (STALE_CELL, "stale durable cell"),
    (CELL_IN_PLACE, "durable cell changed in place"),
    (RECORD_IN_PLACE, "active record overwritten"),
    (NO_REPUBLISH, "no republish in recovery"),
    (RECOVER_INACTIVE, "inactive record recovered"),
    (TWO_WORD_COMMIT, "commit in two words"),
    (UNTOUCHED_CELL_FLIPPED, "untouched cell flipped"),
    (DONE_OUTSIDE_RECORD, "done left out of the record"),
    (LAST_COMMIT_FORGOTTEN, "last commit's ports forgotten"),
    (INACTIVE_TRUSTED, "inactive record filled in part"),
    (RANGE_KEPT, "published range kept"),
];
