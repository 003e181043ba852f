//! Trends of told runs.

use super::*;

fn point(branch: &str, created: u64, passed: Option<bool>, duration: f64) -> Point {
    Point {
        branch: branch.into(),
        created,
        passed,
        duration: Some(duration),
        ..Point::default()
    }
}

#[test]
fn each_branch_has_its_own_numbers() {
    let mut points: Vec<Point> = [10.0, 10.0, 12.0, 12.0]
        .into_iter()
        .enumerate()
        .map(|(place, took)| point("main", place as u64, Some(place != 1), took))
        .collect();
    points[3].values.insert("size".into(), 7.0);
    points.push(point("<fix>", 99, None, 5.0));
    points.reverse();
    let trends = trends(&points);
    let names: Vec<&str> = trends.iter().map(|it| &*it.branch).collect();
    assert_eq!(
        names,
        ["<fix>", "main"],
        "the branch with the newest run comes first"
    );
    assert_eq!(trends[0].pass_rate, None, "a canceled run says nothing");
    let main = &trends[1];
    assert_eq!((main.runs, main.pass_rate), (4, Some(75.0)));
    let series: Vec<&str> = main.series.iter().map(|it| &*it.name).collect();
    assert_eq!(series, ["duration", "size"]);
    let duration = &main.series[0];
    assert_eq!((duration.last, duration.change), (12.0, Some(20.0)));
    assert!((duration.spread.median - 11.0).abs() < 1e-9);
    assert_eq!(duration.points[0], (0, 10.0), "the oldest comes first");
    assert_eq!(main.series[1].change, None, "one number has no trend");
}

#[test]
fn the_picture_is_xml_whatever_the_names() {
    let mut wild = point("</svg><script>alert(1)</script>\u{1}", 1, Some(true), 0.0);
    wild.values.insert("a & b".into(), f64::NAN);
    let picture = svg(&trends(&[wild]));
    let mut reader = quick_xml::Reader::from_str(&picture);
    loop {
        match reader.read_event().expect("well-formed") {
            quick_xml::events::Event::Eof => break,
            quick_xml::events::Event::Start(tag) => {
                assert_ne!(tag.name().as_ref(), b"script");
            }
            _ => {}
        }
    }
    assert!(!picture.contains("NaN"));
    assert!(picture.contains("100 % passed"));
    assert!(svg(&[]).contains("</svg>"));
}
