//! The report's two drawings: a panel for each kind and rate.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::Result;
use crate::latency::chart::{self, Failed, Labels, decades};
use crate::latency::curve::{self, Curve};
use crate::measured::Measured;
use crate::series::Kind;

const PANEL: (u32, u32) = (620, 420);
const THREADS: RGBColor = RGBColor(200, 40, 40);
const PROCESSES: RGBColor = RGBColor(30, 90, 200);
const FLOOR: RGBColor = RGBColor(120, 120, 120);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Latencies over their percentiles.
pub(crate) fn percentiles(path: &Path, all: &[Measured]) -> Result<()> {
    panels(path, all, |area, title, of_panel| {
        let mut curves = Vec::new();
        let labels: Vec<_> = of_panel.iter().map(|one| labels(one)).collect();
        for (one, (response, service)) in of_panel.iter().zip(&labels) {
            let curve = |label, histogram, dashed| Curve {
                label,
                histogram,
                color: color(one),
                dashed,
            };
            curves.push(curve(response, &one.response, false));
            if let Some(histogram) = &one.service {
                curves.push(curve(service, histogram, true));
            }
        }
        Ok(curve::draw(area, title, &curves)?)
    })
}

/// The longest response of each interval over time.
pub(crate) fn over_time(path: &Path, all: &[Measured]) -> Result<()> {
    panels(path, all, |area, title, of_panel| {
        Ok(draw_over_time(area, title, of_panel)?)
    })
}

fn labels(one: &Measured) -> (String, String) {
    match one.series.mode() {
        Some(mode) => (format!("{mode}, response"), format!("{mode}, service")),
        None => ("floor: the machine alone".to_owned(), String::new()),
    }
}

fn color(one: &Measured) -> RGBColor {
    match one.series.mode() {
        Some("threads") => THREADS,
        Some(_) => PROCESSES,
        None => FLOOR,
    }
}

/// Draws a panel for each kind, downwards, and each rate, to the right: the floor of its rate and whatever is of its kind.
fn panels(
    path: &Path,
    all: &[Measured],
    draw: impl Fn(&Area<'_>, &str, &[&Measured]) -> Result<()>,
) -> Result<()> {
    let mut rates: Vec<u64> = all.iter().map(|one| one.series.schedule.rate).collect();
    rates.dedup();
    let kinds = [Kind::OneWay, Kind::RoundTrip, Kind::TickToTrade];
    let size = (PANEL.0 * rates.len() as u32, PANEL.1 * kinds.len() as u32);
    let whole = SVGBackend::new(path, size).into_drawing_area();
    whole.fill(&WHITE)?;
    let areas = whole.split_evenly((kinds.len(), rates.len()));
    let places = kinds
        .iter()
        .flat_map(|&kind| rates.iter().map(move |&rate| (kind, rate)));
    for (area, (kind, rate)) in areas.iter().zip(places) {
        let of_panel: Vec<&Measured> = all
            .iter()
            .filter(|one| one.series.schedule.rate == rate)
            .filter(|one| one.series.kind == kind || one.series.kind == Kind::Floor)
            .collect();
        draw(area, &format!("{kind}, {rate} a second"), &of_panel)?;
    }
    Ok(whole.present()?)
}

fn draw_over_time<'a>(
    area: &Area<'a>,
    title: &str,
    of_panel: &[&Measured],
) -> std::result::Result<(), Failed<SVGBackend<'a>>> {
    let lines: Vec<_> = of_panel.iter().map(|one| one.longest()).collect();
    let all = || lines.iter().flatten();
    let longest = decades(all().map(|&(_, us)| us)); // and a decade for the legend
    let last_s = all().fold(0.1, |last: f64, &(at_s, _)| last.max(at_s));
    let decimals = usize::from(last_s < 9.0);
    let labels_of_axes = Labels {
        title,
        x: "seconds",
        y: "longest response of 100 ms",
        x_label: &|at_s| format!("{at_s:.decimals$}"),
        x_most: 11,
    };
    let us = longest.start / 10.0..longest.end;
    let mut chart = chart::begin(area, &labels_of_axes, (0.0..last_s, us))?;
    for (one, line) in of_panel.iter().zip(lines) {
        let style = color(one).stroke_width(2);
        chart
            .draw_series(LineSeries::new(line, style))?
            .label(labels(one).0)
            .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 20, y)], style));
    }
    chart::end(chart)
}
