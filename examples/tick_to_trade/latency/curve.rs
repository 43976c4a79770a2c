//! The curve of a latency over its percentiles, on an axis of nines: each step to the right has a tenth of the values left.

use hdrhistogram::Histogram;
use plotters::coord::Shift;
use plotters::prelude::*;

use super::chart::{self, Failed, Labels, decades};

/// One line of a plot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Curve<'a> {
    pub(crate) label: &'a str,
    pub(crate) histogram: &'a Histogram<u64>,
    pub(crate) color: RGBColor,
    pub(crate) dashed: bool,
}

const NS_PER_US: f64 = 1e3;

/// Points for each halving of the distance to 100 %.
const POINTS_PER_HALF: u32 = 10;

impl Curve<'_> {
    /// Nines and microseconds.
    #[allow(clippy::cast_precision_loss, reason = "points of a drawing")]
    fn points(&self) -> Vec<(f64, f64)> {
        let most = (self.histogram.len().max(1) as f64).log10();
        let points = self.histogram.iter_quantiles(POINTS_PER_HALF);
        points
            .map(|point| {
                let nines = -(1.0 - point.quantile_iterated_to()).log10();
                let us = point.value_iterated_to() as f64 / NS_PER_US;
                (nines.min(most), us)
            })
            .collect()
    }
}

/// How many nines that is, of a number that is none below zero.
#[allow(clippy::cast_sign_loss, reason = "not below zero")]
fn whole(nines: f64) -> usize {
    nines.round() as usize
}

fn percentile_label(nines: f64) -> String {
    match nines {
        ..0.5 => "0%".to_owned(),
        0.5..1.5 => "90%".to_owned(),
        1.5..2.5 => "99%".to_owned(),
        _ => format!("{:.*}%", whole(nines) - 2, 100.0 - 10_f64.powf(2.0 - nines)),
    }
}

/// Draws curves into an area of their own.
pub(crate) fn draw<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    title: &str,
    curves: &[Curve<'_>],
) -> Result<(), Failed<B>> {
    let lines: Vec<_> = curves.iter().map(Curve::points).collect();
    let all = || lines.iter().flatten();
    let nines = all().fold(1.0, |most: f64, &(nines, _)| most.max(nines));
    let labels = Labels {
        title,
        x: "percentile",
        y: "latency",
        x_label: &|nines| percentile_label(*nines),
        x_most: whole(nines) + 1,
    };
    let us = decades(all().map(|&(_, us)| us));
    let mut chart = chart::begin(area, &labels, (0.0..nines, us))?;
    for (curve, line) in curves.iter().zip(lines) {
        let style = curve.color.stroke_width(2);
        let drawn = if curve.dashed {
            chart.draw_series(DashedLineSeries::new(line, 6, 4, style))?
        } else {
            chart.draw_series(LineSeries::new(line, style))?
        };
        let dashed = curve.dashed;
        drawn.label(curve.label).legend(move |(x, y)| {
            let stroke = if dashed { x + 10 } else { x + 20 };
            PathElement::new(vec![(x, y), (stroke, y)], style)
        });
    }
    chart::end(chart)
}
