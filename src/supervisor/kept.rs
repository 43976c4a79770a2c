//! What an actor's durable state was, kept in a file before it starts anew.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use airssys_ringbuf::step::raw_cell;

use crate::files::write_whole_by;
use crate::partition::progress::{progress_of, view_of};
use crate::partition::view::BusView;
use crate::topology::model::{ActorId, CollectionKind, CollectionPlan, Plan};

/// The state of an actor that is to start anew, as it lies in its region until its partition's next life, and where it is to be
/// kept as a text.
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
///
/// map balances
/// entry 16 8               the schema's lines, of a map those of an entry
/// ...
/// 0700000000000000 2800000000000000
/// ```
#[derive(Debug)]
pub(crate) struct KeptState {
    view: BusView,
    id: ActorId,
    directory: PathBuf,
}

impl KeptState {
    pub(super) fn new(view: &BusView, id: ActorId, directory: &Path) -> Self {
        Self {
            view: view.clone(),
            id,
            directory: directory.to_owned(),
        }
    }

    /// Writes it into its directory, which is made if there is none: whole or not at all, and for this user alone.
    ///
    /// After the schema a collection has one line for each entry: of a vector and a table its index and its bytes, of a table without
    /// the rows that are all zeros; of a last-n its number, from 0 for the first that was ever pushed, and its bytes; of a map the
    /// bytes of key and value.
    pub(crate) fn write(&self, plan: &Plan) -> io::Result<PathBuf> {
        let (view, id) = (&self.view, self.id);
        let actor = plan.actor(id);
        let steps = progress_of(plan, view, id).steps;
        let name = format!("{}-{}-{steps}.state", plan.bus, actor.name);
        write_whole_by(&self.directory, &name, |file| {
            write!(file, "actor {}\nsteps {steps}\n", actor.name)?;
            write_cells(plan, view, id, file)?;
            actor.collections.iter().try_for_each(|collection| {
                let (kind, name) = (collection.kind, &collection.name);
                write!(file, "\n{kind} {name}\n{}", collection.schema_text)?;
                let found = view_of(plan, view, id, collection).map_err(io::Error::other)?;
                let (len, words) = found.words().map_err(io::Error::other)?;
                write_entries(collection, (len, &words), found.stride(), file)
            })
        })
    }
}

fn write_cells(plan: &Plan, view: &BusView, id: ActorId, file: &mut dyn Write) -> io::Result<()> {
    let actor = plan.actor(id);
    let ends = (actor.inputs.len(), actor.outputs.len());
    let cells = actor.cells.iter().take(actor.declared.cells).enumerate();
    for (index, cell) in cells {
        let region = view.partition(id.partition);
        let place = (cell.name.as_str(), index, cell.size);
        let bytes = raw_cell(region, &actor.name, ends, place).map_err(io::Error::other)?;
        write!(file, "\ncell {}\n{}", cell.name, cell.schema_text)?;
        write_hex(file, bytes.unwrap_or_default().into_iter())?;
        writeln!(file)?;
    }
    Ok(())
}

fn write_entries(
    collection: &CollectionPlan,
    (len, words): (u64, &[u64]),
    stride: usize,
    file: &mut dyn Write,
) -> io::Result<()> {
    let (key, value) = collection.sizes;
    let capacity = collection.capacity;
    for (index, entry) in (0..).zip(words.chunks_exact(stride)) {
        // Before the value: a map's mark and key.
        let (first, number) = match collection.kind {
            CollectionKind::Vector => (0, (index < len).then_some(index)),
            CollectionKind::Table => (0, entry.iter().any(|word| *word != 0).then_some(index)),
            // The last one pushed whose place this is.
            CollectionKind::Last => (
                0,
                (index < len).then(|| len - 1 - (len - 1 - index) % capacity),
            ),
            CollectionKind::Map => (1 + key.div_ceil(8), (entry[0] != 0).then_some(index)),
        };
        let Some(number) = number else { continue };
        if collection.kind == CollectionKind::Map {
            write_hex(file, bytes_of(&entry[1..], key))?;
        } else {
            write!(file, "{number}")?;
        }
        write!(file, " ")?;
        write_hex(file, bytes_of(&entry[first..], value))?;
        writeln!(file)?;
    }
    Ok(())
}

/// The first so many bytes of words, as they lie in memory.
fn bytes_of(words: &[u64], bytes: usize) -> impl Iterator<Item = u8> + '_ {
    let all = words.iter().flat_map(|word| word.to_ne_bytes());
    all.take(bytes)
}

fn write_hex(file: &mut dyn Write, mut bytes: impl Iterator<Item = u8>) -> io::Result<()> {
    bytes.try_for_each(|byte| write!(file, "{byte:02x}"))
}
