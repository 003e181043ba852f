//! A small report in each format beside JUnit.

use crate::report::tests::{Format, Outcome, TestReport, read, read_slice};

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
