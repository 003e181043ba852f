//! `SimpleCov`'s `.resultset.json`, with a set of files a suite, and its `coverage.json`.
//!
//! Suites are joined as `SimpleCov` joins them: a line that one suite calls no code and no suite ran is
//! no code, as it was counted for a file that was only looked at.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, SeqAccess};

use super::super::context::Context;
use super::super::count::{Join, parse_line};
use super::super::model::{Arm, BranchKind};
use super::super::visit::{BranchFact, Visitor};
use super::json::{Fields, Hits, Num, Object, map_of, skip, walk};

pub(super) fn parse<R: Read, V: Visitor + ?Sized>(
    reader: R,
    cx: &mut Context<'_, V>,
) -> io::Result<()> {
    let mut root = Root::default();
    if let Some(damage) = walk(reader, Object(&mut root))? {
        damage.report(cx);
    }
    for (path, file) in &root.0 {
        emit(path, file, cx);
    }
    Ok(())
}

/// The files of all suites.
#[derive(Default)]
struct Root(BTreeMap<String, Joined>);

#[derive(Default)]
struct Joined {
    /// Hits of each line, and whether a suite calls it no code.
    lines: Vec<(Option<u64>, bool)>,
    branches: Vec<BranchRecord>,
}

impl Fields for Root {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "coverage" => self.files(map),
            "meta" | "total" | "groups" | "errors" => skip(map),
            _ => map.next_value_seed(Object(&mut Suite(self))),
        }
    }
}

/// One suite of a result set.
struct Suite<'a>(&'a mut Root);

impl Fields for Suite<'_> {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "coverage" => self.0.files(map),
            _ => skip(map),
        }
    }
}

impl Root {
    fn files<'de, A: MapAccess<'de>>(&mut self, map: &mut A) -> Result<(), A::Error> {
        map.next_value_seed(map_of(|path, file: File| {
            let known = self.0.entry(path).or_default();
            let length = known.lines.len().max(file.lines.0.len());
            known.lines.resize(length, (None, false));
            for ((hits, is_blank), fresh) in known.lines.iter_mut().zip(&file.lines.0) {
                match fresh.0 {
                    Some(count) => *hits = Some(hits.unwrap_or(0).saturating_add(count)),
                    None => *is_blank = true,
                }
            }
            known.branches.extend(file.branches.0);
        }))
    }
}

fn emit<V: Visitor + ?Sized>(path: &str, file: &Joined, cx: &mut Context<'_, V>) {
    cx.visitor.begin_file(path, Join::Sum);
    for (number, (hits, is_blank)) in (1..).zip(&file.lines) {
        match hits {
            Some(0) if *is_blank => {}
            Some(hits) => cx.visitor.line(number, Some(*hits)),
            None => {}
        }
    }
    for branch in &file.branches {
        cx.visitor.branch(BranchFact {
            line: branch.line,
            block: 0,
            arm: Arm::Text(&branch.arm),
            taken: branch.taken,
            kind: BranchKind::Plain,
        });
    }
    cx.visitor.end_file();
}

/// A file: an array of hits in old result sets, else an object.
#[derive(Default)]
struct File {
    lines: Hits,
    branches: Branches,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct FileRecord {
    lines: Hits,
    branches: Branches,
}

impl<'de> Deserialize<'de> for File {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FileVisitor)
    }
}

struct FileVisitor;

impl<'de> serde::de::Visitor<'de> for FileVisitor {
    type Value = File;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hits, or an object with them")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<File, A::Error> {
        let mut hits = Vec::new();
        while let Some(count) = seq.next_element()? {
            hits.push(count);
        }
        let lines = Hits(hits);
        Ok(File {
            lines,
            ..File::default()
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<File, A::Error> {
        let FileRecord { lines, branches } =
            FileRecord::deserialize(MapAccessDeserializer::new(map))?;
        Ok(File { lines, branches })
    }
}

/// A branch, whatever the version.
struct BranchRecord {
    line: u32,
    arm: String,
    taken: Option<u64>,
}

/// Branches: an object of conditions, each with its arms, or a list.
#[derive(Default)]
struct Branches(Vec<BranchRecord>);

#[derive(Deserialize, Default)]
#[serde(default)]
struct Listed {
    #[serde(rename = "type")]
    kind: String,
    start_line: Num,
    end_line: Num,
    report_line: Num,
    coverage: Num,
}

impl<'de> Deserialize<'de> for Branches {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BranchesVisitor)
    }
}

struct BranchesVisitor;

impl<'de> serde::de::Visitor<'de> for BranchesVisitor {
    type Value = Branches;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("branches")
    }

    fn visit_unit<E>(self) -> Result<Branches, E> {
        Ok(Branches::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Branches, A::Error> {
        let mut branches = Vec::new();
        while let Some(listed) = seq.next_element::<Listed>()? {
            let line = listed.report_line.line().or(listed.start_line.line());
            let (start, end) = (listed.start_line.or_zero(), listed.end_line.or_zero());
            branches.extend(line.map(|line| BranchRecord {
                line,
                arm: format!("{} {start} to {end}", listed.kind),
                taken: listed.coverage.0,
            }));
        }
        Ok(Branches(branches))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Branches, A::Error> {
        let mut branches = Vec::new();
        while let Some((condition, arms)) = map.next_entry::<String, BTreeMap<String, Num>>()? {
            // `[:if, 0, 3, 6, 13, 10]`: the kind, a number, then the place.
            let line = condition
                .split(',')
                .nth(2)
                .and_then(|line| parse_line(line.as_bytes()));
            let Some(line) = line else { continue };
            branches.extend(arms.into_iter().map(|(arm, taken)| BranchRecord {
                line,
                arm: format!("{condition} {arm}"),
                taken: taken.0,
            }));
        }
        Ok(Branches(branches))
    }
}
