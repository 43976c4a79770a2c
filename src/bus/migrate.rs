//! Taking a bus over that a program with other types has left.
//!
//! Every region is made anew beside the old one, under a name that ends in [`SUFFIX`]: what is the same is copied, what is
//! registered to be migrated is converted. Then the file [`MARKER`] is made, and that is the migration: before it, the bus is
//! the old one and what was made is of no use to anybody; from it on, it is the new one, and whoever takes the bus next gives
//! the new files their names before he looks at anything.
//!
//! A kill at any instruction leaves one of the two, whole. Nobody lives on the bus meanwhile: its lock is held, and every
//! region's was found free.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use airssys_ringbuf::region::{
    Access, Expected, Inspection, OpenError, Region, SectionEntry, SectionKind, inspect,
};
use airssys_ringbuf::step::{Attach, Conversion, convert_section, copy_section};

use super::described::TOPOLOGY_FILE;
use super::directory::BusDirectory;
use super::error::{BusError, io_error};
use crate::topology::describe::{describe, digest};
use crate::topology::layout::{cell_section_name, regions};
use crate::topology::migration::Migration;
use crate::topology::model::{ActorPlan, Plan};

/// What the name of a file ends in that takes the place of the one without it.
pub(super) const SUFFIX: &str = ".migrated";
/// The file that says that they do.
const MARKER: &str = "migration";

/// The topology as the program that left this bus had it, as far as the registered migrations tell; `None` if what was left
/// needs none of them.
pub(super) fn old_plan(dir: &Path, plan: &Plan) -> Option<Plan> {
    let mut old = plan.clone();
    let mut differs = false;
    for partition in &mut old.partitions {
        let file = BusDirectory::region_file_name(&partition.name);
        let Ok(found) = inspect(&dir.join(file)) else {
            continue;
        };
        for actor in &mut partition.actors {
            differs |= make_old(actor, &plan.migrations, &found);
        }
    }
    old.digest = digest(&old);
    differs.then_some(old)
}

/// Gives what is to be migrated the type that it has in the region; whether anything is.
fn make_old(actor: &mut ActorPlan, migrations: &[Migration], found: &Inspection) -> bool {
    let mut differs = false;
    let name = &actor.name;
    let migration = |kind, state: &str| {
        let section = found.section(kind, &cell_section_name(name, state))?;
        let mut migrations = migrations.iter();
        migrations.find(|one| one.is_of(name, state) && one.old_schema == section.schema)
    };
    for cell in &mut actor.cells {
        if let Some(migration) = migration(SectionKind::Cell, &cell.name) {
            cell.schema_text.clone_from(&migration.old_schema);
            cell.size = migration.old_size;
            differs = true;
        }
    }
    for collection in &mut actor.collections {
        if let Some(migration) = migration(collection.kind.section_kind(), &collection.name) {
            collection.schema_text.clone_from(&migration.old_schema);
            collection.sizes.1 = migration.old_size;
            differs = true;
        }
    }
    differs
}

/// Makes the bus of `old`, which is whole and which nobody holds, that of `plan`.
///
/// # Errors
///
/// [`BusError`]; the bus is the old one then, and can be taken up again by either program.
pub(super) fn migrate(
    dir: &Path,
    old: &Plan,
    plan: &Plan,
    boot_id: [u8; 16],
) -> Result<(), BusError> {
    for (party, (owner, region)) in regions(plan).into_iter().enumerate() {
        let file = format!("{}{SUFFIX}", BusDirectory::region_file_name(owner));
        // What a migration has left that was cut short.
        remove(plan, &dir.join(&file))?;
        region
            .create(dir, &file, boot_id)
            .map_err(|error| failed(plan, dir, error.to_string()))?;
        passed();
        let made = open(&dir.join(&file), plan, owner, boot_id);
        let made = made.map_err(|error| failed(plan, dir, error.to_string()))?;
        let left = dir.join(BusDirectory::region_file_name(owner));
        let left = open(&left, old, owner, boot_id);
        let left = left.map_err(|error| failed(plan, dir, error.to_string()))?;
        let actors = plan.partitions.get(party).map(|one| &one.actors[..]);
        fill(&left, &made, actors.unwrap_or_default(), plan)
            .map_err(|problem| failed(plan, dir, problem))?;
        passed();
    }
    let text = dir.join(format!("{TOPOLOGY_FILE}{SUFFIX}"));
    remove(plan, &text)?;
    write(&text, describe(plan).as_bytes())
        .map_err(|source| io_error(&plan.bus, "writing", &text, source))?;
    passed();
    // The migration.
    let marker = dir.join(MARKER);
    write(&marker, &[]).map_err(|source| io_error(&plan.bus, "making", &marker, source))?;
    passed();
    finish(dir, &plan.bus)
}

/// Gives the files of a migration their names, if there is one whose marker was made. Idempotent.
pub(super) fn finish(dir: &Path, bus: &str) -> Result<(), BusError> {
    let marker = dir.join(MARKER);
    if marker.symlink_metadata().is_err() {
        return Ok(());
    }
    let reading = |source| io_error(bus, "reading the directory", dir, source);
    for entry in fs::read_dir(dir).map_err(reading)? {
        let path = entry.map_err(reading)?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if let Some(name) = name.and_then(|name| name.strip_suffix(SUFFIX)) {
            fs::rename(&path, dir.join(name))
                .map_err(|source| io_error(bus, "renaming", &path, source))?;
            passed();
        }
    }
    fs::remove_file(&marker).map_err(|source| io_error(bus, "removing", &marker, source))?;
    passed();
    Ok(())
}

/// Everything that a region holds, into the one that takes its place.
fn fill(left: &Region, made: &Region, actors: &[ActorPlan], plan: &Plan) -> Result<(), String> {
    for actor in actors.iter().filter(|actor| !actor.collections.is_empty()) {
        // What no commit followed is undone where it is: places in the log are places in that region.
        let (inputs, outputs) = (actor.inputs.len(), actor.outputs.len());
        let attached = Attach::<{ airssys_ringbuf::step::mistake::NONE }>::new(
            left,
            &actor.name,
            inputs,
            outputs,
        );
        drop(attached.map_err(|error| error.to_string())?);
    }
    for section in left.sections() {
        let new = made.section(section.kind, &section.name);
        let new = new.map_err(|error| error.to_string())?;
        let sides = ((left, section), (made, new));
        match migrated(section, new, actors, plan) {
            None => copy_section(sides.0, sides.1).map_err(|error| error.to_string())?,
            Some(found) => convert(sides, &found)?,
        }
    }
    Ok(())
}

/// What is to be converted: whose it is, its place among the cells, and how.
struct Migrated<'a> {
    actor: &'a ActorPlan,
    index: usize,
    migration: &'a Migration,
    size: usize,
}

fn migrated<'a>(
    section: &SectionEntry,
    new: &SectionEntry,
    actors: &'a [ActorPlan],
    plan: &'a Plan,
) -> Option<Migrated<'a>> {
    if section.schema == new.schema {
        return None;
    }
    let (actor, state) = section.name.split_once('/')?;
    let actor = actors.iter().find(|one| one.name == actor)?;
    let mut migrations = plan.migrations.iter();
    let migration =
        migrations.find(|one| one.is_of(&actor.name, state) && one.old_schema == section.schema)?;
    let cell = actor.cells.iter().position(|cell| cell.name == state);
    let collection = actor.collections.iter().find(|one| one.name == state);
    Some(Migrated {
        actor,
        index: cell.unwrap_or(0),
        migration,
        size: match (cell, collection) {
            (Some(cell), _) => actor.cells[cell].size,
            (None, collection) => collection?.sizes.1,
        },
    })
}

fn convert(
    (left, made): ((&Region, &SectionEntry), (&Region, &SectionEntry)),
    found: &Migrated<'_>,
) -> Result<(), String> {
    let actor = found.actor;
    let mut conversion = Conversion {
        from: found.migration.old_size,
        to: found.size,
        convert: &mut |old, new| (found.migration.convert)(old, new),
    };
    let ends = (actor.inputs.len(), actor.outputs.len());
    let whose = (actor.name.as_str(), ends, found.index);
    // The author's own code.
    let converted = catch_unwind(AssertUnwindSafe(|| {
        convert_section(left, made, whose, &mut conversion)
    }));
    match converted {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            let text = text.unwrap_or("it says nothing");
            Err(format!("{:?} panicked: {text}", found.migration))
        }
    }
}

fn open(path: &Path, plan: &Plan, owner: &str, boot_id: [u8; 16]) -> Result<Region, OpenError> {
    let expected = Expected {
        bus: &plan.bus,
        owner,
        digest: plan.digest,
        boot_id,
    };
    Region::open(path, Access::ReadWrite, &expected)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)
}

fn remove(plan: &Plan, path: &Path) -> Result<(), BusError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(io_error(&plan.bus, "removing", path, error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn failed(plan: &Plan, dir: &Path, problem: String) -> BusError {
    BusError::Migration {
        bus: plan.bus.clone(),
        dir: dir.to_owned(),
        problem,
    }
}

/// A place at which a kill is as good as at any other until the next one.
fn passed() {
    #[cfg(test)]
    tests::pass();
}

#[cfg(test)]
#[path = "migrate/tests.rs"]
mod tests;
