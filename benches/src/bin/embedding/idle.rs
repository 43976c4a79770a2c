//! What a bus costs that has nothing to do.

use std::fmt::Write as _;
use std::time::Duration;

use airssys_rt::prelude::Wait;
use serde_json::{Value, json};

use crate::part::{Kind, Part, Result, Settings};
use crate::ring::Ring;
use crate::usage::{Usage, percent};
use crate::waiting::wait_for_nothing;

const NAME: &str = "idle";

pub(crate) const KIND: Kind = Kind {
    name: NAME,
    title: "Twelve idle partitions",
    enter,
    measure,
};

const PARTITIONS: usize = 12;

fn rings() -> [Ring; 2] {
    [Wait::auto(), Wait::spin_then_park()].map(|wait| Ring {
        part: NAME,
        wait,
        partitions: PARTITIONS,
        lasts: None,
    })
}

fn enter(_: &Settings) -> Result<()> {
    rings().iter().try_for_each(Ring::enter)
}

fn measure(settings: &Settings) -> Result<Part> {
    let time = settings.time(Duration::from_secs(10), Duration::from_millis(1500));
    let mut measured = Vec::new();
    for ring in rings() {
        measured.push((ring.wait, wait_for_nothing(&ring, time)?));
    }
    let figures = measured.iter().map(|(wait, usage)| {
        json!({ "wait": wait.to_string(), "partitions": PARTITIONS, "cpu": usage.figures() })
    });
    Ok(Part {
        figures: figures.collect::<Value>(),
        text: render(&measured, time)?,
    })
}

fn render(measured: &[(Wait, Usage)], time: Duration) -> Result<String> {
    let mut text = format!(
        "{PARTITIONS} partitions as processes in a ring in which nobody ever sends, over {time:?}. CPU in percent of one core, \
         sleeps a second. `auto` parks where there are fewer cores than partitions, and yields otherwise.\n\n"
    );
    text += "| wait | CPU % together | all partitions | supervisor | rest of the launching process | sleeps of all partitions | \
             of the supervisor |\n|---|---|---|---|---|---|---|\n";
    for (wait, usage) in measured {
        writeln!(
            text,
            "| {wait} | {} | {} | {} | {} | {:.0} | {:.0} |",
            percent(usage.total()),
            percent(usage.partitions),
            percent(usage.supervisor),
            percent(usage.launcher),
            usage.partition_sleeps,
            usage.supervisor_sleeps,
        )?;
    }
    Ok(text)
}
