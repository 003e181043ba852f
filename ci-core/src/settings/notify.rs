//! Whom the project tells how its runs end, as the settings file has it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::value::{self, DurationText};
use crate::outcome::OutcomeKind;

/// Whom the project tells how its runs end.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct NotifySettings {
    /// The address of a page about a run, in which `{run}` stands for its id. Messages link to it.
    pub run_url: Option<String>,
    /// A file with certificate authorities in PEM form, relative to the project, which all channels trust
    /// beside those of the system: for mail servers and forges inside of a company.
    pub ca_file: Option<PathBuf>,
    /// Where messages go, by a name that rules use.
    pub channels: BTreeMap<String, ChannelSettings>,
    /// What goes where. An event goes to each channel at most once, however many rules fit.
    pub rules: Vec<NotifyRule>,
}

/// A place that messages go to: exactly one of `chat`, `webhook`, `email`, `status` and `check`, and
/// how it is served.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ChannelSettings {
    /// An incoming webhook of a chat, in the form of Slack, which many others understand.
    pub chat: Option<ChatSettings>,
    /// An HTTP address that gets JSON, signed as <https://www.standardwebhooks.com> says.
    pub webhook: Option<WebhookSettings>,
    /// E-mail over SMTP.
    pub email: Option<EmailSettings>,
    /// The status of the commit at a forge.
    pub status: Option<ForgeSettings>,
    /// A check run of the commit at GitHub, which asks for the token of an app.
    pub check: Option<ForgeSettings>,
    /// How long messages are collected to go out as one; nothing by default. The end of the run sends
    /// what is left.
    #[serde(deserialize_with = "value::some_duration")]
    #[schemars(with = "Option<DurationText>")]
    pub batch: Option<Duration>,
    /// How many messages go out in `per`, which is a minute by default; 20 by default. More are
    /// collected and go out as one.
    #[schemars(range(min = 1))]
    pub limit: Option<NonZeroU32>,
    /// The time that `limit` is about.
    #[serde(deserialize_with = "value::some_duration")]
    #[schemars(with = "Option<DurationText>")]
    pub per: Option<Duration>,
    /// How many times a message is tried; 5 by default.
    #[schemars(range(min = 1))]
    pub attempts: Option<NonZeroU32>,
    /// How long one try may take; 10 s by default.
    #[serde(deserialize_with = "value::some_duration")]
    #[schemars(with = "Option<DurationText>")]
    pub timeout: Option<Duration>,
}

/// An incoming webhook of a chat.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ChatSettings {
    /// The variable that holds the webhook's address, which is a secret; `$SLACK_WEBHOOK_URL` by
    /// default.
    pub webhook: SecretRef,
}

impl Default for ChatSettings {
    fn default() -> Self {
        Self {
            webhook: SecretRef {
                context: None,
                name: "SLACK_WEBHOOK_URL".into(),
            },
        }
    }
}

/// An HTTP address that gets JSON.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct WebhookSettings {
    /// The address, or the variable that holds it.
    pub url: MaybeSecret,
    /// The variable that holds the key that signs messages.
    #[serde(default)]
    pub secret: Option<SecretRef>,
}

/// E-mail over SMTP.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct EmailSettings {
    /// The mail server.
    pub server: String,
    /// Its port; by default 587 with `starttls`, 465 with `tls` and 25 with `none`.
    #[serde(default)]
    pub port: Option<u16>,
    /// How the connection is protected.
    #[serde(default)]
    pub security: MailSecurity,
    /// The name to log in with.
    #[serde(default)]
    pub user: Option<String>,
    /// The variable that holds the password.
    #[serde(default)]
    pub password: Option<SecretRef>,
    /// The address that mails come from.
    pub from: String,
    /// The addresses that mails go to.
    #[schemars(length(min = 1))]
    pub to: Vec<String>,
}

/// How the connection to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MailSecurity {
    /// It begins in the clear and has to be encrypted before anything is said.
    #[default]
    Starttls,
    /// It is encrypted from its first byte.
    Tls,
    /// It is not: for servers on this machine. No password is sent.
    None,
}

/// A repository at a forge.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ForgeSettings {
    /// Which forge.
    pub forge: ForgeKind,
    /// The address of its API; by default that of the vendor's own service.
    #[serde(default)]
    pub api: Option<String>,
    /// The repository, as `owner/name`; with GitLab also the number of the project.
    pub repository: String,
    /// The variable that holds the token.
    pub token: SecretRef,
    /// What the status is called; `ci` by default. Statuses of jobs are `NAME/JOB`.
    #[serde(default)]
    pub name: Option<String>,
}

/// Where repositories are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ForgeKind {
    /// GitHub or GitHub Enterprise.
    Github,
    /// GitLab.
    Gitlab,
    /// Gitea or Forgejo.
    Gitea,
}

/// What goes where. What is left out does not matter; everything that is there has to fit.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct NotifyRule {
    /// The channels.
    pub to: Vec<String>,
    /// How the run, or with `jobs` the job, ended.
    #[serde(default)]
    pub outcomes: Vec<OutcomeKind>,
    /// Only if the run before of the same workflow and branch ended the other way: a first failure, or
    /// the first success after failures.
    #[serde(default)]
    pub changed: bool,
    /// Only for these branches; `*` and `?` are wildcards.
    #[serde(default)]
    pub branches: Vec<String>,
    /// About these jobs, when they end, and not about the run; `*` and `?` are wildcards.
    #[serde(default)]
    pub jobs: Vec<String>,
}

/// Names a secret: `$NAME` is a variable of the environment, `$CONTEXT/NAME` one of a context. The
/// secret itself is never in the settings.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SecretRef {
    /// The context; the environment without.
    pub context: Option<String>,
    /// The variable.
    pub name: String,
}

const SECRET_PATTERN: &str = r"^\$([A-Za-z0-9_.-]+/)?[A-Za-z_][A-Za-z0-9_]*$";

impl SecretRef {
    /// Reads `$NAME` or `$CONTEXT/NAME`; `None` for everything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('$')?;
        let (context, name) = match text.rsplit_once('/') {
            Some((context, name)) => (Some(context), name),
            None => (None, text),
        };
        let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let is_name = !name.is_empty()
            && !name.starts_with(|letter: char| letter.is_ascii_digit())
            && name.chars().all(is_word);
        let is_context = context.is_none_or(|context| {
            let fits = |letter: char| is_word(letter) || matches!(letter, '.' | '-');
            !context.is_empty() && context.chars().all(fits)
        });
        (is_name && is_context).then(|| Self {
            context: context.map(str::to_owned),
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.context {
            Some(context) => write!(f, "${context}/{}", self.name),
            None => write!(f, "${}", self.name),
        }
    }
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // What was written may be a secret: it is not said again.
        Self::parse(&String::deserialize(deserializer)?).ok_or_else(|| {
            D::Error::custom(
                "a secret is not written here: name its variable, as `$NAME` or `$CONTEXT/NAME`",
            )
        })
    }
}

impl JsonSchema for SecretRef {
    fn schema_name() -> Cow<'static, str> {
        "SecretRef".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": SECRET_PATTERN,
            "description": "Names a secret: `$NAME` is a variable of the environment, `$CONTEXT/NAME` one of a context.",
        })
    }
}

/// A value that may be a secret: written as it is, or as the name of a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MaybeSecret {
    /// The value.
    Plain(String),
    /// The variable that holds it.
    Secret(SecretRef),
}

impl<'de> Deserialize<'de> for MaybeSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if !text.starts_with('$') {
            return Ok(Self::Plain(text));
        }
        let named = SecretRef::parse(&text);
        named.map(Self::Secret).ok_or_else(|| {
            D::Error::custom(format!(
                "`{text}` is no variable: `$NAME` or `$CONTEXT/NAME`"
            ))
        })
    }
}

impl JsonSchema for MaybeSecret {
    fn schema_name() -> Cow<'static, str> {
        "MaybeSecret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": "string",
            "minLength": 1,
            "description": "The value, or as `$NAME` or `$CONTEXT/NAME` the variable that holds it.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_named_and_never_written() {
        let read = |text: &str| SecretRef::parse(text).map(|secret| secret.to_string());
        for good in ["$TOKEN", "$release/TOKEN", "$org.team-1/_t0"] {
            assert_eq!(read(good).as_deref(), Some(good));
        }
        for bad in [
            "TOKEN", "$", "$a/", "$/A", "$1A", "$A B", "xoxb-123", "$a/b/C",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
        let error = serde_json::from_str::<SecretRef>("\"hunter22\"").unwrap_err();
        assert!(!error.to_string().contains("hunter22"), "{error}");
    }
}
