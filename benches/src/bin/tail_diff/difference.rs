//! The difference of two reports, as text.

use std::fmt::Write as _;

use airssys_benches::report::micros;
use airssys_benches::tail::{FIGURES, Figures, Report};
use serde_json::{Map, Value};

/// What both ran on, where it differs, and the figures of every series that both have.
pub(crate) fn render(old: &Report, new: &Report) -> String {
    let mut text = String::new();
    environments(&mut text, old, new).expect("memory takes everything");
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

fn series(text: &mut String, old: &Report, new: &Report) -> std::fmt::Result {
    let of_new = |name: &str| new.series.iter().find(|series| series.name == name);
    for before in &old.series {
        match of_new(&before.name) {
            Some(after) => {
                writeln!(text, "\n{}: response, us", before.name)?;
                figures(text, &before.response_ns, &after.response_ns)?;
            }
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

#[allow(clippy::cast_precision_loss, reason = "ratios with two decimals")]
fn figures(text: &mut String, old: &Figures, new: &Figures) -> std::fmt::Result {
    writeln!(
        text,
        "  {:<8} {:>10} {:>10} {:>7}",
        "", "old", "new", "new/old"
    )?;
    for name in FIGURES {
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

    use airssys_benches::tail::Series;
    use serde_json::json;

    use super::*;

    fn report(commit: &str, names: &[&str], p50: u64, p99: Option<u64>) -> Report {
        let figures: Figures = [("count", Some(100)), ("p50", Some(p50)), ("p99", p99)]
            .map(|(name, value)| (name.to_owned(), value))
            .into();
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
    fn the_same_environment_is_said_to_be_the_same() {
        let one = report("a", &["x"], 1, None);
        assert!(render(&one, &one).starts_with("The environments are the same.\n"));
    }
}
