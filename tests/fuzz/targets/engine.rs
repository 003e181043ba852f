//! The engine's own: secrets in streams, archives that nobody trusts.

use std::fs;
use std::sync::Arc;

use ci_core::archive::{Limits, unpack};
use ci_core::secret::{Masker, SecretSet};

use super::bytes::{number, pieces, text};

/// Secrets and a stream: the first byte says how the stream is cut, the first two lines are secrets.
pub fn masking(bytes: &[u8]) {
    let (size, rest) = number(bytes);
    let text = text(rest);
    let mut parts = text.splitn(3, '\n');
    let mut part = || parts.next().unwrap_or_default();
    let (one, two, stream) = (short(part()), short(part()), short(part()));
    let (secrets, warnings) = SecretSet::new([("ONE", one), ("TWO", two)]);
    let secrets = Arc::new(secrets);
    let masked = |size: usize| {
        let mut masker = Masker::new(Arc::clone(&secrets));
        let mut out = Vec::new();
        for piece in pieces(stream.as_bytes(), size) {
            out.extend(masker.push(piece));
        }
        out.extend(masker.finish());
        out
    };
    let out = masked(size);
    assert_eq!(out, masked(255), "the cuts make no difference");
    for (name, secret) in [("ONE", one), ("TWO", two)] {
        // A mask may stand where it makes a secret of asterisks.
        let secret = secret.trim();
        let told = warnings.iter().any(|warning| warning.name == name);
        if told || secret.is_empty() || secret.contains('*') {
            continue;
        }
        let found = String::from_utf8_lossy(&out).contains(secret);
        assert!(!found, "a secret comes out");
    }
}

/// The beginning: what is held back is looked at again with each piece, so that a secret of many
/// kilobytes in pieces of a byte takes longer than a test should.
fn short(text: &str) -> &str {
    text.get(..text.floor_char_boundary(512)).unwrap_or(text)
}

/// Archives: nothing is made outside of the root, and no more than allowed inside.
pub fn archive(bytes: &[u8]) {
    const MOST: u64 = 1 << 16;
    let Ok(dir) = tempfile::tempdir() else {
        return;
    };
    let root = dir.path().join("root");
    let limits = Limits::default().bytes(MOST).entries(100);
    if let Ok(totals) = unpack(bytes, &root, &limits) {
        assert!(totals.bytes <= MOST && totals.entries <= 100);
    }
    let beside: Vec<_> = fs::read_dir(dir.path())
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name())
        .filter(|name| name != "root")
        .collect();
    assert!(beside.is_empty(), "{beside:?} stands beside the root");
}
