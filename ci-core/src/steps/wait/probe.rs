//! One way to ask a service whether it is there.

use std::fmt;
use std::time::Duration;

use tokio::net::TcpStream;

use super::inside;
use crate::session::SessionInfo;
use crate::step::{StepContext, StepError, WaitProbe};

/// The longest that one try over the network may take: after this the packets are lost.
const TRY_LIMIT: Duration = Duration::from_secs(5);

/// A way to ask a service, chosen for the place that the job runs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Probe {
    /// A TCP connection from this process.
    Tcp { host: String, port: u16 },
    /// A TCP connection from inside the session.
    TcpInside { host: String, port: u16 },
    /// An HTTP request from this process.
    #[cfg(feature = "http")]
    Http(String),
    /// An HTTP request from inside the session.
    HttpInside(String),
    /// A script in the session.
    Command(String),
}

/// What came of one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    /// No answer, or the wrong one; a later try may do better.
    NotYet(String),
    /// The try came to no end in its time.
    Cut,
    /// No later try can do better.
    Never(String),
}

impl Probe {
    /// The probe for a service as seen from a session; an error in words if it is not well-formed.
    pub(super) fn new(spec: &WaitProbe, info: &SessionInfo) -> Result<Self, String> {
        let here = info.host_work_dir.is_some();
        match spec {
            WaitProbe::Tcp(address) => {
                let (host, port) = split_address(address)
                    .ok_or_else(|| format!("`{address}` is not of the form `host:port`"))?;
                Ok(if here {
                    Self::Tcp { host, port }
                } else {
                    Self::TcpInside { host, port }
                })
            }
            WaitProbe::Http(url) => {
                let scheme = url.split_once("://").map(|(scheme, _)| scheme);
                match scheme.map(str::to_ascii_lowercase).as_deref() {
                    #[cfg(feature = "http")]
                    Some("http") if here => Ok(Self::Http(url.clone())),
                    Some("http" | "https") => Ok(Self::HttpInside(url.clone())),
                    _ => Err(format!("`{url}` is no `http://` or `https://` URL")),
                }
            }
            WaitProbe::Command(script) => Ok(Self::Command(script.clone())),
        }
    }

    /// Asks once, for at most `left`. When the step is canceled it comes back soon with any answer.
    pub(super) async fn ask(&self, cx: &StepContext, left: Duration) -> Result<Answer, StepError> {
        let limit = left.min(TRY_LIMIT);
        match self {
            Self::Tcp { host, port } => {
                let connect = TcpStream::connect((host.as_str(), *port));
                Ok(within(cx, limit, async { connect.await.map(drop) }).await)
            }
            #[cfg(feature = "http")]
            Self::Http(url) => match super::http::request(url) {
                Ok(request) => Ok(within(cx, limit, super::http::ask(request)).await),
                Err(why) => Ok(Answer::Never(why)),
            },
            Self::TcpInside { host, port } => inside::tcp(cx, host, *port, limit).await,
            Self::HttpInside(url) => inside::http(cx, url, limit).await,
            // How long a command of the user may take is for the user to say.
            Self::Command(script) => inside::command(cx, script, left).await,
        }
    }
}

/// The answer of a try that may be dropped half-way.
async fn within<E: fmt::Display>(
    cx: &StepContext,
    limit: Duration,
    ask: impl Future<Output = Result<(), E>>,
) -> Answer {
    tokio::select! {
        // An answer that is there counts, even if the time is over at the same moment.
        biased;
        answer = ask => match answer {
            Ok(()) => Answer::Yes,
            Err(error) => Answer::NotYet(error.to_string()),
        },
        () = cx.cancellation().cancelled() => Answer::Cut,
        () = cx.clock().sleep(limit) => Answer::Cut,
    }
}

/// The host and the port of `host:port`; an IPv6 address stands in brackets.
fn split_address(address: &str) -> Option<(String, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let host = match bare {
        Some(inner) => inner,
        None if host.contains(':') => return None,
        None => host,
    };
    let port = port.parse().ok().filter(|port| *port != 0)?;
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } | Self::TcpInside { host, port } => {
                write!(f, "port {port} of `{host}`")
            }
            #[cfg(feature = "http")]
            Self::Http(url) => write!(f, "`{}`", crate::steps::mask_url(url)),
            Self::HttpInside(url) => write!(f, "`{}`", crate::steps::mask_url(url)),
            Self::Command(script) => {
                write!(f, "`{}`", script.trim().lines().next().unwrap_or_default())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        let found = |host: &str, port| Some((host.to_owned(), port));
        assert_eq!(split_address("db:5432"), found("db", 5432));
        assert_eq!(split_address("[::1]:80"), found("::1", 80));
        for address in ["db", "db:", ":80", "db:0", "db:70000", "::1:80", "db:http"] {
            assert_eq!(split_address(address), None, "{address}");
        }
    }

    #[test]
    fn what_this_process_cannot_do_is_asked_from_inside() {
        let far = SessionInfo::new("ssh", "/w", "/h");
        let mut here = far.clone();
        here.host_work_dir = Some("/w".into());
        let tcp = WaitProbe::Tcp("db:1".into());
        assert!(matches!(Probe::new(&tcp, &here), Ok(Probe::Tcp { .. })));
        assert!(matches!(
            Probe::new(&tcp, &far),
            Ok(Probe::TcpInside { .. })
        ));
        for (url, info) in [
            ("http://x", &far),
            ("https://x", &far),
            ("HTTPS://x", &here),
        ] {
            let probe = Probe::new(&WaitProbe::Http(url.into()), info);
            assert_eq!(probe, Ok(Probe::HttpInside(url.into())));
        }
        let probe = Probe::new(&WaitProbe::Http("ftp://x".into()), &here);
        assert_eq!(
            probe,
            Err("`ftp://x` is no `http://` or `https://` URL".into())
        );
    }
}
