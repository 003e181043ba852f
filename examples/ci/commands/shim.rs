//! `ci shim circleci …`: what jobs call as `circleci` on the vendor's machines.

use std::io::{self, Read};
use std::process::Command;

use crate::args::{Global, SplitArgs, SplitBy};
use crate::failure::Failure;
use crate::{commands, output};

/// Does what the vendor's program would.
pub(crate) async fn circleci(global: &Global, words: &[String]) -> Result<u8, Failure> {
    let known: Vec<&str> = words.iter().map(String::as_str).collect();
    match &known[..] {
        ["tests", "glob", patterns @ ..] => {
            let patterns: Vec<String> = patterns.iter().map(|it| (*it).to_owned()).collect();
            commands::split::glob(&patterns)
        }
        ["tests", "split", rest @ ..] => commands::split::split(global, &split_args(rest)?).await,
        ["tests", "run", rest @ ..] => run_tests(rest),
        ["env", "subst", rest @ ..] => substitute(rest),
        _ => Err(
            Failure::input(format!("`circleci {}` is not known here", words.join(" "))).hint(
                "known are `tests glob`, `tests split`, `tests run`, `env subst` and `step halt`",
            ),
        ),
    }
}

/// The options of `tests split`, with the node that the job runs on.
fn split_args(words: &[&str]) -> Result<SplitArgs, Failure> {
    let node = |name: &str, default| {
        let value = std::env::var(format!("CIRCLE_NODE_{name}")).ok();
        value
            .and_then(|value| value.parse().ok())
            .unwrap_or(default)
    };
    let mut args = SplitArgs {
        by: SplitBy::Name,
        index: node("INDEX", 0),
        total: node("TOTAL", 1),
        timings: Vec::new(),
        timings_from: None,
        workflow: None,
        explain: false,
        names: Vec::new(),
    };
    let number = |text: &str| {
        text.parse()
            .map_err(|_| Failure::input(format!("`{text}` is no number")))
    };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (*word, None),
        };
        let mut value = || value.or_else(|| words.next().copied()).unwrap_or_default();
        match name {
            "--split-by" => {
                args.by = match value() {
                    "timings" => SplitBy::Timings,
                    "filesize" => SplitBy::Filesize,
                    _ => SplitBy::Name,
                }
            }
            "--timings-type" => drop(value()),
            "--index" => args.index = number(value())?,
            "--total" => args.total = number(value())?,
            "-v" | "--verbose" | "--show-counts" => {}
            file => args.names.push(file.into()),
        }
    }
    Ok(args)
}

/// Hands the tests of this node to a command, as the vendor does to run failed ones again.
fn run_tests(words: &[&str]) -> Result<u8, Failure> {
    let mut command = None;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.split_once('=') {
            Some(("--command", value)) => command = Some(value.to_owned()),
            _ if *word == "--command" => command = words.next().map(|it| (*it).to_owned()),
            _ => {}
        }
    }
    let command = command.ok_or_else(|| {
        Failure::input("`circleci tests run` needs `--command`")
            .hint("write `circleci tests run --command \"xargs pytest\"`")
    })?;
    let status = Command::new("bash")
        .args(["-eo", "pipefail", "-c", &command])
        .status()
        .map_err(|error| Failure::engine(format!("`bash` could not be run: {error}")))?;
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(1))
}

/// Puts the values of variables into a text.
fn substitute(words: &[&str]) -> Result<u8, Failure> {
    let mut text = words.join(" ");
    if words.is_empty() {
        io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| Failure::input(format!("standard input: {error}")))?;
    }
    let end = if words.is_empty() { "" } else { "\n" };
    output::print(&(with_variables(&text, |name| std::env::var(name).ok()) + end))?;
    Ok(0)
}

/// `$NAME` and `${NAME}` become what `value` says; a variable that is not set becomes nothing.
fn with_variables(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let (name, tail) = match after.strip_prefix('{') {
            Some(inner) => match inner.split_once('}') {
                Some((name, tail)) if name.chars().all(is_name) => (name, tail),
                _ => ("", after),
            },
            None => after.split_at(after.find(|c| !is_name(c)).unwrap_or(after.len())),
        };
        if name.is_empty() {
            out.push('$');
            rest = after;
        } else {
            out.push_str(&value(name).unwrap_or_default());
            rest = tail;
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::with_variables;

    #[test]
    fn variables_are_put_in() {
        let value = |name: &str| (name == "A").then(|| "x".to_owned());
        for (text, expected) in [
            ("$A ${A}b $B.", "x xb ."),
            ("5$ ${ $", "5$ ${ $"),
            ("${A-b}", "${A-b}"),
            ("$$A", "$x"),
        ] {
            assert_eq!(with_variables(text, value), expected, "{text}");
        }
    }
}
