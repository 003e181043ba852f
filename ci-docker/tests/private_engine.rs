//! A service that is an engine itself (`docker:dind`) and belongs to one job: it is really started, and
//! images are built and run on it.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of a test that fails has failed"
)]

#[path = "support/programs.rs"]
mod programs;
mod support;

use std::collections::BTreeMap;

use bollard::query_parameters::InspectContainerOptions;
use ci_core::executor::{Executor, PrepareRequest};
use ci_core::id::RunId;
use ci_core::job::{JobSpec, ServiceSpec};
use ci_core::session::{Command, ExitStatus};
use ci_docker::{DockerExecutor, DockerOptions};
use serde_json::json;
use support::{Log, Place};

/// An image of this machine's engine, named as that of Docker's own is.
const IMAGE: &str = "ci-core.example/docker:20-dind";

/// What an engine consists of, and its client.
const PROGRAMS: &[&str] = &[
    "dockerd",
    "containerd",
    "containerd-shim-runc-v2",
    "runc",
    "docker",
];

/// What the image of an engine says of itself. Its containers need no way out.
const CHANGES: &[&str] = &[
    "ENV PATH=/bin",
    "EXPOSE 2375/tcp",
    "VOLUME /var/lib/docker",
    r#"ENTRYPOINT ["dockerd", "--host=tcp://0.0.0.0:2375", "--tls=false", "--iptables=false", "--userland-proxy=false"]"#,
    "LABEL ci-core.test=true",
];

/// What is built, and what is run of it.
const BUILD: &str = r#"
for _ in $(seq 600); do docker version >/dev/null 2>&1 && break; sleep 0.1; done
mkdir image
cp /bin/busybox image
cat >image/Dockerfile <<'END'
FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "sh", "-c", "echo made in a private engine >/made"]
END
DOCKER_BUILDKIT=0 docker build -t ci-core-private image
docker run --rm ci-core-private /bin/busybox cat /made
# What a job makes is there for the next one, if its layers are.
docker rm --force ci-core-private-container >/dev/null 2>&1 || true
docker create --name ci-core-private-container ci-core-private true
"#;

/// The engine with the image in it. Says so where it cannot be made.
async fn place() -> Option<Place> {
    let place = support::place().await?;
    if place.client.inspect_image(IMAGE).await.is_err() {
        let mut archive = support::busybox();
        if let Err(name) = programs::add(&mut archive, PROGRAMS) {
            let text = format!("an engine in a container needs `{name}` of this machine");
            assert!(support::variable("CI").is_none(), "{text}");
            support::say(&format!("NOT TESTED: {text}"));
            return None;
        }
        support::import_changed(&place.client, IMAGE, archive, CHANGES).await;
    }
    Some(place)
}

/// A volume that is gone with the test.
struct Layers {
    host: String,
    name: String,
}

impl Drop for Layers {
    fn drop(&mut self) {
        let words = ["--host", &self.host, "volume", "rm", "--force", &self.name];
        let removed = std::process::Command::new("docker").args(words).output();
        let removed = removed.is_ok_and(|it| it.status.success());
        assert!(removed || std::thread::panicking(), "{} stays", self.name);
    }
}

/// The volumes of the containers of a run that have no name.
async fn nameless_volumes(place: &Place, run: RunId) -> Vec<String> {
    let mut volumes = Vec::new();
    for container in place.containers(run).await {
        let look = place
            .client
            .inspect_container(&container, None::<InspectContainerOptions>);
        let mounts = look.await.unwrap().mounts.unwrap_or_default();
        volumes.extend(mounts.into_iter().filter_map(|mount| mount.name));
    }
    volumes.retain(|name| !name.starts_with("ci-core"));
    volumes
}

/// Builds and runs an image on the private engine of a job, whose layers are kept in a volume, and gives
/// what was said. All else is gone with the job.
async fn build(place: &Place, layers: Option<&str>) -> (ExitStatus, String) {
    let mut services = json!({
        // As on a machine that holds back a capability: there `privileged` is refused.
        "cap_add": ["ALL"],
        "cap_drop": ["SYS_RESOURCE"],
        "security": ["seccomp=unconfined", "apparmor=unconfined", "systempaths=unconfined"],
        "binds": ["/sys/fs/cgroup:/sys/fs/cgroup"],
    });
    if let Some(layers) = layers {
        services["volumes"] = json!({"/var/lib/docker": layers});
    }
    let options = BTreeMap::from([("services".to_owned(), services)]);
    let executor = DockerExecutor::with_options(DockerOptions::from_settings(&options).unwrap())
        .host(&place.host)
        .image(IMAGE)
        .grace(support::GRACE);
    let job = JobSpec::new("build").service(ServiceSpec::new(IMAGE, "docker"));
    let env = [("DOCKER_HOST", "tcp://docker:2375")];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let (run, env) = (RunId::new(), env.into());
    let prepared = executor.prepare(PrepareRequest::new(run, &job, &env)).await;
    let session = prepared.unwrap_or_else(|error| panic!("{error}: {:?}", error.hints()));
    let log = Log::default();
    let ended = session.exec(&Command::sh(BUILD), log.io()).await;
    let nameless = nameless_volumes(place, run).await;
    // The engine around knows nothing of what the private one has.
    let outer_image = place.client.inspect_image("ci-core-private").await;
    let outer_container = place
        .client
        .inspect_container("ci-core-private-container", None::<InspectContainerOptions>)
        .await;
    session.teardown().await.unwrap();
    executor.settle(run).await.unwrap();
    assert_eq!(place.everything(run).await, Vec::<String>::new());
    assert!(outer_image.is_err() && outer_container.is_err());
    // Where the image has a volume, the job and the service have one each, unless it has a name.
    assert_eq!(nameless.len(), if layers.is_some() { 1 } else { 2 });
    for volume in nameless {
        assert!(place.client.inspect_volume(&volume).await.is_err());
    }
    (ended.unwrap(), log.text())
}

#[tokio::test]
async fn a_job_builds_on_an_engine_of_its_own_whose_layers_stay_only_in_a_named_volume() {
    let Some(place) = place().await else { return };
    let layers = Layers {
        host: place.host.clone(),
        name: format!("ci-core-test-{}", RunId::new()),
    };
    let kept = Some(layers.name.as_str());
    for (volume, finds_layers) in [(kept, false), (kept, true), (None, false)] {
        let (ended, text) = build(&place, volume).await;
        assert_eq!(ended, ExitStatus::Code(0), "{text}");
        assert!(text.contains("\nmade in a private engine\n"), "{text}");
        assert_eq!(text.contains("Using cache"), finds_layers, "{text}");
    }
}
