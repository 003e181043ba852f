//! Writes Cobertura XML, after `coverage-04.dtd`.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};

use super::super::model::{Coverage, FileCoverage};
use super::super::totals::{Ratio, Totals};

/// Writes `coverage` as Cobertura XML: a package a directory, a class a file.
///
/// The rates count as the [totals](Coverage::totals) do. There is no time stamp in it, so that the
/// same coverage is the same text. Lines whose hits are unknown are left out.
///
/// # Errors
/// When `out` fails.
pub fn write_cobertura(coverage: &Coverage, out: &mut dyn Write) -> io::Result<()> {
    let Totals {
        lines, branches, ..
    } = coverage.totals();
    writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    let dtd = "http://cobertura.sourceforge.net/xml/coverage-04.dtd";
    writeln!(out, r#"<!DOCTYPE coverage SYSTEM "{dtd}">"#)?;
    writeln!(
        out,
        r#"<coverage line-rate="{}" branch-rate="{}" lines-covered="{}" lines-valid="{}" branches-covered="{}" branches-valid="{}" complexity="0" version="ci-core" timestamp="0">"#,
        Rate(lines),
        Rate(branches),
        lines.covered,
        lines.total,
        branches.covered,
        branches.total,
    )?;
    writeln!(out, "  <sources>")?;
    let none = coverage.roots().len() == 0;
    for root in coverage.roots().chain(none.then_some(".")) {
        writeln!(out, "    <source>{}</source>", Escaped(root))?;
    }
    writeln!(out, "  </sources>\n  <packages>")?;
    let mut packages: BTreeMap<&str, Vec<(&str, &FileCoverage)>> = BTreeMap::new();
    for (path, file) in coverage.files() {
        let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
        packages.entry(directory).or_default().push((path, file));
    }
    for (directory, files) in &packages {
        package(directory, files, out)?;
    }
    writeln!(out, "  </packages>\n</coverage>")
}

fn package(name: &str, files: &[(&str, &FileCoverage)], out: &mut dyn Write) -> io::Result<()> {
    let totals = files.iter().map(|(_, file)| file.totals());
    let totals = totals.fold(Totals::default(), Totals::plus);
    write!(
        out,
        r#"    <package name="{}" "#,
        Escaped(&name.replace('/', "."))
    )?;
    writeln!(out, "{}>\n      <classes>", Rates(totals))?;
    for (path, file) in files {
        class(path, file, out)?;
    }
    writeln!(out, "      </classes>\n    </package>")
}

fn class(path: &str, file: &FileCoverage, out: &mut dyn Write) -> io::Result<()> {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    let (name, path, rates) = (Escaped(name), Escaped(path), Rates(file.totals()));
    writeln!(
        out,
        r#"        <class name="{name}" filename="{path}" {rates}>"#
    )?;
    writeln!(out, "          <methods>")?;
    for function in file.functions() {
        let Some(hits) = function.hits() else {
            continue;
        };
        let (name, rate) = (Escaped(function.name()), u8::from(hits > 0));
        write!(
            out,
            r#"            <method name="{name}" signature="" line-rate="{rate}" branch-rate="1" complexity="0">"#
        )?;
        if let Some(start) = function.start() {
            write!(
                out,
                r#"<lines><line number="{start}" hits="{hits}"/></lines>"#
            )?;
        }
        writeln!(out, "</method>")?;
    }
    writeln!(out, "          </methods>\n          <lines>")?;
    let mut branches = file.branch_ratios().peekable();
    for line in file.lines() {
        let (number, Some(hits)) = (line.number(), line.hits()) else {
            continue;
        };
        while branches.next_if(|(at, _)| *at < number).is_some() {}
        match branches.next_if(|(at, _)| *at == number) {
            Some((_, ratio)) if ratio.total > 0 => {
                let Ratio { covered, total } = ratio;
                let percent = covered * 100 / total;
                writeln!(
                    out,
                    r#"            <line number="{number}" hits="{hits}" branch="true" condition-coverage="{percent}% ({covered}/{total})"/>"#
                )?;
            }
            _ => writeln!(
                out,
                r#"            <line number="{number}" hits="{hits}" branch="false"/>"#
            )?,
        }
    }
    writeln!(out, "          </lines>\n        </class>")
}

/// A share from 0 to 1, with four decimals, rounded down.
struct Rate(Ratio);

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ratio { covered, total } = self.0;
        if covered >= total {
            return f.write_str("1");
        }
        let parts = u128::from(covered) * 10_000 / u128::from(total);
        write!(f, "0.{parts:04}")
    }
}

/// The attributes with rates that packages and classes have.
struct Rates(Totals);

impl fmt::Display for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lines, branches) = (Rate(self.0.lines), Rate(self.0.branches));
        write!(
            f,
            r#"line-rate="{lines}" branch-rate="{branches}" complexity="0""#
        )
    }
}

/// Text within XML. Control characters, which XML cannot hold, are replaced.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '&' => f.write_str("&amp;")?,
                '"' => f.write_str("&quot;")?,
                '\t' | '\n' | '\r' => write!(f, "&#{};", u32::from(c))?,
                c if c.is_control() && c < ' ' => f.write_str("\u{fffd}")?,
                c => write!(f, "{c}")?,
            }
        }
        Ok(())
    }
}
