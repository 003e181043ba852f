//! The tokenizer against what it should give, against itself cut up, and against another parser.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::{Diagnostic, DiagnosticKind};

/// Events as text, with neighbouring pieces of text joined.
#[derive(Default)]
struct Trace {
    events: Vec<String>,
    text: Option<(bool, String)>,
    diagnostics: Vec<(u64, u64, DiagnosticKind)>,
}

impl Trace {
    fn flush(&mut self) {
        if let Some((cdata, text)) = self.text.take()
            && !text.is_empty()
        {
            self.events
                .push(format!("{}{text}", if cdata { "c:" } else { "t:" }));
        }
    }
}

impl Sink for Trace {
    fn start(&mut self, tag: &Tag<'_>) {
        self.flush();
        let mut event = format!("<{}", tag.name());
        for attribute in tag.attributes() {
            let _ = write!(event, " {}={:?}", attribute.name(), attribute.value());
        }
        event += if tag.is_empty() { "/>" } else { ">" };
        let _ = write!(event, "@{}:{}", tag.at().offset(), tag.at().line());
        self.events.push(event);
    }

    fn text(&mut self, text: &str, cdata: bool) {
        if text.is_empty() {
            return;
        }
        match &mut self.text {
            Some((same, whole)) if *same == cdata => whole.push_str(text),
            _ => {
                self.flush();
                self.text = Some((cdata, text.to_owned()));
            }
        }
    }

    fn end(&mut self, name: &str, at: Mark<'_>) {
        self.flush();
        self.events
            .push(format!("</{name}>@{}:{}", at.offset(), at.line()));
    }

    fn document(&mut self) {
        self.flush();
        self.events.push("document".to_owned());
    }

    fn diagnostic(&mut self, diagnostic: Diagnostic) {
        self.diagnostics
            .push((diagnostic.offset, diagnostic.line, diagnostic.kind));
    }
}

/// Feeds a text in pieces that end at the given places.
fn trace(text: &str, cuts: &[usize], limits: Limits) -> Trace {
    let mut trace = Trace::default();
    let mut tokenizer = Tokenizer::with_limits(limits);
    let mut last = 0;
    for &cut in cuts {
        let cut = text.floor_char_boundary(cut).max(last);
        tokenizer.feed(&text[last..cut], &mut trace);
        last = cut;
    }
    tokenizer.feed(&text[last..], &mut trace);
    tokenizer.finish(&mut trace);
    trace.flush();
    trace
}

/// Checks the events of a text, and that it gives the same ones byte by byte.
fn check(text: &str, events: &[&str], kinds: &[DiagnosticKind]) {
    let whole = trace(text, &[], Limits::default());
    assert_eq!(whole.events, events, "events of {text:?}");
    let found: Vec<_> = whole.diagnostics.iter().map(|(_, _, kind)| *kind).collect();
    assert_eq!(found, kinds, "diagnostics of {text:?}");
    let cuts: Vec<usize> = (0..text.len()).collect();
    let bytes = trace(text, &cuts, Limits::default());
    assert_eq!(bytes.events, whole.events, "cut up: {text:?}");
    assert_eq!(bytes.diagnostics, whole.diagnostics, "cut up: {text:?}");
}

use DiagnosticKind::{ControlCharacter, Limit, Malformed, Reference, Truncated};

#[test]
fn well_formed_documents() {
    check("", &[], &[]);
    check(
        "<?xml version='1.0'?>\n<a x=\"1\" y = '2'>t<b/></a >",
        &[
            "document",
            "t:\n",
            "<a x=\"1\" y=\"2\">@22:2",
            "t:t",
            "<b/>@40:2",
            "</a>@44:2",
        ],
        &[],
    );
    check("<n:a xmlns:n='u' n:k='v'/>", &["<a k=\"v\"/>@0:1"], &[]);
    check(
        "<a>&lt;&#65;&amp;</a>",
        &["<a>@0:1", "t:<A&", "</a>@17:1"],
        &[],
    );
    check("<a k='&lt;&#10;'/>", &["<a k=\"<\\n\"/>@0:1"], &[]);
    check("<a k='>' j='/>'/>", &["<a k=\">\" j=\"/>\"/>@0:1"], &[]);
    check("a\r\nb\rc\n", &["t:a\nb\nc\n"], &[]);
}

#[test]
fn cdata_comments_and_instructions() {
    check("<![CDATA[<a>&]]]>x", &["c:<a>&]", "t:x"], &[]);
    check("<![CDATA[a]]]]><![CDATA[>]]>", &["c:a]]>"], &[]);
    check("<![CDATA[\r\n]]>", &["c:\n"], &[]);
    check("<!-- <a> - -- ---><b/>", &["<b/>@18:1"], &[]);
    check(
        "<!-- -é -😀 --><?é ?é?><!DOCTYPE é '😀'><b/>",
        &["document", "<b/>@48:1"],
        &[],
    );
    check("<!----><b/>", &["<b/>@7:1"], &[]);
    check("<?a ? b ?><b/><??><c/>", &["<b/>@10:1", "<c/>@18:1"], &[]);
}

#[test]
fn document_types_are_skipped_and_their_entities_never_expanded() {
    let text = "<!DOCTYPE a [<!-- don't ] > --><!ENTITY l 'x]>'>]><a>&l;</a>";
    check(
        text,
        &["document", "<a>@50:1", "t:&l;", "</a>@56:1"],
        &[Reference],
    );
    check("<!doctype html><b/>", &["document", "<b/>@15:1"], &[]);
    check("<!ELEMENT a><b/>", &["<b/>@12:1"], &[Malformed]);
}

#[test]
fn damage_is_said_and_read() {
    check("a < b & c", &["t:a < b & c"], &[Malformed, Reference]);
    check(
        "<a k=v/><b k=/x y/>",
        &["<a k=\"v\"/>@0:1", "<b k=\"/x\" y=\"\"/>@8:1"],
        &[Malformed, Malformed, Malformed],
    );
    check("<a k='<b>'/>", &["<a k=\"<b>\"/>@0:1"], &[Malformed]);
    check("<a k='1' k='2'/>", &["<a k=\"1\"/>@0:1"], &[Malformed]);
    check(
        "<a k='1'<b/>",
        &["<a k=\"1\">@0:1", "<b/>@8:1"],
        &[Malformed],
    );
    check("<a k='1'j='2'/>", &["<a k=\"1\" j=\"2\"/>@0:1"], &[]);
    check(
        "<a k='&nbsp;&x'/>",
        &["<a k=\"\\u{a0}&x\"/>@0:1"],
        &[Reference],
    );
    check(
        "&#0;&#x1b;&;&#;",
        &["t:\u{fffd}\u{1b}&;&#;"],
        &[Reference, Reference, Reference, Reference],
    );
    check("\n\u{1b}[31m\0", &["t:\n\u{1b}[31m\0"], &[ControlCharacter]);
    check("<<a/>", &["t:<", "<a/>@1:1"], &[Malformed]);
    check("<!-<a>x", &["t:x"], &[Malformed]);
    check("<a ='v' b/>", &["<a b=\"\"/>@0:1"], &[Malformed]);
    check("<a k=>x", &["<a k=\"\">@0:1", "t:x"], &[Malformed]);
}

#[test]
fn a_text_that_ends_early_is_truncated() {
    for text in [
        "<", "<a", "<a k='", "</", "</a", "<!", "<!-", "<!-- ", "<?x",
    ] {
        check(text, &[], &[Truncated]);
    }
    check("<a k='1' j='2", &["<a k=\"1\">@0:1"], &[Truncated]);
    check("<!DOCTYPE a [", &["document"], &[Truncated]);
    check("<![CDATA[ab]]", &["c:ab]]"], &[Truncated]);
    check("x&am", &["t:x&am"], &[Reference]);
}

#[test]
fn several_documents_are_one_text() {
    check(
        "\u{feff}<?xml?><a/>\n<?xml?><!DOCTYPE b><b/>",
        &[
            "t:\u{feff}",
            "document",
            "<a/>@10:1",
            "t:\n",
            "document",
            "document",
            "<b/>@34:2",
        ],
        &[],
    );
}

fn small() -> Limits {
    Limits {
        attributes: 3,
        value: 10,
        tag: 40,
    }
}

#[test]
fn long_tags_are_cut_wherever_the_text_is() {
    let value = format!("<a k='{}é' l='x'/>", "12345678é");
    let many = "<a b='1' c='2' d='3' e='4' f='5'>";
    let heavy = format!(
        "<a {0}='{1}' c{0}='2' d='3'/>",
        "b".repeat(2000),
        "1".repeat(30)
    );
    let open = format!(
        "<{} {}='{}",
        "n".repeat(3000),
        "k".repeat(3000),
        "v".repeat(3000)
    );
    for text in [value.as_str(), many, &heavy, &open] {
        let whole = trace(text, &[], small());
        let cuts: Vec<usize> = (0..text.len()).collect();
        let bytes = trace(text, &cuts, small());
        assert_eq!(whole.events, bytes.events);
        assert_eq!(whole.diagnostics, bytes.diagnostics);
    }
    assert_eq!(
        trace(&value, &[], small()).events,
        ["<a k=\"12345678é\" l=\"x\"/>@0:1"]
    );
    assert_eq!(trace(&value, &[], small()).diagnostics, [(0, 1, Limit)]);
    assert_eq!(
        trace(many, &[], small()).events,
        ["<a b=\"1\" c=\"2\" d=\"3\">@0:1"]
    );
}

#[test]
fn a_giant_tag_in_pieces_needs_no_more_memory_than_the_limits() {
    let mut tokenizer = Tokenizer::new();
    let mut trace = Trace::default();
    tokenizer.feed("<a k='", &mut trace);
    let piece = "<é>".repeat(1 << 14);
    for _ in 0..64 {
        tokenizer.feed(&piece, &mut trace);
    }
    assert!(
        tokenizer.held() <= (1 << 20),
        "{} bytes are held",
        tokenizer.held()
    );
    tokenizer.feed("'/>", &mut trace);
    assert_eq!(trace.events.len(), 1);
    assert!(trace.diagnostics.iter().any(|(_, _, kind)| *kind == Limit));
}

#[test]
fn lines_are_those_of_the_places() {
    let mut text = String::new();
    for _ in 0..2000 {
        text += "<a>\n&x;\n</a>";
    }
    let whole = trace(&text, &[], Limits::default());
    for (number, event) in whole.events.chunks(3).enumerate() {
        assert!(event[0].ends_with(&format!(":{}", 2 * number + 1)));
        assert!(event[2].ends_with(&format!(":{}", 2 * number + 3)));
        assert_eq!(whole.diagnostics[number].1, 2 * number as u64 + 2);
    }
}

/// Bits of XML, sound and broken.
fn soup() -> impl Strategy<Value = String> {
    let bits = prop::sample::select(vec![
        "<",
        ">",
        "/",
        "</",
        "/>",
        "=",
        "'",
        "\"",
        "&",
        ";",
        "&lt;",
        "&#10;",
        "&#x1b;",
        "&nbsp;",
        "&bogus;",
        "a",
        "bc",
        "é",
        "😀",
        " ",
        "\n",
        "\r",
        "\r\n",
        "<a",
        "<b k='v'",
        " k=\"1\"",
        " x=y",
        "<!--",
        "-->",
        "-",
        "<![CDATA[",
        "]]>",
        "]",
        "<?",
        "?>",
        "?",
        "<!DOCTYPE",
        "[",
        "<!",
        "\u{1b}",
        "<testcase name=\"n\" time='1'>",
        "</testcase>",
        "#",
        "&#",
        "0123456789012345678901234567890123",
    ]);
    prop::collection::vec(bits, 0..40).prop_map(|bits| bits.concat())
}

/// Documents that are well formed, without carriage returns.
fn element(depth: u32) -> BoxedStrategy<String> {
    let name = "[a-z]{1,6}(:[a-z]{1,4})?";
    let value = "([a-zA-Zé😀 >'/=.]|&lt;|&amp;|&#x41;|&quot;){0,8}";
    let attributes = prop::collection::btree_map("[a-z]{1,5}", value, 0..4);
    let text = prop_oneof![
        "([a-z é>\n]|&gt;|&#10;){1,10}",
        "[a-z<&>]{0,8}".prop_map(|text| format!("<![CDATA[{text}]]>")),
        "[a-z<&> ]{0,8}".prop_map(|text| format!("<!--{text}-->")),
        Just("<?pi a?>".to_owned()),
    ];
    let content = if depth == 0 {
        prop::collection::vec(text.boxed(), 0..4).boxed()
    } else {
        prop::collection::vec(prop_oneof![text, element(depth - 1)], 0..5).boxed()
    };
    (name, attributes, content, any::<bool>())
        .prop_map(|(name, attributes, content, short)| {
            let mut tag = format!("<{name}");
            for (key, value) in attributes {
                let _ = write!(tag, " {key}=\"{value}\"");
            }
            if short {
                tag + "/>"
            } else {
                format!("{tag}>{}</{name}>", content.concat())
            }
        })
        .boxed()
}

/// What another parser finds, in the shape of [`Trace`] without places.
fn oracle(text: &str) -> Vec<String> {
    use quick_xml::XmlVersion;
    use quick_xml::events::{BytesStart, Event as Other};

    fn start(tag: &BytesStart<'_>, end: &str) -> String {
        let mut event = format!("<{}", String::from_utf8_lossy(tag.local_name().as_ref()));
        for attribute in tag.attributes() {
            let attribute = attribute.unwrap();
            let value = attribute.normalized_value(XmlVersion::Explicit1_0).unwrap();
            let name = attribute.key.local_name();
            let _ = write!(
                event,
                " {}={value:?}",
                String::from_utf8_lossy(name.as_ref())
            );
        }
        event + end
    }

    let mut reader = quick_xml::Reader::from_str(text);
    let mut trace = Trace::default();
    loop {
        match reader.read_event().unwrap() {
            Other::Start(tag) => {
                trace.flush();
                trace.events.push(start(&tag, ">"));
            }
            Other::Empty(tag) => {
                trace.flush();
                trace.events.push(start(&tag, "/>"));
            }
            Other::End(tag) => {
                trace.flush();
                let name = String::from_utf8_lossy(tag.local_name().as_ref()).into_owned();
                trace.events.push(format!("</{name}>"));
            }
            Other::Text(text) => trace.text(&text.decode().unwrap(), false),
            Other::CData(text) => trace.text(&text.decode().unwrap(), true),
            Other::GeneralRef(reference) => {
                let c = match reference.resolve_char_ref().unwrap() {
                    Some(c) => c.to_string(),
                    None => match &*reference.decode().unwrap() {
                        "lt" => "<".to_owned(),
                        "gt" => ">".to_owned(),
                        "amp" => "&".to_owned(),
                        "quot" => "\"".to_owned(),
                        other => panic!("unexpected reference {other}"),
                    },
                };
                trace.text(&c, false);
            }
            Other::Eof => break,
            _ => {}
        }
    }
    trace.flush();
    trace.events
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn cutting_the_text_anywhere_gives_the_same_events(
        text in soup(),
        mut cuts in prop::collection::vec(0_usize..200, 0..12),
    ) {
        cuts.sort_unstable();
        for limits in [Limits::default(), small()] {
            let whole = trace(&text, &[], limits);
            let cut = trace(&text, &cuts, limits);
            prop_assert_eq!(&whole.events, &cut.events);
            prop_assert_eq!(&whole.diagnostics, &cut.diagnostics);
            let bytes: Vec<usize> = (0..text.len()).collect();
            let bytes = trace(&text, &bytes, limits);
            prop_assert_eq!(&whole.events, &bytes.events);
            prop_assert_eq!(&whole.diagnostics, &bytes.diagnostics);
        }
    }

    #[test]
    fn well_formed_documents_are_what_another_parser_reads(text in element(3)) {
        let ours = trace(&text, &[], Limits::default());
        prop_assert_eq!(&ours.diagnostics, &[]);
        let ours: Vec<String> = ours.events.into_iter().map(|event| {
            if event.starts_with('<') {
                event.rsplit_once('@').unwrap().0.to_owned()
            } else {
                event
            }
        }).collect();
        prop_assert_eq!(ours, oracle(&text));
    }
}
