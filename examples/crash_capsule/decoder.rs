//! The actor that crashes, and the unit test that keeps it from doing so again.

use std::path::Path;

use airssys_rt::prelude::*;

/// A packet as it comes from outside.
#[message]
#[derive(Debug)]
struct Packet {
    id: u64,
    /// How many of the bytes count, as the sender says.
    len: u64,
    bytes: [u8; 8],
}

/// Sends the packets, one of them with a length that is a lie.
struct Feed {
    packets: Sender<Packet>,
}

impl Actor for Feed {
    fn step(&mut self) -> Result<Step, Refused> {
        let id = self.packets.sent();
        if id == 10 {
            return Ok(Step::Done);
        }
        self.packets.send(Packet {
            id,
            len: if id == 6 { 4_000 } else { 3 },
            bytes: *b"abcdefgh",
        })?;
        Ok(Step::Busy)
    }
}

/// The program before and after its fix.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    Broken,
    Mended,
}

/// Sums up each packet's bytes.
struct Decoder {
    packets: Receiver<Packet>,
    sums: Sender<u64>,
    decoded: Durable<u64>,
    version: Version,
}

impl Actor for Decoder {
    fn step(&mut self) -> Result<Step, Refused> {
        let Some(packet) = self.packets.try_recv() else {
            return Ok(if self.packets.is_closed() {
                Step::Done
            } else {
                Step::Idle
            });
        };
        let len = packet.len as usize;
        let len = match self.version {
            Version::Broken => len,
            Version::Mended => len.min(packet.bytes.len()),
        };
        self.sums.send(native::sum(&packet.bytes, len))?;
        *self.decoded.borrow_mut() += 1;
        Ok(Step::Busy)
    }
}

/// Stands for a library in C.
mod native {
    use rustix::process::{Signal, getpid, kill_process};

    pub(super) fn sum(bytes: &[u8], len: usize) -> u64 {
        let Some(counted) = bytes.get(..len) else {
            // C would read on into a page that isn't there. There is no unsafe code in here to do so: the process sends itself
            // the signal that the kernel would send. The first one meets the handler of Rust's runtime, which looks for an
            // overflow of the stack and takes itself off.
            loop {
                let _ = kill_process(getpid(), Signal::SEGV);
            }
        };
        counted.iter().map(|&byte| u64::from(byte)).sum()
    }
}

pub(crate) fn topology(
    bus: &str,
    version: Version,
    capsules: &Path,
) -> Result<Topology, TopologyError> {
    let mut plan = Topology::builder("packets");
    plan.bus(bus).capsules(capsules, 8, 1 << 20);
    let (packet_out, packet_in) = plan.link::<Packet>("packets", 16);
    let (sum_out, sum_in) = plan.link::<u64>("sums", 16);
    plan.host().receives(sum_in);
    plan.partition("feed")
        .actor("feed", packet_out, |packets| Feed { packets });
    let ends = (packet_in, sum_out, durable("decoded"));
    plan.partition("decoder")
        // It would die of the same packet again.
        .restart(Restart::temporary())
        .actor("decoder", ends, move |(packets, sums, decoded)| Decoder {
            packets,
            sums,
            decoded,
            version,
        });
    plan.build()
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::path::Path;

    use airssys_rt::{Capsule, replay};

    use super::{Version, topology};

    /// Written when a packet with a length of 4000 killed the decoder by SIGSEGV. With `Version::Broken` this test's process dies
    /// the same way.
    const CAPSULE: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/examples/crash_capsule/length.capsule.json"
    );

    #[test]
    fn a_length_beyond_the_packets_end_counts_what_is_there() -> Result<(), Box<dyn Error>> {
        let capsule = Capsule::open(CAPSULE)?;
        let replayed = replay(
            &capsule,
            &topology("unit", Version::Mended, Path::new("unused"))?,
        )?;
        assert!(replayed.is_committed());
        assert_eq!(replayed.sent::<u64>("sums")?, [804]);
        assert_eq!(replayed.cell::<u64>("decoded")?, 7);
        Ok(())
    }
}
