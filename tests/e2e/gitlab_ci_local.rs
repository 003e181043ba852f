//! The test cases of gitlab-ci-local: what it expects to be printed is printed here too, or stands in
//! `gitlab_ci_local.tsv` with the reason why not. The cases are in the corpus beside the project.
#![expect(
    clippy::print_stdout,
    reason = "what was compared, or that nothing was, is told"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use serde_json::Value;

use crate::support::ci_path;

/// Case, test, and why it is not the same here; `*` stands for all tests of a case.
const DEVIATIONS: &str = include_str!("gitlab_ci_local.tsv");

/// What a test of the peer asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Asks {
    /// These lines are printed.
    Lines(Vec<String>),
    /// The configuration is refused, with a place.
    Refusal,
    /// The pipeline runs and succeeds.
    Success,
    /// The configuration compiles.
    Compiles,
}

/// A test of the peer.
#[derive(Debug, Clone)]
struct Case {
    name: String,
    test: String,
    dir: PathBuf,
    file: String,
    jobs: Vec<String>,
    variables: Vec<String>,
    inputs: Vec<String>,
    twice: bool,
    asks: Asks,
}

fn corpus() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/configs");
    root.join("gitlab-ci-local")
}

/// The text between quotes in the list that follows `key: [`.
fn list(handler: &str, key: &str) -> Vec<String> {
    let Some((_, rest)) = handler.split_once(&format!("{key}: [")) else {
        return Vec::new();
    };
    let (mut found, mut open) = (Vec::new(), None);
    let mut text = String::new();
    let mut letters = rest.chars();
    while let Some(letter) = letters.next() {
        match (open, letter) {
            (None, ']') => break,
            (None, '"' | '`' | '\'') => open = Some(letter),
            (Some(quote), _) if quote == letter => {
                found.push(std::mem::take(&mut text));
                open = None;
            }
            (Some(_), '\\') => text.extend(letters.next()),
            (Some(_), _) => text.push(letter),
            (None, _) => {}
        }
    }
    found
}

fn text<'h>(handler: &'h str, key: &str) -> Option<&'h str> {
    let (_, rest) = handler.split_once(&format!("{key}: \""))?;
    Some(rest.split_once('"')?.0)
}

/// A test as far as it is about a configuration; `None` where it is about the peer's own program.
fn case(name: &str, test: &Value) -> Option<Case> {
    let handler = test["handler"].as_str().filter(|it| !it.is_empty())?;
    let texts = |key: &str| -> Vec<String> {
        let list = test[key].as_array().into_iter().flatten();
        list.filter_map(|it| it.as_str().map(str::to_owned))
            .collect()
    };
    let (lines, expects) = (texts("expected_lines"), texts("expects"));
    let cwd = text(handler, "cwd").and_then(|cwd| cwd.strip_prefix("tests/test-cases/"));
    let dir = corpus().join("test-cases").join(cwd.unwrap_or(name));
    let file = text(handler, "file").unwrap_or(".gitlab-ci.yml").to_owned();
    if !dir.join(&file).is_file() {
        return None;
    }
    let words = test["test"].as_str().unwrap_or_default();
    // Some say only by their names that the peer refuses the file.
    let named = || expects.is_empty() && (words.contains("reject") || name.contains("invalid"));
    let says = |word: &str| expects.iter().any(|it| it.contains(word));
    let asks = if says("message") || named() || (expects.is_empty() && !lines.is_empty()) {
        Asks::Refusal
    } else if handler.contains("preview: true") {
        Asks::Compiles
    } else if lines.is_empty() {
        Asks::Success
    } else {
        Asks::Lines(lines)
    };
    Some(Case {
        name: name.to_owned(),
        test: words.to_owned(),
        dir,
        file,
        jobs: list(handler, "job"),
        variables: list(handler, "variable"),
        inputs: list(handler, "input"),
        twice: name == "cache-double-run",
        asks,
    })
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("a case").flatten() {
        let (path, dest) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &dest);
        } else {
            std::fs::copy(&path, &dest).expect("copied");
        }
    }
}

/// The variables that the peer reads from a file of its own beside the configuration.
fn of_file(dir: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(dir.join(".gitlab-ci-local-variables.yml"));
    let text = text.unwrap_or_default();
    let plain = text
        .lines()
        .filter(|line| !line.starts_with([' ', '#', '-']));
    let pairs = plain.filter_map(|line| line.split_once(": "));
    let pair = |(name, value): (&str, &str)| format!("{name}={}", value.trim_matches(['"', '\'']));
    pairs.map(pair).collect()
}

/// Runs a case and says what is missing; nothing if all is there.
fn missing(case: &Case) -> Vec<String> {
    let dir = tempfile::tempdir().expect("a directory");
    let work = dir.path().join("work");
    copy(&case.dir, &work);
    let git = "git init -q -b main && git add -A -f . && \
               git -c user.name=a -c user.email=a@b commit -qm case";
    let done = Command::new("sh")
        .args(["-c", git])
        .current_dir(&work)
        .status();
    assert!(done.expect("git").success());
    let mut words: Vec<String> = match case.asks {
        Asks::Compiles => vec!["compile".into()],
        Asks::Refusal => vec!["validate".into()],
        _ => ["run", "-v", "--executor", "local", "--hold", "finish"]
            .map(Into::into)
            .to_vec(),
    };
    words.extend(["--config".into(), case.file.clone()]);
    let mut option = |name: &str, values: &[String]| {
        for value in values {
            words.extend([name.to_owned(), value.clone()]);
        }
    };
    option("--var", &of_file(&work));
    option("--var", &case.variables);
    option("--param", &case.inputs);
    if matches!(case.asks, Asks::Lines(_) | Asks::Success) {
        option("--job", &case.jobs);
    }
    let mut printed = String::new();
    let mut code = None;
    for _ in 0..=usize::from(case.twice) {
        let output = Command::new(ci_path())
            .args(&words)
            .current_dir(&work)
            .env("CI_STORE", dir.path().join("runs.db"))
            .env("CI_STORAGE", dir.path().join("storage"))
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .output()
            .expect("ci starts");
        code = output.status.code();
        printed.push_str(&String::from_utf8_lossy(&output.stderr));
    }
    let unlike = |wanted: i32| {
        let first = printed.lines().last().unwrap_or_default();
        (code != Some(wanted)).then(|| format!("exit code {code:?}, not {wanted}: {first}"))
    };
    match &case.asks {
        Asks::Lines(lines) => {
            let lines = lines.iter().flat_map(|line| line.lines());
            let lines = lines.filter(|line| !line.is_empty() && !is_printed(line, &printed));
            lines.map(str::to_owned).collect()
        }
        Asks::Refusal => {
            let has_place = printed.contains(".yml:");
            let no_place = (!has_place).then(|| format!("no place in: {printed}"));
            unlike(2).or(no_place).into_iter().collect()
        }
        Asks::Success | Asks::Compiles => unlike(0).into_iter().collect(),
    }
}

/// Whether a line that the peer prints is printed here in content: `JOB > TEXT` is the output of a job,
/// `JOB $ COMMAND` what it runs, ` PASS  JOB` how it ended.
fn is_printed(line: &str, printed: &str) -> bool {
    let plain = |text: &str| text.replace(' ', "");
    let ends = [("PASS", "success"), ("FAIL", "failed")];
    for (word, outcome) in ends {
        if let Some(rest) = line.trim().strip_prefix(word) {
            if let Some(rest) = rest.trim().strip_suffix("% coverage")
                && let Some((job, percent)) = rest.rsplit_once(' ')
            {
                let told = plain(&format!("{job}|coverage:{percent}%"));
                return printed.lines().any(|it| plain(it) == told);
            }
            let row = plain(&format!("{}{outcome}", rest.trim()));
            let is_row = |it: &str| it.starts_with(['✓', '✗']) && plain(it).contains(&row);
            return printed.lines().any(is_row);
        }
    }
    // Templates of the peer's test stand for a name or a colour.
    let line = line.trim_start_matches("\\n");
    let found = [" > ", " $ "].into_iter().find_map(|mark| {
        let (_, text) = line.split_once(mark)?;
        let text = text.replace("\\\"", "\"");
        Some(if mark == " $ " {
            format!("$ {text}")
        } else {
            text
        })
    });
    let text = found.unwrap_or_else(|| line.trim_end_matches([' ', '>']).to_owned());
    let shown = |it: &str| {
        it.split_once(" | ")
            .is_some_and(|(_, it)| it.trim_end() == text.trim())
    };
    text.is_empty() || printed.lines().any(shown)
}

#[test]
fn the_cases_of_a_peer_come_out_the_same() {
    let file = corpus().join("expectations.json");
    let Ok(text) = std::fs::read_to_string(&file) else {
        println!(
            "the corpus is not at `{}`: nothing was compared",
            file.display()
        );
        return;
    };
    let all: BTreeMap<String, Value> = serde_json::from_str(&text).expect("expectations");
    let tests = |case: &Value| case["tests"].as_array().cloned().unwrap_or_default();
    let total: usize = all.values().map(|case| tests(case).len()).sum();
    let cases = all.iter().flat_map(|(name, value)| {
        let tests = tests(value).into_iter();
        tests.filter_map(move |test| case(name, &test))
    });
    let cases: Vec<Case> = cases.collect();
    let rows = DEVIATIONS.lines().filter(|line| !line.starts_with('#'));
    let rows: Vec<Vec<&str>> = rows.map(|line| line.split('\t').collect()).collect();
    let of_row =
        |row: &[&str], case: &Case| row[0] == case.name && (row[1] == "*" || row[1] == case.test);
    let reason = |case: &Case| rows.iter().find(|row| of_row(row, case)).map(|row| row[2]);
    for row in &rows {
        assert_eq!(row.len(), 3, "{row:?}");
        assert!(
            cases.iter().any(|case| of_row(row, case)),
            "no such test: {row:?}"
        );
    }
    // Two at a time: each waits for the other's processes more than for the machine.
    let (queue, bad) = (Mutex::new(cases.iter()), Mutex::new(Vec::new()));
    let (same, stale) = (Mutex::new(0_usize), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(case) = { queue.lock().expect("queue").next() } {
                    let reason = reason(case);
                    if reason.is_some_and(|why| why.starts_with("images:")) {
                        continue;
                    }
                    let missing = missing(case);
                    match (missing.is_empty(), reason) {
                        (true, None) => *same.lock().expect("same") += 1,
                        (true, Some(_)) => stale.lock().expect("stale").push(case),
                        (false, Some(_)) => {}
                        (false, None) => bad.lock().expect("bad").push((case, missing)),
                    }
                }
            });
        }
    });
    let stale = stale.into_inner().expect("stale");
    // A row for all tests of a case may stand for some that come out the same.
    let same = same.into_inner().expect("same") + stale.len();
    let listed = cases.iter().filter(|case| reason(case).is_some()).count();
    let deviating = listed - stale.len();
    println!(
        "gitlab-ci-local: {same} of {} tests of configurations come out the same, {deviating} deviate \
         with a reason; {} more are about the peer's own program",
        cases.len(),
        total - cases.len(),
    );
    for case in &stale {
        println!("listed, and the same: {} | {}", case.name, case.test);
    }
    let bad = bad.into_inner().expect("bad");
    for (case, missing) in &bad {
        println!("{}\t{}\t{:?}: {missing:?}", case.name, case.test, case.asks);
    }
    assert!(bad.is_empty(), "{} tests come out otherwise", bad.len());
    let named = |case: &&&Case| rows.iter().any(|row| row[1] == case.test);
    let named: Vec<_> = stale.iter().filter(named).map(|case| &case.test).collect();
    assert!(named.is_empty(), "these deviate no more: {named:?}");
}
