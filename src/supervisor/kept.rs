//! What an actor's durable cells held, kept in a file before they start anew.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use airssys_ringbuf::step::cell_bytes;

use crate::partition::progress::progress_of;
use crate::partition::view::BusView;
use crate::topology::model::{ActorId, Plan};

/// Writes the committed cells of an actor into a file of `directory`, which is made if there is none: whole or not at all, and
/// for this user alone.
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
pub(super) fn keep(
    plan: &Plan,
    view: &BusView,
    id: ActorId,
    directory: &Path,
) -> io::Result<PathBuf> {
    let actor = plan.actor(id);
    let steps = progress_of(plan, view, id).steps;
    // A `String` takes any text.
    let mut text = format!("actor {}\nsteps {steps}\n", actor.name);
    let ends = (actor.inputs.len(), actor.outputs.len());
    let cells = actor.cells.iter().take(actor.declared.cells).enumerate();
    for (index, cell) in cells {
        let region = view.partition(id.partition);
        let place = (cell.name.as_str(), index, cell.size);
        let bytes = cell_bytes(region, &actor.name, ends, place).map_err(io::Error::other)?;
        let _ = write!(text, "\ncell {}\n{}", cell.name, cell.schema_text);
        for byte in bytes.unwrap_or_default() {
            let _ = write!(text, "{byte:02x}");
        }
        text.push('\n');
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    let file = directory.join(format!("{}-{}-{steps}.state", plan.bus, actor.name));
    let draft = file.with_extension("draft");
    // Of one that was killed here.
    let _ = fs::remove_file(&draft);
    let mut options = File::options();
    options.write(true).create_new(true).mode(0o600);
    options.open(&draft)?.write_all(text.as_bytes())?;
    fs::rename(&draft, &file)?;
    Ok(file)
}
