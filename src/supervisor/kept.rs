//! What an actor's durable cells held, kept in a file before they start anew.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use airssys_ringbuf::step::{ObserveError, raw_cell};

use crate::files::write_whole;
use crate::partition::progress::progress_of;
use crate::partition::view::BusView;
use crate::topology::model::{ActorId, Plan};

/// The committed cells of an actor as a text, read off the regions, and where it is to be kept.
///
/// ```text
/// actor book
/// steps 1042
///
/// cell last
/// Tick 16 8                the schema's lines
/// seq u64 0
/// price f64 8
/// 2a000000000000000000000000005940
/// ```
#[derive(Debug)]
pub(crate) struct KeptState {
    directory: PathBuf,
    name: String,
    text: String,
}

impl KeptState {
    pub(super) fn of(
        plan: &Plan,
        view: &BusView,
        id: ActorId,
        directory: &Path,
    ) -> Result<Self, ObserveError> {
        let actor = plan.actor(id);
        let steps = progress_of(plan, view, id).steps;
        // A `String` takes any text.
        let mut text = format!("actor {}\nsteps {steps}\n", actor.name);
        let ends = (actor.inputs.len(), actor.outputs.len());
        let cells = actor.cells.iter().take(actor.declared.cells).enumerate();
        for (index, cell) in cells {
            let region = view.partition(id.partition);
            let place = (cell.name.as_str(), index, cell.size);
            let bytes = raw_cell(region, &actor.name, ends, place)?;
            let _ = write!(text, "\ncell {}\n{}", cell.name, cell.schema_text);
            for byte in bytes.unwrap_or_default() {
                let _ = write!(text, "{byte:02x}");
            }
            text.push('\n');
        }
        Ok(Self {
            directory: directory.to_owned(),
            name: format!("{}-{}-{steps}.state", plan.bus, actor.name),
            text,
        })
    }

    /// Writes it into its directory, which is made if there is none: whole or not at all, and for this user alone.
    pub(crate) fn write(&self) -> io::Result<PathBuf> {
        write_whole(&self.directory, &self.name, self.text.as_bytes())
    }
}
