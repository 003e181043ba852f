//! The keys of JSON that may be cut off, without reading it.

/// A key, with how many objects and arrays it stands in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Key<'a> {
    pub(super) depth: usize,
    pub(super) name: &'a str,
}

/// How many keys are enough to know a format.
const ENOUGH: usize = 4096;

/// The keys of `json` that stand at most `max_depth` deep. Keys with escapes are given as written.
pub(super) fn keys(json: &str, max_depth: usize) -> Vec<Key<'_>> {
    let bytes = json.as_bytes();
    let mut found = Vec::new();
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'{' | b'[' => depth = depth.saturating_add(1),
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                let start = at;
                at = end_of_string(bytes, at);
                let rest = bytes.get(at + 1..).unwrap_or_default().trim_ascii_start();
                if depth <= max_depth && rest.first() == Some(&b':') {
                    let name = json.get(start..at).unwrap_or_default();
                    found.push(Key { depth, name });
                    if found.len() == ENOUGH {
                        break;
                    }
                }
                at += 1;
            }
            _ => {}
        }
    }
    found
}

/// Where the string that begins at `at` has its closing quote.
fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_and_values_are_not() {
        let json = r#"{"a": "x\": y", "b": [{"c": 1, "d" : {"e": 2"#;
        let found: Vec<_> = keys(json, 3)
            .iter()
            .map(|key| (key.depth, key.name))
            .collect();
        assert_eq!(found, [(1, "a"), (1, "b"), (3, "c"), (3, "d")]);
    }
}
