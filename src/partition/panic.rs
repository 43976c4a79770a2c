//! What a panic said. Of a thread its supervisor has the panic itself; a process leaves the message in its own region.

use std::any::Any;

use airssys_ringbuf::panic_text;
use airssys_ringbuf::region::{Region, SectionKind};

use crate::partition::view::{BusView, Party};
use crate::partition::{Life, Place};
use crate::topology::model::Plan;

const PANIC: &str = "panic";

/// A panic's message, if it is text.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> Option<String> {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
}

/// Leaves it for the supervisor, whose report says less without it: nothing else comes of a failure.
pub(crate) fn leave_panic(plan: &Plan, place: &Place, life: &Life, text: &str) {
    let party = Party::Partition(life.partition);
    let Ok(view) = BusView::open(&place.directory, plan, party, place.boot_id) else {
        return;
    };
    let own = view.partition(life.partition);
    if let Ok(section) = own.section(SectionKind::Panic, PANIC) {
        let _ = panic_text::leave(own, section, life.incarnation, text);
    }
}

/// What the panic that ended life `incarnation` of the region's owner said, if it was one that left it.
pub(crate) fn left_panic(region: &Region, incarnation: u64) -> Option<String> {
    let section = region.section(SectionKind::Panic, PANIC).ok()?;
    panic_text::left_by(region, section, incarnation)
}
