//! Words and fields: where they lie, who writes them, what they mean.

use crate::layout::{
    PANIC_TEXT_MAX, account_word, blame_word, clock_word, collection_word, command_word,
    credit_word, hint_word, in_flight_word, instance_word, panic_word, pulse_word, record_word,
    ring_word, slot_word, tally_word, undo_entry_word, undo_word,
};
use crate::memory::LINE_PAIR;
use crate::region::directory::entry_at;
use crate::region::header::{self, at};
use crate::region::{FILE_LEN_MAX, NAME_LEN_MAX, PAGE, SECTIONS_MAX, STRINGS_LEN_MAX};
use crate::{park, pulse};

/// A word or a field: its place in what it is part of.
pub(super) struct Word {
    /// `module::NAME` of the constant that places it.
    pub(super) constant: &'static str,
    pub(super) name: String,
    pub(super) at: usize,
    pub(super) bytes: usize,
    pub(super) by: &'static str,
    pub(super) meaning: String,
}

/// Fields of any width, placed in bytes.
macro_rules! fields {
    ($module:ident: $($name:ident $bytes:literal $meaning:expr;)*) => { vec![$(Word {
        constant: concat!(stringify!($module), "::", stringify!($name)),
        name: spoken(stringify!($name)),
        at: $module::$name,
        bytes: $bytes,
        by: "",
        meaning: $meaning.into(),
    }),*] };
}

/// Words of eight bytes, placed in words; by whom they are written and how.
macro_rules! words {
    ($module:ident: $($name:ident $by:literal $meaning:expr;)*) => { vec![$(Word {
        constant: concat!(stringify!($module), "::", stringify!($name)),
        name: spoken(stringify!($name)),
        at: 8 * $module::$name,
        bytes: 8,
        by: $by,
        meaning: $meaning.into(),
    }),*] };
}

fn spoken(constant: &str) -> String {
    constant.to_lowercase().replace('_', " ")
}

fn header_fields() -> Vec<Word> {
    let magic = header::MAGIC.escape_ascii();
    fields! { at:
        MAGIC 8 format!("`{magic}`");
        BYTE_ORDER 4 format!("{:#010x}, as the machine that wrote the region stores it", header::BYTE_ORDER_MARK);
        VERSION 4 format!("layout version, {}", header::LAYOUT_VERSION);
        HEADER_LEN 4 format!("{}", header::HEADER_LEN);
        ENTRY_LEN 4 format!("length of a directory entry, {}", header::ENTRY_LEN);
        FILE_LEN 8 format!("length of the file, a multiple of {PAGE}, at most 2^{}", FILE_LEN_MAX.ilog2());
        BOOT_ID 16 "the kernel's boot id (`/proc/sys/kernel/random/boot_id`) without its dashes";
        DIGEST 8 "digest of the topology, the same in every region of a bus";
        DIRECTORY 8 format!("where the directory begins, {}", header::HEADER_LEN);
        ENTRIES 8 format!("entries of the directory, at most {SECTIONS_MAX}");
        DIRECTORY_LEN 8 format!("bytes of the directory, entries x {}", header::ENTRY_LEN);
        STRINGS 8 "where the strings begin, right after the directory";
        STRINGS_LEN 8 format!("bytes of all strings, at most {STRINGS_LEN_MAX}");
        BUS_LEN 4 format!("bytes of the bus's name, the first string, at most {NAME_LEN_MAX}");
        OWNER_LEN 4 "bytes of the owner's name, the second string, likewise";
        ZERO 16 "zero";
        CHECKSUM 8 "FNV-1a 64 of header, directory and strings, these eight bytes taken as zero";
    }
}

fn entry_fields() -> Vec<Word> {
    fields! { entry_at:
        KIND 4 "what the section holds: the table of kinds";
        ALIGN 4 format!("its alignment, a power of two from 64 to {PAGE}");
        OFFSET 8 format!("where it begins in the file: a multiple of {LINE_PAIR} and of its alignment");
        LEN 8 "its bytes, at least 1";
        COUNT 8 "how many items it holds";
        STRIDE 8 "bytes from item to item; count x stride is at most its length";
        NAME_LEN 4 format!("bytes of its name, at most {NAME_LEN_MAX}");
        SCHEMA_LEN 4 "bytes of its schema";
    }
}

fn phases() -> String {
    use pulse::Phase::{Parked, Recovering, Running, Starting, Stopping, Unborn};
    let all = [Unborn, Starting, Recovering, Running, Parked, Stopping];
    let named =
        all.map(|phase| format!("{} {}", phase as u64, format!("{phase:?}").to_lowercase()));
    named.join(", ")
}

fn orders() -> String {
    use pulse::Order::{Drain, Run, Stop};
    let named = [Run, Drain, Stop]
        .map(|order| format!("{} {}", order as u64, format!("{order:?}").to_lowercase()));
    named.join(", ")
}

fn pulse_words() -> Vec<Word> {
    words! { pulse_word:
        BEAT "Relaxed" "turns of the partition's loop, over all incarnations";
        PHASE "Relaxed" phases();
        ACTOR "Relaxed" "the actor that ran last, by its place in the partition";
        STEP "Relaxed" "the step that it was about to run";
        PID "Relaxed" "its process, as numbered in its pid namespace";
        START_TIME "Relaxed" "when that process started, in clock ticks since boot";
        INCARNATION "Release, after the words around it" "the n-th life of the owner, from 1; 0 if none has begun";
        STARTED_AT "Relaxed" "when this life began, in nanoseconds of CLOCK_MONOTONIC";
        FIRST_STEP_AT "Relaxed" "when its first step had ended, likewise; 0 before";
        PID_NAMESPACE "Relaxed" "inode of its pid namespace, or 0";
        LOCKED "Relaxed" "low half: 0 nobody tried to lock its pages, 1 locked, 2 refused with the errno in the high half";
        HUGE_BYTES "Relaxed" "how many of its bytes are mapped as huge pages";
        PARKED "Release to sleep, Relaxed to get up" format!(
            "sleeps so far << 2, and {} awake, {} asleep on its doorbells, {} asleep in an event loop",
            park::AWAKE, park::ASLEEP, park::ARMED
        );
    }
}

fn record_words() -> Vec<Word> {
    words! { record_word:
        CELL_BITS "Relaxed, before the control word" "bit n selects the buffer of the actor's n-th durable cell";
        DONE "likewise" "1 if the actor has ended by its own word";
        POSITIONS "likewise" "received, a word for each input; then (published before the last commit, sent), two words for each output";
    }
}

fn in_flight_words() -> Vec<Word> {
    words! { in_flight_word:
        INCARNATION "Relaxed" "the life of the owner whose work it is; 0 while that changes";
        TO "Relaxed, before the handler gets the message" "a word for each input: one more than the last position that was shown to the handler";
    }
}

fn ring_words() -> Vec<Word> {
    words! { ring_word:
        CLOSE "Release" "0 while the sender may send, else one more than the position that it ended at";
        FAULT "Release" "0, or one more than the position at which the sender gave an untrusted link up";
        FOUND "Relaxed, before the fault" "the credit that was impossible";
        RESERVED "Relaxed, then a Release fence before any store into a slot" "no slot of this position or a later one has been written; never goes down";
        TAIL "Release" "contiguous slots: the first position that isn't published; else 0";
    }
}

fn credit_words() -> Vec<Word> {
    words! { credit_word:
        CREDIT "Release" "the first position that isn't given back to the sender";
        CLOSE "Release" "0 while the receiver may receive, else one more than the position that it ended at";
        FAULT "Release" "0, or one more than the position at which the receiver gave an untrusted link up";
        FOUND "Relaxed, before the fault" "the sequence word, or the tail, that was impossible";
    }
}

fn command_words() -> Vec<Word> {
    words! { command_word: ORDER "Release" orders(); }
}

fn undo_words() -> Vec<Word> {
    words! { undo_word:
        STEP "Release" "the step that the entries are of: one more than the steps committed before it; of another step, none is in force";
        COUNT "Release, after the entries and before what they are of changes" "how many entries are in force; 0 again after they were undone";
        UNDONE "Relaxed, before the count goes back" "how often entries were undone, over all lives: an observer that finds another number has to look again";
        RESET "Relaxed, before the control word; 0 again, by Release, once it is done" "0, or a step that starts all of the actor's collections anew: if it is the last one committed, every word of them counts as 0";
        ENTRIES "Relaxed" "the first entry";
    }
}

fn undo_entry_words() -> Vec<Word> {
    words! { undo_entry_word:
        PLACE "Relaxed" "the byte offset in the region of a word of one of the actor's collections";
        OLD "Relaxed" "what was there";
    }
}

fn collection_words() -> Vec<Word> {
    words! { collection_word:
        LEN "Relaxed" "vector, map: how many entries; last: how many were pushed so far; table: 0";
        ENTRIES "Relaxed" "the first entry, or the first slot of a map";
    }
}

fn slot_words() -> Vec<Word> {
    words! { slot_word:
        MARK "Relaxed" "0 if the slot is free, else the key's hash with its lowest bit set; the highest bits say which slot is its home";
        KEY "Relaxed" "the key, then, on the next whole word, the value";
    }
}

fn hint_words() -> Vec<Word> {
    words! { hint_word:
        COUNT "Release, after the numbers below it" "hints given so far; a new life of the sender jumps ahead by more than the ring holds";
        NUMBERS "Relaxed, after a Release fence" "the first number: hint n lies n modulo count words behind it";
    }
}

fn blame_words() -> Vec<Word> {
    words! { blame_word:
        SUSPECT_TO "Relaxed" "below this position of the input its messages are received one at a time";
        ASIDE "Release, after the two words behind it" "one more than the position of the message to be set aside; 0 for none";
        ATTEMPTS "Relaxed" "deaths that were laid to its charge";
        CAUSE "Relaxed" "what the last of them was: low half 1 panic, 2 signal, 3 exit, 4 hang, 5 died with the launching process; high half the signal or the exit code";
        REQUEUE_TO "Release" "messages set aside below this position of their ring are to be handled again";
        DROP_TO "Release" "messages set aside below this position of their ring are to be dropped";
    }
}

fn account_words() -> Vec<Word> {
    words! { account_word:
        WRITTEN "Release, after the record" "how often the account was written; its lowest bit says which record counts";
        RESET "Relaxed, before any life that it is for" "0, or one more than a number of committed steps: if that many are committed when a life begins, the actor's durable state starts anew by one step";
        RECORDS "Relaxed" "record 0; record 1 follows it";
    }
}

fn tally_words() -> Vec<Word> {
    words! { tally_word:
        JUDGED "Relaxed" "the last life of the partition whose end was judged";
        ATTEMPTS "Relaxed" "deaths with the same first messages in work that count as attempts";
        ROW "Relaxed" "how many times in a row messages were set aside with no step between that committed";
        STEPS "Relaxed" "the actor's steps once the last of them is set aside";
        STARTS "Relaxed" "one word an input: one more than the position of its first message in work at the last death that was blamed on any; 0 if none was";
    }
}

fn clock_words() -> Vec<Word> {
    words! { clock_word:
        MONOTONIC_STEP "Relaxed, after the reading" "the step that read CLOCK_MONOTONIC: one more than the steps committed before it; 0 if none has";
        MONOTONIC "Relaxed" "what it read, in nanoseconds";
        REALTIME_STEP "Relaxed, after the reading" "the step that read CLOCK_REALTIME, likewise";
        REALTIME "Relaxed" "what it read, in nanoseconds since 1970";
    }
}

fn instance_words() -> Vec<Word> {
    words! { instance_word:
        HIGH "Relaxed, before any partition begins" "the high half of a random number of 128 bits, of this bus from its creation to its removal";
        LOW "likewise" "the low half";
    }
}

fn panic_words() -> Vec<Word> {
    words! { panic_word:
        INCARNATION "Release, after the words around it" "the life that ended by a panic; 0 if none has";
        LEN "Relaxed" format!("bytes of the panic's message, at most {PANIC_TEXT_MAX}");
        TEXT "Relaxed" "the first eight bytes of the message, in UTF-8, as they lie in memory";
    }
}

/// Every table of places.
pub(super) fn words() -> [(&'static str, Vec<Word>); 19] {
    [
        ("header", header_fields()),
        ("entry", entry_fields()),
        ("pulse", pulse_words()),
        ("record", record_words()),
        ("in flight", in_flight_words()),
        ("ring", ring_words()),
        ("credit", credit_words()),
        ("command", command_words()),
        ("hints", hint_words()),
        ("undo", undo_words()),
        ("undo-entry", undo_entry_words()),
        ("collection", collection_words()),
        ("slot", slot_words()),
        ("blame", blame_words()),
        ("account", account_words()),
        ("tally", tally_words()),
        ("clock", clock_words()),
        ("instance", instance_words()),
        ("panic", panic_words()),
    ]
}

/// The constants that a table describes.
pub(super) fn described() -> Vec<String> {
    let words = words().into_iter().flat_map(|(_, words)| words);
    words.map(|word| word.constant.to_owned()).collect()
}
