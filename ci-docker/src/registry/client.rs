//! Requests to registries: one client for each registry and credential, with retries.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use oci_client::Client;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::secrets::RegistryAuth;
use reqwest::header::HeaderValue;
use tokio::sync::Mutex;

use super::manifest::{ACCEPTED, Manifest};
use super::{Credentials, ImageName, RegistryError, RegistryErrorKind};

/// How long a registry may take to accept a connection, and to send the next bytes.
const CONNECT: Duration = Duration::from_secs(20);
const READ: Duration = Duration::from_mins(1);

/// How often a request is made when the registry has trouble, and the pause before the second time.
const ATTEMPTS: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(300);

/// How many tags are asked for at once.
const PAGE: usize = 1000;

/// Registries, seen with some credentials. Cheap to clone.
///
/// Registries on this machine (`localhost`, `127.0.0.0/8`, `::1`) are spoken to without TLS, all others
/// with it, unless they are named with [`plain_http`](Self::plain_http).
#[derive(Clone)]
pub struct Registry {
    credentials: Arc<Credentials>,
    plain: Vec<String>,
    clients: Arc<Mutex<HashMap<String, Access>>>,
}

/// A client with its credentials. The client keeps what it was first given, so that each credential
/// needs one of its own.
#[derive(Clone)]
pub(super) struct Access {
    pub(super) client: Client,
    pub(super) auth: RegistryAuth,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry")
            .field("credentials", &self.credentials)
            .field("plain", &self.plain)
            .finish_non_exhaustive()
    }
}

impl Registry {
    /// Registries, seen with these credentials.
    #[must_use]
    pub fn new(credentials: Credentials) -> Self {
        // A program that has chosen another provider keeps it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            credentials: Arc::new(credentials),
            plain: Vec::new(),
            clients: Arc::default(),
        }
    }

    /// Speaks to this registry, named with its port, without TLS.
    #[must_use]
    pub fn plain_http(mut self, registry: impl Into<String>) -> Self {
        self.plain.push(registry.into());
        self
    }

    /// The credentials it was made with.
    pub(crate) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The digest of an image or index; `None` if there is no such thing.
    pub async fn digest(&self, image: &ImageName) -> Result<Option<String>, RegistryError> {
        let access = self.access(image).await?;
        let asked = self
            .again(|| async {
                let asked = access
                    .client
                    .fetch_manifest_digest(image.reference(), &access.auth);
                asked
                    .await
                    .map_err(|error| RegistryError::of(&image.to_string(), error))
            })
            .await;
        absent(asked)
    }

    /// All tags of a repository; none if there is no such repository.
    pub async fn tags(&self, repository: &ImageName) -> Result<Vec<String>, RegistryError> {
        let access = self.access(repository).await?;
        let mut tags: Vec<String> = Vec::new();
        loop {
            let last = tags.last().cloned();
            let asked = self
                .again(|| async {
                    let (image, auth) = (repository.reference(), &access.auth);
                    let asked = access
                        .client
                        .list_tags(image, auth, Some(PAGE), last.as_deref());
                    asked
                        .await
                        .map_err(|error| RegistryError::of(&repository.path(), error))
                })
                .await;
            let Some(page) = absent(asked)? else {
                return Ok(tags);
            };
            let count = page.tags.len();
            // Some registries give everything at once, and give it again when asked for more.
            let is_new = page.tags.last() != last.as_ref();
            if is_new {
                tags.extend(page.tags);
            }
            if count < PAGE || !is_new {
                tags.sort();
                tags.dedup();
                return Ok(tags);
            }
        }
    }

    /// The manifest of an image or index as the registry keeps it, byte for byte.
    pub async fn manifest_bytes(&self, image: &ImageName) -> Result<Vec<u8>, RegistryError> {
        Ok(self.manifest(image).await?.bytes.to_vec())
    }

    /// Gives a tag to an image or index of the same repository. Nothing is copied, and the digest
    /// stays.
    pub async fn tag(&self, image: &ImageName, tag: &str) -> Result<String, RegistryError> {
        let manifest = self.manifest(image).await?;
        self.put(&image.with_tag(tag), &manifest).await?;
        Ok(manifest.digest)
    }

    pub(super) async fn manifest(&self, image: &ImageName) -> Result<Manifest, RegistryError> {
        let access = self.access(image).await?;
        let (bytes, digest) = self
            .again(|| async {
                let asked =
                    access
                        .client
                        .pull_manifest_raw(image.reference(), &access.auth, &ACCEPTED);
                asked
                    .await
                    .map_err(|error| RegistryError::of(&image.to_string(), error))
            })
            .await?;
        Manifest::parse(&image.to_string(), bytes, digest)
    }

    pub(super) async fn put(
        &self,
        image: &ImageName,
        manifest: &Manifest,
    ) -> Result<(), RegistryError> {
        let access = self.access(image).await?;
        let media_type = manifest.media_type().parse().map_err(|_| {
            let message = format!("`{}` is no media type", manifest.media_type());
            RegistryError::new(RegistryErrorKind::Invalid, message)
        })?;
        let media_type: &HeaderValue = &media_type;
        self.again(|| async {
            let (reference, bytes) = (image.put_reference(), manifest.bytes.clone());
            let put = access
                .client
                .push_manifest_raw(&reference, bytes, media_type.clone());
            put.await
                .map_err(|error| RegistryError::of(&image.to_string(), error))
        })
        .await?;
        Ok(())
    }

    /// The client for an image, with the credentials for it.
    pub(super) async fn access(&self, image: &ImageName) -> Result<Access, RegistryError> {
        let key = format!("{} {}", image.registry(), self.credentials.place(image));
        let mut clients = self.clients.lock().await;
        if let Some(access) = clients.get(&key) {
            return Ok(access.clone());
        }
        let host = image.reference().resolve_registry().to_owned();
        let is_plain = image.is_loopback() || self.plain.contains(&host);
        let config = ClientConfig {
            protocol: if is_plain {
                ClientProtocol::Http
            } else {
                ClientProtocol::Https
            },
            // One request with the whole blob: what is streamed needs no cutting.
            use_monolithic_push: true,
            connect_timeout: Some(CONNECT),
            read_timeout: Some(READ),
            user_agent: concat!("ci-docker/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        };
        let client =
            Client::try_from(config).map_err(|error| RegistryError::of(image.registry(), error))?;
        let auth = self.credentials.find(image).await?;
        client.store_auth_if_needed(&host, &auth).await;
        let access = Access { client, auth };
        clients.insert(key, access.clone());
        Ok(access)
    }

    /// Makes a request that may be made twice, again while the registry has trouble.
    pub(super) async fn again<T, F>(&self, mut ask: impl FnMut() -> F) -> Result<T, RegistryError>
    where
        F: Future<Output = Result<T, RegistryError>>,
    {
        let mut pause = FIRST_PAUSE;
        for _ in 1..ATTEMPTS {
            match ask().await {
                Err(error) if error.is_passing() => {
                    tokio::time::sleep(pause).await;
                    pause *= 3;
                }
                other => return other,
            }
        }
        ask().await
    }
}

fn absent<T>(asked: Result<T, RegistryError>) -> Result<Option<T>, RegistryError> {
    match asked {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == RegistryErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
