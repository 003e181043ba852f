//! A real engine for the tests, and an image to run: busybox and nothing else.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test without its engine or image has failed"
)]
#![expect(
    dead_code,
    unreachable_pub,
    reason = "each test has it as its own module and uses a part of it"
)]

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bollard::Docker;
use bollard::query_parameters::{
    CreateImageOptionsBuilder, ListContainersOptionsBuilder, ListNetworksOptionsBuilder,
    ListVolumesOptionsBuilder,
};
use ci_core::clock::Clock;
use ci_core::id::RunId;
use ci_core::session::{ExecIo, LogSink, Output, OutputChunk, OutputOptions};
use ci_core::testing::ConformanceOptions;
use ci_docker::{DockerExecutor, PullPolicy};
use futures_util::TryStreamExt;
use tokio_util::sync::CancellationToken;

/// The engine and the image that the tests use.
#[derive(Debug, Clone)]
pub struct Place {
    /// As in `DOCKER_HOST`.
    pub host: String,
    /// An image with busybox in it.
    pub image: String,
    /// Looks at the engine beside the executor.
    pub client: Docker,
}

impl Place {
    /// The executor under test, with three seconds of grace.
    pub fn executor(&self) -> DockerExecutor {
        DockerExecutor::new()
            .host(&self.host)
            .image(&self.image)
            .pull(PullPolicy::Never)
            .grace(GRACE)
    }

    /// The whole suite.
    pub fn options(&self) -> ConformanceOptions {
        let mut options = ConformanceOptions::new(GRACE);
        // Processes of containers are processes of this machine where the engine is on it.
        if self.host.starts_with("unix://") {
            options = options.watch_this_machine();
        }
        options.exact_signals = false;
        options
    }

    /// The names of the containers of a run, ended ones included.
    pub async fn containers(&self, run: RunId) -> Vec<String> {
        let filters = HashMap::from([("label", vec![format!("ci-core.run={run}")])]);
        let options = ListContainersOptionsBuilder::default()
            .all(true)
            .filters(&filters)
            .build();
        let listed = self.client.list_containers(Some(options)).await.unwrap();
        let names = listed.into_iter().filter_map(|it| it.names);
        names
            .flatten()
            .map(|it| it.trim_start_matches('/').to_owned())
            .collect()
    }
}

impl Place {
    /// The containers, networks and volumes of a run.
    pub async fn everything(&self, run: RunId) -> Vec<String> {
        let mut all = self.containers(run).await;
        let filters = HashMap::from([("label", vec![format!("ci-core.run={run}")])]);
        let options = ListNetworksOptionsBuilder::default()
            .filters(&filters)
            .build();
        let networks = self.client.list_networks(Some(options)).await.unwrap();
        all.extend(networks.into_iter().filter_map(|it| it.name));
        let options = ListVolumesOptionsBuilder::default()
            .filters(&filters)
            .build();
        let volumes = self.client.list_volumes(Some(options)).await.unwrap();
        all.extend(volumes.volumes.into_iter().flatten().map(|it| it.name));
        all
    }
}

/// What is written, as text.
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<Mutex<String>>);

impl LogSink for Log {
    fn write(&mut self, chunk: &OutputChunk) -> std::io::Result<()> {
        let mut text = self.0.lock().unwrap();
        text.push_str(&String::from_utf8_lossy(&chunk.bytes));
        Ok(())
    }
}

impl Log {
    /// Writes here.
    pub fn io(&self) -> ExecIo {
        let options = OutputOptions::new(Arc::default(), Clock::system());
        let output = Output::new(&options, Box::new(self.clone()));
        ExecIo::new(output, CancellationToken::new())
    }

    /// What was written.
    pub fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

/// Makes an image of busybox that says that it listens on port 8080.
pub async fn import_web(place: &Place, image: &str) {
    import_with(place, image, &["EXPOSE 8080/tcp"]).await;
}

/// Makes an image of busybox with these lines of a Dockerfile.
pub async fn import_with(place: &Place, image: &str, changes: &[&str]) {
    if place.client.inspect_image(image).await.is_err() {
        import_changed(&place.client, image, busybox(), changes).await;
    }
}

/// How long the executor waits after asking.
pub const GRACE: Duration = Duration::from_secs(3);

/// The program that the image is made of, and where Debian's package `busybox-static` puts it.
const BUSYBOX: &[&str] = &["/bin/busybox", "/usr/bin/busybox"];

/// Where an engine listens if nothing else is said.
const HOST: &str = "unix:///var/run/docker.sock";

/// The engine that answers, with the image in it. Says so if there is none.
///
/// # Panics
/// If there is none although `CI` is set, or if the image cannot be made.
pub async fn place() -> Option<Place> {
    let host = variable("CI_CORE_DOCKER_HOST").or_else(|| variable("DOCKER_HOST"));
    let host = host.unwrap_or_else(|| HOST.to_owned());
    let client = match connect(&host).await {
        Ok(client) => client,
        Err(error) => {
            assert!(
                variable("CI").is_none(),
                "no Docker Engine answers at {host}: {error}"
            );
            say(&format!(
                "NOT TESTED: no Docker Engine answers at {host}: {error}"
            ));
            return None;
        }
    };
    let image = variable("CI_CORE_DOCKER_IMAGE").unwrap_or_else(|| "ci-core-base".to_owned());
    if client.inspect_image(&image).await.is_err() {
        import(&client, &image, busybox()).await;
    }
    Some(Place {
        host,
        image,
        client,
    })
}

async fn connect(host: &str) -> Result<Docker, bollard::errors::Error> {
    let client = Docker::connect_with_host(host)?;
    client.ping().await?;
    Ok(client)
}

/// The content of an image of this machine's busybox.
pub(crate) fn busybox() -> tar::Builder<Vec<u8>> {
    let busybox = BUSYBOX.iter().map(Path::new).find(|path| path.exists());
    let busybox = busybox.expect("the package `busybox-static` has to be installed");
    let list = std::process::Command::new(busybox)
        .arg("--list")
        .output()
        .unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    let mut archive = tar::Builder::new(Vec::new());
    for (name, mode) in [("bin", 0o755), ("etc", 0o755), ("root", 0o700)] {
        let mut header = header(tar::EntryType::Directory, mode, 0);
        archive
            .append_data(&mut header, name, std::io::empty())
            .unwrap();
    }
    let users = "root:x:0:0:root:/root:/bin/sh\n";
    file(&mut archive, "etc/passwd", 0o644, users.as_bytes());
    file(
        &mut archive,
        "bin/busybox",
        0o755,
        &std::fs::read(busybox).unwrap(),
    );
    for name in list.lines().filter(|name| *name != "busybox") {
        let mut link = header(tar::EntryType::Symlink, 0o777, 0);
        archive
            .append_link(&mut link, format!("bin/{name}"), "busybox")
            .unwrap();
    }
    archive
}

/// Makes an image in which nothing can run.
pub async fn import_empty(place: &Place, image: &str) {
    let mut archive = tar::Builder::new(Vec::new());
    file(&mut archive, "etc/motd", 0o644, b"nothing else is here");
    import(&place.client, image, archive).await;
}

fn file(archive: &mut tar::Builder<Vec<u8>>, name: &str, mode: u32, content: &[u8]) {
    let mut header = header(tar::EntryType::Regular, mode, content.len());
    archive.append_data(&mut header, name, content).unwrap();
}

/// Makes an image out of what is in it.
pub(crate) async fn import(client: &Docker, image: &str, archive: tar::Builder<Vec<u8>>) {
    import_changed(client, image, archive, &[]).await;
}

pub(crate) async fn import_changed(
    client: &Docker,
    image: &str,
    archive: tar::Builder<Vec<u8>>,
    changes: &[&str],
) {
    let body = bollard::body_full(archive.into_inner().unwrap().into());
    let (repo, tag) = image.split_once(':').unwrap_or((image, "latest"));
    let options = CreateImageOptionsBuilder::default()
        .from_src("-")
        .repo(repo)
        .tag(tag)
        .changes(changes.iter().map(|it| (*it).to_owned()).collect())
        .build();
    client
        .create_image(Some(options), Some(body), None)
        .try_collect::<Vec<_>>()
        .await
        .unwrap();
}

fn header(kind: tar::EntryType, mode: u32, size: usize) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(size as u64);
    header
}

/// A variable that is set to something.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Says something to whoever watches the tests.
#[expect(
    clippy::print_stderr,
    reason = "a test has no other way to say what it did not do"
)]
pub fn say(text: &str) {
    eprintln!("{text}");
}
