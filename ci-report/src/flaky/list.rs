//! Failed tests as the arguments by which a test runner runs only them.

use std::collections::{BTreeMap, BTreeSet};

/// A test that is to run again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct FailedTest {
    /// Its class, module, package or group.
    pub class: String,
    /// Its name.
    pub name: String,
    /// The file that it stands in, where the report says so.
    pub file: Option<String>,
}

impl FailedTest {
    /// The test `name` of `class`.
    #[must_use]
    pub fn new(class: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            class: class.into(),
            name: name.into(),
            file: None,
        }
    }

    /// Says in which file it stands.
    #[must_use]
    pub fn file(mut self, file: Option<String>) -> Self {
        self.file = file;
        self
    }
}

/// Who takes the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Runner {
    /// Anybody: `class::name`.
    Lines,
    /// Anybody that takes files: those with failed tests, where reports tell them.
    Files,
    /// `pytest`: node ids.
    Pytest,
    /// `go test`: `-run` and the packages.
    Go,
    /// `jest` and `vitest`: a pattern of names, and the files.
    Jest,
    /// `cargo test`: names behind `--exact`.
    Cargo,
    /// `cargo nextest run`: a filter expression.
    Nextest,
    /// Maven Surefire: `-Dtest=`.
    Maven,
    /// Gradle: `--tests` for each.
    Gradle,
}

/// The arguments by which `runner` runs only `tests`, one string an argument; none for no tests. The
/// order is that of the tests, and no argument stands twice.
///
/// ```
/// use ci_report::flaky::{FailedTest, Runner, arguments};
///
/// let tests = [FailedTest::new("tests.test_net.TestPing", "test_slow[1]")];
/// let nodes = arguments(Runner::Pytest, &tests);
/// assert_eq!(nodes, ["tests/test_net.py::TestPing::test_slow[1]"]);
/// ```
#[must_use]
pub fn arguments(runner: Runner, tests: &[FailedTest]) -> Vec<String> {
    if tests.is_empty() {
        return Vec::new();
    }
    match runner {
        Runner::Lines => unique(tests.iter().map(line)),
        Runner::Files => unique(tests.iter().filter_map(|test| test.file.clone())),
        Runner::Pytest => unique(tests.iter().map(node_id)),
        Runner::Go => go(tests),
        Runner::Jest => jest(tests),
        Runner::Cargo => {
            let names = tests.iter().map(|test| test.name.clone());
            unique(std::iter::once("--exact".to_owned()).chain(names))
        }
        Runner::Nextest => {
            let tests = unique(tests.iter().map(|test| format!("test(={})", test.name)));
            vec!["-E".to_owned(), tests.join(" | ")]
        }
        Runner::Maven => vec![maven(tests)],
        Runner::Gradle => {
            let names = tests
                .iter()
                .map(|test| format!("{}.{}", test.class, method(test)));
            let pairs = unique(names)
                .into_iter()
                .map(|name| ["--tests".to_owned(), name]);
            pairs.flatten().collect()
        }
    }
}

fn unique(words: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    words.filter(|word| seen.insert(word.clone())).collect()
}

fn line(test: &FailedTest) -> String {
    if test.class.is_empty() {
        test.name.clone()
    } else {
        format!("{}::{}", test.class, test.name)
    }
}

/// `path/to/module.py::Class::name[parameters]`. Where the report names no file, the class is the
/// module with the classes behind it, and classes begin with a capital letter (PEP 8).
fn node_id(test: &FailedTest) -> String {
    let parts: Vec<&str> = test.class.split('.').collect();
    let is_class = |part: &&str| part.starts_with(char::is_uppercase);
    let modules = parts.iter().position(is_class).unwrap_or(parts.len());
    let (modules, classes) = parts.split_at(modules);
    let file = test
        .file
        .clone()
        .unwrap_or_else(|| format!("{}.py", modules.join("/")));
    let inner = classes.iter().copied().chain([test.name.as_str()]);
    std::iter::once(file.as_str())
        .chain(inner)
        .collect::<Vec<_>>()
        .join("::")
}

/// `-run=^(TestA|TestB)$` and the packages. A failed subtest runs its whole test again: a pattern for
/// both would leave out other tests.
fn go(tests: &[FailedTest]) -> Vec<String> {
    let top = |test: &FailedTest| {
        let name = test.name.split('/').next();
        escaped(name.unwrap_or_default())
    };
    let names = unique(tests.iter().map(top)).join("|");
    let packages = tests.iter().map(|test| test.class.clone());
    let packages = unique(packages.filter(|package| !package.is_empty()));
    let mut words = vec![format!("-run=^({names})$")];
    words.extend(packages);
    words
}

/// `--testNamePattern=(a|b)` and the files.
fn jest(tests: &[FailedTest]) -> Vec<String> {
    let names = unique(tests.iter().map(|test| escaped(&test.name))).join("|");
    let files = tests.iter().filter_map(|test| test.file.clone());
    let mut words = vec![format!("--testNamePattern=({names})")];
    words.extend(unique(files));
    words
}

/// `-Dtest=a.Class#one+two,b.Other#three`.
fn maven(tests: &[FailedTest]) -> String {
    let mut classes: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for test in tests {
        let methods = classes.entry(&test.class).or_default();
        let method = method(test);
        if !methods.contains(&method) {
            methods.push(method);
        }
    }
    let classes: Vec<String> = classes
        .iter()
        .map(|(class, methods)| format!("{class}#{}", methods.join("+")))
        .collect();
    format!("-Dtest={}", classes.join(","))
}

/// The method of a test of Java, without the parameters behind it.
fn method(test: &FailedTest) -> String {
    let end = test.name.find(['(', '[', '{']).unwrap_or(test.name.len());
    test.name[..end].trim().to_owned()
}

/// A text as a regular expression for it.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if r"\.+*?()|[]{}^$".contains(letter) {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}
