//! Encodings and gzip, whole and cut up.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;
use crate::{Diagnostic, DiagnosticKind};

#[derive(Default)]
struct Gather {
    text: String,
    diagnostics: Vec<(u64, u64, DiagnosticKind)>,
}

impl TextSink for Gather {
    fn text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn diagnostic(&mut self, diagnostic: Diagnostic) {
        self.diagnostics
            .push((diagnostic.offset, diagnostic.line, diagnostic.kind));
    }
}

fn gather(bytes: &[u8], size: usize) -> (String, Vec<(u64, u64, DiagnosticKind)>) {
    let (mut input, mut gather) = (Input::new(), Gather::default());
    for piece in bytes.chunks(size) {
        input.feed(piece, &mut gather);
    }
    input.finish(&mut gather);
    (gather.text, gather.diagnostics)
}

/// Checks the text of bytes, and that it is the same byte by byte.
fn check(bytes: &[u8], text: &str, kinds: &[DiagnosticKind]) {
    let whole = gather(bytes, usize::MAX);
    assert_eq!(whole.0, text);
    let found: Vec<_> = whole.1.iter().map(|(_, _, kind)| *kind).collect();
    assert_eq!(found, kinds);
    assert_eq!(gather(bytes, 1), whole);
}

fn utf_16(text: &str, little: bool) -> Vec<u8> {
    let bytes = |unit: u16| {
        if little {
            unit.to_le_bytes()
        } else {
            unit.to_be_bytes()
        }
    };
    text.encode_utf16().flat_map(bytes).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

use DiagnosticKind::{Compression as Packing, Encoding, Limit, Truncated};

#[test]
fn utf_8_with_and_without_a_mark() {
    check(b"", "", &[]);
    check("é😀".as_bytes(), "é😀", &[]);
    check("\u{feff}<a/>".as_bytes(), "<a/>", &[]);
    check(b"\xef\xbb", "ï»", &[Encoding]);
    check(
        b"<?xml version='1.0' encoding=\"utf8\"?>\xc3\xa9",
        "<?xml version='1.0' encoding=\"utf8\"?>é",
        &[],
    );
}

#[test]
fn bytes_that_are_no_utf_8() {
    // Nothing but ASCII before: the encoding of the producer's system.
    check(b"caf\xe9 \x80", "café €", &[Encoding]);
    // Surely UTF-8: damage.
    check(
        b"\xc3\xa9 caf\xe9 \xf0\x9f\x98!",
        "é caf\u{fffd} \u{fffd}!",
        &[Encoding],
    );
    assert_eq!(gather(b"a\nb\xff", 2).1, [(3, 2, Encoding)]);
}

#[test]
fn utf_16_by_mark_and_by_its_zeros() {
    let xml = "<?xml version='1.0' encoding='UTF-16'?><a b='é😀'/>";
    for little in [true, false] {
        let bytes = utf_16(xml, little);
        check(&bytes, xml, &[]);
        let marked = utf_16(&format!("\u{feff}{xml}"), little);
        check(&marked, xml, &[]);
    }
    check(&utf_16("\u{feff}<a>", true)[..7], "<a\u{fffd}", &[Encoding]);
}

#[test]
fn declared_encodings_and_wrong_declarations() {
    let latin = b"<?xml version='1.0' encoding = 'ISO-8859-1'?>\xe9";
    check(latin, "<?xml version='1.0' encoding = 'ISO-8859-1'?>é", &[]);
    let cyrillic = b" \n<?xml encoding='windows-1251'?>\xcf";
    check(cyrillic, " \n<?xml encoding='windows-1251'?>П", &[]);
    let wrong = "<?xml encoding='UTF-16'?>é";
    check(wrong.as_bytes(), wrong, &[Encoding]);
    let unknown = "<?xml encoding='x-klingon'?>é";
    check(unknown.as_bytes(), unknown, &[Encoding]);
}

#[test]
fn gzip_in_one_and_several_members() {
    check(&gzip("é".as_bytes()), "é", &[]);
    let mut two = gzip(b"one ");
    two.extend(gzip(b"two"));
    two.extend([0; 100]);
    check(&two, "one two", &[]);
    // All optional parts of a header.
    let mut full = vec![0x1f, 0x8b, 8, 0x1e, 0, 0, 0, 0, 0, 0, 2, 0, b'x', b'y'];
    full.extend(b"name\0comment\0\xaa\xbb");
    full.extend(&gzip(b"content")[10..]);
    check(&full, "content", &[]);
    check(b"\x1fx", "\x1fx", &[]);
    check(b"\x1f", "\x1f", &[]);
}

#[test]
fn damaged_gzip_is_read_as_far_as_it_goes() {
    let text: String = (0..5000).map(|number: u32| number.to_string()).collect();
    let packed = gzip(text.as_bytes());
    for end in [5, 12, packed.len() / 2, packed.len() - 9, packed.len() - 1] {
        let (found, diagnostics) = gather(&packed[..end], 7);
        assert!(text.starts_with(&found));
        assert_eq!(diagnostics.last().unwrap().2, Truncated);
        assert!(end < 100 || found.len() > text.len() / 3);
    }
    let mut flipped = packed.clone();
    let end = flipped.len();
    flipped[end - 6] ^= 1;
    check(&flipped, &text, &[Packing]);
    let mut trailing = packed;
    trailing.extend(b"garbage");
    check(&trailing, &text, &[Packing]);
    check(b"\x1f\x8b\x07", "", &[Packing]);
}

#[test]
fn a_gzip_bomb_stops() {
    struct Count(u64, Vec<DiagnosticKind>);
    impl TextSink for Count {
        fn text(&mut self, text: &str) {
            self.0 += text.len() as u64;
        }
        fn diagnostic(&mut self, diagnostic: Diagnostic) {
            self.1.push(diagnostic.kind);
        }
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let zeros = vec![b'0'; 1 << 20];
    for _ in 0..100 {
        encoder.write_all(&zeros).unwrap();
    }
    let (mut input, mut count) = (Input::new(), Count(0, Vec::new()));
    input.feed(&encoder.finish().unwrap(), &mut count);
    input.finish(&mut count);
    assert!(
        (64 << 20..66 << 20).contains(&count.0),
        "{} bytes came out",
        count.0
    );
    assert_eq!(count.1, [Limit]);
}

proptest! {
    #[test]
    fn cutting_the_bytes_anywhere_gives_the_same_text(
        bytes in prop::collection::vec(any::<u8>(), 0..80),
        text in "[aé😀\n]{0,40}",
        size in 1_usize..20,
    ) {
        let mixed = [text.as_bytes(), &bytes].concat();
        let packed = gzip(&mixed);
        for bytes in [&bytes[..], text.as_bytes(), &mixed, &packed] {
            prop_assert_eq!(gather(bytes, size), gather(bytes, usize::MAX));
        }
        prop_assert_eq!(&gather(text.as_bytes(), size), &(text, Vec::new()));
    }
}
