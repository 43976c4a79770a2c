//! Untrusted links that one of their ends has given up: each is told once.
//!
//! The end that meets an impossible word writes it into its own region and goes on; nobody is called. Whoever looks after the
//! bus finds it there.

use crate::partition::progress::fault_of;
use crate::partition::view::BusView;
use crate::report::{Level, say};
use crate::topology::model::Plan;

/// The untrusted links of which nothing was told yet.
#[derive(Debug)]
pub(crate) struct FaultWatch {
    untold: Vec<usize>,
}

impl FaultWatch {
    pub(crate) fn new(plan: &Plan) -> Self {
        let links = plan.links.iter().enumerate();
        let untrusted = links.filter(|(_, link)| !link.trusted);
        Self {
            untold: untrusted.map(|(index, _)| index).collect(),
        }
    }

    /// Tells of each link that was given up since the last look.
    pub(crate) fn look(&mut self, plan: &Plan, view: &BusView) {
        self.untold.retain(|&index| {
            let link = &plan.links[index];
            let Some(fault) = fault_of(view, link) else {
                return true;
            };
            let from = plan.party_name(link.from.partition);
            let own = if fault.peer == from {
                plan.party_name(link.to.partition)
            } else {
                from
            };
            say(Level::Warn, format_args!("{}/{own}: {fault}", plan.bus));
            false
        });
    }
}
