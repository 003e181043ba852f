//! The spellings in which a secret value may turn up in a text.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::MIN_SECRET_LEN;

/// The alphabets of base64: standard and for URLs (RFC 4648, sections 4 and 5).
const ALPHABETS: [&[u8; 64]; 2] = [
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
];

/// After so many digits programs break base64 into lines: MIME (RFC 2045, section 6.8) and base64(1), and
/// PEM (RFC 7468, section 2).
const LINES: [usize; 2] = [76, 64];

/// The least digits of a broken line that are masked: fewer tell little, and stand in other words.
const LEAST_OF_LINE: usize = 8;

/// What ways to percent-encode leave as it is besides the unreserved characters (RFC 3986, section 2.3):
/// nothing, what Python's `quote` does, and what `encodeURIComponent` and `encodeURI` of JavaScript do.
const KEPT: [&[u8]; 4] = [b"", b"/", b"!*'()", b"!*'();,/?:@&=+$#"];

/// Every spelling of `value` that has to be masked: as it is, its lines one by one, and each of them in
/// base64 at any offset or broken into lines, percent-encoded, escaped for JSON once or twice, and quoted
/// for a shell.
pub(super) fn of(value: &str) -> BTreeSet<Vec<u8>> {
    let whole = value.trim_end_matches(['\n', '\r']);
    let mut found = BTreeSet::new();
    let lines = whole.lines().map(str::trim);
    for text in std::iter::once(whole).chain(lines) {
        if text.len() < MIN_SECRET_LEN {
            continue;
        }
        let once = json_escaped(text);
        let twice = json_escaped(&once);
        found.extend(json_in_ascii(&once).map(String::into_bytes));
        found.extend([text.to_owned(), once, twice, in_quotes(text)].map(String::into_bytes));
        found.extend(percent_encoded(text).map(String::into_bytes));
        for alphabet in &ALPHABETS {
            found.extend(base64(text.as_bytes(), alphabet));
        }
        found.extend(base64_lines(text.as_bytes()));
    }
    found.retain(|spelling| spelling.len() >= MIN_SECRET_LEN);
    found
}

fn json_escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// What `escaped`, which stands in JSON, is where all of JSON is in ASCII, with both cases of digits, and
/// where slashes are escaped.
fn json_in_ascii(escaped: &str) -> [String; 3] {
    let ascii = |upper: bool| {
        let mut text = String::new();
        for letter in escaped.chars() {
            if letter.is_ascii() {
                text.push(letter);
                continue;
            }
            for unit in letter.encode_utf16(&mut [0; 2]) {
                let _ = if upper {
                    write!(text, "\\u{unit:04X}")
                } else {
                    write!(text, "\\u{unit:04x}")
                };
            }
        }
        text
    };
    let slashes = ascii(false).replace('/', r"\/");
    [ascii(false), ascii(true), slashes]
}

fn in_quotes(text: &str) -> String {
    let quoted = crate::shell::quote(text);
    quoted[1..quoted.len() - 1].to_owned()
}

/// Percent-encoding in all ways that are [kept apart](KEPT), with both cases of digits, and the variant of
/// forms in which a space is a plus sign.
fn percent_encoded(text: &str) -> impl Iterator<Item = String> + '_ {
    let encode = |kept: &[u8], upper: bool, form: bool| {
        let mut encoded = String::new();
        for byte in text.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.contains(&byte) {
                encoded.push(char::from(byte));
            } else if form && byte == b' ' {
                encoded.push('+');
            } else if upper {
                let _ = write!(encoded, "%{byte:02X}");
            } else {
                let _ = write!(encoded, "%{byte:02x}");
            }
        }
        encoded
    };
    let ways = KEPT
        .into_iter()
        .flat_map(|kept| [(kept, true), (kept, false)]);
    ways.map(move |(kept, upper)| encode(kept, upper, false))
        .chain([encode(b"", true, true)])
}

/// The lines of the base64 of `bytes` alone, where it is broken into lines.
fn base64_lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    let Some(digits) = base64(bytes, ALPHABETS[0]).next() else {
        return Vec::new();
    };
    let broken = LINES.into_iter().filter(|width| digits.len() > *width);
    broken
        .flat_map(|width| digits.chunks(width))
        .filter(|line| line.len() >= LEAST_OF_LINE)
        .map(<[u8]>::to_vec)
        .collect()
}

/// What is certain of the base64 of a longer text that holds `bytes`: for each of the three offsets at
/// which they may begin, the digits that depend on them alone.
fn base64<'a>(bytes: &'a [u8], alphabet: &'a [u8; 64]) -> impl Iterator<Item = Vec<u8>> + 'a {
    (0..3usize).map(move |offset| {
        let bits = (offset + bytes.len()) * 8;
        let first = (offset * 8).div_ceil(6);
        let byte = |index: usize| match index.checked_sub(offset) {
            Some(index) => bytes.get(index).copied().unwrap_or(0),
            None => 0,
        };
        (first..bits / 6)
            .map(|digit| {
                let bit = digit * 6;
                let pair = u16::from_be_bytes([byte(bit / 8), byte(bit / 8 + 1)]);
                let value = (pair >> (10 - bit % 8)) & 0x3f;
                alphabet[usize::from(value)]
            })
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(value: &str, spelling: &str) -> bool {
        of(value).contains(spelling.as_bytes())
    }

    #[test]
    fn values_are_known_in_every_spelling() {
        assert!(has("p@ss word'1\n", "p@ss word'1"));
        assert!(has("p@ss word'1", "p%40ss%20word%271"));
        assert!(has("p@ss wörd", "p%40ss+w%C3%B6rd"));
        assert!(has("say \"x\"", r#"say \"x\""#));
        assert!(has("say \"x\"", r#"say \\\"x\\\""#));
        assert!(has("it's me", r"it'\''s me"));
    }

    #[test]
    fn base64_is_known_at_every_offset() {
        // Made with coreutils: printf hunter2-horse | base64, and with one and two bytes before it.
        assert!(has("hunter2-horse", "aHVudGVyMi1ob3JzZ"));
        assert!(has("hunter2-horse", "h1bnRlcjItaG9yc2"));
        assert!(has("hunter2-horse", "odW50ZXIyLWhvcnNl"));
        assert!(has("????>>>>", "Pz8_Pz4-Pj"));
    }

    #[test]
    fn encodings_of_other_languages_are_known() {
        // Python: urllib.parse.quote, json.dumps. JavaScript: encodeURI, encodeURIComponent. PHP: json_encode.
        assert!(has("hunter2-s3cr&t/val+ue", "hunter2-s3cr%26t/val%2Bue"));
        assert!(has("pässwörd", r"p\u00e4ssw\u00f6rd"));
        assert!(has("key-\u{1F511}", r"key-\ud83d\udd11"));
        assert!(has("a+b c/d(é)", "a+b%20c/d(%C3%A9)"));
        assert!(has("a+b c/d(é)", "a%2Bb%20c%2Fd(%C3%A9)"));
        assert!(has("ab/cd/ef", r"ab\/cd\/ef"));
    }

    #[test]
    fn base64_is_known_in_lines() {
        let value: String = ('a'..='z').chain('A'..='Z').chain('0'..='9').collect();
        // Made with coreutils: printf … | base64, and base64 -w 64.
        let first = "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXpBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWjAxMjM0";
        assert!(has(&value, first));
        assert!(has(&value, &first[..64]));
        assert!(has(&value, "V1hZWjAxMjM0NTY3OD"));
        assert!(!has(&value, "NTY3OD"), "too short to mask");
    }

    #[test]
    fn lines_of_a_value_are_known_one_by_one() {
        let key = "-----BEGIN-----\nMIIEabcdef\nxyz\n-----END-----\n";
        assert!(has(key, "MIIEabcdef"));
        assert!(!has(key, "xyz"), "too short to mask");
    }
}
