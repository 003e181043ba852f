//! A small report of each format, and what it says.

use super::*;

fn check(format: Format, text: &str, expected: &str) {
    let report = parse(text);
    assert_eq!(report.format, format);
    assert_eq!(view(&report.coverage), expected);
    assert_eq!(report.diagnostics, []);
}

#[test]
fn lcov_one() {
    let text = "TN:a\nSF:a,b.c\nFNDA:2,f\nFN:1,f\nFN:5,8,g\nFNDA:0,g\nDA:1,2,check\nDA:2,-1\nDA:3,1e3\r\n\
                BRDA:1,0,0,1\nBRDA:1,0,1,-\nBRDA:2,0,jump to line 7, or 8,0\nend_of_record\n\
                TN:b\nSF:a,b.c\nDA:1,1\nBRDA:1,0,1,4\nend_of_record\n";
    check(
        Format::Lcov,
        text,
        "a,b.c 1:3 2:0 3:1000 | 1=2/2 2=0/1 | f@1=2 g@5=0\n",
    );
}

#[test]
fn lcov_two() {
    let text = "SF:a.c\nVER:1\nFNL:0,3,9\nFNA:0,2,_Zb\nFNA:0,1,_Za\nFNL:1,11\nFNA:1,0,h\n\
                BRDA:3,e0,0,1\nBRDA:3,U0,1,0\nBRDA:3,f0,2,0\nBRDA:3,x,y,1\n\
                MCDC:3,2,t,1,0,a\nDA:3,1\nend_of_record\n";
    check(Format::Lcov, text, "a.c 3:1 | 3=2/3 | _Za@3=3 h@11=0\n");
}

#[test]
fn lcov_with_sums_alone() {
    let report = parse("SF:a.c\nLF:7\nLH:5\nBRF:0\nBRH:0\nFNF:2\nFNH:9\nend_of_record\n");
    let totals = report.coverage.totals();
    assert_eq!(totals.lines, Ratio::new(5, 7));
    assert_eq!(totals.functions, Ratio::new(2, 2));
}

#[test]
fn lcov_says_what_it_leaves_out() {
    let text = "DA:1,1\nSF:a.c\nDA:0,1\nDA:2,undefined\nwhat\nDA:3,1\nSF:b.c\nDA:1,1\n";
    let report = read(text.as_bytes()).unwrap();
    assert_eq!(view(&report.coverage), "a.c 3:1 | |\nb.c 1:1 | |\n");
    let places: Vec<_> = report
        .diagnostics
        .iter()
        .map(|it| (it.line, it.offset, it.kind.name()))
        .collect();
    let expected = [
        (1, 0, "unbalanced"),
        (3, 14, "value"),
        (4, 21, "value"),
        (5, 36, "value"),
        (8, 55, "truncated"),
    ];
    assert_eq!(places, expected);
}

#[test]
fn go_blocks_that_repeat_are_one() {
    let text = "mode: count\nm/a.go:3.10,5.2 2 1\nm/a.go:5.2,6.3 1 0\nm/a.go:3.10,5.2 2 4\n\
                mode: set\nC:\\m\\b.go:1.1,1.9 1 1\nC:\\m\\b.go:1.1,1.9 1 1\n";
    check(
        Format::Go,
        text,
        "C:\\m\\b.go 1:1 | |\nm/a.go 3:5 4:5 5:5 6:0 | |\n",
    );
}

#[test]
fn gcov_text_with_a_template() {
    let text = "        -:    0:Source:a.cpp\n       2*:    3:template\nbranch  0 taken 1 (fallthrough)\n\
                ------------------\n_Z1fd:\nfunction _Z1fd called 1 returned 100% blocks executed 80%\n\
                \x20      1*:    3:template\nbranch  0 taken 0 (fallthrough)\nbranch  1 taken 1\n\
                ------------------\n_Z1fi:\nfunction _Z1fi called 1 returned 100% blocks executed 80%\n\
                \x20      1*:    3:template\nbranch  0 never executed\ncall    1 returned 1\n\
                ------------------\n    #####:    4:x\n    =====:    5:y\n     1.5k:    6:z\n        -:    7:}\n";
    let expected = "a.cpp 3:2 4:0 5:0 6:1500 | 3=2/4 | _Z1fd@3=1 _Z1fi@3=1\n";
    check(Format::GcovText, text, expected);
}

#[test]
fn gcov_and_gcovr_json() {
    let text = r#"{"files":[{"lines":[
        {"branches":[{"count":1,"throw":false,"fallthrough":true},{"count":0}],"count":2,"line_number":3},
        {"branches":[{"count":1}],"count":1,"line_number":3},{"count":-1,"line_number":4}],
        "functions":[{"name":"_Z1f","demangled_name":"f()","start_line":3,"end_line":4,"execution_count":2}],
        "file":"a.c"}],"gcc_version":"12"}"#;
    check(Format::GcovJson, text, "a.c 3:3 4:0 | 3=2/3 | f()@3=2\n");
    let text = r#"{"gcovr/format_version":"0.15","files":[{"file":"a.c","lines":[
        {"line_number":3,"count":2,"branches":[{"count":1},{"count":0,"gcovr/excluded":true}]},
        {"line_number":3,"count":1,"branches":[{"count":0}]},
        {"line_number":4,"count":0,"gcovr/excluded":true},{"line_number":5,"count":0,"gcovr/noncode":true}],
        "functions":[{"name":"f","lineno":3,"execution_count":2}]}]}"#;
    check(Format::GcovrJson, text, "a.c 3:3 | 3=1/2 | f@3=2\n");
}

#[test]
fn coveralls() {
    let text = r#"{"service_name":"x","source_files":[
        {"name":"a.ex","coverage":[null,1,0,"2",1.0],"branches":[2,0,0,1,2,0,1,0]},
        {"name":"b.rb","coverage":"[null,3,0]"}]}"#;
    check(
        Format::Coveralls,
        text,
        "a.ex 2:1 3:0 4:2 5:1 | 2=1/2 |\nb.rb 2:3 3:0 | |\n",
    );
}

#[test]
fn coverage_py() {
    let text = r#"{"meta":{"format":3},"files":{"a.py":{"executed_lines":[1,2],"missing_lines":[4],
        "executed_branches":[[2,4],[2,-1]],"missing_branches":[[2,3]],
        "functions":{"":{"executed_lines":[1]},"A.m":{"executed_lines":[2],"missing_lines":[4],"start_line":1}}}},
        "totals":{}}"#;
    check(
        Format::CoveragePy,
        text,
        "a.py 1:1 2:1 4:0 | 2=2/3 | A.m@1=1\n",
    );
}

#[test]
fn istanbul() {
    let text = r#"{"/a.js":{"path":"/a.js","statementMap":{"0":{"start":{"line":1,"column":0},"end":{"line":1,"column":null}},
        "1":{"start":{"line":1,"column":9},"end":{"line":2,"column":1}},"2":{"start":{"line":3,"column":0}}},
        "s":{"0":1,"1":5,"2":0},
        "fnMap":{"0":{"name":"m","decl":{"start":{"line":1,"column":1}},"loc":{"end":{"line":2}}},
                 "1":{"name":"m","decl":{"start":{"line":3,"column":2}}}},"f":{"0":2,"1":0},
        "branchMap":{"0":{"type":"if","loc":{"start":{"line":1,"column":3}}},
                     "1":{"type":"cond-expr","loc":{"start":{"line":1,"column":3}}}},"b":{"0":[1,0],"1":[0,0,1]}},
        "/b.js":{"data":{"path":"/b.js","statementMap":{},"s":{}}}}"#;
    let expected = "/a.js 1:5 3:0 | 1=2/5 | m:1:1@1=2 m:3:2@3=0\n/b.js | |\n";
    check(Format::Istanbul, text, expected);
}

#[test]
fn summaries() {
    let text = r#"{"total":{"lines":{"total":9,"covered":8,"skipped":0,"pct":"Unknown"}},
        "/a.js":{"lines":{"total":3,"covered":2,"pct":66.6},"branches":{"total":2,"covered":1,"pct":50}}}"#;
    let report = parse(text);
    assert_eq!(report.format, Format::IstanbulSummary);
    let totals = report.coverage.totals();
    assert_eq!(
        (totals.lines, totals.branches),
        (Ratio::new(2, 3), Ratio::new(1, 2))
    );
}

#[test]
fn simplecov() {
    let text = r#"{"one":{"coverage":{"a.rb":[1,null,0,null,"ignored"]},"timestamp":1},
        "two":{"coverage":{"a.rb":{"lines":[1,0,0,3,null,2],
        "branches":{"[:if, 0, 3, 6, 13, 10]":{"[:then, 1, 4, 0, 4, 9]":2,"[:else, 2, 5, 0, 5, 9]":0}}}},"timestamp":2}}"#;
    check(Format::SimpleCov, text, "a.rb 1:2 3:0 4:3 6:2 | 3=1/2 |\n");
    let text = r#"{"meta":{"simplecov_version":"0.22"},"coverage":{"a.rb":{"lines":[1,null],
        "branches":[{"type":"then","start_line":14,"end_line":14,"coverage":1,"report_line":13}]}}}"#;
    check(Format::SimpleCov, text, "a.rb 1:1 | 13=1/1 |\n");
}

#[test]
fn llvm_cov() {
    let text = r#"{"data":[{"files":[{"filename":"a.rs","segments":[[1,1,3,true,true,false],[2,5,0,true,true],
        [2,9,3,true,false,false],[4,1,0,false,false,false],[6,1,0,true,true,false],[7,2,0,false,false,false]],
        "branches":[[2,5,2,9,1,0,0,0,4]],"summary":{"lines":{"count":6,"covered":4}}}],
        "functions":[{"name":"f","count":3,"filenames":["a.rs"],"regions":[[1,1,4,1,3,0,0,0]]}],"totals":{}}],
        "type":"llvm.coverage.json.export","version":"2.0.1"}"#;
    check(
        Format::LlvmCov,
        text,
        "a.rs 1:3 2:3 3:3 4:3 6:0 7:0 | 2=1/2 | f@1=3\n",
    );
}

#[test]
fn codecov() {
    let text = r#"{"coverage":{"a.rs":{"1":"1/2","3":2,"4":true,"5":null,"x":1}}}"#;
    check(Format::Codecov, text, "a.rs 1:1 3:2 4:1 | 1=1/2 |\n");
}

#[test]
fn cobertura() {
    let text = r#"<?xml version="1.0"?><!DOCTYPE coverage SYSTEM "x"><coverage line-rate="NaN"><sources>
        <source>/src</source><source> </source></sources><packages><package name="p"><classes>
        <class name="a.py" filename="a.py"><methods><method name="f" signature="()" line-rate="1"><lines>
        <line number="1" hits="9"/></lines></method></methods><lines><line number="1" hits="9" branch="True"
        condition-coverage="50% (1/2)"/><line number="2" hits="1e3"/><line number="3" hits="-4"/></lines></class>
        <class name="a.Inner" filename="a.py"><methods><method name="g" signature="" line-rate="0"><lines>
        <line number="3" hits="2"/><line number="7" hits="0"/></lines></method></methods></class>
        </classes></package></packages></coverage>"#;
    let expected = "a.py 1:9 2:1000 3:2 7:0 | 1=1/2 | a.Inner.g@3=2 f()@1=9\n";
    check(Format::Cobertura, text, expected);
    assert_eq!(parse(text).coverage.roots().collect::<Vec<_>>(), ["/src"]);
}

#[test]
fn jacoco() {
    let text = r#"<report name="r"><sessioninfo id="1"/><group name="g"><package name="com/me">
        <class name="com/me/A" sourcefilename="A.java"><method name="m" desc="()V" line="3">
        <counter type="METHOD" missed="0" covered="1"/></method></class>
        <sourcefile name="A.java"><line nr="3" mi="0" ci="4" mb="1" cb="3"/><line nr="4" mi="2" ci="0" mb="0" cb="0"/>
        <line nr="5"/><counter type="LINE" missed="1" covered="1"/></sourcefile></package></group></report>"#;
    let expected = "com/me/A.java 3:1 4:0 5:? | 3=3/4 | com/me/A.m()V@3=1\n";
    check(Format::Jacoco, text, expected);
    assert_eq!(parse(text).coverage.totals().lines, Ratio::new(1, 2));
}

#[test]
fn clover() {
    let text = r#"<coverage generated="1"><project><package name="p"><file name="A.php" path="/src/A.php">
        <line num="3" type="method" name="m" count="2"/><line num="3" type="stmt" count="1"/>
        <line num="4" type="cond" truecount="1" falsecount="0"/></file></package></project>
        <testproject><file name="T.php"><line num="1" type="stmt" count="1"/></file></testproject></coverage>"#;
    check(
        Format::Clover,
        text,
        "/src/A.php 3:2 4:1 | 4=1/2 | m:3@3=2\n",
    );
}

#[test]
fn sonar() {
    let text = r#"<coverage version="1"><file path="a.c"><lineToCover lineNumber="3" covered="true"
        branchesToCover="4" coveredBranches="3"/><lineToCover lineNumber="4" covered="false"/></file></coverage>"#;
    check(Format::Sonar, text, "a.c 3:1 4:0 | 3=3/4 |\n");
}

#[test]
fn opencover() {
    let text = r#"<CoverageSession><Modules><Module skippedDueTo="Filter"/><Module><Files>
        <File uid="1" fullPath="C:\a.cs"/></Files><Classes><Class><Methods><Method><Name>A::m()</Name><FileRef uid="1"/>
        <SequencePoints><SequencePoint vc="3" sl="2" el="3"/><SequencePoint vc="99999999999" sl="3" el="3" fileid="1"/>
        </SequencePoints><BranchPoints><BranchPoint vc="1" sl="2" offset="4" path="0"/>
        <BranchPoint vc="0" sl="2" offset="4" path="1"/></BranchPoints></Method></Methods></Class></Classes>
        </Module></Modules></CoverageSession>"#;
    check(
        Format::OpenCover,
        text,
        "C:\\a.cs 2:3 3:99999999999 | 2=1/2 | A::m()@2=3\n",
    );
}

#[test]
fn packed_and_foreign_encodings_are_read() {
    use std::io::Write as _;
    let text = "SF:ä.c\nDA:1,1\nend_of_record\n";
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(text.as_bytes()).unwrap();
    let wide: Vec<u8> = "\u{feff}"
        .encode_utf16()
        .chain(text.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    for bytes in [packer.finish().unwrap(), wide] {
        let report = read(&bytes[..]).unwrap();
        assert_eq!(view(&report.coverage), "ä.c 1:1 | |\n");
    }
}
