//! Reports that only state sums: the summaries of Istanbul and of gcovr.

use std::io::{self, Read};

use serde::Deserialize;
use serde::de::MapAccess;

use super::super::context::Context;
use super::super::count::Join;

use super::super::totals::{Ratio, Totals};
use super::super::visit::Visitor;
use super::json::{Fields, Num, Object, list_of, map_of, skip, walk};

/// Istanbul's `coverage-summary.json`: sums by path, and those of all as `total`.
pub(super) fn parse_istanbul<R: Read, V: Visitor + ?Sized>(
    reader: R,
    cx: &mut Context<'_, V>,
) -> io::Result<()> {
    let each = |path: String, sums: Sums| {
        if path != "total" {
            let [lines, branches, functions] =
                [&sums.lines, &sums.branches, &sums.functions].map(Sum::ratio);
            emit(
                &path,
                Totals {
                    lines,
                    branches,
                    functions,
                },
                cx,
            );
        }
    };
    if let Some(damage) = walk(reader, map_of(each))? {
        damage.report(cx);
    }
    Ok(())
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Sums {
    lines: Sum,
    branches: Sum,
    functions: Sum,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Sum {
    total: Num,
    covered: Num,
}

impl Sum {
    fn ratio(&self) -> Ratio {
        Ratio::new(self.covered.or_zero(), self.total.or_zero())
    }
}

/// The JSON summary of `gcovr`.
pub(super) fn parse_gcovr<R: Read, V: Visitor + ?Sized>(
    reader: R,
    cx: &mut Context<'_, V>,
) -> io::Result<()> {
    let mut root = Root { cx: &mut *cx };
    if let Some(damage) = walk(reader, Object(&mut root))? {
        damage.report(cx);
    }
    Ok(())
}

struct Root<'a, 'v, V: ?Sized> {
    cx: &'a mut Context<'v, V>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct GcovrFile {
    filename: String,
    line_total: Num,
    line_covered: Num,
    function_total: Num,
    function_covered: Num,
    branch_total: Num,
    branch_covered: Num,
}

impl<V: Visitor + ?Sized> Fields for Root<'_, '_, V> {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "files" => map.next_value_seed(list_of(|file: GcovrFile| {
                let ratio =
                    |covered: Num, total: Num| Ratio::new(covered.or_zero(), total.or_zero());
                let totals = Totals {
                    lines: ratio(file.line_covered, file.line_total),
                    branches: ratio(file.branch_covered, file.branch_total),
                    functions: ratio(file.function_covered, file.function_total),
                };
                emit(&file.filename, totals, self.cx);
            })),
            _ => skip(map),
        }
    }
}

fn emit<V: Visitor + ?Sized>(path: &str, totals: Totals, cx: &mut Context<'_, V>) {
    cx.visitor.begin_file(path, Join::Max);
    cx.visitor.stated(totals);
    cx.visitor.end_file();
}
