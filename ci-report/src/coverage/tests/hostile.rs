//! Reports that are damaged, or meant to do damage.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

/// Reads `text` within a minute, which is ages, whatever comes of it.
fn survives(text: &[u8]) -> Option<Report> {
    let start = Instant::now();
    let report = read(text).ok();
    assert!(
        start.elapsed() < Duration::from_mins(1),
        "took {:?}",
        start.elapsed()
    );
    report
}

#[test]
fn what_is_no_report_is_an_error() {
    for text in [
        "",
        "\n\n",
        "hello",
        "<html/>",
        "<testsuite/>",
        "{}",
        "[]",
        "{\"a\":1}",
        "\u{feff}",
    ] {
        let error = read(text.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), CoverageErrorKind::UnknownFormat, "{text:?}");
    }
}

#[test]
fn what_was_complete_before_the_damage_is_kept() {
    let cobertura = r#"<coverage line-rate="1"><class filename="a.py"><lines><line number="1" hits="1"/><line num"#;
    let json = r#"{"meta":{},"files":{"a.py":{"executed_lines":[1]},"b.py":{"execut"#;
    for text in [cobertura, json] {
        let report = read(text.as_bytes()).unwrap();
        assert_eq!(view(&report.coverage), "a.py 1:1 | |\n");
        assert!(report.is_damaged(), "{:?}", report.diagnostics);
    }
}

#[test]
fn deep_nesting_needs_no_stack() {
    let json = format!("{{\"source_files\":{}", "[".repeat(300_000));
    assert!(survives(json.as_bytes()).unwrap().is_damaged());
    let xml = format!("<coverage line-rate=\"1\">{}", "<package>".repeat(300_000));
    assert!(survives(xml.as_bytes()).unwrap().is_damaged());
}

#[test]
fn a_file_that_comes_again_and_again_is_put_in_order_once_in_a_while() {
    let mut text = String::from("SF:a\n");
    for line in 1..100_000 {
        writeln!(text, "DA:{line},1").unwrap();
    }
    text.push_str("end_of_record\n");
    text.push_str(&"SF:a\nDA:7,1\nend_of_record\n".repeat(50_000));
    let report = survives(text.as_bytes()).unwrap();
    assert_eq!(
        report.coverage.file("a").unwrap().line(7).unwrap().hits(),
        Some(50_001)
    );
}

#[test]
fn spans_of_billions_of_lines_are_left_out() {
    let go = "mode: set\na.go:1.1,4294967295.1 1 1\na.go:5.1,6.1 1 1\n";
    assert_eq!(
        view(&survives(go.as_bytes()).unwrap().coverage),
        "a.go 5:1 6:1 | |\n"
    );
    let llvm = r#"{"data":[{"files":[{"filename":"a","segments":[[1,1,1,true,true],[4294967295,1,0,false,false]]}]}],"type":"x"}"#;
    let report = survives(llvm.as_bytes()).unwrap();
    assert!(report.coverage.file("a").unwrap().lines().len() < 3);
    let opencover = r#"<CoverageSession><Module><File uid="1" fullPath="a"/><Method><FileRef uid="1"/>
        <SequencePoint vc="1" sl="1" el="4294967295"/></Method></Module></CoverageSession>"#;
    assert_eq!(
        view(&survives(opencover.as_bytes()).unwrap().coverage),
        "a 1:1 | | @1=1\n"
    );
}

#[test]
fn a_few_bytes_become_no_gigabytes() {
    let mut go = String::from("mode: set\n");
    for file in 0..2_000 {
        writeln!(go, "{file}.go:1.1,100000.1 1 1").unwrap();
    }
    let mut told = Told::default();
    visit(go.as_bytes(), &mut told).unwrap();
    assert_eq!(told.lines, 20_000_000);
    assert_eq!(told.kinds.first(), Some(&"limit"));
}

/// Counts what it is told.
#[derive(Default)]
struct Told {
    lines: u64,
    kinds: Vec<&'static str>,
}

impl Visitor for Told {
    fn line(&mut self, _: u32, _: Option<u64>) {
        self.lines += 1;
    }

    fn diagnostic(&mut self, diagnostic: crate::Diagnostic) {
        self.kinds.push(diagnostic.kind.name());
    }
}

#[test]
fn blocks_within_blocks_take_no_longer_for_being_many() {
    let mut go = String::from("mode: count\n");
    for end in 0..50_000 {
        writeln!(go, "a.go:1.1,{}.1 1 {end}", end + 50_000).unwrap();
    }
    let report = survives(go.as_bytes()).unwrap();
    assert_eq!(report.coverage.totals().lines.total, 99_999);
}

#[test]
fn functions_are_found_by_their_index_at_once() {
    let mut text = String::from("SF:a\n");
    for index in 0..200_000 {
        writeln!(text, "FNL:{index},1").unwrap();
    }
    text.push_str(&"FNA:0,1,f\n".repeat(200_000));
    text.push_str("end_of_record\n");
    let report = survives(text.as_bytes()).unwrap();
    assert_eq!(
        report
            .coverage
            .file("a")
            .unwrap()
            .functions()
            .next()
            .unwrap()
            .hits(),
        Some(200_000)
    );
}

#[test]
fn diagnostics_are_bounded() {
    let text = format!("SF:a\n{}end_of_record\n", "DA:x,1\n".repeat(10_000));
    let report = survives(text.as_bytes()).unwrap();
    assert_eq!(report.diagnostics.len(), 100);
    assert_eq!(
        report.diagnostics[99].message,
        "more is wrong than is listed"
    );
}

/// Reports of all kinds, of which the test below makes broken ones.
const SEEDS: [&str; 12] = [
    "TN:\nSF:a\nFN:1,f\nFNDA:1,f\nFNL:0,1,2\nFNA:0,1,g\nBRDA:1,e0,x,1\nDA:1,1\nend_of_record\n",
    "mode: set\na.go:1.1,2.2 1 1\nb.go:3.1,4.2 1 0\n",
    "        -:    0:Source:a\nfunction f called 1\n      1*:    1:x\nbranch  0 taken 1\n",
    r#"{"source_files":[{"name":"a","coverage":[null,1],"branches":[1,0,0,1]}]}"#,
    r#"{"meta":{},"files":{"a":{"executed_lines":[1],"executed_branches":[[1,-1]],"functions":{"f":{}}}}}"#,
    r#"{"a":{"statementMap":{"0":{"start":{"line":1}}},"s":{"0":1},"branchMap":{},"b":{}}}"#,
    r#"{"s":{"coverage":{"a":{"lines":[1,null],"branches":{"[:if, 0, 3]":{"x":1}}}}}}"#,
    r#"{"data":[{"files":[{"filename":"a","segments":[[1,1,1,true,true],[2,1,0,false,false]]}]}],"type":"x"}"#,
    r#"<coverage line-rate="1"><class filename="a"><method name="m"><line number="1" hits="1"/></method></class></coverage>"#,
    r#"<report><package name="p"><sourcefile name="a"><line nr="1" ci="1" mb="1" cb="1"/></sourcefile></package></report>"#,
    r#"<coverage generated="1"><file name="a"><line num="1" type="cond" truecount="1"/></file></coverage>"#,
    r#"<CoverageSession><File uid="1" fullPath="a"/><Method><FileRef uid="1"/><SequencePoint vc="1" sl="1"/></Method></CoverageSession>"#,
];

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        seed in 0..SEEDS.len(),
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 0..8),
    ) {
        let mut bytes = SEEDS[seed].as_bytes().to_vec();
        for (at, byte, what) in cuts {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match what {
                0 => bytes[at] = byte,
                1 => bytes.truncate(at),
                _ => bytes.insert(at, b"\"0<{[,:9"[usize::from(byte) % 8]),
            }
        }
        if let Ok(report) = read(&bytes[..]) {
            let totals = report.coverage.totals();
            prop_assert!(totals.lines.covered <= totals.lines.total);
            prop_assert!(totals.branches.covered <= totals.branches.total);
            write_lcov(&report.coverage, &mut Vec::new()).unwrap();
            write_cobertura(&report.coverage, &mut Vec::new()).unwrap();
        }
    }
}
