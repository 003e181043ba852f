//! `ci split` and `ci glob`: tests chosen by globs and shared out over machines.

use std::io::{self, BufRead};
use std::path::{Path, PathBuf};

use ci_core::report::split::{Split, Timings, by_filesize, by_name, by_timings};
use globset::{GlobBuilder, GlobSetBuilder};
use walkdir::WalkDir;

use super::timings;
use crate::args::{Global, SplitArgs, SplitBy};
use crate::failure::Failure;
use crate::output;

/// Prints the names of one shard.
pub(crate) async fn split(global: &Global, args: &SplitArgs) -> Result<u8, Failure> {
    if args.index >= args.total {
        let message = format!("there is no shard {} of {}", args.index, args.total);
        return Err(Failure::input(message).hint("shards are counted from 0"));
    }
    let names = names(args)?;
    let total = args.total as usize;
    let timings = match args.by {
        SplitBy::Timings => timings::known(global, args).await?,
        SplitBy::Filesize | SplitBy::Name => Timings::new(),
    };
    let by = match args.by {
        SplitBy::Timings if timings.is_empty() => {
            output::say("there are no timings: the tests are shared out by name");
            SplitBy::Name
        }
        by => by,
    };
    let split = match by {
        SplitBy::Timings => by_timings(&names, &timings, total),
        SplitBy::Filesize => by_filesize(&names, size, total),
        SplitBy::Name => by_name(&names, total),
    };
    if args.explain {
        explain(&split, by);
    }
    for name in split.shard(args.index as usize) {
        output::line(name)?;
    }
    Ok(0)
}

/// The names that are shared out: of the files given, else of standard input.
fn names(args: &SplitArgs) -> Result<Vec<String>, Failure> {
    let words = |text: &str| {
        let words = text.split_whitespace();
        words.map(str::to_owned).collect::<Vec<_>>()
    };
    let mut names = Vec::new();
    if args.names.is_empty() {
        for line in io::stdin().lock().lines() {
            let line = line.map_err(|error| Failure::input(format!("standard input: {error}")))?;
            names.extend((!line.trim().is_empty()).then(|| line.trim().to_owned()));
        }
    }
    for file in &args.names {
        let text = std::fs::read_to_string(file)
            .map_err(|error| Failure::input(format!("`{}`: {error}", file.display())))?;
        names.extend(words(&text));
    }
    Ok(names)
}

fn size(name: &str) -> Option<u64> {
    Some(std::fs::metadata(name).ok()?.len())
}

fn explain(split: &Split, by: SplitBy) {
    let explanation = split.explanation();
    let unit = match by {
        SplitBy::Timings => "s",
        SplitBy::Filesize => "bytes",
        SplitBy::Name => "names",
    };
    for (index, (names, weight)) in split.shards().iter().zip(&explanation.seconds).enumerate() {
        output::say(format!(
            "shard {index}: {} names, {weight:.2} {unit}",
            names.len()
        ));
    }
    if by != SplitBy::Name {
        output::say(format!(
            "{} names were matched, {} were not and count {:.2} {unit} each",
            explanation.matched.len(),
            explanation.unmatched.len(),
            explanation.assumed
        ));
        for name in &explanation.unmatched {
            output::say(format!("  not matched: {name}"));
        }
    }
}

/// Prints the files that fit one of the patterns, sorted.
pub(crate) fn glob(patterns: &[String]) -> Result<u8, Failure> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let plain = pattern.strip_prefix("./").unwrap_or(pattern);
        let glob = GlobBuilder::new(plain)
            .literal_separator(true)
            .build()
            .map_err(|error| Failure::input(format!("the pattern `{pattern}`: {error}")))?;
        set.add(glob);
    }
    let set = set
        .build()
        .map_err(|error| Failure::input(error.to_string()))?;
    // Only below the directories that the patterns begin with.
    let mut found = std::collections::BTreeSet::new();
    for pattern in patterns {
        let plain = pattern.strip_prefix("./").unwrap_or(pattern);
        let root = root_of(plain);
        for entry in WalkDir::new(&root).sort_by_file_name() {
            let Ok(entry) = entry else { continue };
            let path = entry.path();
            let path = path.strip_prefix("./").unwrap_or(path);
            if entry.file_type().is_file() && set.is_match(path) {
                found.insert(path.to_path_buf());
            }
        }
    }
    for path in found {
        output::line(path.display().to_string())?;
    }
    Ok(0)
}

/// The directory that a pattern begins with, before its first wildcard.
fn root_of(pattern: &str) -> PathBuf {
    let wild = pattern.find(['*', '?', '[', '{']).unwrap_or(pattern.len());
    match pattern[..wild].rfind('/') {
        Some(0) => PathBuf::from("/"),
        Some(end) => PathBuf::from(&pattern[..end]),
        None => Path::new(".").to_path_buf(),
    }
}
