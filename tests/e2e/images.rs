//! The example pipeline of images for several platforms, from lint to `latest`.

use std::path::Path;
use std::process::Command;

use crate::registry::{Registry, USER};
use crate::support::{Done, Project, ci_path, job};

const DOCKERFILE: &str = "FROM scratch\nCOPY busybox /bin/busybox\nRUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\n";

struct Place {
    project: Project,
    registry: Registry,
    release: Registry,
}

impl Place {
    fn new() -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/pipelines/images");
        let config = std::fs::read_to_string(source.join(".gitlab-ci.yml")).expect("a pipeline");
        let project = Project::of_vendor(".gitlab-ci.yml", &config);
        crate::quickstart::copy(&source, project.path());
        project.commit(".");
        let place = Self {
            project,
            registry: Registry::open(),
            release: Registry::with_lock(),
        };
        let busybox = ["/bin/busybox", "/usr/bin/busybox"]
            .into_iter()
            .find(|path| Path::new(path).is_file());
        let busybox = busybox.expect("busybox, of Debian's package busybox-static");
        place.project.write("base/Dockerfile", DOCKERFILE);
        std::fs::copy(busybox, place.project.path().join("base/busybox")).expect("copied");
        place
            .ci(&[
                "image",
                "build",
                "base",
                "-t",
                &place.base("amd64"),
                "--push",
            ])
            .ok();
        place
    }

    fn base(&self, platform: &str) -> String {
        format!("{}/base:{platform}", self.registry.host)
    }

    fn git(&self, words: &[&str]) {
        let mut command = Command::new("git");
        command
            .args(["-c", "user.name=a", "-c", "user.email=a@b"])
            .args(words);
        let done = command
            .current_dir(self.project.path())
            .status()
            .expect("git");
        assert!(done.success(), "git {words:?}");
    }

    fn ci(&self, args: &[&str]) -> Done {
        let programs = ci_path()
            .parent()
            .expect("a directory")
            .display()
            .to_string();
        let path = format!("{programs}:{}", std::env::var("PATH").unwrap_or_default());
        let mut command = self.project.command(args);
        command
            .env("DOCKER_HOST", engine())
            .env("PATH", path)
            .env("HOME", self.project.path())
            .env_remove("CI_COMMIT_TAG")
            .env_remove("DOCKER_CONFIG");
        Done::new(args, command.output().expect("ci starts"))
    }

    /// Runs the pipeline for a branch or a tag.
    fn run(&self, how: [&str; 2], more: &[&str]) -> Done {
        let variables = [
            format!("CI_REGISTRY_IMAGE={}/team", self.registry.host),
            format!("RELEASE_REGISTRY_IMAGE={}/public", self.release.host),
            format!("RELEASE_REGISTRY_USER={}", USER.0),
            format!("RELEASE_REGISTRY_PASSWORD={}", USER.1),
            format!("BASE={}", self.base("amd64")),
        ];
        let image = format!("busybox:1={}", self.base("amd64"));
        let mut args = vec!["run", "--format", "json", how[0], how[1], "--image", &image];
        for variable in variables
            .iter()
            .map(String::as_str)
            .chain(more.iter().copied())
        {
            args.extend(["--var", variable]);
        }
        self.ci(&args)
    }
}

impl Drop for Place {
    /// The engine keeps nothing of what was built.
    fn drop(&mut self) {
        for pattern in ["*", "*/*"] {
            let reference = format!("reference={}/{pattern}", self.registry.host);
            let docker = |words: &[&str]| {
                Command::new("docker")
                    .arg("--host")
                    .arg(engine())
                    .args(words)
                    .output()
            };
            let format = "{{.Repository}}:{{.Tag}}";
            let Ok(listed) = docker(&["images", "--format", format, "--filter", &reference]) else {
                return;
            };
            for name in String::from_utf8_lossy(&listed.stdout).lines() {
                let _ = docker(&["rmi", "--force", name]);
            }
        }
    }
}

fn engine() -> String {
    let engine = std::env::var("CI_CORE_DOCKER_HOST");
    engine.unwrap_or_else(|_| "unix:///var/run/docker.sock".to_owned())
}

fn names(done: &Done) -> Vec<String> {
    let finished = done.finished();
    let jobs = finished["jobs"].as_array().expect("jobs").iter();
    let ran = jobs.filter(|job| job["outcome"] == "success");
    let mut names: Vec<String> = ran
        .map(|job| job["name"].as_str().expect("a name").to_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn branches_and_tags_run_what_is_theirs_and_a_release_becomes_latest() {
    let place = Place::new();
    let feature = place.run(["--branch", "feat/login"], &[]).ok();
    assert_eq!(names(&feature), ["lint", "test"]);
    let staging = place.run(["--branch", "staging"], &[]).ok();
    assert_eq!(
        names(&staging),
        ["build_amd64", "build_manifests", "lint", "test"]
    );
    assert!(place.registry.raw("team/django:staging").is_some());
    // A lightweight tag is released and does not become latest.
    place.git(&["tag", "1.0.0alpha"]);
    let alpha = place.run(["--tag", "1.0.0alpha"], &[]).ok();
    assert_eq!(job(&alpha.finished(), "release")["outcome"], "success");
    assert!(place.release.raw("public/django:1.0.0alpha").is_some());
    assert!(place.release.raw("public/django:latest").is_none());
    // An annotated tag does, for two platforms.
    place.git(&["tag", "-a", "-m", "Release 1.0.0", "1.0.0"]);
    let release = place.run(["--tag", "1.0.0"], &["BUILD_ARM64=true", "BASE=scratch"]);
    let release = release.ok();
    assert_eq!(
        job(&release.finished(), "build_arm64")["outcome"],
        "success"
    );
    for service in ["postgres", "django"] {
        let [tag, latest] = ["1.0.0", "latest"].map(|tag| format!("public/{service}:{tag}"));
        assert!(place.release.same(&tag, &latest), "{service}");
        let raw = place.release.raw(&tag).expect("an index");
        let platforms = raw["manifests"].as_array().expect("children").iter();
        let platforms: Vec<_> = platforms
            .map(|child| child["platform"]["architecture"].clone())
            .collect();
        assert_eq!(platforms, ["amd64", "arm64"], "{service}");
    }
}
