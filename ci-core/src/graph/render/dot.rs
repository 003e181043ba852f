//! A plan as DOT, the language of Graphviz.

use std::fmt::Write as _;

use super::picture::Picture;
use crate::workflow::Plan;

/// The plan as a DOT digraph (<https://graphviz.org/doc/info/lang.html>): stages are clusters, jobs
/// that are left out are dashed, edges that accept more than success say what.
#[must_use]
pub fn dot(plan: &Plan) -> String {
    let picture = Picture::new(plan);
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = draw(&picture, &mut text);
    text
}

fn draw(picture: &Picture<'_>, text: &mut String) -> std::fmt::Result {
    writeln!(text, "digraph {} {{", quoted(picture.title))?;
    writeln!(text, "  rankdir=LR;")?;
    writeln!(
        text,
        "  node [shape=box, style=rounded, fontname=\"sans-serif\"];"
    )?;
    writeln!(text, "  edge [fontname=\"sans-serif\", fontsize=10];")?;
    let (stages, rest) = picture.by_stage();
    for (number, (stage, members)) in picture.stages.iter().zip(stages).enumerate() {
        writeln!(text, "  subgraph cluster_{number} {{")?;
        writeln!(text, "    label={};", quoted(stage))?;
        for index in members {
            node(picture, index, "    ", text)?;
        }
        writeln!(text, "  }}")?;
    }
    for index in rest {
        node(picture, index, "  ", text)?;
    }
    for line in &picture.edges {
        let mut attributes = Vec::new();
        if let Some(label) = line.label() {
            attributes.push(format!("label={}", quoted(&label)));
        }
        if line.void {
            attributes.push("style=dashed".to_owned());
        }
        write!(text, "  n{} -> n{}", line.from, line.to)?;
        match attributes.as_slice() {
            [] => writeln!(text, ";")?,
            all => writeln!(text, " [{}];", all.join(", "))?,
        }
    }
    writeln!(text, "}}")
}

fn node(picture: &Picture<'_>, index: usize, indent: &str, text: &mut String) -> std::fmt::Result {
    let node = &picture.nodes[index];
    let mut label = node.name.to_owned();
    if !node.note.is_empty() {
        label.push('\n');
        label.push_str(&node.note);
    }
    write!(
        text,
        "{indent}n{index} [label={}, tooltip={}",
        quoted(&label),
        quoted(&node.tip())
    )?;
    if node.skipped.is_some() {
        write!(text, ", style=\"rounded,dashed\"")?;
    }
    writeln!(text, "];")
}

/// A quoted string, in which `\` would begin an escape.
fn quoted(words: &str) -> String {
    let mut text = String::from("\"");
    for letter in words.chars() {
        match letter {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            // Graphviz reads HTML entities in every label.
            '&' => text.push_str("&amp;"),
            '\n' => text.push_str("\\n"),
            other if other.is_control() => text.push(' '),
            other => text.push(other),
        }
    }
    text.push('"');
    text
}
