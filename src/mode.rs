//! The ways to run a topology.

/// How the partitions of a topology run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Launch {
    /// Each as a thread of this process. A panic restarts one; a hang or a crash of the process can't be mended.
    Threads,
    /// Each as a process of its own: this program, executed again. Its `main` has to call [`enter`](crate::enter) first.
    /// Of this process's descriptors they inherit the standard ones, and those that it opened without close-on-exec.
    Processes,
    /// All of them on the thread that joins, over heap memory, one turn each in order of declaration: nothing runs before. For
    /// turns of one's own, and other orders, there is [`Topology::inline`](crate::Topology::inline).
    Inline,
}
