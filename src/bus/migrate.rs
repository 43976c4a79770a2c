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
use airssys_ringbuf::step::{
    Attach, Conversion, TakeoverError, convert_cell, convert_collection, copy_section,
};

use super::described::{self, TOPOLOGY_FILE};
use super::directory::BusDirectory;
use super::error::{BusError, io_error};
use crate::topology::describe::{attribute, describe, digest};
use crate::topology::layout::{cell_section_name, regions};
use crate::topology::migration::Migration;
use crate::topology::model::{ActorPlan, CollectionPlan, Plan};

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
        let text = described::read(dir, found.digest);
        for actor in &mut partition.actors {
            differs |= make_old(actor, &plan.migrations, &found);
            if let Some(text) = &text {
                differs |= resize(actor, &plan.resized, text);
            }
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
            collection.sizes = migration.old_sizes;
            differs = true;
        }
    }
    differs
}

/// Gives the collections whose capacities may differ those that the described topology has, and their actor its bound on changes;
/// whether any does.
fn resize(actor: &mut ActorPlan, resized: &[(String, String)], text: &str) -> bool {
    let number = |head: &str, key| attribute(text, head, key)?.parse::<u64>().ok();
    let mut differs = false;
    for (_, state) in resized.iter().filter(|(of, _)| *of == actor.name) {
        let mut collections = actor.collections.iter_mut();
        let Some(collection) = collections.find(|one| one.name == *state) else {
            continue;
        };
        let head = format!("{} {}/{state}", collection.kind, actor.name);
        let wanted = [
            (number(&head, "capacity"), &mut collection.capacity),
            (
                number(&format!("actor {}", actor.name), "changes"),
                &mut actor.changes,
            ),
        ];
        for (found, ours) in wanted {
            let found = found.filter(|found| found != ours);
            differs |= found.is_some();
            *ours = found.unwrap_or(*ours);
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
        fill(
            &left,
            &made,
            (actors(old, party), actors(plan, party)),
            plan,
        )
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

/// The actors of a region's owner, which may be the host or the supervisor.
fn actors(plan: &Plan, party: usize) -> &[ActorPlan] {
    plan.partitions.get(party).map_or(&[], |one| &one.actors)
}

/// Everything that a region holds, into the one that takes its place.
fn fill(
    left: &Region,
    made: &Region,
    (before, actors): (&[ActorPlan], &[ActorPlan]),
    plan: &Plan,
) -> Result<(), String> {
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
        match migrated(section, new, (before, actors), plan) {
            None => copy_section(sides.0, sides.1).map_err(|error| error.to_string())?,
            Some(found) => convert(sides, &found)?,
        }
    }
    Ok(())
}

/// What is to be converted, and how.
struct Migrated<'a> {
    actor: &'a ActorPlan,
    of: Of<'a>,
    /// Of another type than there; `None` if only the capacity differs.
    migration: Option<&'a Migration>,
}

/// What it is here.
enum Of<'a> {
    /// A cell by its place.
    Cell(usize),
    Collection(&'a CollectionPlan),
}

fn migrated<'a>(
    section: &SectionEntry,
    new: &SectionEntry,
    (before, actors): (&[ActorPlan], &'a [ActorPlan]),
    plan: &'a Plan,
) -> Option<Migrated<'a>> {
    let (name, state) = section.name.split_once('/')?;
    let actor = actors.iter().find(|one| one.name == name)?;
    let migration = || {
        let mut migrations = plan.migrations.iter();
        migrations.find(|one| one.is_of(name, state) && one.old_schema == section.schema)
    };
    let migration = (section.schema != new.schema).then(migration).flatten();
    if section.kind == SectionKind::Cell {
        let place = actor.cells.iter().position(|cell| cell.name == state)?;
        return migration.map(|migration| Migrated {
            actor,
            of: Of::Cell(place),
            migration: Some(migration),
        });
    }
    let of = |actor: &'_ ActorPlan| {
        let mut all = actor.collections.iter();
        all.position(|one| one.name == state && one.kind.section_kind() == section.kind)
    };
    let collection = &actor.collections[of(actor)?];
    let old = before.iter().find(|one| one.name == name)?;
    let capacity = old.collections[of(old)?].capacity;
    (migration.is_some() || capacity != collection.capacity).then_some(Migrated {
        actor,
        of: Of::Collection(collection),
        migration,
    })
}

fn convert(
    (left, made): ((&Region, &SectionEntry), (&Region, &SectionEntry)),
    found: &Migrated<'_>,
) -> Result<(), String> {
    let actor = found.actor;
    let marks = u64::from(left.1.kind == SectionKind::Map);
    // All of an entry's words, if it stays as it is.
    let entry = |entry: &SectionEntry| (entry.stride - 8 * marks) as usize;
    let (from, to) = match (found.migration, &found.of) {
        (None, _) => (entry(left.1), entry(made.1)),
        (Some(migration), Of::Cell(place)) => (migration.old_size, actor.cells[*place].size),
        (Some(migration), Of::Collection(_)) if marks > 0 => (migration.old_size, entry(made.1)),
        (Some(migration), Of::Collection(one)) => (migration.old_size, one.sizes.1),
    };
    let (key, capacity) = match found.of {
        Of::Cell(_) => (0, 0),
        Of::Collection(one) => (one.sizes.0, one.capacity),
    };
    let mut convert = |old: &[u8], new: &mut [u8]| match found.migration {
        Some(migration) => (migration.convert)(old, new),
        None => new.copy_from_slice(old),
    };
    let mut conversion = Conversion {
        from,
        to,
        convert: &mut convert,
        key,
        capacity,
    };
    let ends = (actor.inputs.len(), actor.outputs.len());
    // The author's own code.
    let converted = catch_unwind(AssertUnwindSafe(|| match found.of {
        Of::Cell(place) => {
            let whose = (actor.name.as_str(), ends, place);
            convert_cell(left, made, whose, &mut conversion)
        }
        Of::Collection(_) => convert_collection(left, made, &mut conversion),
    }));
    match (converted, found.migration) {
        (Ok(done), _) => done.map_err(|error: TakeoverError| error.to_string()),
        (Err(panic), migration) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            let text = text.unwrap_or("it says nothing");
            match migration {
                Some(migration) => Err(format!("{migration:?} panicked: {text}")),
                None => Err(format!(
                    "the migration of `{}` panicked: {text}",
                    left.1.name
                )),
            }
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
