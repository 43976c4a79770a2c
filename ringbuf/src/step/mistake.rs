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

/// The cells' bits are stored after the control word.
pub const CELL_BITS_LATE: u8 = 14;
/// The ranges to publish are stored after the control word.
pub const RANGES_LATE: u8 = 15;
/// The tail of a contiguous ring is stored before the control word.
pub const TAIL_BEFORE_COMMIT: u8 = 16;
/// Peers are told of the end before the control word is stored.
pub const CLOSE_BEFORE_COMMIT: u8 = 17;
/// Recovery publishes the last message of a range alone.
pub const LAST_REPUBLISHED: u8 = 18;
/// Recovery of a done actor publishes nothing: it exits at once.
pub const DONE_EXITS_FIRST: u8 = 19;
/// Recovery doesn't close a done actor's links.
pub const CLOSE_FORGOTTEN: u8 = 20;
/// Recovery doesn't put the readers of hints behind.
pub const HINTS_FORGOTTEN: u8 = 21;
/// Recovery doesn't give back what is consumed.
pub const CREDIT_FORGOTTEN: u8 = 22;
/// Credit that is owed waits until no input moves.
pub const CREDIT_PER_ACTOR: u8 = 23;
/// A step that doesn't commit gives back nothing.
pub const CREDIT_AFTER_COMMITS: u8 = 24;
/// A step that doesn't commit gives back what it took.
pub const CREDIT_OF_ABORTED: u8 = 25;
/// A step that doesn't commit leaves its changes in the actor's copies of the cells.
pub const CELLS_NOT_RESTORED: u8 = 26;
/// A batch shows its last message, and not those before.
pub const BATCH_SHOWN_IN_PART: u8 = 27;
/// Recovery takes no slot for reserved that isn't published.
pub const RESERVED_FORGOTTEN: u8 = 28;

/// What the handler is shown is marked when the step commits, and not before the handler has it.
pub const MARKED_LATE: u8 = 29;
/// What was shown in a step that doesn't commit stays in work.
pub const MARK_KEPT: u8 = 30;
/// A new life puts its number to the work of the one before.
pub const LIFE_NAMED_FIRST: u8 = 31;
/// A message that is set aside stays on its link.
pub const ASIDE_NOT_TAKEN: u8 = 32;
/// A message that is set aside is taken off its link by the next step.
pub const ASIDE_IN_TWO_STEPS: u8 = 33;
/// Whatever lies next on the link is set aside, at whatever position.
pub const ASIDE_UNCHECKED: u8 = 34;
/// A letter's bytes are copied after the control word is stored.
pub const LETTER_COPIED_LATE: u8 = 35;
/// A letter is dropped by one step, the note about it by the next.
pub const DROP_IN_TWO_STEPS: u8 = 36;
/// A letter that was handled again stays where it is.
pub const REQUEUE_NOT_TAKEN: u8 = 37;
/// A letter is handled again by one step, and given back by the next.
pub const REQUEUE_IN_TWO_STEPS: u8 = 38;
/// A step goes on to get a letter after one that unwound with it.
pub const REQUEUE_KEPT: u8 = 39;

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
/// The undo log is emptied before the control word is stored.
pub const UNDO_EMPTIED_EARLY: u8 = 105;
/// Collections that start anew are emptied before the step that says so is committed.
pub const RESET_BEFORE_COMMIT: u8 = 106;
/// Recovery doesn't empty what the last step was to start anew.
pub const RESET_NOT_RESUMED: u8 = 107;
/// A reset that no commit followed stays announced.
pub const RESET_KEPT: u8 = 108;

/// Those of them that show when an actor's state starts anew.
pub const RESETS: [u8; 3] = [RESET_BEFORE_COMMIT, RESET_NOT_RESUMED, RESET_KEPT];

/// A mistake, for whoever plants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The constant parameter.
    pub number: u8,
    /// What it is called.
    pub name: &'static str,
    /// What it breaks.
    pub breaks: &'static str,
}

const fn new(number: u8, name: &'static str, breaks: &'static str) -> Mistake {
    Mistake {
        number,
        name,
        breaks,
    }
}

/// Every mistake of the undo log.
pub const UNDO: [Mistake; 9] = [
    new(
        CHANGED_BEFORE_LOGGED,
        "collection changed before the log",
        "a change of a step that didn't commit stays",
    ),
    new(
        COUNTED_BEFORE_LOGGED,
        "undo entry counted before written",
        "an older step's change is undone",
    ),
    new(
        UNDO_UNTAGGED,
        "undo log not tied to its step",
        "a committed change is undone",
    ),
    new(
        UNDO_KEPT,
        "undone entries kept in force",
        "a committed change is undone",
    ),
    new(
        UNDO_FORWARD,
        "undone first to last",
        "a word that changed twice keeps its first change",
    ),
    new(
        UNDO_EMPTIED_EARLY,
        "undo log emptied before the commit",
        "a change of a step that didn't commit stays",
    ),
    new(
        RESET_BEFORE_COMMIT,
        "emptied before the commit",
        "collections are empty, and the cells are as before",
    ),
    new(
        RESET_NOT_RESUMED,
        "no emptying in recovery",
        "cells start anew, and collections don't",
    ),
    new(
        RESET_KEPT,
        "uncommitted reset kept in force",
        "a later step empties the collections",
    ),
];

/// Every mistake, but for those of the undo log.
pub const ALL: [Mistake; 39] = [
    new(
        PUBLISH_BEFORE_COMMIT,
        "publish before commit",
        "a message is seen that no commit has sent",
    ),
    new(
        CREDIT_BEFORE_COMMIT,
        "credit before commit",
        "input is overwritten that the redo needs",
    ),
    new(
        STALE_CELL,
        "stale durable cell",
        "a step's messages count, its state doesn't",
    ),
    new(
        CELL_IN_PLACE,
        "durable cell changed in place",
        "state of a step that didn't commit",
    ),
    new(
        RECORD_IN_PLACE,
        "active record overwritten",
        "positions of a step that didn't commit",
    ),
    new(
        NO_REPUBLISH,
        "no republish in recovery",
        "a committed message is lost",
    ),
    new(
        RECOVER_INACTIVE,
        "inactive record recovered",
        "the last step is undone after its messages were seen",
    ),
    new(
        TWO_WORD_COMMIT,
        "commit in two words",
        "input is consumed twice",
    ),
    new(
        UNTOUCHED_CELL_FLIPPED,
        "untouched cell flipped",
        "a cell that no step touched changes",
    ),
    new(
        DONE_OUTSIDE_RECORD,
        "done left out of the record",
        "an actor lives again after its end",
    ),
    new(
        LAST_COMMIT_FORGOTTEN,
        "last commit's ports forgotten",
        "a link that a step left alone goes back by a step",
    ),
    new(
        INACTIVE_TRUSTED,
        "inactive record filled in part",
        "a torn record is committed",
    ),
    new(
        RANGE_KEPT,
        "published range kept",
        "a range is published again whose slots were overwritten",
    ),
    new(
        CELL_BITS_LATE,
        "cells selected after the commit",
        "a step's messages count, its state doesn't",
    ),
    new(
        RANGES_LATE,
        "ranges stored after the commit",
        "a committed message is lost",
    ),
    new(
        TAIL_BEFORE_COMMIT,
        "tail before commit",
        "a message in a contiguous slot is seen that no commit has sent",
    ),
    new(
        CLOSE_BEFORE_COMMIT,
        "close before commit",
        "peers take an actor for ended that goes on",
    ),
    new(
        LAST_REPUBLISHED,
        "batch republished in part",
        "committed messages of a batch are lost",
    ),
    new(
        DONE_EXITS_FIRST,
        "done actor not republished",
        "the last messages of an actor are lost",
    ),
    new(
        CLOSE_FORGOTTEN,
        "no close in recovery",
        "peers wait for ever for an actor that has ended",
    ),
    new(
        HINTS_FORGOTTEN,
        "no hint in recovery",
        "a committed message lies unread where links are hinted at",
    ),
    new(
        CREDIT_FORGOTTEN,
        "no credit in recovery",
        "a sender waits for room that there is",
    ),
    new(
        CREDIT_PER_ACTOR,
        "credit judged by actor",
        "a sender waits while other links are busy",
    ),
    new(
        CREDIT_AFTER_COMMITS,
        "credit after commits alone",
        "a sender waits while the receiver retries",
    ),
    new(
        CREDIT_OF_ABORTED,
        "credit of an aborted step",
        "input is overwritten that the redo needs",
    ),
    new(
        CELLS_NOT_RESTORED,
        "cells kept after an abort",
        "state of a step that didn't commit",
    ),
    new(
        BATCH_SHOWN_IN_PART,
        "sequence words skipped in a batch",
        "committed messages of a batch are lost",
    ),
    new(
        RESERVED_FORGOTTEN,
        "reserved lowered by recovery",
        "an observer takes torn bytes for a message",
    ),
    new(
        MARKED_LATE,
        "marked in work at the commit",
        "nobody is blamed for a death in a handler",
    ),
    new(
        MARK_KEPT,
        "in work after an abort",
        "a message is blamed that no handler has",
    ),
    new(
        LIFE_NAMED_FIRST,
        "an earlier life's work taken over",
        "a message is blamed that this life has not received",
    ),
    new(
        ASIDE_NOT_TAKEN,
        "set aside and not taken",
        "a message lies on its link and among the letters",
    ),
    new(
        ASIDE_IN_TWO_STEPS,
        "set aside in two steps",
        "a message lies on its link and among the letters",
    ),
    new(
        ASIDE_UNCHECKED,
        "set aside at any position",
        "a redo sets another message aside",
    ),
    new(
        LETTER_COPIED_LATE,
        "letter copied after the commit",
        "a letter holds what was in its slot before",
    ),
    new(
        DROP_IN_TWO_STEPS,
        "letter dropped before its note",
        "a note is about another letter",
    ),
    new(
        REQUEUE_NOT_TAKEN,
        "requeued letter not taken",
        "a letter is handled more than once",
    ),
    new(
        REQUEUE_IN_TWO_STEPS,
        "requeued letter taken by a second step",
        "a letter is handled more than once",
    ),
    new(
        REQUEUE_KEPT,
        "requeue kept after a panic",
        "a step that isn't about a letter gets it",
    ),
];
