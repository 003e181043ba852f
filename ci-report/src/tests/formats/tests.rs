//! A small report in each format beside JUnit.

use crate::tests::{Format, Outcome, TestReport, read, read_slice};

/// Reads a report whole and in small pieces, and checks its format and its counts: tests, failed,
/// errors, skipped.
fn report(text: &str, format: Format, counts: [u64; 4]) -> TestReport {
    let report = read_slice(text.as_bytes());
    assert_eq!(report.format, Some(format));
    assert_eq!(report.diagnostics, []);
    let found = &report.counts;
    assert_eq!(
        [found.tests, found.failed, found.errors, found.skipped],
        counts
    );
    assert_eq!(pieces(text), report);
    report
}

fn pieces(text: &str) -> TestReport {
    struct Bytes<'a>(&'a [u8]);
    impl std::io::Read for Bytes<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let length = self.0.len().min(3).min(buffer.len());
            buffer[..length].copy_from_slice(&self.0[..length]);
            self.0 = &self.0[length..];
            Ok(length)
        }
    }
    read(Bytes(text.as_bytes())).unwrap()
}

fn names(report: &TestReport) -> Vec<(&str, &str, &str, Outcome)> {
    report
        .cases()
        .map(|case| {
            (
                case.suite.as_str(),
                case.class.as_str(),
                case.name.as_str(),
                case.outcome,
            )
        })
        .collect()
}

#[test]
fn trx() {
    let text = r#"<?xml version="1.0"?><TestRun xmlns="http://microsoft.com/schemas/VisualStudio/TeamTest/2010">
        <Results>
          <UnitTestResult testName="N.C.Good(x: 1.5)" duration="00:00:01.5000000" outcome="Passed"/>
          <UnitTestResult testName="N.C.Bad" outcome="Failed"><Output><StdOut>hello</StdOut>
            <ErrorInfo><Message>no</Message><StackTrace>at C</StackTrace></ErrorInfo></Output>
            <ResultFiles><ResultFile path="a.png"/></ResultFiles></UnitTestResult>
          <UnitTestResult testName="Sum" outcome="Failed"><InnerResults>
            <UnitTestResult testName="Row1" outcome="Timeout"/>
            <UnitTestResult testName="Row2" outcome="NotExecuted"/></InnerResults></UnitTestResult>
        </Results><TestDefinitions><UnitTest name="N.C.Good"/></TestDefinitions></TestRun>"#;
    let report = report(text, Format::Trx, [4, 1, 1, 1]);
    assert_eq!(
        names(&report)[0],
        ("", "N.C", "Good(x: 1.5)", Outcome::Passed)
    );
    let cases: Vec<_> = report.cases().collect();
    assert_eq!(cases[0].time, Some(1.5));
    assert_eq!(cases[1].results[0].message.as_str(), "no");
    assert_eq!(cases[1].results[0].body.as_str(), "at C");
    assert_eq!(
        (cases[1].stdout.as_str(), cases[1].attachments[0].as_str()),
        ("hello", "a.png")
    );
    assert_eq!(cases[2].name, "Row1");
}

#[test]
fn xunit() {
    let text = r#"<assemblies><assembly name="a.dll"><errors/><collection name="c">
        <test name="N.C.Good" type="N.C" method="Good" time="0.25" result="Pass"><traits>
          <trait name="k" value="v"/></traits></test>
        <test name="Shown" type="N.C" result="Fail"><failure exception-type="E"><message>
          <![CDATA[why]]></message><stack-trace>at</stack-trace></failure></test>
        <test name="N.C.Later" type="N.C" result="Skip"><reason>soon</reason></test>
        </collection></assembly></assemblies>"#;
    let report = report(text, Format::Xunit, [3, 1, 0, 1]);
    assert_eq!(names(&report)[0], ("c", "N.C", "Good", Outcome::Passed));
    let cases: Vec<_> = report.cases().collect();
    assert_eq!(cases[0].properties[0].value, "v");
    assert_eq!(
        (cases[1].name.as_str(), cases[1].results[0].kind.as_str()),
        ("Shown", "E")
    );
    assert_eq!(cases[2].results[0].message.as_str(), "soon");
}

#[test]
fn nunit_3() {
    let text = r#"<test-run><test-suite name="s"><test-case name="Good" classname="N.C"
        result="Passed" duration="0.5"/><test-case name="Bad" classname="N.C" result="Failed"
        label="Error"><failure><message>m</message><stack-trace>t</stack-trace></failure>
        <assertions><assertion><message>m</message></assertion></assertions>
        <attachments><attachment><filePath>f.txt</filePath></attachment></attachments></test-case>
        <test-case name="Wrong" result="Failed"/><test-case name="Hm" result="Inconclusive"/>
        </test-suite></test-run>"#;
    let report = report(text, Format::Nunit3, [4, 1, 1, 1]);
    let bad = report.cases().nth(1).unwrap();
    assert_eq!(
        (bad.class.as_str(), bad.results[0].message.as_str()),
        ("N.C", "m")
    );
    assert_eq!(bad.attachments, ["f.txt"]);
}

#[test]
fn nunit_2() {
    let text = r#"<test-results><test-suite name="s"><results>
        <test-case name="N.C.Good" executed="True" result="Success" time="0,5"/>
        <test-case name="N.C.Old" executed="True" success="False"><failure><message>m</message>
        </failure></test-case><test-case name="N.C.No" executed="False" result="Ignored"/>
        </results></test-suite></test-results>"#;
    let report = report(text, Format::Nunit2, [3, 1, 0, 1]);
    assert_eq!(names(&report)[1], ("s", "N.C", "Old", Outcome::Failed));
    assert_eq!(report.cases().next().unwrap().time, Some(0.5));
}

#[test]
fn testng() {
    let text = r#"<testng-results><reporter-output/><suite name="s"><test name="t"><class name="C">
        <test-method name="before" is-config="true" status="PASS"/>
        <test-method name="good" signature="good()[pri:0, instance:p.C@1]" status="PASS"
          duration-ms="1500"/>
        <test-method name="bad" status="FAIL"><exception class="E"><message>m</message>
          <full-stacktrace>t</full-stacktrace></exception></test-method>
        <test-method name="after" is-config="true" status="FAIL"/>
        <test-method name="later" status="SKIP"/></class></test></suite></testng-results>"#;
    let report = report(text, Format::TestNg, [4, 1, 1, 1]);
    assert_eq!(names(&report)[0], ("C", "p.C", "good", Outcome::Passed));
    assert_eq!(report.cases().next().unwrap().time, Some(1.5));
}

#[test]
fn ctest() {
    let text = r#"<Site BuildName="Linux" Name="host"><Testing><TestList><Test>./a</Test></TestList>
        <Test Status="passed"><Name>a</Name><Path>.</Path><Results>
          <NamedMeasurement type="numeric/double" name="Execution Time"><Value>0.5</Value>
          </NamedMeasurement><Measurement><Value>out</Value></Measurement></Results></Test>
        <Test Status="failed"><Name>b</Name><Results><NamedMeasurement name="Exit Code">
          <Value>SEGFAULT</Value></NamedMeasurement></Results></Test>
        <Test Status="notrun"><Name>c</Name></Test></Testing></Site>"#;
    let report = report(text, Format::Ctest, [3, 1, 0, 1]);
    let cases: Vec<_> = report.cases().collect();
    assert_eq!((cases[0].name.as_str(), cases[0].time), ("a", Some(0.5)));
    assert_eq!(cases[0].stdout.as_str(), "out");
    assert_eq!(cases[1].results[0].kind.trim(), "SEGFAULT");
}

#[test]
fn boost() {
    let log = r#"<TestLog><TestSuite name="s" file="a.cpp" line="1"><TestCase name="good">
        <TestingTime>1500000</TestingTime></TestCase><TestCase name="bad" file="a.cpp" line="9">
        <Error file="a.cpp" line="10"><![CDATA[1 != 2]]></Error></TestCase><TestCase name="ugly">
        <Exception>boom</Exception></TestCase><TestCase name="no" skipped="yes" reason="off"/>
        </TestSuite></TestLog>"#;
    let found = report(log, Format::Boost, [4, 1, 1, 1]);
    assert_eq!(found.cases().next().unwrap().time, Some(1.5));
    assert_eq!(
        found.cases().nth(1).unwrap().results[0].message.as_str(),
        "1 != 2"
    );
    let short = r#"<TestResult><TestSuite name="s" result="failed"><TestCase name="a"
        result="passed"/><TestCase name="b" result="aborted"/></TestSuite></TestResult>"#;
    report(short, Format::Boost, [2, 0, 1, 0]);
}

#[test]
fn tap() {
    let text = "some build output\nTAP version 13\n1..6\nok 1 - good # time=5ms\nnot ok 2 - bad\n  ---\n  \
                message: \"why\"\n  duration_ms: 1500\n  ...\n# said after\nok 3 # SKIP no net\nnot ok 4 \
                later # TODO soon\nok 5 - issue #7\nok\n";
    let report = report(text, Format::Tap, [6, 1, 0, 2]);
    let cases: Vec<_> = report.cases().collect();
    assert_eq!(
        (cases[0].name.as_str(), cases[0].time),
        ("good", Some(0.005))
    );
    assert_eq!(
        (cases[1].results[0].message.as_str(), cases[1].time),
        ("why", Some(1.5))
    );
    assert!(
        cases[1].results[0]
            .body
            .as_str()
            .ends_with("1500\nsaid after\n")
    );
    assert_eq!(cases[2].results[0].message.as_str(), "no net");
    assert_eq!(cases[4].name, "issue #7");
}

#[test]
fn tap_with_subtests() {
    let text = "TAP version 14\n# Subtest: outer\n    # Subtest: inner\n        ok 1 - a\n        not \
                ok 2 - b\n        1..2\n    not ok 1 - inner\n    ok 2 - c\n    1..2\nnot ok 1 - outer\n\
                # Subtest: other\n    ok 1 - d\n    1..1\nnot ok 2 - other\n1..2\n";
    let report = report(text, Format::Tap, [5, 2, 0, 0]);
    let found: Vec<_> = names(&report).iter().map(|name| (name.0, name.2)).collect();
    assert_eq!(
        found,
        [
            ("inner", "a"),
            ("inner", "b"),
            ("outer", "c"),
            ("other", "d"),
            ("", "other")
        ]
    );
}

#[test]
fn tap_that_stops() {
    let bail = read_slice(b"1..3\nok 1\nBail out! no disk\n");
    assert!(!bail.is_success());
    assert!(bail.truncated);
    assert_eq!(
        bail.suites
            .iter()
            .flat_map(|suite| &suite.suite.problems)
            .count(),
        1
    );
    let more = read_slice(b"1..1\nok 1\nok 2\n");
    assert_eq!(more.diagnostics[0].kind, crate::DiagnosticKind::Totals);
    report("1..0 # SKIP nothing here\n", Format::Tap, [0, 0, 0, 0]);
}

#[test]
fn go_test() {
    let text = r#"{"Action":"start","Package":"m/a"}
{"Time":"2026-11-21T00:00:00Z","Action":"run","Package":"m/a","Test":"TestGood"}
{"Action":"run","Package":"m/b","Test":"TestBad"}
{"Action":"output","Package":"m/b","Test":"TestBad","Output":"=== RUN   TestBad\n"}
{"Action":"output","Package":"m/b","Test":"TestBad","Output":"    b_test.go:7: no\n"}
{"Action":"pass","Package":"m/a","Test":"TestGood","Elapsed":0.25}
{"Action":"fail","Package":"m/b","Test":"TestBad","Elapsed":0}
{"Action":"skip","Package":"m/b","Test":"TestLater","Elapsed":0}
FAIL	m/b
{"Action":"fail","Package":"m/b","Elapsed":0.1}
{"Action":"run","Package":"m/p","Test":"TestPanics"}
{"Action":"output","Package":"m/p","Test":"TestPanics","Output":"panic: oh\n"}
{"Action":"fail","Package":"m/p","Elapsed":0.1}
{"ImportPath":"m/c [m/c.test]","Action":"build-output","Output":"c.go:1: syntax\n"}
{"Action":"fail","Package":"m/c","Elapsed":0,"FailedBuild":"m/c [m/c.test]"}
{"Action":"pass","Package":"m/a","Elapsed":0.3}
"#;
    let report = report(text, Format::GoTest, [4, 1, 1, 1]);
    assert_eq!(
        names(&report)[0],
        ("m/a", "m/a", "TestGood", Outcome::Passed)
    );
    let cases: Vec<_> = report.cases().collect();
    assert_eq!(cases[1].results[0].body.as_str(), "    b_test.go:7: no\n");
    assert_eq!(
        (cases[3].name.as_str(), cases[3].outcome),
        ("TestPanics", Outcome::Error)
    );
    let suite = report
        .suites
        .iter()
        .find(|suite| suite.suite.name == "m/c")
        .unwrap();
    assert_eq!(suite.suite.problems[0].body.as_str(), "c.go:1: syntax\n");
    let cut =
        read_slice(b"{\"Action\":\"run\",\"Package\":\"p\",\"Test\":\"T\"}\n{\"Action\":\"pa");
    assert!(cut.truncated);
    assert_eq!(cut.counts.errors, 1);
}

#[test]
fn mocha() {
    let text = r#"{"stats":{"tests":3},"tests":[{"title":"a"}],"pending":[{"title":"later",
        "fullTitle":"calc later","err":{}}],"failures":[{"title":"bad {\"x\"]","fullTitle":
        "calc bad {\"x\"]","file":"c.js","duration":1500,"err":{"message":"no","stack":"at c"}}],
        "passes":[{"title":"good","fullTitle":"calc good","currentRetry":1,"err":{}}]}"#;
    let report = report(text, Format::Mocha, [3, 1, 0, 1]);
    let cases: Vec<_> = report.cases().collect();
    assert_eq!(
        (cases[1].class.as_str(), cases[1].name.as_str()),
        ("calc", "bad {\"x\"]")
    );
    assert_eq!(
        (cases[1].time, cases[1].file.as_deref()),
        (Some(1.5), Some("c.js"))
    );
    assert_eq!(cases[1].results[0].body.as_str(), "at c");
    assert!(cases[2].flaky);
}

#[test]
fn jest() {
    let text = r#"{"numTotalTests":3,"snapshot":{"x":[{"testResults":[]}]},"testResults":[
        {"assertionResults":[{"ancestorTitles":["a","b"],"title":"good","status":"passed",
          "duration":5,"retryReasons":["once"]},{"ancestorTitles":[],"title":"bad","status":"failed",
          "failureMessages":["Error: no\n at b"],"location":{"line":3,"column":1}},
          {"title":"later","status":"todo"}],"name":"/t/a.js","status":"failed"},
        {"assertionResults":[],"name":"/t/b.js","status":"failed","message":"syntax"}]}"#;
    let report = report(text, Format::Jest, [3, 1, 0, 1]);
    let cases: Vec<_> = report.cases().collect();
    assert_eq!(
        (cases[0].class.as_str(), cases[0].suite.as_str()),
        ("a > b", "/t/a.js")
    );
    assert!(cases[0].flaky);
    assert_eq!(
        (cases[1].results[0].message.as_str(), cases[1].line),
        ("Error: no", Some(3))
    );
    assert_eq!(
        report.suites[1].suite.problems[0].message.as_str(),
        "syntax"
    );
    let cut = read_slice(&text.as_bytes()[..text.len() - 3]);
    assert!(cut.truncated);
    assert_eq!(cut.counts.tests, 3);
}
