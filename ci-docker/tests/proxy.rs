//! A job that gets a filtered socket of the engine: what it can do with a docker client, and what not.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test that fails has failed"
)]

#[path = "support/programs.rs"]
mod programs;
mod support;

use std::collections::BTreeMap;

use ci_core::executor::{Executor, PrepareRequest};
use ci_core::id::RunId;
use ci_core::job::{JobSpec, ServiceSpec};
use ci_core::session::{Command, ExitStatus, Session};
use ci_docker::{DockerExecutor, DockerOptions};
use serde_json::json;
use support::{Log, Place};

/// An image with this machine's docker client, its libraries, and busybox.
const CLIENT: &str = "ci-core-docker-client";

/// Makes the image of the client out of this machine's own, which may need libraries.
async fn import_client(place: &Place) {
    if place.client.inspect_image(CLIENT).await.is_ok() {
        return;
    }
    let mut archive = support::busybox();
    programs::add(&mut archive, &["docker"]).unwrap();
    let changes = ["LABEL ci-core.test=true"];
    support::import_changed(&place.client, CLIENT, archive, &changes).await;
}

async fn session(place: &Place, run: RunId) -> Box<dyn Session> {
    let options = json!({"docker": "filtered"});
    let options: BTreeMap<_, _> = serde_json::from_value(options).unwrap();
    let executor = DockerExecutor::with_options(DockerOptions::from_settings(&options).unwrap())
        .host(&place.host)
        .image(CLIENT)
        .grace(support::GRACE);
    // As GitLab's jobs ask for an engine: they get this one.
    let job = JobSpec::new("builds").service(ServiceSpec::new("docker:dind", "docker"));
    let host = ("DOCKER_HOST".to_owned(), "tcp://docker:2375".to_owned());
    let env = BTreeMap::from([host]);
    let request = PrepareRequest::new(run, &job, &env);
    executor.prepare(request).await.unwrap()
}

async fn says(session: &dyn Session, script: &str) -> (ExitStatus, String) {
    let log = Log::default();
    let ended = session.exec(&Command::sh(script), log.io()).await.unwrap();
    (ended, log.text())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_builds_and_runs_what_is_its_own_and_leaves_only_the_cache() {
    let Some(place) = support::place().await else {
        return;
    };
    import_client(&place).await;
    let (run, image) = (RunId::new(), place.image.clone());
    let session = session(&place, run).await;
    let works = [
        "docker version --format '{{.Server.Version}}'".to_owned(),
        format!(
            "printf 'FROM {image}\\nRUN echo built >/file\\n' >Dockerfile; DOCKER_BUILDKIT=0 docker build -q -t ci-core-proxy-made ."
        ),
        "docker run --rm ci-core-proxy-made cat /file | grep built".to_owned(),
        format!("docker network create mine-{run} && docker volume create mine-{run}"),
        format!(
            "docker run -d --name web-{run} --network mine-{run} -v mine-{run}:/data {image} sleep 1000000"
        ),
        format!("docker exec web-{run} sh -c 'echo in >/data/x; cat /data/x' | grep in"),
        format!("test \"$(docker ps -q | wc -l)\" = 1; docker logs web-{run}"),
        format!("echo through | docker run -i --rm {image} cat | grep through"),
        format!("docker create -v implicit-{run}:/v {image} true"),
    ];
    for script in &works {
        let (ended, text) = says(&*session, script).await;
        assert_eq!(ended, ExitStatus::Code(0), "{script}: {text}");
    }
    assert!(
        place.everything(run).await.len() >= 5,
        "all of it is labelled"
    );
    let own = place.containers(run).await;
    let job = own.iter().find(|name| !name.starts_with("web-")).unwrap();
    let not = [
        format!("docker run --rm --privileged {image} true"),
        format!("docker run --rm -v /:/host {image} true"),
        format!("docker run --rm --pid host {image} true"),
        format!("docker run --rm --network host {image} true"),
        format!("docker run --rm --cap-add SYS_ADMIN {image} true"),
        format!("docker run --rm --volumes-from {job} {image} true"),
        "docker swarm init".to_owned(),
        "docker system prune -f".to_owned(),
        format!("docker rmi {image}"),
        "docker run --rm -v ci-core-proxy-foreign:/x ci-core-proxy-made true".to_owned(),
        "docker network inspect host".to_owned(),
    ];
    let foreign = bollard::models::VolumeCreateRequest {
        name: Some("ci-core-proxy-foreign".to_owned()),
        ..Default::default()
    };
    place.client.create_volume(foreign).await.unwrap();
    for script in &not {
        let (ended, text) = says(&*session, script).await;
        assert_ne!(ended, ExitStatus::Code(0), "{script}: {text}");
        let tells = text.contains("not for jobs") || text.contains("the job has no");
        assert!(tells, "{script}: {text}");
    }
    session.teardown().await.unwrap();
    let left = place.everything(run).await;
    let removal = None::<bollard::query_parameters::RemoveVolumeOptions>;
    place
        .client
        .remove_volume("ci-core-proxy-foreign", removal)
        .await
        .unwrap();
    assert_eq!(left, Vec::<String>::new());

    // The next job finds the layers of this one.
    let session = self::session(&place, RunId::new()).await;
    let (ended, text) = says(&*session, &works[1].replace(" -q", "")).await;
    session.teardown().await.unwrap();
    let made = "ci-core-proxy-made";
    let removal = None::<bollard::query_parameters::RemoveImageOptions>;
    place
        .client
        .remove_image(made, removal, None)
        .await
        .unwrap();
    assert_eq!(ended, ExitStatus::Code(0), "{text}");
    assert!(text.contains("Using cache"), "{text}");
}
