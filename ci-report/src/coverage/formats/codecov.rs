//! Codecov's own JSON: for each file an object of lines, each with hits or with branches as `1/2`.

use std::collections::BTreeMap;
use std::io::{self, Read};

use serde::Deserialize;

use super::super::context::Context;
use super::super::count::Join;

use super::super::count::{parse_count, parse_line};
use super::super::visit::Visitor;
use super::json::map_under;

pub(super) fn parse<R: Read, V: Visitor + ?Sized>(
    reader: R,
    cx: &mut Context<'_, V>,
) -> io::Result<()> {
    map_under(reader, cx, "coverage", emit)
}

type Lines = BTreeMap<String, Hit>;

/// The hits of a line: `3`, `"1/2"`, `true` for a part of it, `null`.
#[derive(Deserialize)]
#[serde(from = "serde_json::Value")]
struct Hit {
    hits: Option<u64>,
    branches: Option<(u32, u32)>,
}

impl From<serde_json::Value> for Hit {
    fn from(value: serde_json::Value) -> Self {
        use serde_json::Value;
        let (hits, branches) = match value {
            Value::Number(number) => (parse_count(number.to_string().as_bytes()), None),
            Value::Bool(is) => (Some(u64::from(is)), None),
            Value::String(text) => match text.split_once('/') {
                Some((covered, total)) => {
                    let pair = covered.parse().ok().zip(total.parse().ok());
                    (pair.map(|(covered, _): (u32, u32)| covered.into()), pair)
                }
                None => (parse_count(text.as_bytes()), None),
            },
            _ => (None, None),
        };
        Self { hits, branches }
    }
}

fn emit<V: Visitor + ?Sized>(path: &str, lines: &Lines, cx: &mut Context<'_, V>) {
    cx.visitor.begin_file(path, Join::Sum);
    for (number, hit) in lines {
        let Some(number) = parse_line(number.as_bytes()) else {
            continue;
        };
        if let Some(hits) = hit.hits {
            cx.visitor.line(number, Some(hits));
        }
        if let Some((covered, total)) = hit.branches.filter(|(_, total)| *total > 1) {
            cx.visitor.branch_count(number, covered, total);
        }
    }
    cx.visitor.end_file();
}
