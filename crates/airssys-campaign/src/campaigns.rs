//! The register of campaigns: one file each, one entry each.

mod collections;
mod every_instruction;
mod hostile_peer;
mod mutants;
mod open_bytes;
mod random_kills;
mod wild_access;

use crate::failure::Failure;
use crate::run::{Outcome, Run};

/// A campaign, as the command knows it.
#[derive(Clone, Copy, Debug)]
pub struct Campaign {
    /// What it is called by.
    pub name: &'static str,
    /// The question that it answers.
    pub question: &'static str,
    /// What `--count` counts.
    pub unit: &'static str,
    /// The count where none is given and no time either.
    pub count: u64,
    /// The count of its short form, which the tests run.
    pub short: u64,
    pub(crate) run: fn(&Run) -> Result<Outcome, Failure>,
}

/// Every campaign.
pub const ALL: [Campaign; 7] = [
    every_instruction::CAMPAIGN,
    collections::CAMPAIGN,
    mutants::CAMPAIGN,
    random_kills::CAMPAIGN,
    open_bytes::CAMPAIGN,
    wild_access::CAMPAIGN,
    hostile_peer::CAMPAIGN,
];

/// The campaign of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Campaign> {
    ALL.iter().find(|campaign| campaign.name == name)
}
