//! The difference of two reports, as text.

use std::fmt::Write as _;

use airssys_benches::report::micros;
use airssys_benches::tail::{FIGURES, Figures, Report, Series};
use serde_json::{Map, Value};

/// What both ran on, where it differs, and the figures of every series that both have.
pub(crate) fn render(old: &Report, new: &Report) -> String {
    let mut text = String::new();
    environments(&mut text, old, new).expect("memory takes everything");
    clock(&mut text, old, new).expect("memory takes everything");
    series(&mut text, old, new).expect("memory takes everything");
    text
}

/// What differs, key by key. The date is no part of what a figure depends on.
fn differing<'a>(
    old: &'a Map<String, Value>,
    new: &'a Map<String, Value>,
) -> Vec<(&'a str, String, String)> {
    let told = |of: &Map<String, Value>, key: &str| match of.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => "not told".to_owned(),
    };
    let only_new = new.keys().filter(|key| !old.contains_key(*key));
    old.keys()
        .chain(only_new)
        .filter(|&key| key != "date" && old.get(key) != new.get(key))
        .map(|key| (key.as_str(), told(old, key), told(new, key)))
        .collect()
}

fn environments(text: &mut String, old: &Report, new: &Report) -> std::fmt::Result {
    let differing = differing(&old.environment, &new.environment);
    if differing.is_empty() {
        writeln!(text, "The environments are the same.")?;
    } else {
        writeln!(text, "The environments differ:")?;
    }
    for (key, old, new) in differing {
        writeln!(text, "  {key}: {old} -> {new}")?;
    }
    if (old.seconds, old.warm_up_s) != (new.seconds, new.warm_up_s) {
        let (old, new) = (old.seconds, new.seconds);
        writeln!(text, "Seconds that count of each series: {old} -> {new}")?;
    }
    let (old, new) = (&old.load_before, &new.load_before);
    writeln!(text, "Load before: {old} -> {new}")
}

fn clock(text: &mut String, old: &Report, new: &Report) -> std::fmt::Result {
    if old.clock_ns.is_empty() && new.clock_ns.is_empty() {
        return Ok(());
    }
    writeln!(text, "\nBetween two readings of the clock, us")?;
    figures(text, &old.clock_ns, &new.clock_ns)
}

fn series(text: &mut String, old: &Report, new: &Report) -> std::fmt::Result {
    let of_new = |name: &str| new.series.iter().find(|series| series.name == name);
    for before in &old.series {
        match of_new(&before.name) {
            Some(after) => of_both(text, before, after)?,
            None => writeln!(text, "\n{}: only in the old one", before.name)?,
        }
    }
    for after in &new.series {
        if !old.series.iter().any(|before| before.name == after.name) {
            writeln!(text, "\n{}: only in the new one", after.name)?;
        }
    }
    Ok(())
}

/// A series of both.
fn of_both(text: &mut String, old: &Series, new: &Series) -> std::fmt::Result {
    let name = &old.name;
    writeln!(
        text,
        "\n{name}: messages a second {} -> {} of {} -> {} due",
        old.achieved, new.achieved, old.rate, new.rate
    )?;
    if (old.restarts, new.restarts) != (0, 0) {
        writeln!(
            text,
            "{name}: restarts {} -> {}",
            old.restarts, new.restarts
        )?;
    }
    writeln!(text, "{name}: response, us")?;
    figures(text, &old.response_ns, &new.response_ns)?;
    match (&old.service_ns, &new.service_ns) {
        (Some(old), Some(new)) => {
            writeln!(text, "{name}: service, us")?;
            figures(text, old, new)?;
        }
        (Some(_), None) => writeln!(text, "{name}: service only in the old one")?,
        (None, Some(_)) => writeln!(text, "{name}: service only in the new one")?,
        (None, None) => {}
    }
    if !old.max_ns.is_empty() || !new.max_ns.is_empty() {
        writeln!(text, "{name}: the longest response of each interval, us")?;
        figures(text, &of_intervals(old), &of_intervals(new))?;
    }
    Ok(())
}

/// What the longest of a series' intervals are like: those in which a message was due.
fn of_intervals(series: &Series) -> Figures {
    let mut longest: Vec<u64> = series.max_ns.clone();
    longest.retain(|&ns| ns > 0);
    longest.sort_unstable();
    let at = |hundredths: usize| {
        let rank = (longest.len() * hundredths).div_ceil(100).max(1);
        longest.get(rank - 1).copied()
    };
    let figures = [
        ("count", Some(longest.len() as u64)),
        ("min", at(0)),
        ("p50", at(50)),
        ("p90", at(90)),
        ("max", at(100)),
    ];
    figures.map(|(name, value)| (name.to_owned(), value)).into()
}

#[allow(clippy::cast_precision_loss, reason = "ratios with two decimals")]
fn figures(text: &mut String, old: &Figures, new: &Figures) -> std::fmt::Result {
    writeln!(
        text,
        "  {:<8} {:>10} {:>10} {:>7}",
        "", "old", "new", "new/old"
    )?;
    let has = |name: &&str| old.contains_key(*name) || new.contains_key(*name);
    for name in FIGURES.into_iter().filter(has) {
        let of = |figures: &Figures| figures.get(name).copied().flatten();
        let told = |value: Option<u64>| match value {
            None => "-".to_owned(),
            Some(count) if name == "count" => count.to_string(),
            Some(ns) => micros(ns),
        };
        let (old, new) = (of(old), of(new));
        let ratio = match (old, new) {
            (Some(old), Some(new)) if old > 0 => format!("{:.2}", new as f64 / old as f64),
            _ => "-".to_owned(),
        };
        writeln!(
            text,
            "  {name:<8} {:>10} {:>10} {ratio:>7}",
            told(old),
            told(new)
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    fn named(figures: &[(&str, Option<u64>)]) -> Figures {
        let named = figures
            .iter()
            .map(|&(name, value)| (name.to_owned(), value));
        named.collect()
    }

    fn report(commit: &str, names: &[&str], p50: u64, p99: Option<u64>) -> Report {
        let figures = named(&[("count", Some(100)), ("p50", Some(p50)), ("p99", p99)]);
        let series = |name: &&str| Series {
            name: (*name).to_owned(),
            rate: 1,
            achieved: 1.0,
            cores: vec![0, 1],
            restarts: 0,
            response_ns: figures.clone(),
            service_ns: None,
            max_ns: vec![],
        };
        Report {
            command: "tail".to_owned(),
            environment: json!({"cpu": "same", "commit": commit, "date": commit})
                .as_object()
                .unwrap()
                .clone(),
            load_before: "0".to_owned(),
            clock_ns: Figures::new(),
            warm_up_s: 1,
            seconds: 1,
            interval_ms: 100,
            series: names.iter().map(series).collect(),
        }
    }

    #[test]
    fn it_tells_what_differs_and_the_ratio_of_what_both_can_tell() {
        let old = report("a", &["x", "y"], 1_000, Some(5_000));
        let new = report("b", &["x", "z"], 1_500, None);
        let text = render(&old, &new);
        assert!(
            text.contains("The environments differ:\n  commit: a -> b\n"),
            "{text}"
        );
        assert!(!text.contains("date") && !text.contains("cpu"), "{text}");
        let words = |name: &str| -> Vec<&str> {
            let line = text
                .lines()
                .find(|line| line.trim_start().starts_with(name));
            line.unwrap().split_whitespace().collect()
        };
        assert_eq!(words("count"), ["count", "100", "100", "1.00"]);
        assert_eq!(words("p50"), ["p50", "1.00", "1.50", "1.50"]);
        assert_eq!(words("p99"), ["p99", "5.00", "-", "-"]);
        assert!(text.contains("y: only in the old one"), "{text}");
        assert!(text.contains("z: only in the new one"), "{text}");
    }

    #[test]
    fn it_tells_everything_that_a_series_has() {
        let mut old = report("a", &["x"], 1_000, None);
        let mut new = old.clone();
        let (before, after) = (&mut old.series[0], &mut new.series[0]);
        (before.service_ns, after.service_ns) = (
            Some(named(&[("p50", Some(300))])),
            Some(named(&[("p50", Some(600))])),
        );
        (before.max_ns, after.max_ns) = (vec![0, 7_000, 5_000, 9_000], vec![14_000]);
        (before.achieved, after.achieved, after.restarts) = (10.0, 9.0, 2);
        old.clock_ns = named(&[("p50", Some(20))]);
        let text = render(&old, &new);
        let after = |title: &str, name: &str| -> Vec<String> {
            let lines = text.lines().skip_while(|line| !line.contains(title));
            let mut lines = lines.filter(|line| line.trim_start().starts_with(name));
            let line = lines
                .next()
                .unwrap_or_else(|| panic!("no {name} of {title}:\n{text}"));
            line.split_whitespace().map(ToOwned::to_owned).collect()
        };
        assert!(
            text.contains("x: messages a second 10 -> 9 of 1 -> 1 due"),
            "{text}"
        );
        assert!(text.contains("x: restarts 0 -> 2"), "{text}");
        assert_eq!(after("x: service", "p50"), ["p50", "0.30", "0.60", "2.00"]);
        assert_eq!(
            after("of each interval", "count"),
            ["count", "3", "1", "0.33"]
        );
        assert_eq!(
            after("of each interval", "p50"),
            ["p50", "7.00", "14.0", "2.00"]
        );
        assert_eq!(
            after("of each interval", "max"),
            ["max", "9.00", "14.0", "1.56"]
        );
        assert_eq!(
            after("readings of the clock", "p50"),
            ["p50", "0.02", "-", "-"]
        );
        new.series[0].service_ns = None;
        assert!(render(&old, &new).contains("x: service only in the old one"));
    }

    #[test]
    fn the_same_environment_is_said_to_be_the_same() {
        let one = report("a", &["x"], 1, None);
        assert!(render(&one, &one).starts_with("The environments are the same.\n"));
    }
}
