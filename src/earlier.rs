//! One line on what an earlier run left of a bus and what becomes of it: said before anything of it is removed.

use std::ffi::OsString;
use std::path::Path;

use airssys_ringbuf::region::boot_id;

use crate::bus::leftover::{Fate, shown};
use crate::partition::progress::counts_of;
use crate::partition::view::{BusView, Party};
use crate::report::{Level, say};
use crate::topology::model::Plan;

/// Says what becomes of these files in the bus directory `directory`.
pub(crate) fn say_fate(plan: &Plan, fate: Fate, directory: &Path, files: &[OsString]) {
    let bus = &plan.bus;
    let names: Vec<String> = files.iter().map(|name| shown(name)).collect();
    let files = names.join(", ");
    match (fate, undelivered(plan, directory)) {
        (Fate::Resumed, Some(undelivered)) => say(
            Level::Info,
            format_args!(
                "{bus}: resumes what an earlier run left; messages undelivered: {undelivered}"
            ),
        ),
        (Fate::Resumed, None) => say(
            Level::Info,
            format_args!("{bus}: resumes what an earlier run left"),
        ),
        (Fate::CutShort, _) => say(
            Level::Warn,
            format_args!(
                "{bus}: an earlier run left {files}: its creation or its removal was cut short, and nothing is pending on it; \
                 makes it anew"
            ),
        ),
        (Fate::Discarded, Some(undelivered)) => say(
            Level::Warn,
            format_args!(
                "{bus}: discards what an earlier run left: {files}; messages undelivered: {undelivered}"
            ),
        ),
        (Fate::Discarded, None) => say(
            Level::Warn,
            format_args!(
                "{bus}: discards what an earlier run left: {files}; another topology's or damaged, so nobody can count what was \
                 undelivered"
            ),
        ),
    }
}

/// The undelivered messages of each link, in words; `None` if this topology can't read them.
fn undelivered(plan: &Plan, directory: &Path) -> Option<String> {
    let view = BusView::open(directory, plan, Party::Observer, boot_id().ok()?).ok()?;
    let counts: Vec<String> = (0..plan.links.len())
        .filter(|&link| !plan.is_note(link))
        .map(|link| (link, counts_of(plan, &view, link)))
        .filter(|(_, (sent, received))| sent > received)
        .map(|(link, (sent, received))| {
            format!("{} on `{}`", sent - received, plan.links[link].name)
        })
        .collect();
    Some(if counts.is_empty() {
        "none".to_owned()
    } else {
        counts.join(", ")
    })
}
