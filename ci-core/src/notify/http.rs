//! Sends a request once, and says whether trying again makes sense.

use reqwest::header::RETRY_AFTER;
use reqwest::{Method, StatusCode, Url};

use super::retry_after;
use super::text::plain;
use super::{Authorities, SendError};
use crate::clock::Clock;

/// How much of an answer is read, in bytes.
const LONGEST_ANSWER: usize = 256 << 10;

/// A client that follows no redirection, so that what is secret in a request goes to nobody else.
#[derive(Debug, Clone)]
pub(super) struct Http {
    client: reqwest::Client,
    url: Url,
}

impl Http {
    /// A client of the address. The address itself may be a secret and is in no error.
    pub(super) fn new(url: &str) -> Result<Self, SendError> {
        let parsed = Url::parse(url).ok();
        let url = parsed
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| {
                SendError::refused("the address is no URL that begins with `https://` or `http://`")
            })?;
        let client = client(None)?;
        Ok(Self { client, url })
    }

    /// The same, trusting these authorities beside those of the system.
    pub(super) fn trusting(self, authorities: &Authorities) -> Result<Self, SendError> {
        let client = client(Some(authorities))?;
        Ok(Self { client, ..self })
    }

    /// The address with more segments of its path. Slashes within a segment are escaped.
    pub(super) fn below<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> Self {
        let mut url = self.url.clone();
        // A URL with a host has a path.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        Self {
            client: self.client.clone(),
            url,
        }
    }

    /// Sends a body of JSON, and gives the answer of a server that took it.
    pub(super) async fn send(
        &self,
        method: Method,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
    ) -> Result<Vec<u8>, SendError> {
        let mut request = self
            .client
            .request(method, self.url.clone())
            .header("content-type", "application/json")
            .body(body);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let answer = request.send().await;
        let mut answer = answer.map_err(|error| {
            if error.is_builder() {
                SendError::refused(words(error))
            } else {
                SendError::temporary(words(error))
            }
        })?;
        let status = answer.status();
        let header = answer.headers().get(RETRY_AFTER);
        let pause = header.and_then(|value| value.to_str().ok());
        let pause = pause.and_then(|value| retry_after::parse(value, Clock::system().wall()));
        let mut body = Vec::new();
        while body.len() < LONGEST_ANSWER {
            match answer.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                // The status says more than a body that breaks off.
                Ok(None) | Err(_) => break,
            }
        }
        body.truncate(LONGEST_ANSWER);
        if status.is_success() {
            return Ok(body);
        }
        let said = plain(&String::from_utf8_lossy(&body));
        let said = if said.is_empty() {
            said
        } else {
            format!(": {said}")
        };
        let message = format!("the server answered {status}{said}");
        Err(if may_pass(status, pause.is_some()) {
            SendError::temporary(message).retry_after(pause)
        } else {
            SendError::refused(message)
        })
    }
}

fn client(authorities: Option<&Authorities>) -> Result<reqwest::Client, SendError> {
    let mut builder = crate::http::client().redirect(reqwest::redirect::Policy::none());
    if let Some(authorities) = authorities {
        builder = builder.tls_certs_merge(authorities.for_http()?);
    }
    let built = builder.build();
    built.map_err(|error| SendError::refused(words(error)))
}

/// Whether the same request may be taken later. Some forges say 403 to those who ask too often, with a
/// time to wait.
fn may_pass(status: StatusCode, says_when: bool) -> bool {
    status.is_server_error()
        || matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
        )
        || (status == StatusCode::FORBIDDEN && says_when)
}

/// What broke, without the address.
fn words(error: reqwest::Error) -> String {
    crate::error::chain(&error.without_url())
}
