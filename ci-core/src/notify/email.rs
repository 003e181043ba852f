//! E-mail over SMTP.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::transport::smtp::AsyncSmtpTransport;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncTransport, Tokio1Executor};

use super::text::{details, plain, shown, subject, title};
use super::{Authorities, Channel, Message, SendError};
use crate::error::chain;
use crate::settings::MailSecurity;

/// How long the mail server may be silent.
const SILENCE: Duration = Duration::from_secs(30);

type Smtp = AsyncSmtpTransport<Tokio1Executor>;
type SmtpBuilder = lettre::transport::smtp::AsyncSmtpTransportBuilder;

/// E-mail over SMTP: one mail a message, in plain text.
#[derive(Clone)]
pub struct Email {
    transport: Smtp,
    builder: SmtpBuilder,
    server: String,
    security: MailSecurity,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Email")
            .field("from", &self.from)
            .field("to", &self.to)
            .finish_non_exhaustive()
    }
}

/// Who logs in at a mail server.
#[derive(Clone)]
#[non_exhaustive]
pub struct EmailLogin {
    /// The name.
    pub user: String,
    /// The password.
    pub password: String,
}

impl EmailLogin {
    /// A name with its password.
    #[must_use]
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            user: user.into(),
            password: password.into(),
        }
    }
}

impl fmt::Debug for EmailLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmailLogin")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl Email {
    /// Mails from one address to others through a server; without a port through the usual one. A login
    /// needs an encrypted connection.
    pub fn new(
        (server, port): (&str, Option<u16>),
        security: MailSecurity,
        login: Option<EmailLogin>,
        from: &str,
        to: &[String],
    ) -> Result<Self, SendError> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        if login.is_some() && security == MailSecurity::None {
            let message = "a password is not sent over a connection that is not encrypted";
            return Err(SendError::refused(message));
        }
        let wrong = |error: lettre::transport::smtp::Error| {
            SendError::refused(format!("the mail server `{server}`: {}", chain(&error)))
        };
        let mut builder = match security {
            MailSecurity::Starttls => Smtp::starttls_relay(server).map_err(wrong)?,
            MailSecurity::Tls => Smtp::relay(server).map_err(wrong)?,
            MailSecurity::None => Smtp::builder_dangerous(server),
        };
        if let Some(port) = port {
            builder = builder.port(port);
        }
        if let Some(login) = login {
            builder = builder.credentials(Credentials::new(login.user, login.password));
        }
        if to.is_empty() {
            return Err(SendError::refused("there is no address to mail to"));
        }
        let to = to.iter().map(|address| mailbox(address));
        let builder = builder.timeout(Some(SILENCE));
        Ok(Self {
            transport: builder.clone().build(),
            builder,
            server: server.to_owned(),
            security,
            from: mailbox(from)?,
            to: to.collect::<Result<_, _>>()?,
        })
    }

    /// Trusts these certificate authorities beside those of the system.
    pub fn trusting(mut self, authorities: &Authorities) -> Result<Self, SendError> {
        let trusted = TlsParameters::builder(self.server.clone())
            .add_root_certificate(authorities.for_mail()?)
            .build();
        let trusted = trusted.map_err(|error| {
            SendError::refused(format!(
                "the mail server `{}`: {}",
                self.server,
                chain(&error)
            ))
        })?;
        let tls = match self.security {
            MailSecurity::Starttls => Tls::Required(trusted),
            MailSecurity::Tls => Tls::Wrapper(trusted),
            MailSecurity::None => return Ok(self),
        };
        self.builder = self.builder.tls(tls);
        self.transport = self.builder.clone().build();
        Ok(self)
    }

    fn mail(&self, message: &Message) -> Result<lettre::Message, SendError> {
        let domain = self.from.email.domain();
        let mut mail = lettre::Message::builder()
            .from(self.from.clone())
            .subject(subject(message))
            // The same in every try: mail readers show it once.
            .message_id(Some(format!("<{}@{domain}>", message.id)))
            .raw_header(HeaderValue::new(
                // RFC 3834: answers of machines do not come back.
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ))
            .header(ContentType::TEXT_PLAIN);
        for to in &self.to {
            mail = mail.to(to.clone());
        }
        mail.body(body(message))
            .map_err(|error| SendError::refused(format!("no mail: {error}")))
    }
}

fn mailbox(address: &str) -> Result<Mailbox, SendError> {
    address.parse().map_err(|error| {
        let address = plain(address);
        SendError::refused(format!("`{address}` is no address for mails: {error}"))
    })
}

/// The text of a mail.
pub(super) fn body(message: &Message) -> String {
    let (notices, left_out) = shown(message);
    let mut lines: Vec<String> = Vec::new();
    if left_out > 0 {
        lines.push(format!("({left_out} earlier notices are left out)\n"));
    }
    for notice in notices {
        lines.push(title(notice));
        lines.extend(details(notice).iter().map(|line| format!("  {line}")));
        lines.push(format!("  run {}", notice.run));
        if let Some(revision) = &notice.revision {
            lines.push(format!("  commit {}", plain(revision)));
        }
        if let Some(url) = &notice.url {
            lines.push(format!("  {url}"));
        }
        lines.push(String::new());
    }
    lines.join("\r\n")
}

#[async_trait]
impl Channel for Email {
    async fn send(&self, message: &Message) -> Result<(), SendError> {
        let mail = self.mail(message)?;
        let sent = self.transport.send(mail).await;
        sent.map(drop).map_err(|error| {
            let words = chain(&error);
            if error.is_permanent() || error.is_client() || error.is_tls() {
                SendError::refused(words)
            } else {
                SendError::temporary(words)
            }
        })
    }
}
