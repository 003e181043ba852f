//! A chat with incoming webhooks in the form of Slack, which Mattermost, Rocket.Chat and others take.

use async_trait::async_trait;
use reqwest::Method;
use serde_json::json;

use super::http::Http;
use super::text::{cut, details, shown, title};
use super::{Authorities, Channel, Message, Notice, SendError};

/// How many characters a message has at most: what a chat shows without folding.
const LONGEST: usize = 3000;

/// A chat with incoming webhooks in the form of Slack
/// (<https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>).
#[derive(Clone)]
pub struct Chat {
    http: Http,
}

impl std::fmt::Debug for Chat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The address lets everybody write.
        f.write_str("Chat(…)")
    }
}

impl Chat {
    /// The chat behind the address of an incoming webhook.
    pub fn new(webhook: &str) -> Result<Self, SendError> {
        Http::new(webhook).map(|http| Self { http })
    }

    /// Trusts these certificate authorities beside those of the system.
    pub fn trusting(mut self, authorities: &Authorities) -> Result<Self, SendError> {
        self.http = self.http.trusting(authorities)?;
        Ok(self)
    }
}

#[async_trait]
impl Channel for Chat {
    async fn send(&self, message: &Message) -> Result<(), SendError> {
        let body = json!({ "text": text(message) }).to_string();
        let sent = self.http.send(Method::POST, &[], body.into_bytes()).await;
        sent.map(drop)
    }
}

/// The message in the markup of chats.
pub(super) fn text(message: &Message) -> String {
    let (notices, left_out) = shown(message);
    let mut lines: Vec<String> = Vec::new();
    if left_out > 0 {
        lines.push(format!("({left_out} earlier notices are left out)"));
    }
    for notice in notices {
        lines.push(headline(notice));
        let more = details(notice);
        lines.extend(more.iter().map(|line| format!("• {}", escaped(line))));
    }
    cut(&lines.join("\n"), LONGEST)
}

fn headline(notice: &Notice) -> String {
    let title = escaped(&title(notice));
    match &notice.url {
        Some(url) => format!("*<{}|{title}>*", address(url)),
        None => format!("*{title}*"),
    }
}

/// A text in which nothing is markup and nobody is called.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            // An invisible space keeps `@all` from calling everybody.
            '@' => safe.push_str("@\u{200b}"),
            '|' => safe.push('¦'),
            other => safe.push(other),
        }
    }
    safe
}

/// An address that cannot end the link it is in.
fn address(url: &str) -> String {
    url.replace('|', "%7C")
        .replace('>', "%3E")
        .replace('<', "%3C")
}
