//! `<< … >>` in text: Mustache with other delimiters (<https://mustache.github.io/mustache.5.html>),
//! of which variables and sections are used.

use std::sync::Arc;

use crate::yaml::{Map, Mark, Node, Value};

use super::value::truthy;

/// How deep values may nest while they are filled in.
const DEPTH: usize = 200;

/// Gives the values of what stands between the delimiters.
pub(super) trait Names {
    /// The value of an expression; `None` if it is none of ours and stays as it is.
    fn value(&self, expression: &str, mark: &Mark) -> Result<Option<Node>, String>;
}

/// Fills in every text of a value, keys included. What is wrong is told to `wrong`, and stays.
pub(super) fn fill(node: &Node, names: &dyn Names, wrong: &mut dyn FnMut(&Mark, String)) -> Node {
    fill_in(node, names, wrong, 0)
}

fn fill_in(
    node: &Node,
    names: &dyn Names,
    wrong: &mut dyn FnMut(&Mark, String),
    depth: usize,
) -> Node {
    if depth > DEPTH {
        wrong(&node.mark, format!("values nest deeper than {DEPTH}"));
        return node.clone();
    }
    match &node.value {
        Value::Str(text) if text.contains("<<") => match text_value(text, &node.mark, names) {
            Ok(value) => Node {
                mark: node.mark.clone(),
                ..value
            },
            Err(why) => {
                wrong(&node.mark, why);
                node.clone()
            }
        },
        Value::Seq(nodes) => {
            let filled = nodes
                .iter()
                .map(|node| fill_in(node, names, wrong, depth + 1));
            Node::seq(filled.collect(), &node.mark)
        }
        Value::Map(map) => {
            let mut filled = Map::new();
            for (key, entry) in map.entries() {
                let value = fill_in(&entry.node, names, wrong, depth + 1);
                if key.contains("<<") {
                    let key = fill_in(&Node::text(&**key, &entry.key), names, wrong, depth + 1);
                    let key = key.scalar().unwrap_or_default().into_owned();
                    filled.insert_at(key, &entry.key, value);
                } else {
                    filled.insert_at(Arc::clone(key), &entry.key, value);
                }
            }
            Node::map(filled, &node.mark)
        }
        _ => node.clone(),
    }
}

/// The value of a text: that of the tag if it is nothing but one tag, else text.
fn text_value(text: &str, mark: &Mark, names: &dyn Names) -> Result<Node, String> {
    let pieces = pieces(text);
    if let [Piece::Tag { inner, .. }] = &pieces[..]
        && let Some(value) = names.value(inner, mark)?
    {
        return Ok(value);
    }
    let mut out = String::with_capacity(text.len());
    // The sections that are open, and whether what stands in them shows.
    let mut sections: Vec<(&str, bool)> = Vec::new();
    let mut index = 0;
    while let Some(piece) = pieces.get(index) {
        index += 1;
        let shows = sections.iter().all(|(_, shows)| *shows);
        match piece {
            Piece::Text(text) if shows => out.push_str(text),
            Piece::Text(_) => {}
            Piece::Tag { inner, whole } => {
                if let Some(name) = inner.strip_prefix(['#', '^']) {
                    let name = name.trim();
                    let value = names.value(name, mark)?;
                    let value = value.ok_or_else(|| format!("there is no `{name}`"))?;
                    sections.push((name, truthy(&value) == inner.starts_with('#')));
                } else if let Some(name) = inner.strip_prefix('/') {
                    match sections.pop() {
                        Some((open, _)) if open == name.trim() => {}
                        _ => return Err(format!("the section `{}` was not opened", name.trim())),
                    }
                } else if shows {
                    match names.value(inner, mark)? {
                        Some(value) => out.push_str(&plain(&value, inner)?),
                        None => out.push_str(whole),
                    }
                }
            }
        }
    }
    match sections.pop() {
        None => Ok(Node::text(out, mark)),
        Some((name, _)) => Err(format!("the section `{name}` is not closed")),
    }
}

fn plain(value: &Node, name: &str) -> Result<String, String> {
    match value.scalar() {
        Some(text) => Ok(text.into_owned()),
        None => Err(format!(
            "`{name}` is {}, which cannot stand in text",
            value.kind()
        )),
    }
}

#[derive(Debug, PartialEq)]
enum Piece<'a> {
    Text(&'a str),
    Tag { inner: &'a str, whole: &'a str },
}

/// Splits a text at its tags. `\<<` is no tag, and neither is `<<` without an end.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut text_from = 0;
    let mut at = 0;
    while let Some(found) = text[at..].find("<<") {
        let start = at + found;
        if text[..start].ends_with('\\') {
            pieces.push(Piece::Text(&text[text_from..start - 1]));
            text_from = start;
            at = start + 2;
            continue;
        }
        let Some(length) = text[start + 2..].find(">>") else {
            break;
        };
        let end = start + 2 + length + 2;
        let inner = text[start + 2..end - 2].trim();
        if inner.is_empty() || inner.contains("<<") {
            at = start + 2;
            continue;
        }
        let (mut from, mut to) = (start, end);
        if inner.starts_with(['#', '^', '/']) {
            (from, to) = own_line(text, start, end);
        }
        if from > text_from {
            pieces.push(Piece::Text(&text[text_from..from]));
        }
        pieces.push(Piece::Tag {
            inner,
            whole: &text[start..end],
        });
        text_from = to;
        at = to;
    }
    if text_from < text.len() {
        pieces.push(Piece::Text(&text[text_from..]));
    }
    pieces
}

/// The whole line of a tag of a section, if nothing else stands in it.
fn own_line(text: &str, start: usize, end: usize) -> (usize, usize) {
    let line = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let blank = |text: &str| text.chars().all(|c| matches!(c, ' ' | '\t' | '\r'));
    if !blank(&text[line..start]) {
        return (start, end);
    }
    match text[end..].find('\n') {
        Some(length) if blank(&text[end..end + length]) => (line, end + length + 1),
        None if blank(&text[end..]) => (line, text.len()),
        _ => (start, end),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Known;

    impl Names for Known {
        fn value(&self, expression: &str, mark: &Mark) -> Result<Option<Node>, String> {
            let value = match expression {
                "parameters.yes" => Value::Bool(true),
                "parameters.no" => Value::Bool(false),
                "parameters.n" => Value::Int(3),
                "parameters.list" => Value::Seq(Vec::new().into()),
                other if other.starts_with("parameters.") => return Err(format!("no `{other}`")),
                _ => return Ok(None),
            };
            Ok(Some(Node::new(value, mark)))
        }
    }

    fn filled(text: &str) -> Result<Value, String> {
        text_value(text, &Mark::new("f", 1, 1), &Known).map(|node| node.value)
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(filled(text), Ok(Value::Str(expected.into())), "{text}");
    }

    #[test]
    fn a_lone_tag_keeps_its_type_and_others_become_text() {
        assert_eq!(filled("<< parameters.n >>"), Ok(Value::Int(3)));
        assert_eq!(filled("<<parameters.no>>"), Ok(Value::Bool(false)));
        check("a<<parameters.n>>b <<parameters.yes>>", "a3b true");
        assert!(filled("<< parameters.other >>").is_err());
        assert!(filled("a << parameters.list >>").is_err());
    }

    #[test]
    fn what_is_no_tag_stays() {
        check("cat \\<<EOF\nx\nEOF", "cat <<EOF\nx\nEOF");
        check("cat <<EOF\nx\nEOF", "cat <<EOF\nx\nEOF");
        check("cat <<EOF >>file\nx\nEOF", "cat <<EOF >>file\nx\nEOF");
        check("1 << 2, <<>>", "1 << 2, <<>>");
    }

    #[test]
    fn sections_show_or_hide_and_take_their_lines_with_them() {
        check("<<#parameters.yes>>a<</parameters.yes>>b", "ab");
        check("<<^parameters.yes>>a<</parameters.yes>>b", "b");
        check(
            "x\n  <<# parameters.no >>\nhidden\n  <</ parameters.no >>\ny\n",
            "x\ny\n",
        );
        check("<<#parameters.list>>a<</parameters.list>>", "");
        assert!(filled("<<#parameters.yes>>a").is_err());
        assert!(filled("a<</parameters.yes>>").is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_filled_or_refused(text in "(<<|>>|[#^/ \\\\a]|parameters\\.yes|\n){0,20}") {
            let _ = filled(&text);
        }
    }
}
