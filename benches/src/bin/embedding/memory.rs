//! What locking, huge pages and warm-up steps are worth to the first messages of a life: the tables.

use std::fmt::Write as _;

use airssys_benches::report::micros;
use serde_json::{Value, json};

use crate::first::{COUNT, NAME, Round, Variant, round};
use crate::part::{Kind, Part, Result, Settings};

pub(crate) const KIND: Kind = Kind {
    name: NAME,
    title: "The first messages of a life",
    enter,
    measure,
};

/// What begins the three lives of a round.
const BEGINNINGS: [&str; 3] = ["start", "receiver killed", "sender killed"];

/// The first so many messages.
const FIRST: [usize; 3] = [1, 10, COUNT];

fn enter(settings: &Settings) -> Result<()> {
    let mut variants = Variant::ALL.iter();
    variants.try_for_each(|variant| variant.enter(settings.bus_mib))
}

fn measure(settings: &Settings) -> Result<Part> {
    let rounds = if settings.short { 1 } else { 10 };
    let mut measured: Vec<(Variant, Vec<Round>)> =
        Variant::ALL.map(|variant| (variant, Vec::new())).into();
    for _ in 0..rounds {
        for (variant, rounds) in &mut measured {
            rounds.push(round(variant, settings.bus_mib)?);
        }
    }
    Ok(Part {
        figures: measured.iter().map(figures).collect::<Value>(),
        text: render(&measured, settings.bus_mib)?,
    })
}

/// Sorted times: of the first so many messages of each round's life that began so.
fn first(rounds: &[Round], beginning: usize, count: usize) -> Vec<u32> {
    pool(rounds, |round| &round.lives[beginning].first[..count])
}

fn steady(rounds: &[Round], beginning: usize) -> Vec<u32> {
    pool(rounds, |round| &round.lives[beginning].steady[..])
}

fn pool<'a>(rounds: &'a [Round], times: impl Fn(&'a Round) -> &'a [u32]) -> Vec<u32> {
    let mut pooled: Vec<u32> = rounds.iter().flat_map(times).copied().collect();
    pooled.sort_unstable();
    pooled
}

/// The smallest of the sorted times that so many thousandths are not above.
fn quantile(sorted: &[u32], thousandths: usize) -> u64 {
    let rank = (sorted.len() * thousandths).div_ceil(1000).max(1);
    u64::from(sorted[rank - 1])
}

fn middle(rounds: &[Round], figure: impl Fn(&Round) -> u64) -> u64 {
    let mut sorted: Vec<u64> = rounds.iter().map(figure).collect();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

/// The median over the rounds of each of the first ten messages after the start.
fn one_by_one(rounds: &[Round]) -> Vec<u64> {
    let of = |nth: usize| middle(rounds, |round| u64::from(round.lives[0].first[nth]));
    (0..10).map(of).collect()
}

fn figures((variant, rounds): &(Variant, Vec<Round>)) -> Value {
    let three = |sorted: &[u32]| {
        json!({
            "count": sorted.len(),
            "p50": quantile(sorted, 500),
            "p99": quantile(sorted, 990),
            "max": quantile(sorted, 1000),
        })
    };
    let lives = BEGINNINGS.iter().enumerate().map(|(at, beginning)| {
        json!({
            "life": beginning,
            "first_1_ns": three(&first(rounds, at, FIRST[0])),
            "first_10_ns": three(&first(rounds, at, FIRST[1])),
            "first_1000_ns": three(&first(rounds, at, FIRST[2])),
            "steady_1000_ns": three(&steady(rounds, at)),
        })
    });
    json!({
        "variant": variant.name,
        "rounds": rounds.len(),
        "lives": lives.collect::<Value>(),
        "launch_ns": rounds.iter().map(|round| round.launch.as_nanos() as u64).collect::<Value>(),
        "first_steps_ns": rounds.iter().map(|round| round.first_steps_ns).collect::<Value>(),
        "one_by_one_ns": one_by_one(rounds),
        "waited_for_killed_receiver_ns": rounds.iter().map(|round| round.waited_ns).collect::<Value>(),
        "memory": rounds.last().map(|round| round.memory.clone()),
    })
}

fn render(measured: &[(Variant, Vec<Round>)], bus_mib: u64) -> Result<String> {
    let rounds = measured.first().map_or(0, |(_, rounds)| rounds.len());
    let mut text = format!(
        "Sender and receiver as processes, each spinning on a core of its own where there are two; one message at a time, one \
         every 20 us, over the two links of a bus of {bus_mib} MiB. The time of a message goes from a clock reading before its send to one after its \
         receipt, in microseconds. `steady` are messages 4,001 to 5,000 of the same lives: as many as the first 1,000, so that \
         the longest can be compared. {rounds} rounds, interleaved; each time of each round counts.\n\n"
    );
    text += "| bus | life after | first: p50 | max | first 10: p50 | p99 | max | first 1,000: p50 | p99 | max | steady: p50 | \
             p99 | max |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|\n";
    for (variant, rounds) in measured {
        for (at, beginning) in BEGINNINGS.iter().enumerate() {
            let [one, ten, thousand] = FIRST.map(|count| first(rounds, at, count));
            let steady = steady(rounds, at);
            write!(text, "| {} | {beginning} |", variant.name)?;
            cells(&mut text, &one, &[500, 1000])?;
            for times in [ten, thousand, steady] {
                cells(&mut text, &times, &[500, 990, 1000])?;
            }
            text.push('\n');
        }
    }
    beginnings(&mut text, measured)?;
    for (variant, rounds) in measured {
        if let Some(last) = rounds.last() {
            write!(
                text,
                "\n`{}`:\n\n```text\n{}```\n",
                variant.name, last.memory
            )?;
        }
    }
    Ok(text)
}

/// How long a bus takes to begin, and what its very first messages take.
fn beginnings(text: &mut String, measured: &[(Variant, Vec<Round>)]) -> Result<()> {
    *text += "\nMilliseconds, medians: until the launch returned, until the first step of either partition began, and what a message \
              waited for a killed receiver.\n\n\
              | bus | launch | first step of the sender | of the receiver | waited | longest |\n|---|---|---|---|---|---|\n";
    for (variant, rounds) in measured {
        let ms = |ns: u64| format!("{:.2}", ns as f64 / 1e6);
        let longest = rounds.iter().map(|round| round.waited_ns).max();
        writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} |",
            variant.name,
            ms(middle(rounds, |round| round.launch.as_nanos() as u64)),
            ms(middle(rounds, |round| round.first_steps_ns[0])),
            ms(middle(rounds, |round| round.first_steps_ns[1])),
            ms(middle(rounds, |round| round.waited_ns)),
            ms(longest.unwrap_or(0)),
        )?;
    }
    *text += "\nNanoseconds of the first ten messages after the start, one by one (each the median of the rounds), beside the steady \
              median.\n\n\
              | bus | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | steady |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n";
    for (variant, rounds) in measured {
        write!(text, "| {} |", variant.name)?;
        for time in one_by_one(rounds) {
            write!(text, " {time} |")?;
        }
        writeln!(text, " {} |", quantile(&steady(rounds, 0), 500))?;
    }
    Ok(())
}

fn cells(text: &mut String, sorted: &[u32], thousandths: &[usize]) -> Result<()> {
    for &at in thousandths {
        write!(text, " {} |", micros(quantile(sorted, at)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_a_time_that_was_measured() {
        let times: Vec<u32> = (1..=10).collect();
        for (thousandths, time) in [(0, 1), (500, 5), (990, 10), (1000, 10)] {
            assert_eq!(quantile(&times, thousandths), time);
        }
    }
}
