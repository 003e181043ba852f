//! Credentials for registries: given ones, else what `docker login` left behind.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use oci_client::secrets::RegistryAuth;
use serde::Deserialize;
use tokio::io::AsyncWriteExt;

use super::{ImageName, RegistryError, RegistryErrorKind};

/// How long a credential helper may take.
const HELPER_DEADLINE: Duration = Duration::from_secs(30);

/// The name by which Docker keeps the credentials of Docker Hub.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// Credentials for registries.
///
/// Those that were [given](Self::with) come first, the longest place that fits before shorter ones.
/// Then comes the file `config.json` of Docker (in `DOCKER_CONFIG`, else `~/.docker`): the helper of
/// the registry (`credHelpers`), the helper of all (`credsStore`), what the file itself says (`auths`).
#[derive(Clone, Default)]
pub struct Credentials {
    given: Vec<Given>,
    config: Option<PathBuf>,
}

#[derive(Clone)]
struct Given {
    place: String,
    user: String,
    password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let places: Vec<&str> = self
            .given
            .iter()
            .map(|given| given.place.as_str())
            .collect();
        f.debug_struct("Credentials")
            .field("given", &places)
            .field("config", &self.config)
            .finish()
    }
}

/// Docker's `config.json`, as far as it is about credentials.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Config {
    auths: HashMap<String, Entry>,
    cred_helpers: HashMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Entry(…)")
    }
}

/// What a helper answers.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

impl Credentials {
    /// No credentials at all.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Those of Docker's `config.json` in `dir`.
    #[must_use]
    pub fn docker_config(dir: impl Into<PathBuf>) -> Self {
        Self {
            given: Vec::new(),
            config: Some(dir.into().join("config.json")),
        }
    }

    /// Adds credentials for a place: a registry, or a path in one, such as `registry.example.com/team`.
    #[must_use]
    pub fn with(
        mut self,
        place: impl Into<String>,
        user: impl Into<String>,
        password: impl Into<String>,
    ) -> Self {
        let place = place.into().trim_end_matches('/').to_owned();
        let (user, password) = (user.into(), password.into());
        self.given.push(Given {
            place,
            user,
            password,
        });
        self
    }

    /// The place of given credentials that an image falls into; the registry if there are none.
    pub(super) fn place<'a>(&'a self, image: &'a ImageName) -> &'a str {
        match self.fitting(image) {
            Some(given) => &given.place,
            None => image.registry(),
        }
    }

    fn fitting(&self, image: &ImageName) -> Option<&Given> {
        let path = image.path();
        let fits = |place: &str| {
            path.strip_prefix(place)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let fitting = self.given.iter().filter(|given| fits(&given.place));
        fitting.max_by_key(|given| given.place.len())
    }

    pub(super) async fn find(&self, image: &ImageName) -> Result<RegistryAuth, RegistryError> {
        Ok(match self.user_of(image).await? {
            Some((user, password)) => RegistryAuth::Basic(user, password),
            None => RegistryAuth::Anonymous,
        })
    }

    /// The user and the password for an image; `None` for nobody in particular.
    pub(crate) async fn user_of(
        &self,
        image: &ImageName,
    ) -> Result<Option<(String, String)>, RegistryError> {
        if let Some(given) = self.fitting(image) {
            return Ok(Some((given.user.clone(), given.password.clone())));
        }
        let Some(path) = &self.config else {
            return Ok(None);
        };
        let config = read(path)?;
        for key in keys(image.registry()) {
            let helper = config
                .cred_helpers
                .get(&key)
                .or(config.creds_store.as_ref());
            if let Some(helper) = helper
                && let Some(found) = ask(helper, &key).await?
            {
                return Ok(Some(found));
            }
            if let Some(entry) = config.auths.get(&key)
                && let Some(found) = entry.user(&key)?
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

/// The names by which Docker's file may know a registry.
fn keys(registry: &str) -> Vec<String> {
    if matches!(registry, "docker.io" | "index.docker.io") {
        return [DOCKER_HUB, "index.docker.io", "docker.io"]
            .map(str::to_owned)
            .to_vec();
    }
    vec![
        registry.to_owned(),
        format!("https://{registry}"),
        format!("http://{registry}"),
    ]
}

fn read(path: &Path) -> Result<Config, RegistryError> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Config::default()),
        Err(error) => {
            return Err(trouble(format!("`{}` cannot be read", path.display())).with_source(error));
        }
    };
    serde_json::from_slice(&text).map_err(|error| {
        trouble(format!(
            "`{}` is not Docker's configuration",
            path.display()
        ))
        .with_source(error)
    })
}

impl Entry {
    fn user(&self, key: &str) -> Result<Option<(String, String)>, RegistryError> {
        if self
            .identitytoken
            .as_ref()
            .is_some_and(|token| !token.is_empty())
        {
            return Err(no_tokens(key));
        }
        if let (Some(user), Some(password)) = (&self.username, &self.password) {
            return Ok(Some((user.clone(), password.clone())));
        }
        let Some(auth) = self.auth.as_deref().filter(|auth| !auth.is_empty()) else {
            return Ok(None);
        };
        let text = BASE64
            .decode(auth)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok());
        let pair = text.as_deref().and_then(|text| text.split_once(':'));
        let (user, password) =
            pair.ok_or_else(|| trouble(format!("the field `auth` of `{key}` makes no sense")))?;
        // Docker itself has written zeros at the end.
        let password = password.trim_end_matches('\0');
        Ok(Some((user.to_owned(), password.to_owned())))
    }
}

/// Asks a credential helper, by the protocol of docker-credential-helpers: the registry on standard
/// input, JSON on standard output. `None` if it knows nothing.
async fn ask(helper: &str, key: &str) -> Result<Option<(String, String)>, RegistryError> {
    let program = format!("docker-credential-{helper}");
    let failed = |error: std::io::Error| {
        trouble(format!("the credential helper `{program}` cannot be asked")).with_source(error)
    };
    let mut child = tokio::process::Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that does not read says so by its answer.
        let _ = stdin.write_all(key.as_bytes()).await;
    }
    let output = tokio::time::timeout(HELPER_DEADLINE, child.wait_with_output())
        .await
        .map_err(|_| trouble(format!("the credential helper `{program}` does not answer")))?
        .map_err(failed)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stdout);
        if said.contains("credentials not found") {
            return Ok(None);
        }
        return Err(trouble(format!(
            "the credential helper `{program}` failed for `{key}`: {}",
            said.trim()
        )));
    }
    let answer: Answer = serde_json::from_slice(&output.stdout)
        .map_err(|error| trouble(format!("`{program}` makes no sense")).with_source(error))?;
    if answer.username == "<token>" {
        return Err(no_tokens(key));
    }
    Ok(Some((answer.username, answer.secret)))
}

fn no_tokens(key: &str) -> RegistryError {
    trouble(format!(
        "the credentials of `{key}` are an identity token, which is not supported"
    ))
    .with_hint("log in with a user and a password or an access token")
}

fn trouble(message: impl Into<String>) -> RegistryError {
    RegistryError::new(RegistryErrorKind::Credentials, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(text: &str) -> ImageName {
        text.parse().unwrap()
    }

    fn config(text: &str) -> (tempfile::TempDir, Credentials) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("config.json"), text).unwrap();
        let credentials = Credentials::docker_config(dir.path());
        (dir, credentials)
    }

    #[tokio::test]
    async fn the_longest_place_that_fits_is_taken() {
        let credentials = Credentials::none()
            .with("r.example.com", "all", "1")
            .with("r.example.com/team", "team", "2")
            .with("r.example.com/team/app/", "app", "3");
        for (name, user) in [
            ("r.example.com/other", Some("all")),
            ("r.example.com/team/x:1", Some("team")),
            ("r.example.com/teams", Some("all")),
            ("r.example.com/team/app:1", Some("app")),
            ("elsewhere.example.com/team", None),
        ] {
            let found = credentials.user_of(&image(name)).await.unwrap();
            assert_eq!(found.map(|(user, _)| user).as_deref(), user, "{name}");
        }
        assert!(!format!("{credentials:?}").contains('3'));
    }

    #[tokio::test]
    async fn the_file_of_docker_is_read() {
        let (_dir, credentials) = config(
            r#"{"auths":{"r.example.com":{"auth":"bWU6c2VjOnJldA=="},"https://index.docker.io/v1/":{"auth":"aHViOng="},
                "empty.example.com":{},"t.example.com":{"auth":"bWU6","identitytoken":"x"},"b.example.com":{"auth":"!"}}}"#,
        );
        let found = async |name: &str| credentials.user_of(&image(name)).await;
        let pair = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        assert_eq!(
            found("r.example.com/a").await.unwrap(),
            pair("me", "sec:ret")
        );
        assert_eq!(found("busybox").await.unwrap(), pair("hub", "x"));
        assert_eq!(found("empty.example.com/a").await.unwrap(), None);
        for wrong in ["t.example.com/a", "b.example.com/a"] {
            let error = found(wrong).await.unwrap_err();
            assert_eq!(error.kind(), RegistryErrorKind::Credentials, "{error}");
        }
        let (_dir, broken) = config("{");
        assert!(broken.user_of(&image("a")).await.is_err());
        let nothing = Credentials::docker_config("/nonexistent");
        assert_eq!(nothing.user_of(&image("a")).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_helper_that_is_missing_is_told() {
        let (_dir, credentials) = config(r#"{"credHelpers":{"r.example.com":"no-such-helper"}}"#);
        let error = credentials
            .user_of(&image("r.example.com/a"))
            .await
            .unwrap_err();
        assert!(
            error
                .to_string()
                .contains("docker-credential-no-such-helper"),
            "{error}"
        );
    }
}
