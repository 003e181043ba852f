//! A real engine for the tests, and an image to run: busybox and nothing else.

use std::path::Path;

use bollard::Docker;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::TryStreamExt;

/// The engine and the image that the tests use.
#[derive(Debug)]
pub struct Place {
    /// As in `DOCKER_HOST`.
    pub host: String,
    /// An image with busybox in it.
    pub image: String,
}

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
        import(&client, &image).await;
    }
    Some(Place { host, image })
}

async fn connect(host: &str) -> Result<Docker, bollard::errors::Error> {
    let client = Docker::connect_with_host(host)?;
    client.ping().await?;
    Ok(client)
}

/// Makes the image out of this machine's busybox.
async fn import(client: &Docker, image: &str) {
    let busybox = BUSYBOX.iter().map(Path::new).find(|path| path.exists());
    let busybox = busybox.expect("the package `busybox-static` has to be installed");
    let list = std::process::Command::new(busybox)
        .arg("--list")
        .output()
        .unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    let mut archive = tar::Builder::new(Vec::new());
    for (name, mode) in [
        ("bin", 0o755),
        ("etc", 0o755),
        ("root", 0o700),
        ("tmp", 0o1777),
    ] {
        let mut header = header(tar::EntryType::Directory, mode, 0);
        archive
            .append_data(&mut header, name, std::io::empty())
            .unwrap();
    }
    let users = "root:x:0:0:root:/root:/bin/sh\n";
    let mut passwd = header(tar::EntryType::Regular, 0o644, users.len());
    archive
        .append_data(&mut passwd, "etc/passwd", users.as_bytes())
        .unwrap();
    let program = std::fs::read(busybox).unwrap();
    let mut file = header(tar::EntryType::Regular, 0o755, program.len());
    archive
        .append_data(&mut file, "bin/busybox", program.as_slice())
        .unwrap();
    for name in list.lines().filter(|name| *name != "busybox") {
        let mut link = header(tar::EntryType::Symlink, 0o777, 0);
        archive
            .append_link(&mut link, format!("bin/{name}"), "busybox")
            .unwrap();
    }
    let body = bollard::body_full(archive.into_inner().unwrap().into());
    let options = CreateImageOptionsBuilder::default()
        .from_src("-")
        .repo(image)
        .tag("latest")
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
fn variable(name: &str) -> Option<String> {
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
