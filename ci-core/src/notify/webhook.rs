//! An HTTP address that gets notices as JSON, signed.

use std::fmt;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use serde::Serialize;
use sha2::Sha256;

use super::http::Http;
use super::{Authorities, Channel, Message, Notice, SendError};
use crate::clock::Clock;

/// An HTTP address that gets `{"version": 1, "notices": […], "left_out": 0}` by POST.
///
/// With a key, requests are signed as <https://www.standardwebhooks.com> says: the headers `webhook-id`
/// (the same for every try), `webhook-timestamp` (seconds) and `webhook-signature`, which is `v1,` and
/// the Base64 of the HMAC-SHA256 of `ID.TIMESTAMP.BODY`. Libraries that verify it exist for many
/// languages.
#[derive(Clone)]
pub struct Webhook {
    http: Http,
    key: Option<Vec<u8>>,
    clock: Clock,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("signed", &self.key.is_some())
            .finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Body<'a> {
    version: u32,
    notices: Vec<&'a Notice>,
    left_out: u64,
}

impl Webhook {
    /// The receiver behind an address.
    pub fn new(url: &str) -> Result<Self, SendError> {
        Http::new(url).map(|http| Self {
            http,
            key: None,
            clock: Clock::system(),
        })
    }

    /// Trusts these certificate authorities beside those of the system.
    pub fn trusting(mut self, authorities: &Authorities) -> Result<Self, SendError> {
        self.http = self.http.trusting(authorities)?;
        Ok(self)
    }

    /// Signs requests with a key: `whsec_` and Base64, or any other text as it is.
    pub fn signed(mut self, secret: &str) -> Result<Self, SendError> {
        let key = match secret.strip_prefix("whsec_") {
            Some(text) => STANDARD
                .decode(text)
                .map_err(|_| SendError::refused("the key after `whsec_` is no Base64"))?,
            None => secret.as_bytes().to_vec(),
        };
        if key.is_empty() {
            return Err(SendError::refused("the key is empty"));
        }
        self.key = Some(key);
        Ok(self)
    }

    /// Takes the time of signatures from `clock`.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }
}

/// The signature of a body.
pub(super) fn signature(key: &[u8], id: &str, seconds: u64, body: &[u8]) -> String {
    // HMAC takes keys of every length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return String::new();
    };
    mac.update(format!("{id}.{seconds}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[async_trait]
impl Channel for Webhook {
    async fn send(&self, message: &Message) -> Result<(), SendError> {
        let body = Body {
            version: 1,
            notices: message.notices.iter().map(|notice| &**notice).collect(),
            left_out: message.left_out,
        };
        let body = serde_json::to_vec(&body)
            .map_err(|error| SendError::refused(format!("no JSON: {error}")))?;
        let seconds = self.clock.wall().as_millis() / 1000;
        let mut headers = vec![
            ("webhook-id", message.id.clone()),
            ("webhook-timestamp", seconds.to_string()),
        ];
        if let Some(key) = &self.key {
            let signature = signature(key, &message.id, seconds, &body);
            headers.push(("webhook-signature", signature));
        }
        let sent = self.http.send(Method::POST, &headers, body).await;
        sent.map(drop)
    }
}
