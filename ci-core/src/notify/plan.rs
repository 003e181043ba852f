//! Whom to tell what: channels and rules, from the settings or from code.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::{
    Authorities, Channel, Chat, Delivery, Email, EmailLogin, Forge, ForgeReport, NotifyFailure,
    SendError, Webhook,
};
use crate::secret::SecretSet;
use crate::settings::{
    ChannelSettings, EmailSettings, ForgeSettings, MaybeSecret, NotifyRule, NotifySettings,
    SecretRef, WebhookSettings,
};
use crate::similar;

/// Whom to tell what.
#[derive(Default)]
#[must_use]
pub struct NotifyPlan {
    pub(super) channels: BTreeMap<String, Planned>,
    pub(super) rules: Vec<NotifyRule>,
    pub(super) run_url: Option<String>,
    pub(super) secrets: SecretSet,
    /// What is wrong with it, to be said once it is used.
    pub(super) failures: Vec<NotifyFailure>,
}

pub(super) struct Planned {
    pub(super) channel: Arc<dyn Channel>,
    pub(super) delivery: Delivery,
}

impl fmt::Debug for NotifyPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NotifyPlan")
            .field("channels", &self.channels.keys().collect::<Vec<_>>())
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

impl NotifyPlan {
    /// Nobody is told anything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a channel under a name that rules use.
    pub fn channel(
        mut self,
        name: impl Into<String>,
        channel: impl Channel + 'static,
        delivery: Delivery,
    ) -> Self {
        let channel: Arc<dyn Channel> = Arc::new(channel);
        self.channels
            .insert(name.into(), Planned { channel, delivery });
        self
    }

    /// Adds a rule.
    pub fn rule(mut self, rule: NotifyRule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Messages link to this address, in which `{run}` stands for the run's id.
    pub fn run_url(mut self, url: impl Into<String>) -> Self {
        self.run_url = Some(url.into());
        self
    }

    /// Masks these values, by the names of their variables, in what failures say.
    pub fn secrets<'a>(mut self, secrets: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        // What is too short to mask is not looked for: it would blot out the words of every failure.
        self.secrets = SecretSet::new(secrets).0;
        self
    }

    /// The plan of the settings. `secret` gives the value of a variable of the environment or of a
    /// context. A channel whose secret is missing, or that is otherwise wrong, is a failure in the
    /// [report](super::NotifyReport), and the others work.
    pub fn from_settings(
        settings: &NotifySettings,
        secret: impl Fn(&SecretRef) -> Option<String>,
    ) -> Self {
        let mut plan = Self::new();
        plan.run_url.clone_from(&settings.run_url);
        plan.rules.clone_from(&settings.rules);
        let mut used = Vec::new();
        for (name, channel) in &settings.channels {
            let mut look_up = |wanted: &SecretRef| {
                let value = secret(wanted).filter(|value| !value.is_empty());
                let value = value.ok_or_else(|| {
                    SendError::refused(format!("the variable `{wanted}` is not set"))
                })?;
                used.push((wanted.name.clone(), value.clone()));
                Ok(value)
            };
            match open(channel, authorities(settings), &mut look_up) {
                Ok(open) => {
                    let delivery = delivery(channel);
                    let channel = open;
                    plan.channels
                        .insert(name.clone(), Planned { channel, delivery });
                }
                Err(error) => plan.fail(name, &error.to_string()),
            }
        }
        plan.check_names(settings);
        let secrets = used.iter().map(|(name, value)| (&**name, &**value));
        plan.secrets(secrets)
    }

    fn fail(&mut self, channel: &str, message: &str) {
        self.failures.push(NotifyFailure::new(channel, message, 0));
    }

    /// Rules name channels that there are.
    fn check_names(&mut self, settings: &NotifySettings) {
        for rule in &settings.rules {
            for name in &rule.to {
                if !settings.channels.contains_key(name) {
                    let known = settings.channels.keys().map(String::as_str);
                    let hint = similar::did_you_mean(similar::closest(name, known));
                    self.fail(name, &format!("a rule names it, and it is not there{hint}"));
                }
            }
        }
    }

    /// Whether nobody is ever told anything, and nothing is wrong either.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.failures.is_empty() && (self.channels.is_empty() || self.rules.is_empty())
    }
}

type LookUp<'a> = &'a mut dyn FnMut(&SecretRef) -> Result<String, SendError>;

/// The authorities of the settings, read from their file.
fn authorities(settings: &NotifySettings) -> Result<Option<Authorities>, SendError> {
    let Some(file) = &settings.ca_file else {
        return Ok(None);
    };
    let wrong = |words: String| {
        SendError::refused(format!(
            "the file `{}` of `ca_file`: {words}",
            file.display()
        ))
    };
    let pem = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
    let read = Authorities::from_pem(pem);
    read.map(Some).map_err(|error| wrong(error.to_string()))
}

fn open(
    settings: &ChannelSettings,
    authorities: Result<Option<Authorities>, SendError>,
    secret: LookUp<'_>,
) -> Result<Arc<dyn Channel>, SendError> {
    let own = authorities?;
    let own = own.as_ref();

    let ChannelSettings {
        chat,
        webhook,
        email,
        status,
        check,
        ..
    } = settings;
    Ok(match (chat, webhook, email, status, check) {
        (Some(chat), None, None, None, None) => {
            let chat = Chat::new(&secret(&chat.webhook)?)?;
            Arc::new(trusting(chat, own, Chat::trusting)?)
        }
        (None, Some(it), None, None, None) => {
            Arc::new(trusting(open_webhook(it, secret)?, own, Webhook::trusting)?)
        }
        (None, None, Some(it), None, None) => {
            Arc::new(trusting(open_email(it, secret)?, own, Email::trusting)?)
        }
        (None, None, None, Some(it), None) => {
            let forge = open_forge(it, ForgeReport::Status, secret)?;
            Arc::new(trusting(forge, own, Forge::trusting)?)
        }
        (None, None, None, None, Some(it)) => {
            let forge = open_forge(it, ForgeReport::Check, secret)?;
            Arc::new(trusting(forge, own, Forge::trusting)?)
        }
        _ => {
            let message =
                "it needs exactly one of `chat`, `webhook`, `email`, `status` and `check`";
            return Err(SendError::refused(message));
        }
    })
}

/// A channel that trusts the authorities, if there are some.
fn trusting<C>(
    channel: C,
    own: Option<&Authorities>,
    trust: impl FnOnce(C, &Authorities) -> Result<C, SendError>,
) -> Result<C, SendError> {
    match own {
        Some(own) => trust(channel, own),
        None => Ok(channel),
    }
}

fn open_webhook(settings: &WebhookSettings, secret: LookUp<'_>) -> Result<Webhook, SendError> {
    let url = match &settings.url {
        MaybeSecret::Plain(url) => url.clone(),
        MaybeSecret::Secret(name) => secret(name)?,
    };
    let webhook = Webhook::new(&url)?;
    match &settings.secret {
        Some(name) => webhook.signed(&secret(name)?),
        None => Ok(webhook),
    }
}

fn open_email(settings: &EmailSettings, secret: LookUp<'_>) -> Result<Email, SendError> {
    let login = match (&settings.user, &settings.password) {
        (Some(user), Some(password)) => Some(EmailLogin::new(user, secret(password)?)),
        (None, None) => None,
        _ => return Err(SendError::refused("a login has both `user` and `password`")),
    };
    let server = (&*settings.server, settings.port);
    Email::new(
        server,
        settings.security,
        login,
        &settings.from,
        &settings.to,
    )
}

fn open_forge(
    settings: &ForgeSettings,
    report: ForgeReport,
    secret: LookUp<'_>,
) -> Result<Forge, SendError> {
    let token = secret(&settings.token)?;
    let api = settings.api.as_deref();
    let forge = Forge::new(settings.forge, report, api, &settings.repository, &token)?;
    Ok(match &settings.name {
        Some(name) => forge.name(name),
        None => forge,
    })
}

fn delivery(settings: &ChannelSettings) -> Delivery {
    let default = Delivery::default();
    Delivery {
        batch: settings.batch.unwrap_or(default.batch),
        limit: settings.limit.unwrap_or(default.limit),
        per: settings.per.unwrap_or(default.per),
        attempts: settings.attempts.unwrap_or(default.attempts),
        timeout: settings.timeout.unwrap_or(default.timeout),
        ..default
    }
}
