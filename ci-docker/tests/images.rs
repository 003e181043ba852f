//! Images built by a real engine, pushed to a real registry and read back with skopeo.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

#[path = "support/registry.rs"]
mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bollard::Docker;
use bollard::query_parameters::RemoveImageOptionsBuilder;
use ci_core::executor::{Executor, ExecutorErrorKind, PrepareRequest};
use ci_core::id::RunId;
use ci_core::job::JobSpec;
use ci_docker::image::bake::{BakeFile, BakeOptions};
use ci_docker::image::{
    BuildEvent, BuildSpec, BuildWatch, Builder, Built, ImageError, ImageErrorKind, Secret,
};
use ci_docker::registry::{Credentials, ImageName, Registry};
use ci_docker::{DockerExecutor, DockerOptions};
use tokio_util::sync::CancellationToken;

use support::{TestRegistry, skopeo, skopeo_digest, skopeo_raw};

/// A registry, an engine that builds, and what it tells.
struct Bench {
    registry: TestRegistry,
    builder: Builder,
    told: Arc<Mutex<Vec<(String, BuildEvent)>>>,
    names: Mutex<Vec<String>>,
}

impl Bench {
    fn new() -> Self {
        let host = host();
        let registries = Registry::new(Credentials::none());
        Self {
            registry: TestRegistry::open(),
            builder: Builder::new(&host, registries).unwrap(),
            told: Arc::default(),
            names: Mutex::default(),
        }
    }

    fn watch(&self) -> BuildWatch {
        let told = Arc::clone(&self.told);
        Arc::new(move |target, _, event| told.lock().unwrap().push((target.to_owned(), event)))
    }

    async fn build(&self, spec: &BuildSpec) -> Result<Built, ImageError> {
        let cancel = CancellationToken::new();
        let built = self.builder.build(spec, "", &self.watch(), &cancel).await;
        if let Ok(built) = &built {
            self.names.lock().unwrap().extend(built.names.clone());
        }
        built
    }

    /// Everything that steps wrote.
    fn output(&self) -> String {
        let told = self.told.lock().unwrap();
        let output = told.iter().filter_map(|(_, event)| match event {
            BuildEvent::Output { bytes, .. } => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        });
        output.collect()
    }

    /// How many steps came from the cache.
    fn cached(&self) -> usize {
        let told = self.told.lock().unwrap();
        let cached = told
            .iter()
            .filter(|(_, event)| matches!(event, BuildEvent::Done { cached: true, .. }));
        cached.count()
    }

    /// An image with busybox in it, in the registry: a base for others.
    async fn base(&self) -> ImageName {
        let dir = tempfile::tempdir().unwrap();
        let busybox = ["/bin/busybox", "/usr/bin/busybox"]
            .into_iter()
            .find(|path| Path::new(path).is_file());
        std::fs::copy(
            busybox.expect("busybox, of Debian's package busybox-static"),
            dir.path().join("busybox"),
        )
        .unwrap();
        let dockerfile = "FROM scratch\nCOPY busybox /bin/busybox\nRUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\n";
        write(dir.path(), "Dockerfile", dockerfile);
        let name = self.registry.image("base:1");
        let mut spec = BuildSpec::new(dir.path()).tag(name.clone());
        spec.push = true;
        self.build(&spec).await.unwrap();
        name
    }

    /// Removes what was built from the engine.
    async fn clean(self) {
        let client = Docker::connect_with_host(&host()).unwrap();
        let names = self.names.lock().unwrap().clone();
        for name in &names {
            let options = RemoveImageOptionsBuilder::default().force(true).build();
            let _ = client.remove_image(name, Some(options), None).await;
        }
    }
}

fn host() -> String {
    std::env::var("CI_CORE_DOCKER_HOST")
        .unwrap_or_else(|_| "unix:///var/run/docker.sock".to_owned())
}

fn write(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[tokio::test]
async fn an_image_is_built_told_pushed_and_read_back() {
    let bench = Bench::new();
    let base = bench.base().await;
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        "deploy/Containerfile",
        &format!(
            "FROM {base} AS build\nARG WORD=none\nRUN echo built with $WORD | tee /word; echo oops >&2\nFROM {base} AS other\nRUN false\nFROM scratch AS last\nCOPY --from=build /word /word\nCOPY src /src\n"
        ),
    );
    write(dir.path(), "src/main", "hello");
    write(dir.path(), ".dockerignore", "src/secret");
    write(dir.path(), "src/secret", "hidden");
    let name = bench.registry.image("team/app:1.0");
    let second = bench.registry.image("team/app:stable");
    let mut spec = BuildSpec::new(dir.path())
        .tag(name.clone())
        .tag(second.clone());
    spec.dockerfile = Some(dir.path().join("deploy/Containerfile"));
    spec.args
        .insert("WORD".into(), uuid::Uuid::now_v7().to_string());
    spec.labels.insert("org.example.word".into(), "yes".into());
    spec.target = Some("last".into());
    spec.inline_cache = true;
    spec.push = true;
    let built = bench.build(&spec).await.unwrap();
    let output = bench.output();
    assert!(
        output.contains(&format!("built with {}", spec.args["WORD"])),
        "{output}"
    );
    assert!(output.contains("oops"), "{output}");
    let digest = built.digest.unwrap();
    assert_eq!(skopeo_digest(&name), digest);
    assert_eq!(skopeo_digest(&second), digest);
    let inspected = skopeo(&["inspect", "--tls-verify=false", &format!("docker://{name}")]);
    assert!(inspected.contains("org.example.word"), "{inspected}");
    assert_eq!(skopeo_raw(&name)["layers"].as_array().unwrap().len(), 2);
    // Built again, every step is there already.
    let before = bench.cached();
    spec.cache_from = vec![name.to_string()];
    bench.build(&spec).await.unwrap();
    assert!(
        bench.cached() >= before + 3,
        "{:?}",
        bench.told.lock().unwrap()
    );
    bench.clean().await;
}

#[tokio::test]
async fn secrets_are_there_and_leave_nothing() {
    let bench = Bench::new();
    let base = bench.base().await;
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "token", "open sesame");
    let dockerfile = format!(
        "FROM {base}\nRUN --mount=type=secret,id=token [ \"$(cat /run/secrets/token)\" = 'open sesame' ]\nRUN [ ! -s /run/secrets/token ]\n"
    );
    write(dir.path(), "Dockerfile", &dockerfile);
    write(dir.path(), ".dockerignore", "token");
    let name = bench.registry.image("secret:1");
    let mut spec = BuildSpec::new(dir.path()).tag(name.clone());
    spec.no_cache = true;
    spec.push = true;
    let token = dir.path().join("token");
    spec.secrets = vec![Secret::parse(&format!("id=token,src={}", token.display())).unwrap()];
    let built = bench.build(&spec).await.unwrap();
    assert_eq!(skopeo_digest(&name), built.digest.unwrap());
    // One that is not there is told, also where every step is in the cache.
    spec.no_cache = false;
    for missing in [
        "id=token,env=CI_CORE_NO_SUCH_VARIABLE",
        "id=token,src=/no/such/file",
    ] {
        spec.secrets = vec![Secret::parse(missing).unwrap()];
        let error = bench.build(&spec).await.unwrap_err();
        assert_eq!(error.kind(), ImageErrorKind::Invalid, "{error}");
        assert!(error.to_string().contains("`token`"), "{error}");
    }
    spec.no_cache = true;
    spec.secrets.clear();
    let error = bench.build(&spec).await.unwrap_err();
    assert_eq!(error.kind(), ImageErrorKind::Failed, "{error}");
    bench.clean().await;
}

#[tokio::test]
async fn what_fails_is_told() {
    let bench = Bench::new();
    let base = bench.base().await;
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        "Dockerfile",
        &format!("FROM {base}\nRUN echo about to fail; exit 9\n"),
    );
    let spec = BuildSpec::new(dir.path());
    let error = bench.build(&spec).await.unwrap_err();
    assert_eq!(error.kind(), ImageErrorKind::Failed);
    assert!(error.to_string().contains("exit code: 9"), "{error}");
    assert!(bench.output().contains("about to fail"));
    write(dir.path(), "Dockerfile", "FRO nothing\n");
    assert_eq!(
        bench.build(&spec).await.unwrap_err().kind(),
        ImageErrorKind::Failed
    );
    let nobody = Builder::new(
        "unix:///nonexistent/docker.sock",
        Registry::new(Credentials::none()),
    );
    if let Ok(nobody) = nobody {
        let cancel = CancellationToken::new();
        let error = nobody
            .build(&spec, "", &bench.watch(), &cancel)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ImageErrorKind::Engine);
    }
    let cancel = CancellationToken::new();
    cancel.cancel();
    let error = bench
        .builder
        .build(&spec, "", &bench.watch(), &cancel)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ImageErrorKind::Canceled);
    bench.clean().await;
}

#[tokio::test]
async fn programs_for_another_processor_need_emulation_and_copies_do_not() {
    let bench = Bench::new();
    let dir = tempfile::tempdir().unwrap();
    // The head of a 64-bit ELF program for a processor that no machine of these tests has (SPARC V9).
    let mut program = vec![0_u8; 64];
    program[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 2, 1]);
    program[16..20].copy_from_slice(&[0, 2, 0, 43]);
    std::fs::write(dir.path().join("sh"), program).unwrap();
    write(
        dir.path(),
        "Dockerfile",
        "FROM scratch\nCOPY --chmod=755 sh /bin/sh\nRUN echo never\n",
    );
    let mut spec = BuildSpec::new(dir.path());
    spec.platforms = vec!["linux/arm64".parse().unwrap()];
    let error = bench.build(&spec).await.unwrap_err();
    assert_eq!(
        error.kind(),
        ImageErrorKind::Emulation,
        "{error} {}",
        bench.output()
    );
    assert!(error.to_string().contains("linux/arm64"), "{error}");
    assert!(error.hints()[0].contains("binfmt"), "{:?}", error.hints());
    a_job_in_it_is_skipped_or_fails(&bench, &mut spec).await;
    // What runs nothing can be built for every platform.
    write(
        dir.path(),
        "Dockerfile",
        "FROM scratch\nARG TARGETARCH\nCOPY sh /sh-$TARGETARCH\n",
    );
    let name = bench.registry.image("app:1.0");
    spec.platforms.push("linux/amd64".parse().unwrap());
    spec.tags = vec![name.clone()];
    spec.push = true;
    let built = bench.build(&spec).await.unwrap();
    let raw = skopeo_raw(&name);
    let platforms = raw["manifests"].as_array().unwrap().iter();
    let platforms: Vec<&str> = platforms
        .map(|entry| entry["platform"]["architecture"].as_str().unwrap())
        .collect();
    assert_eq!(platforms, ["amd64", "arm64"]);
    assert_eq!(skopeo_digest(&name), built.digest.unwrap());
    let tags = bench.builder.registry().tags(&name).await.unwrap();
    assert_eq!(tags, ["1.0", "1.0-amd64", "1.0-arm64"]);
    bench.clean().await;
}

/// A job in an image whose programs do not run here asks for what there is not.
async fn a_job_in_it_is_skipped_or_fails(bench: &Bench, spec: &mut BuildSpec) {
    write(
        &spec.context,
        "Dockerfile",
        "FROM scratch\nCOPY --chmod=755 sh /bin/sh\nCOPY --chmod=755 sh /bin/cat\n",
    );
    let name = bench.registry.image("foreign:1");
    spec.tags = vec![name.clone()];
    bench.build(spec).await.unwrap();
    let job = JobSpec::new("foreign")
        .image(name.to_string())
        .with(|options| options.requires.platform = Some("linux/arm64".into()));
    for (unmet, kind) in [
        ("fail", ExecutorErrorKind::Unsupported),
        ("skip", ExecutorErrorKind::Skipped),
    ] {
        let options = BTreeMap::from([
            ("host".to_owned(), serde_json::json!(host())),
            ("pull".to_owned(), serde_json::json!("never")),
            ("unmet".to_owned(), serde_json::json!(unmet)),
        ]);
        let options = DockerOptions::from_settings(&options).unwrap();
        let executor = DockerExecutor::with_options(options);
        let env = BTreeMap::new();
        let prepared = executor
            .prepare(PrepareRequest::new(RunId::new(), &job, &env))
            .await;
        let error = prepared.err().unwrap();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains("`linux/arm64`"), "{error}");
    }
}

#[tokio::test]
async fn the_targets_of_a_bake_file_are_built_together() {
    let bench = Bench::new();
    let dir = tempfile::tempdir().unwrap();
    for name in ["web", "api"] {
        write(
            dir.path(),
            &format!("{name}/Dockerfile"),
            "FROM scratch\nARG NAME\nCOPY . /files-$NAME\n",
        );
        write(dir.path(), &format!("{name}/file"), name);
    }
    let text = r#"
variable "REGISTRY" { default = "" }
group "default" { targets = ["service"] }
target "service" {
  name = "service-${item}"
  matrix = { item = ["web", "api"] }
  context = item
  args = { NAME = item }
  tags = ["${REGISTRY}/${item}:1.0"]
  output = ["type=registry"]
}
"#;
    let options = BakeOptions {
        env: vec![("REGISTRY".into(), bench.registry.host.clone())],
        dir: dir.path().to_owned(),
        ..BakeOptions::default()
    };
    let plan = BakeFile::parse("docker-bake.hcl", text).unwrap();
    let plan = plan.plan(&["default"], &options).unwrap();
    let cancel = CancellationToken::new();
    let baked = bench
        .builder
        .bake(&plan.targets, 2, &bench.watch(), &cancel)
        .await;
    assert_eq!(baked.len(), 2);
    for (baked, name) in baked.into_iter().zip(["web", "api"]) {
        assert_eq!(baked.name, format!("service-{name}"));
        let built = baked.result.unwrap();
        bench.names.lock().unwrap().extend(built.names.clone());
        let image = bench.registry.image(&format!("{name}:1.0"));
        assert_eq!(skopeo_digest(&image), built.digest.unwrap());
    }
    // One that fails ends the others.
    write(
        dir.path(),
        "api/Dockerfile",
        "FROM scratch\nCOPY nothing /\n",
    );
    let baked = bench
        .builder
        .bake(&plan.targets, 2, &bench.watch(), &cancel)
        .await;
    let kinds: Vec<_> = baked
        .iter()
        .map(|baked| baked.result.as_ref().map_err(ImageError::kind))
        .collect();
    assert!(matches!(kinds[1], Err(ImageErrorKind::Failed)), "{kinds:?}");
    bench.clean().await;
}
