//! Services of jobs: reached by name or as `localhost`, ready when the steps start, and told of when they
//! are not.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test that fails has failed"
)]

mod support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ci_core::executor::{Executor, ExecutorError, PrepareRequest};
use ci_core::id::RunId;
use ci_core::job::{JobSpec, ServiceSpec};
use ci_core::session::{Command, ExitStatus, Session};
use ci_docker::{DockerExecutor, DockerOptions};
use serde_json::json;
use support::{Log, Place};

/// Sees to it that a test that has an engine has one, and the image of a service.
macro_rules! place {
    () => {
        match support::place().await {
            Some(place) => {
                support::import_web(&place, WEB).await;
                place
            }
            None => return,
        }
    };
}

/// An image that says that it listens on port 8080.
const WEB: &str = "ci-core-web";

fn web(alias: &str, command: &[&str]) -> ServiceSpec {
    let mut service = ServiceSpec::new(WEB, alias);
    service.command = command.iter().map(|word| (*word).to_owned()).collect();
    service
}

const HTTPD: &[&str] = &["httpd", "-f", "-p", "8080", "-h", "/etc"];

async fn prepare(
    executor: &DockerExecutor,
    run: RunId,
    job: &JobSpec,
    log: &Log,
) -> Result<Box<dyn Session>, ExecutorError> {
    let env = BTreeMap::new();
    let mut request = PrepareRequest::new(run, job, &env);
    request.output = log.io().output;
    executor.prepare(request).await
}

/// The executor with options as in a settings file.
fn with(place: &Place, options: serde_json::Value) -> DockerExecutor {
    let mut options: BTreeMap<_, _> = serde_json::from_value(options).unwrap();
    options.insert("host".to_owned(), place.host.clone().into());
    options.insert("image".to_owned(), place.image.clone().into());
    options.insert("pull".to_owned(), "never".into());
    let options = DockerOptions::from_settings(&options).unwrap();
    DockerExecutor::with_options(options).grace(support::GRACE)
}

async fn check(session: &dyn Session, script: &str) -> String {
    let log = Log::default();
    let ended = session.exec(&Command::sh(script), log.io()).await.unwrap();
    assert_eq!(ended, ExitStatus::Code(0), "{script}: {}", log.text());
    log.text()
}

#[tokio::test]
async fn services_are_reached_by_name_and_are_ready_when_steps_start() {
    let place = place!();
    let run = RunId::new();
    // It listens late: the first step would come too early.
    let slow = "sleep 1; exec httpd -f -p 8080 -h /etc";
    let mut service = web("web", &["sh", "-c", slow]);
    service.aliases.push("also".to_owned());
    service.env.insert("FROM".into(), "the job".into());
    let job = JobSpec::new("named").service(service);
    let log = Log::default();
    let session = prepare(&place.executor(), run, &job, &log).await.unwrap();
    assert!(
        log.text().contains("service ci-core-web is ready"),
        "{}",
        log.text()
    );
    for name in ["web", "also"] {
        let said = check(
            &*session,
            &format!("wget -q -O - http://{name}:8080/passwd"),
        )
        .await;
        assert!(said.contains("root:"), "{said}");
    }
    session.teardown().await.unwrap();
    assert_eq!(place.everything(run).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_service_as_localhost_shares_the_network_of_the_job() {
    let place = place!();
    let run = RunId::new();
    let job = JobSpec::new("near").service(web("localhost", HTTPD));
    let session = prepare(&place.executor(), run, &job, &Log::default())
        .await
        .unwrap();
    check(&*session, "wget -q -O - http://127.0.0.1:8080/passwd").await;
    session.teardown().await.unwrap();
    assert_eq!(place.everything(run).await, Vec::<String>::new());
}

#[tokio::test]
async fn services_have_options_of_their_own_and_the_hosts_of_the_job() {
    let place = place!();
    let run = RunId::new();
    let name = format!("ci-core-test-{run}");
    let services = json!({
        "memory": "64MiB", "cpus": 1000, "shm_size": "32MiB", "tmpfs": {"/data": "size=1m"},
        "volumes": {"/kept": name}, "extra_hosts": ["second:192.0.2.8"],
    });
    let container = json!({"pids": 50, "dns": ["192.0.2.53"], "extra_hosts": ["first:192.0.2.7"]});
    let executor = with(
        &place,
        json!({"services": services, "container": container}),
    );
    let job = JobSpec::new("own").service(web("web", HTTPD));
    // One in the network of the job's container has its names.
    let job = job.service(web("localhost", HTTPD));
    let session = prepare(&executor, run, &job, &Log::default())
        .await
        .unwrap();
    let mut configs = Vec::new();
    for container in place.containers(run).await {
        if container.ends_with("-service-0") || container.ends_with("-service-1") {
            let look = None::<bollard::query_parameters::InspectContainerOptions>;
            let found = place.client.inspect_container(&container, look).await;
            configs.push(found.unwrap().host_config.unwrap());
        }
    }
    session.teardown().await.unwrap();
    assert_eq!(place.everything(run).await, Vec::<String>::new());
    let removal = None::<bollard::query_parameters::RemoveVolumeOptions>;
    place.client.remove_volume(&name, removal).await.unwrap();
    assert_eq!(configs.len(), 2);
    let most = i64::try_from(std::thread::available_parallelism().unwrap().get()).unwrap();
    for config in &configs {
        assert_eq!(
            (config.memory, config.shm_size),
            (Some(64 << 20), Some(32 << 20))
        );
        assert!(
            config.nano_cpus.unwrap() >= most * 1_000_000_000,
            "as many as there are"
        );
        assert!(config.tmpfs.as_ref().unwrap().contains_key("/data"));
        assert_eq!(config.binds.as_ref().unwrap(), &[format!("{name}:/kept")]);
        assert_eq!(
            config.pids_limit.unwrap_or_default(),
            0,
            "that is the job's"
        );
    }
    let hosts = configs
        .iter()
        .filter_map(|config| config.extra_hosts.clone());
    let hosts: Vec<Vec<String>> = hosts.filter(|hosts| !hosts.is_empty()).collect();
    assert_eq!(hosts, [["first:192.0.2.7", "second:192.0.2.8"]]);
}

#[tokio::test]
async fn a_job_without_a_network_reaches_its_services_and_nothing_else() {
    let place = place!();
    let run = RunId::new();
    let executor = with(&place, json!({"container": {"network": "none"}}));
    let job = JobSpec::new("inside").service(web("web", HTTPD));
    let session = prepare(&executor, run, &job, &Log::default())
        .await
        .unwrap();
    check(&*session, "wget -q -O - http://web:8080/passwd").await;
    let networks = place.client.list_networks(None).await.unwrap();
    let ours = networks.iter().find(|it| {
        let labels = it.labels.iter().flatten();
        labels
            .into_iter()
            .any(|(_, value)| *value == run.to_string())
    });
    // The engine keeps what is inside of such a network from everything else.
    assert_eq!(ours.and_then(|it| it.internal), Some(true));
    session.teardown().await.unwrap();
    assert_eq!(place.everything(run).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_service_that_never_listens_fails_the_job_in_time() {
    let place = place!();
    let run = RunId::new();
    let executor = with(&place, json!({"service_timeout": 2}));
    for alias in ["web", "localhost"] {
        let silent = web(alias, &["sleep", "1000"]);
        let (job, log) = (JobSpec::new("deaf").service(silent), Log::default());
        let began = Instant::now();
        let Err(error) = prepare(&executor, run, &job, &log).await else {
            panic!("a service that is not ready gave a session");
        };
        assert!(began.elapsed() < Duration::from_mins(1), "{alias}");
        assert!(
            error.to_string().contains("was not ready after 2s"),
            "{error}"
        );
        assert_eq!(place.everything(run).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_service_that_ends_fails_the_job_with_its_last_words() {
    let place = place!();
    let run = RunId::new();
    let dying = web(
        "web",
        &["sh", "-c", "sleep 0.5; echo out of luck >&2; exit 3"],
    );
    let (job, log) = (JobSpec::new("dying").service(dying), Log::default());
    let Err(error) = prepare(&place.executor(), run, &job, &log).await else {
        panic!("a service that ended gave a session");
    };
    assert!(error.to_string().contains("ended with code 3"), "{error}");
    let hints = error.hints().join("\n");
    assert!(hints.contains("out of luck"), "{hints}");
    // All that it said. One that is given up early may not have said anything yet.
    assert!(log.text().contains("out of luck"), "{}", log.text());
    assert_eq!(place.everything(run).await, Vec::<String>::new());
}

#[tokio::test]
async fn preparing_stops_while_a_service_starts() {
    let place = place!();
    let run = RunId::new();
    let job = JobSpec::new("canceled").service(web("web", &["sleep", "1000"]));
    let (env, executor) = (BTreeMap::new(), place.executor());
    let request = PrepareRequest::new(run, &job, &env);
    let cancel = request.cancel.clone();
    let stop = async {
        while place.everything(run).await.len() < 3 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        cancel.cancel();
    };
    let (prepared, ()) = tokio::join!(executor.prepare(request), stop);
    assert!(prepared.is_err());
    assert_eq!(place.everything(run).await, Vec::<String>::new());
}

#[tokio::test]
async fn the_health_check_of_an_image_decides() {
    let place = place!();
    let run = RunId::new();
    support::import_with(
        &place,
        "ci-core-healthy",
        &["HEALTHCHECK CMD test -e /tmp/ok"],
    )
    .await;
    let mut service = ServiceSpec::new("ci-core-healthy", "web");
    let late = "mkdir -p /tmp; sleep 1; touch /tmp/ok; exec httpd -f -p 80 -h /etc";
    service.command = ["sh", "-c", late].map(str::to_owned).to_vec();
    let job = JobSpec::new("healthy").service(service);
    let log = Log::default();
    let session = prepare(&place.executor(), run, &job, &log).await.unwrap();
    assert!(log.text().contains("service ci-core-healthy is ready"));
    session.teardown().await.unwrap();
    assert_eq!(place.everything(run).await, Vec::<String>::new());
}
