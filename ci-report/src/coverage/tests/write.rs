//! What is written, to the letter.

use super::*;

fn sample() -> Coverage {
    let text = "SF:src/a.rs\nFN:1,f<T>\nFNDA:3,f<T>\nDA:1,3\nDA:2,0\nDA:3,0\nDA:5,0\nBRDA:1,0,0,3\nBRDA:1,e0,1,-\n\
                end_of_record\nSF:src/b|c.rs\nDA:1,1\nend_of_record\n";
    parse(text).coverage
}

fn written(write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>) -> String {
    let mut bytes = Vec::new();
    write(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn json_is_the_contract() {
    let json = written(|out| write_json(&sample(), out));
    let expected = concat!(
        r#"{"lines":{"covered":2,"total":5,"percent":40.0},"#,
        r#""branches":{"covered":1,"total":2,"percent":50.0},"#,
        r#""functions":{"covered":1,"total":1,"percent":100.0},"#,
        r#""files":[{"path":"src/a.rs","lines":{"covered":1,"total":4,"percent":25.0},"#,
        r#""branches":{"covered":1,"total":2,"percent":50.0}},"#,
        r#"{"path":"src/b|c.rs","lines":{"covered":1,"total":1,"percent":100.0},"#,
        r#""branches":{"covered":0,"total":0,"percent":100.0}}]}"#,
        "\n"
    );
    assert_eq!(json, expected);
}

#[test]
fn lcov() {
    let expected = "TN:\nSF:src/a.rs\nFN:1,f<T>\nFNDA:3,f<T>\nFNF:1\nFNH:1\nBRDA:1,0,0,3\nBRDA:1,e0,1,-\n\
                    BRF:2\nBRH:1\nDA:1,3\nDA:2,0\nDA:3,0\nDA:5,0\nLF:4\nLH:1\nend_of_record\n\
                    TN:\nSF:src/b|c.rs\nDA:1,1\nLF:1\nLH:1\nend_of_record\n";
    assert_eq!(written(|out| write_lcov(&sample(), out)), expected);
}

#[test]
fn cobertura_is_read_back_the_same() {
    let sample = sample();
    let text = written(|out| write_cobertura(&sample, out));
    assert!(
        text.contains(
            r#"line-rate="0.4000" branch-rate="0.5000" lines-covered="2" lines-valid="5""#
        )
    );
    assert!(text.contains(r#"<method name="f&lt;T&gt;""#));
    let back = parse(&text);
    assert_eq!(back.format, Format::Cobertura);
    assert_eq!(view(&back.coverage), view(&sample));
}

#[test]
fn a_summary_for_a_terminal() {
    let text = written(|out| write_text(&sample(), SummaryOptions::default(), out));
    let expected = "lines       40.00 %  2 of 5\nbranches    50.00 %  1 of 2\nfunctions  100.00 %  1 of 1\n\n\
                    least covered:\n  25.00 %  src/a.rs  2-3, 5\n";
    assert_eq!(text, expected);
}

#[test]
fn a_summary_for_a_pull_request() {
    let text = written(|out| write_markdown(&sample(), SummaryOptions::default(), out));
    let expected = "| Coverage | | Covered | Total |\n|---|---:|---:|---:|\n| lines | 40.00 % | 2 | 5 |\n\
                    | branches | 50.00 % | 1 | 2 |\n| functions | 100.00 % | 1 | 1 |\n\n\
                    | Least covered | Lines | Missed lines |\n|---|---:|---|\n| `src/a.rs` | 25.00 % | 2-3, 5 |\n";
    assert_eq!(text, expected);
    let none = SummaryOptions::default().least_covered(0);
    assert!(!written(|out| write_markdown(&sample(), none, out)).contains("Least"));
}
