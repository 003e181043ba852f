//! The status of a commit at a forge, or its check run at GitHub.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use reqwest::Method;
use serde::Deserialize;

use super::http::Http;
use super::{Authorities, Channel, Message, Notice, SendError, SendErrorKind, forge_body};
use crate::id::RunId;
use crate::settings::ForgeKind;

/// The status of the commit that a run is for, or its check run, at a forge.
pub struct Forge {
    kind: ForgeKind,
    report: ForgeReport,
    http: Http,
    repository: String,
    token: String,
    name: String,
    /// The check runs that were begun, to be completed.
    begun: Mutex<HashMap<(RunId, String), u64>>,
}

/// What a forge is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ForgeReport {
    /// The status of the commit.
    Status,
    /// A check run, at GitHub only.
    Check,
}

impl fmt::Debug for Forge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forge")
            .field("kind", &self.kind)
            .field("repository", &self.repository)
            .finish_non_exhaustive()
    }
}

impl Forge {
    /// A repository at a forge; without an address of the API at the vendor's own service.
    pub fn new(
        kind: ForgeKind,
        report: ForgeReport,
        api: Option<&str>,
        repository: &str,
        token: &str,
    ) -> Result<Self, SendError> {
        if report == ForgeReport::Check && kind != ForgeKind::Github {
            return Err(SendError::refused("only GitHub has check runs"));
        }
        if kind != ForgeKind::Gitlab
            && repository.split('/').filter(|it| !it.is_empty()).count() != 2
        {
            return Err(SendError::refused(format!(
                "`{repository}` is no repository: it is written `owner/name`"
            )));
        }
        let default = match kind {
            ForgeKind::Github => Some("https://api.github.com"),
            ForgeKind::Gitlab => Some("https://gitlab.com/api/v4"),
            ForgeKind::Gitea => None,
        };
        let api = api.or(default).ok_or_else(|| {
            SendError::refused("Gitea needs the address of its API, as `https://HOST/api/v1`")
        })?;
        Ok(Self {
            kind,
            report,
            http: Http::new(api)?,
            repository: repository.to_owned(),
            token: token.to_owned(),
            name: "ci".to_owned(),
            begun: Mutex::default(),
        })
    }

    /// Trusts these certificate authorities beside those of the system.
    pub fn trusting(mut self, authorities: &Authorities) -> Result<Self, SendError> {
        self.http = self.http.trusting(authorities)?;
        Ok(self)
    }

    /// What the status is called; `ci` without. Statuses of jobs are called `NAME/JOB`.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    fn headers(&self) -> Vec<(&'static str, String)> {
        match self.kind {
            ForgeKind::Github => vec![
                ("authorization", format!("Bearer {}", self.token)),
                ("accept", "application/vnd.github+json".to_owned()),
                ("x-github-api-version", "2022-11-28".to_owned()),
            ],
            ForgeKind::Gitlab => vec![("private-token", self.token.clone())],
            ForgeKind::Gitea => vec![("authorization", format!("token {}", self.token))],
        }
    }

    fn name_of(&self, notice: &Notice) -> String {
        match notice.job() {
            Some(job) => format!("{}/{job}", self.name),
            None => self.name.clone(),
        }
    }

    /// `repos/OWNER/NAME` and the rest.
    fn of_repository(&self, rest: &[&str]) -> Http {
        let parts = self.repository.split('/').filter(|part| !part.is_empty());
        let path = std::iter::once("repos").chain(parts);
        self.http.below(path.chain(rest.iter().copied()))
    }

    async fn status(&self, notice: &Notice, revision: &str) -> Result<(), SendError> {
        let http = match self.kind {
            // A project is one segment, its slashes escaped.
            ForgeKind::Gitlab => {
                let path = ["projects", &self.repository, "statuses", revision];
                self.http.below(path)
            }
            ForgeKind::Github | ForgeKind::Gitea => self.of_repository(&["statuses", revision]),
        };
        let body = forge_body::status(self.kind, &self.name_of(notice), notice);
        let body = body.to_string().into_bytes();
        match http.send(Method::POST, &self.headers(), body).await {
            // GitLab refuses to set a state that is set already: the try before arrived after all.
            Err(error)
                if self.kind == ForgeKind::Gitlab
                    && error.to_string().contains("Cannot transition status") =>
            {
                Ok(())
            }
            other => other.map(drop),
        }
    }

    async fn check(&self, notice: &Notice) -> Result<(), SendError> {
        #[derive(Deserialize)]
        struct CheckRun {
            id: u64,
        }
        let name = self.name_of(notice);
        let key = (notice.run, name.clone());
        let begun = self.begun().get(&key).copied();
        let body = forge_body::check(&name, notice).to_string().into_bytes();
        let headers = self.headers();
        if let Some(id) = begun {
            let http = self.of_repository(&["check-runs", &id.to_string()]);
            return http.send(Method::PATCH, &headers, body).await.map(drop);
        }
        let http = self.of_repository(&["check-runs"]);
        let answer = http.send(Method::POST, &headers, body).await?;
        // Without an id the end is a check run of its own, which replaces this one on the page.
        if let Ok(made) = serde_json::from_slice::<CheckRun>(&answer) {
            self.begun().insert(key, made.id);
        }
        Ok(())
    }

    fn begun(&self) -> std::sync::MutexGuard<'_, HashMap<(RunId, String), u64>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Channel for Forge {
    async fn send(&self, message: &Message) -> Result<(), SendError> {
        for notice in &message.notices {
            let Some(revision) = &notice.revision else {
                let message = "the run is for no commit that could have a status";
                return Err(SendError::new(SendErrorKind::Refused, message));
            };
            match self.report {
                ForgeReport::Status => self.status(notice, revision).await?,
                ForgeReport::Check => self.check(notice).await?,
            }
        }
        Ok(())
    }

    fn shows_states(&self) -> bool {
        true
    }
}
