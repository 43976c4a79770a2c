//! The bounds that `build` checks, and the rule for names.

pub(crate) use airssys_ringbuf::layout::{
    CAPACITY_MAX, CELL_SIZE_MAX, CELLS_MAX, CHANGES_MAX, ENTRIES_MAX, MESSAGE_ALIGN_MAX,
    MESSAGE_SIZE_MAX,
};

/// Incoming or outgoing links of one actor. A step costs what it uses of them; an incarnation's first two commits, and an
/// observer's copy, cost all of them.
pub(crate) const ACTOR_LINKS_MAX: usize = 4096;

/// Partitions of one topology. A sleeper waits for one doorbell of each region with `futex_waitv`, which takes 128.
pub(crate) const PARTITIONS_MAX: usize = 63;

/// Host ports of one topology: each has a doorbell in every region.
pub(crate) const HOST_PORTS_MAX: usize = 1024;

/// Bytes of a name: names become file names and fixed-size fields of region headers.
const NAME_LEN_MAX: usize = 63;

/// Whether `name` matches `[a-z0-9][a-z0-9_-]{0,62}`.
pub(crate) fn is_valid_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.bytes().next().is_some_and(plain)
        && name.len() <= NAME_LEN_MAX
        && name
            .bytes()
            .all(|byte| plain(byte) || byte == b'_' || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rule() {
        for good in ["a", "0", "a-b_c", "9lives", &"x".repeat(63)] {
            assert!(is_valid_name(good), "{good}");
        }
        for bad in [
            "",
            "-a",
            "_a",
            "A",
            "a b",
            "a/b",
            ".",
            "..",
            "ä",
            "a\0",
            &"x".repeat(64),
        ] {
            assert!(!is_valid_name(bad), "{bad}");
        }
    }
}
