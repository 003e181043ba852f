//! The spellings in which a secret value may turn up in a text.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::MIN_SECRET_LEN;

/// The alphabets of base64: standard and for URLs (RFC 4648, sections 4 and 5).
const ALPHABETS: [&[u8; 64]; 2] = [
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
];

/// Every spelling of `value` that has to be masked: as it is, its lines one by one, and each of them in
/// base64 at any offset, percent-encoded, escaped for JSON once or twice, and quoted for a shell.
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
        found.extend([text.to_owned(), once, twice, shell_quoted(text)].map(String::into_bytes));
        found.extend(percent_encoded(text).map(String::into_bytes));
        found.extend(
            ALPHABETS
                .iter()
                .flat_map(|alphabet| base64(text.as_bytes(), alphabet)),
        );
    }
    found.retain(|spelling| spelling.len() >= MIN_SECRET_LEN);
    found
}

fn json_escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn shell_quoted(text: &str) -> String {
    text.replace('\'', r"'\''")
}

/// Percent-encoding of everything but the unreserved characters (RFC 3986, section 2.3), with both
/// cases of digits, and the variant of forms in which a space is a plus sign.
fn percent_encoded(text: &str) -> [String; 3] {
    let encode = |upper: bool, form: bool| {
        let mut encoded = String::new();
        for byte in text.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
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
    [
        encode(true, false),
        encode(false, false),
        encode(true, true),
    ]
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
    fn lines_of_a_value_are_known_one_by_one() {
        let key = "-----BEGIN-----\nMIIEabcdef\nxyz\n-----END-----\n";
        assert!(has(key, "MIIEabcdef"));
        assert!(!has(key, "xyz"), "too short to mask");
    }
}
