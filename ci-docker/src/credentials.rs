//! Who is known to which registry: the credentials of Docker's own configuration.
//!
//! The file and the protocol of the helpers are those of the docker client (`docker login`,
//! "Credential stores" and "Credential helper protocol").

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::error::{DockerError, DockerErrorKind};

/// The name under which credentials of Docker's own registry are kept.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// How long a helper may take: some ask the person.
const HELPER: Duration = Duration::from_mins(1);

/// What a registry is told. Nobody prints it.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) server: String,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    /// Instead of user and password.
    pub(crate) token: Option<String>,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Config {
    auths: HashMap<String, Auth>,
    cred_helpers: HashMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Auth {
    /// User and password, with a colon between, in base64.
    #[serde(rename = "auth")]
    both: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

/// What a helper answers.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// The credentials for the registry of `image`, if there are any. `dir` is that of `config.json`; the
/// user's own by default.
pub(crate) async fn of(image: &str, dir: Option<&Path>) -> Result<Option<Login>, DockerError> {
    let Some(file) = dir
        .map(Path::to_owned)
        .or_else(own_dir)
        .map(|dir| dir.join("config.json"))
    else {
        return Ok(None);
    };
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
        let text = format!("could not read the credentials in `{}`", file.display());
        DockerError::new(DockerErrorKind::Other, text).with_source(error)
    };
    let text = match tokio::fs::read(&file).await {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error.into())),
    };
    let config: Config = serde_json::from_slice(&text).map_err(|error| failed(error.into()))?;
    let server = server_of(image);
    let names = [server.as_str(), host_of(&server)];
    let helper = names.iter().find_map(|name| config.cred_helpers.get(*name));
    if let Some(helper) = helper.or(config.creds_store.as_ref()) {
        return ask(helper, &server).await;
    }
    let kept = config
        .auths
        .iter()
        .find(|(name, _)| host_of(name) == host_of(&server));
    kept.map_or(Ok(None), |(_, auth)| Ok(login(server.clone(), auth)))
}

fn own_dir() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let home = || Some(PathBuf::from(variable("HOME")?).join(".docker"));
    variable("DOCKER_CONFIG").map(PathBuf::from).or_else(home)
}

fn login(server: String, auth: &Auth) -> Option<Login> {
    let mut login = Login {
        server,
        user: auth.username.clone(),
        password: auth.password.clone(),
        token: auth.identitytoken.clone().filter(|it| !it.is_empty()),
    };
    if let Some(both) = auth.both.as_deref().filter(|both| !both.is_empty()) {
        let plain = BASE64_STANDARD.decode(both.trim()).ok()?;
        let plain = String::from_utf8(plain).ok()?;
        let (user, password) = plain.split_once(':')?;
        login.user = Some(user.to_owned());
        login.password = Some(password.trim_end_matches('\0').to_owned());
    }
    (login.user.is_some() || login.token.is_some()).then_some(login)
}

/// The registry of an image, as credentials are kept for it: the part before the first slash if it can
/// only be a host.
fn server_of(image: &str) -> String {
    match image.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => {
            if host == "docker.io" || host == "index.docker.io" {
                DOCKER_HUB.to_owned()
            } else {
                host.to_owned()
            }
        }
        _ => DOCKER_HUB.to_owned(),
    }
}

/// The host in a name under which credentials are kept.
fn host_of(name: &str) -> &str {
    let name = name.split_once("://").map_or(name, |(_, rest)| rest);
    name.split('/').next().unwrap_or(name)
}

/// Asks a helper. One that knows nothing of the registry is no error.
async fn ask(helper: &str, server: &str) -> Result<Option<Login>, DockerError> {
    let program = format!("docker-credential-{helper}");
    let failed = |text: String| DockerError::new(DockerErrorKind::Other, text);
    let mut child = Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(format!("could not run `{program}`")).with_source(error))?;
    let answer = async {
        if let Some(mut input) = child.stdin.take() {
            // A helper that does not read has its own reasons.
            let _ = input.write_all(format!("{server}\n").as_bytes()).await;
        }
        child.wait_with_output().await
    };
    let output = tokio::time::timeout(HELPER, answer)
        .await
        .map_err(|_| failed(format!("`{program}` did not answer in a minute")))?
        .map_err(|error| failed(format!("lost `{program}`")).with_source(error))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stdout).to_lowercase();
        if said.contains("not found") || said.trim().is_empty() {
            return Ok(None);
        }
        // What it says may hold a secret.
        return Err(failed(format!(
            "`{program}` has no credentials for `{server}`"
        )));
    }
    let answer: Answer = serde_json::from_slice(&output.stdout)
        .map_err(|_| failed(format!("`{program}` did not answer as helpers do")))?;
    let mut login = Login {
        server: server.to_owned(),
        ..Login::default()
    };
    if answer.username == "<token>" {
        login.token = Some(answer.secret);
    } else {
        login.user = Some(answer.username);
        login.password = Some(answer.secret);
    }
    Ok(Some(login))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_are_found_in_the_names_of_images() {
        for (image, server) in [
            ("debian", DOCKER_HUB),
            ("team/app:1", DOCKER_HUB),
            ("docker.io/team/app", DOCKER_HUB),
            ("localhost/app", "localhost"),
            ("127.0.0.1:5000/a/b:c", "127.0.0.1:5000"),
            ("ghcr.io/x/y@sha256:ab", "ghcr.io"),
        ] {
            assert_eq!(server_of(image), server, "{image}");
        }
    }

    #[tokio::test]
    async fn credentials_are_read_under_every_name_they_are_kept_under() {
        let dir = std::env::temp_dir().join(format!("ci-docker-config-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let auth = BASE64_STANDARD.encode("me:se:cret");
        let text = format!(
            r#"{{"auths": {{
                "https://index.docker.io/v1/": {{"auth": "{auth}"}},
                "https://plain.example": {{"auth": "{auth}"}},
                "token.example": {{"identitytoken": "t"}},
                "empty.example": {{}}
            }}}}"#
        );
        std::fs::write(dir.join("config.json"), text).unwrap();
        let user = |login: Option<Login>| login.and_then(|login| login.user);
        for image in ["debian", "plain.example/a"] {
            let login = of(image, Some(&dir)).await.unwrap();
            let password = login.clone().and_then(|login| login.password);
            assert_eq!(password.as_deref(), Some("se:cret"), "{image}");
            assert_eq!(user(login).as_deref(), Some("me"));
        }
        let token = of("token.example/a", Some(&dir)).await.unwrap().unwrap();
        assert_eq!(token.token.as_deref(), Some("t"));
        for image in ["empty.example/a", "other.example/a"] {
            assert_eq!(of(image, Some(&dir)).await.unwrap(), None, "{image}");
        }
        std::fs::write(dir.join("config.json"), "{").unwrap();
        assert!(of("debian", Some(&dir)).await.is_err());
        std::fs::write(
            dir.join("config.json"),
            r#"{"credsStore": "ci-core-no-such"}"#,
        )
        .unwrap();
        let error = of("debian", Some(&dir)).await.unwrap_err();
        assert!(
            error
                .to_string()
                .contains("docker-credential-ci-core-no-such")
        );
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
