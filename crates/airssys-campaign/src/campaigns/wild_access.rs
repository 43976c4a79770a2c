//! Touches bytes that nobody should touch: before a region, behind it, and in a peer's.
//!
//! Each access is made by a process of its own, which the kernel has to end with `SIGSEGV`, and no byte of any region may have
//! changed then. Accesses that are allowed are made too: a harness in which everything dies would show nothing.

use airssys_ringbuf::memory::HUGE_PAGE;
use nix::sys::signal::Signal;

use super::Campaign;
use crate::bus::{Bus, Shape, Wire};
use crate::failure::{Failure, ensure};
use crate::maps::{self, Mapped};
use crate::place::Place;
use crate::process::{End, Touch, touch};
use crate::run::{Outcome, Run};
use crate::seed::Seed;

pub(super) const CAMPAIGN: Campaign = Campaign {
    name: "wild-access",
    question: "does an access beyond a region, or a write to a peer's, fault in who makes it?",
    unit: "accesses",
    count: 20_000,
    short: 600,
    run,
};

/// Regions of some pages, and one that is long enough for huge pages.
const SHAPES: [Shape; 2] = [
    Shape {
        inputs: &[Wire::sequenced(32); 2],
        outputs: &[Wire::sequenced(8); 2],
    },
    Shape {
        inputs: &[Wire::sequenced((HUGE_PAGE / 64) as u64); 2],
        outputs: &[Wire::sequenced(8); 2],
    },
];

fn run(run: &Run) -> Result<Outcome, Failure> {
    let buses = [Bus::create(SHAPES[0])?, Bus::create(SHAPES[1])?];
    let places = buses
        .iter()
        .flat_map(|bus| [&bus.source, &bus.middle, &bus.sink]);
    let mut targets = Vec::new();
    for place in places {
        targets.extend(mapped(place)?.map(|three| (place, three)));
    }
    let mut draws = run.draws();
    while run.goes_on() {
        let (place, three) = &targets[draws.below(targets.len() as u64) as usize];
        trial(place, three, &mut draws)?;
        run.tried(1);
    }
    Ok(Outcome::default())
}

/// The owner's mapping of a region and its peers', each between its guards.
fn mapped(place: &Place) -> Result<[[Mapped; 3]; 2], Failure> {
    let found = maps::of(place.own.path())?;
    let count = found.len();
    let mut mappings: [[Mapped; 3]; 2] = found.try_into().map_err(|_| {
        let path = place.own.path().display();
        Failure::Violated(format!(
            "{path}: {count} mappings with something on both sides, expected 2"
        ))
    })?;
    mappings.sort_by_key(|[_, own, _]| !own.writable);
    let [[.., own, _], [_, seen, _]] = &mappings;
    ensure!(
        own.writable && seen.readable && !seen.writable,
        "the owner maps its region as {own:?}, its peers as {seen:?}"
    );
    for [before, _, behind] in &mappings {
        ensure!(
            before.is_guard() && behind.is_guard(),
            "next to a region lie {before:?} and {behind:?}"
        );
    }
    Ok(mappings)
}

fn trial(
    place: &Place,
    [before, own, behind]: &[Mapped; 3],
    draws: &mut Seed,
) -> Result<(), Failure> {
    let how = if draws.below(2) == 0 {
        Touch::Read
    } else {
        Touch::Write
    };
    let area = [before, own, behind][draws.below(3) as usize];
    // The bytes next to the region are the ones that a mistake reaches first.
    let (first, end) = (area.addresses.start, area.addresses.end);
    let address = match draws.below(3) {
        0 => first,
        1 => end - 1,
        _ => first + draws.below((end - first) as u64) as usize,
    };
    let allowed = area.readable && (how == Touch::Read || area.writable);
    // A write that is allowed would have to be into what no trial looks at; reading shows as well that the harness can touch.
    let how = if allowed { Touch::Read } else { how };
    let untouched = place.image()?;
    let end = touch(address, how)?;
    let expected = if allowed {
        End::Exited(0)
    } else {
        End::Signaled(Signal::SIGSEGV)
    };
    ensure!(
        end == expected,
        "{how:?} at {address:#x} in {area:?}: the process ended with {end:?}, expected {expected:?}"
    );
    ensure!(
        place.image()? == untouched,
        "{how:?} at {address:#x} in {area:?} changed the region {}",
        place.own.path().display()
    );
    Ok(())
}
