//! Versions against semver and GNU sort, and every branch of the decision.

use std::cmp::Ordering;
use std::io::Write;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

/// Each line is below the next.
const ASCENDING: &[&str] = &[
    "0.0.0-alpha",
    "0",
    "0.0.1",
    "0.9",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "1.2.3-1",
    "1.2.3-rc.1",
    "1.2.3-rc.9",
    "1.2.3-rc10",
    "v1.2.3",
    "1.8.7alpha",
    "1.8.7beta2",
    "1.8.7",
    "v1.9",
    "1.10",
    "v1.10.1.2",
    "2024.10.1",
    "v2024.11",
    "20241201",
    "99999999999999999999999999999998",
    "99999999999999999999999999999999",
];

#[test]
fn versions_are_ordered_as_people_tag_them() {
    for (at, low) in ASCENDING.iter().enumerate() {
        for high in &ASCENDING[at + 1..] {
            assert!(version(low) < version(high), "{low} < {high}");
            assert!(version(high) > version(low), "{high} > {low}");
        }
    }
}

#[test]
fn equal_versions_are_equal_however_they_are_written() {
    for (a, b) in [
        ("1.2", "v1.2.0"),
        ("1.2.3", "1.2.3+build.7"),
        ("01.2", "1.02"),
        ("1.0-RC1", "1.0rc.1"),
        ("0", "0.0.0"),
    ] {
        assert_eq!(version(a), version(b), "{a} = {b}");
    }
    assert!(version("1.8.7alpha").is_suffixed());
    assert!(!version("1.8.7+alpha").is_suffixed());
    assert_eq!(version("v1.2").to_string(), "v1.2");
}

#[test]
fn what_is_no_version_is_told() {
    for text in [
        "",
        "v",
        "latest",
        "sha-1234567",
        "vv1",
        "release-1.2",
        "1a2b3c4",
        "9abcdef0123",
    ] {
        let error = text.parse::<Version>().unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
    assert!("1234567".parse::<Version>().is_ok());
}

/// Sorts with the real program.
fn really_sorted(lines: &[&str]) -> Vec<String> {
    let mut sort = Command::new("sort")
        .arg("-V")
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("GNU sort");
    let input = lines.join("\n") + "\n";
    sort.stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = sort.wait_with_output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn sort_v_is_what_gnu_sort_does() {
    let mut lines = vec![
        "1.8.7alpha",
        "1.8.7",
        "v1.2",
        "1.10",
        "1.9",
        "v1.10",
        "1.2.3-rc.1",
        "1.2.3",
        "1.2.3-rc.10",
        "2024.10.1",
        "2024.9.30",
        "1.0~rc1",
        "1.0",
        "1.0.tar.gz",
        "1.0.1.tar.gz",
        "a",
        "A",
        "~",
        "1.0.",
        "1..0",
        "01.2",
        "1.02",
        "1.2.0",
        "1.2",
        "1.0+b",
        "1.0_b",
        "1.0-b",
        "1.0a",
        "1.0.a",
        "1.0.a1",
        "1.0.1a",
        "latest",
        "10.b",
        "9.c",
        "a.b.c",
        "a.b",
        "a.~",
        "1.a~",
        "1.a-",
        "0",
        "00",
        "000a",
        "1.2.3+1",
    ];
    let expected = really_sorted(&lines);
    lines.sort_by(|a, b| sort_v(a, b));
    assert_eq!(lines, expected);
}

proptest! {
    // Many lines in one go: each case is a process. Tags do not begin with a dot.
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn sort_v_is_what_gnu_sort_does_with_anything(
        lines in prop::collection::vec("[0-9av~+_-][0-9av.~+_-]{0,7}|[/-~][ -~]{0,5}|[0-9]{1,3}(\\.[0-9]{1,2}){0,2}[a-z~.-]{0,4}", 2..60)
    ) {
        let mut own: Vec<&str> = lines.iter().map(String::as_str).collect();
        let expected = really_sorted(&own);
        own.sort_by(|a, b| sort_v(a, b));
        prop_assert_eq!(own, expected);
    }
}

fn total_order<T>(
    cmp: impl Fn(&T, &T) -> Ordering,
    a: &T,
    b: &T,
    c: &T,
) -> Result<(), TestCaseError> {
    prop_assert_eq!(cmp(a, a), Ordering::Equal);
    prop_assert_eq!(cmp(a, b), cmp(b, a).reverse());
    if cmp(a, b).is_le() && cmp(b, c).is_le() {
        prop_assert!(cmp(a, c).is_le());
    }
    if cmp(a, b).is_eq() {
        prop_assert_eq!(cmp(a, c), cmp(b, c));
    }
    Ok(())
}

const VERSIONS: &str = "v?[0-9]{1,2}(\\.0{0,2}[0-9]{1,2}){0,3}([-_.~]?(alpha|RC|rc|x)?[-.]?[0-9]{0,2}){0,2}(\\+[a-z0-9]{1,3})?";

proptest! {
    #[test]
    fn versions_are_totally_ordered(a in VERSIONS, b in VERSIONS, c in VERSIONS) {
        let (Ok(a), Ok(b), Ok(c)) = (a.parse::<Version>(), b.parse::<Version>(), c.parse::<Version>()) else {
            return Ok(());
        };
        total_order(Version::cmp, &a, &b, &c)?;
    }

    #[test]
    fn sort_v_is_a_total_order(a in ".{0,6}|[0-9a~.]{0,6}", b in ".{0,6}|[0-9a~.]{0,6}", c in ".{0,6}|[0-9a~.]{0,6}") {
        total_order(|a: &String, b: &String| sort_v(a, b), &a, &b, &c)?;
        prop_assert_eq!(sort_v(&a, &b).is_eq(), a == b);
    }

    #[test]
    fn a_suffix_makes_a_version_less(numbers in "[0-9]{1,3}(\\.[0-9]{1,3}){0,3}", suffix in "-?(alpha|rc|dev)[.]?[0-9]{0,3}") {
        let (suffixed, prefixed) = (format!("{numbers}{suffix}"), format!("v{numbers}"));
        prop_assert!(version(&suffixed) < version(&numbers));
        prop_assert_eq!(version(&prefixed), version(&numbers));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in ".*") {
        if let Ok(version) = text.parse::<Version>() {
            prop_assert_eq!(version.as_str(), &text);
        }
    }
}

#[test]
fn the_kind_of_a_tag_is_found_by_the_best_fact() {
    use TagKind::{Annotated, Lightweight};
    let all = TagFacts {
        said: Some(Lightweight),
        git: Some(GitObject::Tag),
        forge: ForgeTag::from_message(Some("Release")),
    };
    assert_eq!(all.kind("1.0"), (Lightweight, TagKindSource::Said));
    let git = TagFacts {
        said: None,
        git: Some(GitObject::Other),
        ..all
    };
    assert_eq!(git.kind("1.0"), (Lightweight, TagKindSource::GitObject));
    let forge = TagFacts { git: None, ..git };
    assert_eq!(forge.kind("1.0alpha"), (Annotated, TagKindSource::Forge));
    for message in [None, Some(""), Some(" \n")] {
        let silent = TagFacts {
            forge: ForgeTag::from_message(message),
            ..TagFacts::default()
        };
        assert_eq!(silent.kind("1.0"), (Lightweight, TagKindSource::Forge));
    }
    let none = TagFacts::default();
    assert_eq!(none.kind("1.0.0"), (Annotated, TagKindSource::Name));
    for name in [
        "1.0alpha", "1.0-BETA", "v1-rc.1", "1.0pre", "1.dev3", "test-1",
    ] {
        assert_eq!(
            none.kind(name),
            (Lightweight, TagKindSource::Name),
            "{name}"
        );
    }
}

fn request(tag: &str, strategy: LatestStrategy, order: VersionOrder) -> LatestRequest {
    let facts = TagFacts {
        git: Some(GitObject::Tag),
        ..TagFacts::default()
    };
    LatestRequest {
        tag: tag.into(),
        strategy,
        order,
        facts,
    }
}

fn decide(tag: &str, order: VersionOrder, current: &CurrentLatest) -> LatestDecision {
    match request(tag, LatestStrategy::Auto, order).begin() {
        Latest::Compare(question) => question.answer(current),
        Latest::Decided(decision) => panic!("decided too early: {decision:?}"),
    }
}

#[test]
fn force_and_skip_ask_nobody() {
    for (strategy, moves) in [(LatestStrategy::Force, true), (LatestStrategy::Skip, false)] {
        let Latest::Decided(decision) = request("0.1alpha", strategy, VersionOrder::Semver).begin()
        else {
            panic!("the registry is asked");
        };
        assert_eq!((decision.moves(), decision.steps().len()), (moves, 1));
    }
}

#[test]
fn a_lightweight_tag_leaves_latest_alone() {
    let mut request = request("1.8.7", LatestStrategy::Auto, VersionOrder::Semver);
    request.facts.git = Some(GitObject::Other);
    let Latest::Decided(decision) = request.begin() else {
        panic!("the registry is asked");
    };
    assert!(!decision.moves());
    assert_eq!(
        decision.steps()[1].to_string(),
        "tag kind: tag `1.8.7` is lightweight: its git object is no tag"
    );
}

#[test]
fn only_what_is_newer_moves_latest() {
    use VersionOrder::{Semver, SortV};
    let version = |text: &str| CurrentLatest::Version(text.into());
    let unknown = |highest: Option<&str>| CurrentLatest::Unknown {
        digest: "sha256:0".into(),
        highest: highest.map(str::to_owned),
    };
    for (tag, order, current, moves) in [
        ("1.8.7", Semver, version("1.8.6"), true),
        ("1.8.7", Semver, version("1.8.7"), false),
        ("1.8.7", Semver, version("1.10.0"), false),
        ("1.10", Semver, version("v1.2"), true),
        ("1.10", SortV, version("v1.2"), false),
        ("1.8.7", Semver, version("1.8.7alpha"), true),
        ("1.8.7", SortV, version("1.8.7alpha"), false),
        ("1.8.7alpha", SortV, version("1.8.7"), true),
        ("1.0", Semver, CurrentLatest::Absent, true),
        ("nightly", Semver, CurrentLatest::Absent, false),
        ("nightly", SortV, CurrentLatest::Absent, false),
        ("1.0", Semver, unknown(None), true),
        ("1.0", Semver, unknown(Some("0.9")), true),
        ("1.0", Semver, unknown(Some("2.0")), false),
    ] {
        let decision = decide(tag, order, &current);
        assert_eq!(
            decision.moves(),
            moves,
            "{tag} {order:?} {current:?}: {decision:?}"
        );
        assert_eq!(decision.steps().len(), 4);
    }
}

#[test]
fn the_version_behind_a_digest_is_the_highest_that_has_it() {
    let tags = [
        ("latest", "d2"),
        ("1.1", "d1"),
        ("1", "d2"),
        ("1.2", "d2"),
        ("1.2.0", "d2"),
        ("1.3", "d3"),
        ("abc1234", "d2"),
    ];
    assert_eq!(
        version_behind("d2", tags, VersionOrder::Semver),
        Some("1.2.0")
    );
    assert_eq!(version_behind("d4", tags, VersionOrder::Semver), None);
    assert_eq!(
        VersionOrder::Semver.highest(tags.map(|(tag, _)| tag)),
        Some("1.3")
    );
}
