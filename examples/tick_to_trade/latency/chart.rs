//! What charts of latencies look like: their frame, their axes, their legend.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::coord::combinators::LogCoord;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

/// What a drawing can fail with, where it goes to the backend `B`.
pub(crate) type Failed<B> = DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>;

/// Something over which there are latencies.
pub(crate) type Chart<'a, B> = ChartContext<'a, B, Cartesian2d<RangedCoordf64, LogCoord<f64>>>;

/// How a chart is labelled.
pub(crate) struct Labels<'a> {
    pub(crate) title: &'a str,
    pub(crate) x: &'a str,
    /// Of microseconds.
    pub(crate) y: &'a str,
    pub(crate) x_label: &'a dyn Fn(&f64) -> String,
    /// How many there are to be of those, at most.
    pub(crate) x_most: usize,
}

/// The frame and the axes of a chart.
pub(crate) fn begin<'a, B: DrawingBackend>(
    area: &'a DrawingArea<B, Shift>,
    labels: &Labels<'_>,
    (x, us): (Range<f64>, Range<f64>),
) -> Result<Chart<'a, B>, Failed<B>> {
    let mut chart = ChartBuilder::on(area)
        .caption(labels.title, ("sans-serif", 20))
        .margin(12)
        .margin_right(36)
        .x_label_area_size(44)
        .y_label_area_size(72)
        .build_cartesian_2d(x, us.log_scale())?;
    chart
        .configure_mesh()
        .x_labels(labels.x_most)
        .x_label_formatter(labels.x_label)
        .x_desc(labels.x)
        .y_label_formatter(&|us| time_label(*us))
        .y_desc(labels.y)
        .label_style(("sans-serif", 14))
        .axis_desc_style(("sans-serif", 15))
        .light_line_style(BLACK.mix(0.06))
        .bold_line_style(BLACK.mix(0.18))
        .draw()?;
    Ok(chart)
}

/// The legend, over everything that was drawn.
pub(crate) fn end<'a, B: DrawingBackend + 'a>(mut chart: Chart<'a, B>) -> Result<(), Failed<B>> {
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.3))
        .label_font(("sans-serif", 14))
        .draw()
}

/// Powers of ten around all values.
pub(crate) fn decades(values: impl IntoIterator<Item = f64>) -> Range<f64> {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in values.into_iter().filter(|&value| value > 0.0) {
        (low, high) = (low.min(value), high.max(value));
    }
    if low > high {
        return 0.1..10.0;
    }
    let floor = low.log10().floor();
    10_f64.powf(floor)..10_f64.powf(high.log10().ceil().max(floor + 1.0))
}

/// Microseconds in the unit that suits them.
fn time_label(us: f64) -> String {
    match us {
        ..1.0 => format!("{:.0} ns", us * 1e3),
        1.0..1e3 => format!("{us:.0} us"),
        1e3..1e6 => format!("{:.0} ms", us / 1e3),
        _ => format!("{:.0} s", us / 1e6),
    }
}
