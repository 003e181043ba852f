//! A plan as SVG: no script, readable on light and on dark ground.

use std::fmt::Write as _;

use super::layout::{Layout, Place, layout};
use super::picture::{Line, Node, Picture};
use crate::workflow::Plan;

/// From one row to the next, in pixels.
const ROW: f64 = 58.0;
/// The room between two columns, and as much more as a label needs.
const GAP: (f64, f64) = (60.0, 50.0);
/// The size of a job.
const BOX: (f64, f64) = (170.0, 38.0);
/// Room around the picture, which the names of stages need too.
const MARGIN: f64 = 34.0;
/// How many letters of a name fit into its box.
const LETTERS: usize = 24;
/// How many letters of a label fit between two columns.
const LABEL: usize = 18;

const STYLE: &str = "\
text{font:13px system-ui,sans-serif;fill:#1f2328}\
.note,.label,.stage{font-size:11px;fill:#59636e}\
.job rect{fill:#f6f8fa;stroke:#818b98}\
.always rect{fill:#ddf4ff}\
.skipped rect,.void{stroke-dasharray:5 4}\
.skipped text{fill:#818b98}\
.edge{fill:none;stroke:#818b98;stroke-width:1.4}\
.frame{fill:none;stroke:#d1d9e0}\
#head path{fill:#818b98}\
.label{stroke:#fff;stroke-width:3px;paint-order:stroke}\
@media(prefers-color-scheme:dark){\
text{fill:#f0f6fc}\
.note,.label,.stage{fill:#9198a1}\
.job rect{fill:#151b23;stroke:#656c76}\
.always rect{fill:#121d2f}\
.skipped text{fill:#656c76}\
.edge{stroke:#656c76}\
.frame{stroke:#3d444d}\
#head path{fill:#656c76}\
.label{stroke:#0d1117}}";

/// The plan as an SVG picture, from left to right: a job stands to the right of all it waits for,
/// stages are framed, jobs that are left out are dashed, edges that accept more than success say what.
#[must_use]
pub fn svg(plan: &Plan) -> String {
    let picture = Picture::new(plan);
    let layout = layout(&picture);
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = Canvas::new(&picture, &layout).draw(&mut text);
    text
}

/// How a job is shown that has run.
#[derive(Debug, Clone, Default)]
pub(crate) struct JobMark {
    /// The class of its box, which the style of the page gives a colour.
    pub(crate) class: &'static str,
    /// The mark before its name.
    pub(crate) sign: &'static str,
    /// What is written under its name.
    pub(crate) note: String,
    /// Where the box leads to.
    pub(crate) link: String,
    /// Whether it is on the path that took longest.
    pub(crate) critical: bool,
}

/// The plan as a picture of a run, with a mark for each job. The page around it has the style: classes
/// are those of [`svg`] and of the marks, `critical` for the path that took longest.
#[must_use]
pub(crate) fn run_svg(plan: &Plan, title: &str, marks: &[JobMark]) -> String {
    let mut picture = Picture::new(plan);
    picture.title = title;
    for (node, mark) in picture.nodes.iter_mut().zip(marks) {
        node.note.clone_from(&mark.note);
    }
    let layout = layout(&picture);
    let mut canvas = Canvas::new(&picture, &layout);
    canvas.marks = marks;
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = canvas.draw(&mut text);
    text
}

/// A picture with its jobs in their places, and how wide a column is.
struct Canvas<'a> {
    picture: &'a Picture<'a>,
    layout: &'a Layout,
    column: f64,
    /// Of a run, by job.
    marks: &'a [JobMark],
}

impl<'a> Canvas<'a> {
    fn new(picture: &'a Picture<'a>, layout: &'a Layout) -> Self {
        let long = |line: &Line| line.label().is_some_and(|label| label.len() > 3);
        let gap = if picture.edges.iter().any(long) {
            GAP.0 + GAP.1
        } else {
            GAP.0
        };
        Self {
            picture,
            layout,
            column: BOX.0 + gap,
            marks: &[],
        }
    }

    fn draw(&self, text: &mut String) -> std::fmt::Result {
        let columns = u32::try_from(self.layout.columns).unwrap_or(u32::MAX);
        let width = 2.0 * MARGIN + f64::from(columns.max(1) - 1) * self.column + BOX.0;
        let height = 2.0 * MARGIN + (self.layout.rows.max(1.0) - 1.0) * ROW + BOX.1;
        writeln!(
            text,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\" role=\"{}\">",
            // What is an image has no links in it, as far as a screen reader is concerned.
            if self.marks.is_empty() {
                "img"
            } else {
                "group"
            },
        )?;
        writeln!(text, "<title>{}</title>", escaped(self.picture.title))?;
        if self.marks.is_empty() {
            writeln!(text, "<style>{STYLE}</style>")?;
        }
        writeln!(
            text,
            "<defs><marker id=\"head\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" \
             markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\">\
             <path d=\"M0 0L8 4L0 8z\"/></marker></defs>"
        )?;
        self.frames(text)?;
        for (line, path) in self.picture.edges.iter().zip(&self.layout.edges) {
            self.edge(line, path, text)?;
        }
        for (index, place) in self.layout.nodes.iter().enumerate() {
            self.job(
                &self.picture.nodes[index],
                *place,
                self.marks.get(index),
                text,
            )?;
        }
        // Over everything else: a label that is hidden says nothing.
        for (line, path) in self.picture.edges.iter().zip(&self.layout.edges) {
            self.label(line, path, text)?;
        }
        writeln!(text, "</svg>")
    }

    /// The upper left corner of the box at `place`.
    fn corner(&self, place: Place) -> (f64, f64) {
        let column = f64::from(u32::try_from(place.column).unwrap_or(u32::MAX));
        (MARGIN + column * self.column, MARGIN + place.row * ROW)
    }

    fn frames(&self, text: &mut String) -> std::fmt::Result {
        let (stages, _) = self.picture.by_stage();
        for (stage, members) in self.picture.stages.iter().zip(stages) {
            let corners = members
                .iter()
                .map(|node| self.corner(self.layout.nodes[*node]));
            let empty = (f64::MAX, f64::MAX, 0.0f64, 0.0f64);
            let (left, top, right, bottom) = corners.fold(empty, |all, (x, y)| {
                (all.0.min(x), all.1.min(y), all.2.max(x), all.3.max(y))
            });
            writeln!(
                text,
                "<rect class=\"frame\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"8\"/>\
             <text class=\"stage\" x=\"{}\" y=\"{}\">{}</text>",
                left - 14.0,
                top - 9.0,
                right - left + BOX.0 + 28.0,
                bottom - top + BOX.1 + 18.0,
                left - 10.0,
                top - 12.0,
                escaped(stage)
            )?;
        }
        Ok(())
    }

    fn job(
        &self,
        node: &Node<'_>,
        place: Place,
        mark: Option<&JobMark>,
        text: &mut String,
    ) -> std::fmt::Result {
        let Some(mark) = mark else {
            return self.boxed(node, place, "", text);
        };
        let critical = if mark.critical { " critical" } else { "" };
        let class = format!(" {}{critical}", mark.class);
        let name = format!("{} {}", mark.sign, node.name);
        let marked = Node {
            name: &name,
            note: mark.note.clone(),
            skipped: node.skipped,
            ..*node
        };
        write!(text, "<a href=\"{}\">", escaped(&mark.link))?;
        self.boxed(&marked, place, &class, text)?;
        writeln!(text, "</a>")
    }

    fn boxed(
        &self,
        node: &Node<'_>,
        place: Place,
        class: &str,
        text: &mut String,
    ) -> std::fmt::Result {
        let (x, y) = self.corner(place);
        let skipped = if node.skipped.is_some() {
            " skipped"
        } else {
            ""
        };
        let always = if node.always { " always" } else { "" };
        write!(
            text,
            "<g class=\"job{always}{skipped}{class}\"><title>{}</title>\
         <rect x=\"{x}\" y=\"{y}\" width=\"{}\" height=\"{}\" rx=\"6\"/>",
            escaped(&node.tip()),
            BOX.0,
            BOX.1
        )?;
        let name = if node.name.chars().count() > LETTERS {
            let kept: String = node.name.chars().take(LETTERS - 1).collect();
            format!("{kept}…")
        } else {
            node.name.to_owned()
        };
        let middle = x + BOX.0 / 2.0;
        let base = if node.note.is_empty() { 24.0 } else { 17.0 };
        write!(
            text,
            "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            y + base,
            escaped(&name)
        )?;
        if !node.note.is_empty() {
            write!(
                text,
                "<text class=\"note\" x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                y + 31.0,
                escaped(&node.note)
            )?;
        }
        writeln!(text, "</g>")
    }

    /// A curve from the right side of the first box through the middle of the places between to the left
    /// side of the last.
    fn edge(&self, line: &Line, path: &[Place], text: &mut String) -> std::fmt::Result {
        let (Some(first), Some(last)) = (path.first(), path.last()) else {
            return Ok(());
        };
        let half = BOX.1 / 2.0;
        let (x, y) = self.corner(*first);
        let mut at = (x + BOX.0, y + half);
        let void = if line.void { " void" } else { "" };
        let critical = |job: usize| self.marks.get(job).is_some_and(|mark| mark.critical);
        let critical = if critical(line.from) && critical(line.to) {
            " critical"
        } else {
            ""
        };
        write!(
            text,
            "<path class=\"edge{void}{critical}\" d=\"M{} {}",
            at.0, at.1
        )?;
        for place in &path[1..] {
            let (x, y) = self.corner(*place);
            let to = (x, y + half);
            let bend = (to.0 - at.0) / 2.0;
            write!(
                text,
                "C{} {} {} {} {} {}",
                at.0 + bend,
                at.1,
                to.0 - bend,
                to.1,
                to.0,
                to.1
            )?;
            at = to;
            if place != last {
                // Straight on through the column, where a box would stand.
                at.0 += BOX.0;
                write!(text, "H{}", at.0)?;
            }
        }
        writeln!(text, "\" marker-end=\"url(#head)\"/>")
    }

    /// The label of an edge, in the gap before the job that waits.
    fn label(&self, line: &Line, path: &[Place], text: &mut String) -> std::fmt::Result {
        let (Some(label), [.., before, last]) = (line.label(), path) else {
            return Ok(());
        };
        let label = if label.len() > LABEL {
            format!("{} outcomes", label.split(", ").count())
        } else {
            label
        };
        let ((from_x, from_y), (to_x, to_y)) = (self.corner(*before), self.corner(*last));
        writeln!(
            text,
            "<text class=\"label\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            f64::midpoint(from_x + BOX.0, to_x),
            f64::midpoint(from_y, to_y) + BOX.1 / 2.0 - 4.0,
            escaped(&label)
        )
    }
}

/// Text for XML, which cannot hold control characters at all.
fn escaped(words: &str) -> String {
    let mut text = String::with_capacity(words.len());
    for letter in words.chars() {
        match letter {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => text.push('\u{fffd}'),
            other if other.is_control() => text.push(' '),
            other => text.push(other),
        }
    }
    text
}
