//! What a Tokio task that waits for a partition costs: how late it wakes, what it does while nothing happens, and what the
//! partition pays for being able to wake it.

mod cost;
mod latency;
mod quiet;
mod stamper;

use serde_json::json;

use crate::part::{Kind, Part, Result, Settings};
use crate::wake::stamper::Place;

pub(crate) const KIND: Kind = Kind {
    name: "wake",
    title: "Waking a Tokio task",
    enter,
    measure,
};

fn enter(_: &Settings) -> Result<()> {
    for place in Place::ALL {
        airssys_rt::enter(|| stamper::topology(place))?;
    }
    Ok(())
}

fn measure(settings: &Settings) -> Result<Part> {
    let latency = latency::measure(settings)?;
    let quiet = quiet::measure(settings)?;
    let cost = cost::measure(settings)?;
    Ok(Part {
        figures: json!({
            "latency": latency.figures, "idle": quiet.figures, "senders_cost": cost.figures,
        }),
        text: format!("{}\n{}\n{}", latency.text, quiet.text, cost.text),
    })
}
