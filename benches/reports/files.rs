//! Reports as tools write them, generated to a wanted size, with what they say.

use std::io::{self, Write};

/// Numbers that look random and are the same in every run (the constants of Knuth's MMIX).
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below.max(1)
    }
}

/// What a report of tests says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tests {
    /// Its cases.
    pub cases: u64,
    /// Those that failed.
    pub failed: u64,
}

/// What a report of coverage says: how many of each, and those that ran.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Covered {
    /// Lines that can run.
    pub lines: u64,
    /// Lines that did.
    pub lines_hit: u64,
    /// Ways out of branches.
    pub branches: u64,
    /// Functions.
    pub functions: u64,
}

/// Suites of 100 cases; one case in 50 fails, with a stack trace; one name in eight has a reference.
///
/// # Errors
/// Those of the writer.
pub fn junit(to: &mut impl Write, cases: u64) -> io::Result<Tests> {
    let (mut dice, mut said) = (Dice(1), Tests::default());
    writeln!(to, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    writeln!(to, r#"<testsuites name="everything">"#)?;
    let suites = cases.div_ceil(100);
    for suite in 0..suites {
        let count = (cases - suite * 100).min(100);
        let failures = (0..count)
            .filter(|case| (suite * 100 + case) % 50 == 7)
            .count();
        writeln!(
            to,
            r#"  <testsuite name="com.example.billing.Suite{suite}Test" tests="{count}" failures="{failures}" errors="0" skipped="0" time="{}.{:03}" timestamp="2026-01-02T03:04:05+00:00" hostname="builder-7">"#,
            dice.roll(90),
            dice.roll(1000),
        )?;
        writeln!(
            to,
            "    <properties>\n      <property name=\"java.version\" value=\"21.0.2\"/>\n    </properties>"
        )?;
        for case in 0..count {
            junit_case(to, &mut dice, suite, suite * 100 + case, &mut said)?;
        }
        writeln!(to, "  </testsuite>")?;
    }
    writeln!(to, "</testsuites>")?;
    Ok(said)
}

fn junit_case(
    to: &mut impl Write,
    dice: &mut Dice,
    suite: u64,
    case: u64,
    said: &mut Tests,
) -> io::Result<()> {
    const SUBJECTS: [&str; 5] = ["invoice", "refund", "subscription", "ledger entry", "quote"];
    let subject = SUBJECTS[usize::try_from(dice.roll(5)).unwrap_or_default()];
    write!(
        to,
        r#"    <testcase classname="com.example.billing.Suite{suite}Test" name="keeps the {subject} of customer {case} when the amount is {} {}" file="src/test/java/com/example/billing/Suite{suite}Test.java" line="{}" time="0.{:03}""#,
        if case.is_multiple_of(8) {
            "&lt;"
        } else {
            "above"
        },
        dice.roll(10_000),
        dice.roll(900) + 10,
        dice.roll(1000),
    )?;
    said.cases += 1;
    if case % 50 != 7 {
        return writeln!(to, "/>");
    }
    said.failed += 1;
    write!(
        to,
        r#"><failure message="expected: &lt;{0}&gt; but was: &lt;{1}&gt;" type="org.opentest4j.AssertionFailedError">org.opentest4j.AssertionFailedError: expected: &lt;{0}&gt; but was: &lt;{1}&gt;"#,
        dice.roll(1000),
        dice.roll(1000),
    )?;
    for frame in 0..12 {
        let line = dice.roll(900);
        write!(
            to,
            "\n\tat com.example.billing.Layer{frame}.handle(Layer{frame}.java:{line})"
        )?;
    }
    writeln!(to, "</failure></testcase>")
}

/// Classes of 500 lines, one line in eight with branches, a method for each 25 lines, whose first line
/// stands in it once more.
///
/// # Errors
/// Those of the writer.
pub fn cobertura(to: &mut impl Write, classes: u64) -> io::Result<Covered> {
    const LINES: u64 = 500;
    let (mut dice, mut said) = (Dice(2), Covered::default());
    writeln!(
        to,
        "<?xml version=\"1.0\" ?>\n<coverage line-rate=\"0.7\" branch-rate=\"0.5\" version=\"7.4\" timestamp=\"1767323045\">\n  <sources>\n    <source>/home/builder/project</source>\n  </sources>\n  <packages>"
    )?;
    for class in 0..classes {
        writeln!(
            to,
            r#"    <package name="pkg{class}" line-rate="0.7" branch-rate="0.5" complexity="0">
      <classes>
        <class name="module{class}" filename="src/pkg{class}/module{class}.py" line-rate="0.7" branch-rate="0.5" complexity="0">
          <methods>"#
        )?;
        for method in 0..LINES / 25 {
            writeln!(
                to,
                r#"            <method name="method_{method}" signature="()V" line-rate="1" branch-rate="1">
              <lines><line number="{}" hits="1"/></lines>
            </method>"#,
                method * 25 + 1,
            )?;
            said.functions += 1;
        }
        writeln!(to, "          </methods>\n          <lines>")?;
        for line in 1..=LINES {
            let hits = dice.roll(3) * dice.roll(40);
            said.lines += 1;
            said.lines_hit += u64::from(hits > 0);
            if line % 8 == 0 {
                said.branches += 2;
                let taken = dice.roll(3);
                writeln!(
                    to,
                    r#"            <line number="{line}" hits="{hits}" branch="true" condition-coverage="{}% ({taken}/2)"/>"#,
                    taken * 50,
                )?;
            } else {
                writeln!(to, r#"            <line number="{line}" hits="{hits}"/>"#)?;
            }
        }
        writeln!(
            to,
            "          </lines>\n        </class>\n      </classes>\n    </package>"
        )?;
    }
    writeln!(to, "  </packages>\n</coverage>")?;
    Ok(said)
}

/// Files of 600 lines, every third with two branches, a function for each 20 lines.
///
/// # Errors
/// Those of the writer.
pub fn lcov(to: &mut impl Write, files: u64) -> io::Result<Covered> {
    const LINES: u64 = 600;
    let (mut dice, mut said) = (Dice(3), Covered::default());
    for file in 0..files {
        writeln!(
            to,
            "TN:\nSF:/home/builder/project/src/part{file}/file{file}.cc"
        )?;
        for function in 0..LINES / 20 {
            let start = function * 20 + 1;
            writeln!(to, "FN:{start},_ZN7project4part8function{function}Ev")?;
        }
        for function in 0..LINES / 20 {
            let calls = dice.roll(4) * dice.roll(900);
            writeln!(to, "FNDA:{calls},_ZN7project4part8function{function}Ev")?;
            said.functions += 1;
        }
        for line in (3..=LINES).step_by(3) {
            for arm in 0..2 {
                match dice.roll(4) {
                    0 => writeln!(to, "BRDA:{line},0,{arm},-")?,
                    some => writeln!(to, "BRDA:{line},0,{arm},{}", (some - 1) * dice.roll(500))?,
                }
                said.branches += 1;
            }
        }
        for line in 1..=LINES {
            let hits = dice.roll(3) * dice.roll(5_000);
            writeln!(to, "DA:{line},{hits}")?;
            said.lines += 1;
            said.lines_hit += u64::from(hits > 0);
        }
        writeln!(to, "LF:{LINES}\nend_of_record")?;
    }
    Ok(said)
}
