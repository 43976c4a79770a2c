//! What a topology will ask of the machine, as tables: memory by region and by link, and the core map.

use std::array;
use std::fmt::{self, Write as _};

use super::durable;
use super::layout::{receiving, region_plan, ring, supervisor_plan};
use super::model::{Plan, SUPERVISOR};

/// A number of bytes, in the largest unit of which it is a whole number, or rounded up to tenths of the largest below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (size, unit) = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")]
            .into_iter()
            .find(|(size, _)| self.0 >= *size)
            .unwrap_or((1, "B"));
        let (whole, rest) = (self.0 / size, self.0 % size);
        let tenths = (rest * 10).div_ceil(size);
        let text = match tenths {
            0 => format!("{whole} {unit}"),
            10 => format!("{} {unit}", whole + 1),
            tenths => format!("{whole}.{tenths} {unit}"),
        };
        f.pad(&text)
    }
}

/// The memory of a bus, before it exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MemoryBill {
    /// Each region's file: name and bytes; the supervisor's last.
    pub(crate) regions: Vec<(String, u64)>,
    /// Each link's share of the regions: name, capacity in messages, bytes.
    pub(crate) links: Vec<(String, u64, u64)>,
    /// Each durable collection's share: its actor and name, entries, bytes.
    pub(crate) collections: Vec<(String, u64, u64)>,
    /// All regions together, in bytes.
    pub(crate) total: u64,
}

impl MemoryBill {
    pub(crate) fn of(plan: &Plan) -> Self {
        let mut regions: Vec<(String, u64)> = (0..plan.parties())
            .map(|place| {
                let bytes = region_plan(plan, place).size() as u64;
                (plan.party_name(place).to_owned(), bytes)
            })
            .collect();
        let supervisor = supervisor_plan(plan).size() as u64;
        regions.push((SUPERVISOR.to_owned(), supervisor));
        let total = regions
            .iter()
            .fold(0, |sum: u64, (_, bytes)| sum.saturating_add(*bytes));
        let links = plan.links.iter().map(|link| {
            let sections = [ring(link)].into_iter().chain(receiving(link));
            let bytes = sections.map(|section| section.len as u64).sum();
            (link.name.clone(), link.capacity, bytes)
        });
        Self {
            regions,
            links: links.collect(),
            collections: collections(plan),
            total,
        }
    }
}

fn collections(plan: &Plan) -> Vec<(String, u64, u64)> {
    let actors = plan
        .partitions
        .iter()
        .flat_map(|partition| &partition.actors);
    let collections =
        actors.flat_map(|actor| actor.collections.iter().map(move |one| (actor, one)));
    let bills = collections.map(|(actor, collection)| {
        let section = durable::section(&actor.name, collection);
        (section.name, collection.capacity, section.len as u64)
    });
    bills.collect()
}

impl fmt::Display for MemoryBill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut regions = Table::new(&["region", "memory"]);
        for (name, bytes) in &self.regions {
            regions.row([name.clone(), Bytes(*bytes).to_string()]);
        }
        regions.row(["total".to_owned(), Bytes(self.total).to_string()]);
        regions.fmt(f)?;
        for (titles, shares) in [
            (["link", "messages"], &self.links),
            (["collection", "entries"], &self.collections),
        ] {
            if shares.is_empty() {
                continue;
            }
            let [what, items] = titles;
            let mut table = Table::new(&[what, items, "memory (within the regions above)"]);
            for (name, capacity, bytes) in shares {
                table.row([
                    name.clone(),
                    capacity.to_string(),
                    Bytes(*bytes).to_string(),
                ]);
            }
            f.write_str("\n")?;
            table.fmt(f)?;
        }
        Ok(())
    }
}

/// Which partition runs where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CoreMap {
    rows: Vec<CoreRow>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct CoreRow {
    partition: String,
    core: Option<usize>,
    shared: bool,
    hosted: bool,
    wait: String,
    actors: String,
}

impl CoreMap {
    pub(crate) fn of(plan: &Plan) -> Self {
        let rows = plan.partitions.iter().map(|partition| {
            let actors: Vec<&str> = partition
                .actors
                .iter()
                .map(|actor| actor.name.as_str())
                .collect();
            CoreRow {
                partition: partition.name.clone(),
                core: partition.core,
                shared: partition.share_core,
                hosted: partition.hosted,
                wait: partition.wait.to_string(),
                actors: actors.join(" "),
            }
        });
        Self {
            rows: rows.collect(),
        }
    }
}

impl fmt::Display for CoreMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(&["partition", "CPU", "wait", "actors"]);
        for row in &self.rows {
            let core = match (row.core, row.shared) {
                _ if row.hosted => "the caller's".to_owned(),
                (None, _) => "any".to_owned(),
                (Some(core), false) => core.to_string(),
                (Some(core), true) => format!("{core} (shared)"),
            };
            table.row([
                row.partition.clone(),
                core,
                row.wait.clone(),
                row.actors.clone(),
            ]);
        }
        table.fmt(f)
    }
}

/// Left-aligned columns, two spaces apart, under their titles.
pub(crate) struct Table<const COLUMNS: usize> {
    rows: Vec<[String; COLUMNS]>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    pub(crate) fn new(titles: &[&str; COLUMNS]) -> Self {
        Self {
            rows: vec![titles.map(str::to_owned)],
        }
    }

    pub(crate) fn row(&mut self, cells: [String; COLUMNS]) {
        self.rows.push(cells);
    }
}

impl<const COLUMNS: usize> fmt::Display for Table<COLUMNS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| self.rows.iter().map(|row| row[column].len()).max();
        let widths: [usize; COLUMNS] = array::from_fn(|column| width(column).unwrap_or(0) + 2);
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(widths) {
                write!(line, "{cell:width$}")?;
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_rounded_up_never_down() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1 KiB"),
            (1025, "1.1 KiB"),
            (96 << 20, "96 MiB"),
            ((96 << 20) + 1, "96.1 MiB"),
            ((97 << 20) - 1, "97 MiB"),
            (3 << 30, "3 GiB"),
        ] {
            assert_eq!(Bytes(bytes).to_string(), text);
        }
    }

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(&["a", "b"]);
        table.row(["long".to_owned(), "1".to_owned()]);
        assert_eq!(table.to_string(), "a     b\nlong  1\n");
    }
}
