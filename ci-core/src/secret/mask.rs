//! Masks secrets in a byte stream that comes in pieces.

use std::sync::Arc;

use super::SecretSet;

/// Masks the secrets of a set in one stream, also when a secret is split across pieces.
#[derive(Debug)]
pub struct Masker {
    secrets: Arc<SecretSet>,
    held: Vec<u8>,
}

impl Masker {
    /// A masker at the start of a stream.
    #[must_use]
    pub fn new(secrets: Arc<SecretSet>) -> Self {
        Self {
            secrets,
            held: Vec::new(),
        }
    }

    /// Takes a piece, gives what is certain to hold no part of a secret.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(bytes);
        let Some(end) = self.held.iter().rposition(|byte| *byte == b'\n') else {
            return Vec::new();
        };
        let rest = self.held.split_off(end + 1);
        let text = std::mem::replace(&mut self.held, rest);
        self.secrets
            .mask(&String::from_utf8_lossy(&text))
            .into_bytes()
    }

    /// Gives what was held back at the end of the stream.
    pub fn finish(&mut self) -> Vec<u8> {
        let text = std::mem::take(&mut self.held);
        self.secrets
            .mask(&String::from_utf8_lossy(&text))
            .into_bytes()
    }
}
