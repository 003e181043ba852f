//! Tables of results on standard output.

#![expect(clippy::print_stdout, reason = "a benchmark tells what it measured")]

use std::time::Duration;

/// Rows of cells, printed with the first column to the left and the others to the right.
#[derive(Debug, Clone)]
pub struct Table {
    title: String,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with a heading over each column.
    pub fn new(title: impl Into<String>, headings: &[&str]) -> Self {
        let headings = headings.iter().map(|&heading| heading.to_owned()).collect();
        Self {
            title: title.into(),
            rows: vec![headings],
        }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Writes the table out.
    pub fn print(&self) {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        println!("\n{}", self.title);
        for row in &self.rows {
            let cells = row.iter().zip(&widths).enumerate();
            let padded = cells.map(|(column, (cell, width))| match column {
                0 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
            let line = padded.collect::<Vec<_>>().join("  ");
            println!("  {}", line.trim_end());
        }
    }
}

/// Says something about what was measured.
pub fn note(words: &str) {
    println!("  note: {words}");
}

/// A time in nanoseconds per one of `count`; a dash for what was not measured.
#[must_use]
pub fn nanos_each(time: Option<Duration>, count: usize) -> String {
    time.map_or_else(dash, |time| {
        format!("{:.0}", seconds_each(time, count) * 1e9)
    })
}

/// A time in microseconds per one of `count`; a dash for what was not measured.
#[must_use]
pub fn micros_each(time: Option<Duration>, count: usize) -> String {
    time.map_or_else(dash, |time| {
        format!("{:.1}", seconds_each(time, count) * 1e6)
    })
}

/// How many times `of` a time is; a dash if one of them was not measured.
#[must_use]
pub fn ratio(time: Option<Duration>, of: Option<Duration>) -> String {
    let both = time.zip(of.filter(|of| !of.is_zero()));
    both.map_or_else(dash, |(time, of)| {
        format!("{:.2}", time.as_secs_f64() / of.as_secs_f64())
    })
}

fn seconds_each(time: Duration, count: usize) -> f64 {
    time.as_secs_f64() / f64::from(u32::try_from(count.max(1)).unwrap_or(u32::MAX))
}

fn dash() -> String {
    "-".to_owned()
}
