//! Jobs beside a real `PostgreSQL`: by its name, as their localhost, and in a compose file.

use std::path::Path;
use std::process::Command;

use crate::docker::{docker, engine, left};
use crate::support::{Done, Project, job};

const SERVER: &str = "ci-core-postgres";
const CLIENT: &str = "ci-core-psql";

const GITLAB: &str = r#"
variables: {POSTGRES_USER: app, POSTGRES_PASSWORD: secret-of-tests, POSTGRES_DB: shop}
orders:
  image: registry.example/psql:15
  services: [{name: "registry.example/postgres:15", alias: db}]
  script:
    - export PGPASSWORD="$POSTGRES_PASSWORD" PGHOST=db PGUSER="$POSTGRES_USER" PGDATABASE="$POSTGRES_DB"
    - psql -v ON_ERROR_STOP=1 -c 'create table orders (id int)' -c 'insert into orders values (1), (2)'
    - test "$(psql -tAc 'select count(*) from orders')" = 2
    - psql -tAc 'show server_version'
    - echo '<testsuite><testcase classname="orders" name="counted" time="0.1"/></testsuite>' >report.xml
  artifacts: {reports: {junit: report.xml}}
"#;

const CIRCLECI: &str = r#"version: 2.1
jobs:
  orders:
    docker:
      - {image: "cimg/psql:15", environment: {PGPASSWORD: secret-of-tests}}
      - image: cimg/postgres:15
        environment: {POSTGRES_USER: app, POSTGRES_PASSWORD: secret-of-tests, POSTGRES_DB: shop}
    shell: /bin/sh -e
    steps:
      - checkout
      - run: until pg_isready -q -h localhost; do sleep 0.2; done
      - run: psql -v ON_ERROR_STOP=1 -h localhost -U app shop -f orders.sql
workflows: {main: {jobs: [orders]}}
"#;

/// The engine, with both images in it. Says so where there is no `PostgreSQL`.
///
/// # Panics
/// If `CI` is set and there is none.
#[expect(
    clippy::print_stderr,
    reason = "a test has no other way to say what it did not do"
)]
fn place() -> Option<&'static str> {
    let host = engine()?;
    let installed =
        std::fs::read_dir("/usr/lib/postgresql").is_ok_and(|mut it| it.next().is_some());
    if !installed {
        assert!(std::env::var_os("CI").is_none(), "there is no PostgreSQL");
        eprintln!("NOT TESTED: there is no PostgreSQL; tests/run.sh installs it");
        return None;
    }
    if !docker(host, &["image", "inspect", SERVER, CLIENT]) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("postgres/image.sh");
        let mut made = Command::new(script);
        let made = made.env("DOCKER_HOST", host).status();
        assert!(made.expect("a script").success(), "no image was made");
    }
    Some(host)
}

fn images(registry: &str) -> [String; 4] {
    let option = || "--image".to_owned();
    [
        option(),
        format!("{registry}/psql:*={CLIENT}"),
        option(),
        format!("{registry}/postgres:*={SERVER}"),
    ]
}

fn ci(project: &Project, host: &str, words: &[&str], images: &[String]) -> Done {
    let images = images.iter().map(String::as_str);
    let words: Vec<&str> = words.iter().copied().chain(images).collect();
    let mut command = project.command(&words);
    command.env("DOCKER_HOST", host);
    Done::new(&words, command.output().expect("ci starts"))
}

#[test]
fn a_job_finds_its_database_ready_and_its_results_are_read() {
    let Some(host) = place() else { return };
    let project = Project::of_vendor(".gitlab-ci.yml", GITLAB);
    let images = images("registry.example");
    let done = ci(&project, host, &["run", "--format", "json"], &images).ok();
    let finished = done.finished();
    assert_eq!(job(&finished, "orders")["outcome"], "success", "{finished}");
    let events = done.events();
    let results = events.iter().find(|event| event["type"] == "test_results");
    assert_eq!(results.expect("a report")["counts"]["passed"], 1);
    let log = project.ci(&["logs", "last", "orders"]).ok().stdout;
    assert!(log.contains("INSERT 0 2"), "{log}");
    assert_eq!(left(host, finished["run"].as_str().expect("an id")), "");
}

#[test]
fn a_database_is_localhost_here_and_in_the_compose_file_of_the_job() {
    let Some(host) = place() else { return };
    let project = Project::of_vendor(".circleci/config.yml", CIRCLECI);
    project.write(
        "orders.sql",
        "create table orders (id int);\ninsert into orders values (1), (2), (3);\n",
    );
    project.commit("orders.sql");
    let images = images("cimg");
    let done = ci(&project, host, &["run", "--format", "json"], &images).ok();
    let finished = done.finished();
    let log = project.ci(&["logs", "last", "orders"]).ok().stdout;
    assert!(log.contains("INSERT 0 3"), "{log}");
    assert_eq!(left(host, finished["run"].as_str().expect("an id")), "");

    let words = ["export", "compose", "orders", "-o", "compose.yml"];
    ci(&project, host, &words, &images).ok();
    let name = format!("ci-core-test-{}", std::process::id());
    let compose = |words: &[&str]| {
        let mut compose = Command::new("docker-compose");
        compose.args(["-f", "compose.yml", "-p", &name]).args(words);
        compose.env("DOCKER_HOST", host).current_dir(project.path());
        compose
            .output()
            .expect("docker-compose, of Debian's package")
    };
    let ran = compose(&["run", "--rm", "-T", "orders"]);
    let ended = compose(&["down", "--volumes"]);
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    let error = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(ran.status.success(), "{said}{error}");
    assert!(said.contains("INSERT 0 3"), "{said}{error}");
    assert!(ended.status.success(), "{ended:?}");
}
