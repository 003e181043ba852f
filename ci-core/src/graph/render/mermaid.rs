//! A plan as a Mermaid flowchart, which many Markdown viewers draw.

use std::fmt::Write as _;

use super::picture::Picture;
use crate::workflow::Plan;

/// The plan as a Mermaid flowchart (<https://mermaid.js.org/syntax/flowchart.html>): stages are
/// subgraphs, jobs that are left out are dashed, edges that accept more than success say what.
#[must_use]
pub fn mermaid(plan: &Plan) -> String {
    let picture = Picture::new(plan);
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = draw(&picture, &mut text);
    text
}

fn draw(picture: &Picture<'_>, text: &mut String) -> std::fmt::Result {
    writeln!(text, "flowchart LR")?;
    let (stages, rest) = picture.by_stage();
    for (number, (stage, members)) in picture.stages.iter().zip(stages).enumerate() {
        writeln!(text, "  subgraph s{number}[\"{}\"]", escaped(stage))?;
        for index in members {
            node(picture, index, "    ", text)?;
        }
        writeln!(text, "  end")?;
    }
    for index in rest {
        node(picture, index, "  ", text)?;
    }
    for line in &picture.edges {
        let arrow = if line.void { "-.->" } else { "-->" };
        match line.label() {
            None => writeln!(text, "  n{} {arrow} n{}", line.from, line.to)?,
            Some(label) => {
                let label = escaped(&label);
                writeln!(text, "  n{} {arrow}|\"{label}\"| n{}", line.from, line.to)?;
            }
        }
    }
    let skipped = picture.nodes.iter().enumerate();
    let skipped: Vec<String> = skipped
        .filter(|(_, node)| node.skipped.is_some())
        .map(|(index, _)| format!("n{index}"))
        .collect();
    if !skipped.is_empty() {
        writeln!(text, "  classDef skipped stroke-dasharray: 5 5")?;
        writeln!(text, "  class {} skipped", skipped.join(","))?;
    }
    Ok(())
}

fn node(picture: &Picture<'_>, index: usize, indent: &str, text: &mut String) -> std::fmt::Result {
    let node = &picture.nodes[index];
    write!(text, "{indent}n{index}[\"{}", escaped(node.name))?;
    if !node.note.is_empty() {
        write!(text, "<br/>{}", escaped(&node.note))?;
    }
    writeln!(text, "\"]")
}

/// Words for a quoted label: everything that Mermaid, its Markdown or HTML could take for more than
/// itself becomes an entity code.
fn escaped(words: &str) -> String {
    let mut text = String::new();
    for letter in words.chars() {
        match letter {
            ' ' | '_' | '-' | '.' | ',' | ':' | '/' | '(' | ')' => text.push(letter),
            other if other.is_control() => text.push(' '),
            other if other.is_alphanumeric() || !other.is_ascii() => text.push(other),
            other => {
                let _ = write!(text, "#{};", u32::from(other));
            }
        }
    }
    text
}
