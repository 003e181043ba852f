//! Trends as SVG: one small plot a series, readable on light and on dark ground.

use std::fmt::Write as _;

use super::{BranchTrend, Series};

/// The size of a plot, in pixels.
const PLOT: (f64, f64) = (640.0, 110.0);
/// Room above a plot, for its name.
const HEAD: f64 = 26.0;
/// Room around everything.
const MARGIN: f64 = 16.0;

const STYLE: &str = "\
text{font:13px system-ui,sans-serif;fill:#1f2328}.soft{fill:#59636e;font-size:11px}\
.frame{fill:none;stroke:#d1d9e0}.line{fill:none;stroke:#0969da;stroke-width:1.6}\
.dot{fill:#0969da}.middle{stroke:#818b98;stroke-dasharray:4 4}\
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.soft{fill:#9198a1}.frame{stroke:#3d444d}\
.line{stroke:#79c0ff}.dot{fill:#79c0ff}.middle{stroke:#7a828c}}";

/// The trends as one picture: the series of each branch below each other, the newest run to the right,
/// the median dashed.
#[must_use]
pub fn svg(trends: &[BranchTrend]) -> String {
    let mut body = String::new();
    let mut top = MARGIN;
    // Writing to a string does not fail.
    let _ = trends
        .iter()
        .try_for_each(|trend| branch(trend, &mut top, &mut body));
    let (width, height) = (PLOT.0 + 2.0 * MARGIN, top + MARGIN);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\">\n<title>Trends of runs by branch</title>\n\
         <style>{STYLE}</style>\n{body}</svg>\n"
    )
}

fn branch(trend: &BranchTrend, top: &mut f64, out: &mut String) -> std::fmt::Result {
    let name = match trend.branch.as_str() {
        "" => "no branch",
        name => name,
    };
    let name = match trend.job.as_str() {
        "" => name.to_owned(),
        job => format!("{name} › {job}"),
    };
    let plural = if trend.runs == 1 { "" } else { "s" };
    let rate = trend.pass_rate.map(|rate| format!(", {rate:.0} % passed"));
    writeln!(
        out,
        "<text x=\"{MARGIN}\" y=\"{}\" font-weight=\"bold\">{}: {} run{plural}{}</text>",
        *top + 14.0,
        escaped(&name),
        trend.runs,
        rate.unwrap_or_default()
    )?;
    *top += 24.0;
    for series in &trend.series {
        plot(series, *top, out)?;
        *top += HEAD + PLOT.1 + 12.0;
    }
    Ok(())
}

fn plot(series: &Series, top: f64, out: &mut String) -> std::fmt::Result {
    let numbers = || series.points.iter().map(|(_, number)| *number);
    let (low, high) = (
        numbers().fold(f64::MAX, f64::min),
        numbers().fold(f64::MIN, f64::max),
    );
    // A series that never changes runs through the middle.
    let pad = ((high - low) * 0.08).max(high.abs().max(1e-9) * 0.01);
    let (low, high) = (low - pad, high + pad);
    let upper = top + HEAD;
    let y = |number: f64| upper + PLOT.1 * (1.0 - (number - low) / (high - low));
    let step = PLOT.0 / count(series.points.len().saturating_sub(1).max(1));
    let change = series.change.map(|change| format!(", {change:+.1} %"));
    let unit = series.unit;
    writeln!(
        out,
        "<text x=\"{MARGIN}\" y=\"{}\">{}</text><text class=\"soft\" x=\"{}\" y=\"{}\" \
         text-anchor=\"end\">last {:.2}{unit}, median {:.2}{unit} ± {:.2}{}</text>",
        top + 16.0,
        escaped(&series.name),
        MARGIN + PLOT.0,
        top + 16.0,
        series.last,
        series.spread.median,
        series.spread.deviation,
        change.unwrap_or_default()
    )?;
    let (right, middle) = (MARGIN + PLOT.0, y(series.spread.median));
    writeln!(
        out,
        "<rect class=\"frame\" x=\"{MARGIN}\" y=\"{upper}\" width=\"{}\" height=\"{}\" rx=\"4\"/>\
         <line class=\"middle\" x1=\"{MARGIN}\" x2=\"{right}\" y1=\"{middle:.1}\" y2=\"{middle:.1}\"/>",
        PLOT.0, PLOT.1
    )?;
    let places: Vec<(f64, f64)> = numbers()
        .enumerate()
        .map(|(place, number)| (MARGIN + step * count(place), y(number)))
        .collect();
    let words: Vec<String> = places
        .iter()
        .map(|(x, y)| format!("{x:.1},{y:.1}"))
        .collect();
    writeln!(
        out,
        "<polyline class=\"line\" points=\"{}\"/>",
        words.join(" ")
    )?;
    if places.len() <= 60 {
        for (x, y) in places {
            write!(
                out,
                "<circle class=\"dot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.4\"/>"
            )?;
        }
        writeln!(out)?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "no store has 2^52 runs")]
fn count(number: usize) -> f64 {
    number as f64
}

/// Text for XML, which cannot hold control characters at all.
fn escaped(words: &str) -> String {
    let mut text = String::with_capacity(words.len());
    for letter in words.chars() {
        match letter {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '\u{fffe}' | '\u{ffff}' => text.push('\u{fffd}'),
            other if other.is_control() => text.push(' '),
            other => text.push(other),
        }
    }
    text
}
