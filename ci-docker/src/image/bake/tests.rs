//! Bake files as people write them, and what they come to.

use super::*;
use crate::image::{ImageError, ImageErrorKind, SecretFrom};

fn plan(text: &str, wanted: &[&str], env: &[(&str, &str)]) -> Result<BakePlan, ImageError> {
    let env = env
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let options = BakeOptions {
        env: env.collect(),
        dir: "/project".into(),
        ..BakeOptions::default()
    };
    BakeFile::parse("docker-bake.hcl", text)?.plan(wanted, &options)
}

fn tags(plan: &BakePlan) -> Vec<Vec<String>> {
    let tags = plan.targets.iter().map(|target| target.spec.tags.iter());
    tags.map(|tags| tags.map(ToString::to_string).collect())
        .collect()
}

const SERVICES: &str = r#"
variable "REGISTRY" { default = "registry.example.com/team" }
variable "VERSION" { default = "" }
variable "TAG" { default = notequal("", VERSION) ? VERSION : "dev" }
variable "ARM" { default = false }

group "default" { targets = ["backend", "django"] }
group "backend" { targets = ["postgres", "django"] }

target "_base" {
  platforms = ARM ? ["linux/amd64", "linux/arm64"] : ["linux/amd64"]
  labels = { "org.opencontainers.image.version" = TAG, team = "core" }
  args = { DEBUG = "0", LEVEL = 3 }
}

target "postgres" {
  inherits = ["_base"]
  context = "postgres"
  tags = ["${REGISTRY}/postgres:${TAG}", notequal("", VERSION) ? "${REGISTRY}/postgres:stable" : ""]
}

target "django" {
  inherits = ["_base"]
  dockerfile = "deploy/Dockerfile"
  target = "main-stage"
  args = { DEBUG = "1", TOKEN = null }
  labels = { team = upper("web") }
  secret = ["id=npm,src=.npmrc", { id = "key", env = "API_KEY" }]
  cache-from = ["type=registry,ref=${REGISTRY}/django:cache", "${REGISTRY}/django:old", "type=gha"]
  cache-to = ["type=inline"]
  output = ["type=registry"]
  tags = [format("%s/django:%s", REGISTRY, TAG)]
}
"#;

#[test]
fn groups_targets_and_inheritance_come_to_specs() {
    let plan = plan(
        SERVICES,
        &["default"],
        &[("VERSION", "1.2"), ("TOKEN", "t"), ("ARM", "true")],
    )
    .unwrap();
    let names: Vec<&str> = plan
        .targets
        .iter()
        .map(|target| target.name.as_str())
        .collect();
    assert_eq!(names, ["postgres", "django"]);
    assert_eq!(
        tags(&plan),
        [
            vec![
                "registry.example.com/team/postgres:1.2",
                "registry.example.com/team/postgres:stable"
            ],
            vec!["registry.example.com/team/django:1.2"],
        ]
    );
    let django = &plan.targets[1].spec;
    assert_eq!(django.context, std::path::Path::new("/project/."));
    assert_eq!(
        django.dockerfile.as_deref(),
        Some("/project/./deploy/Dockerfile".as_ref())
    );
    assert_eq!(django.target.as_deref(), Some("main-stage"));
    let pairs = |map: &std::collections::BTreeMap<String, String>| {
        map.iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(pairs(&django.args), "DEBUG=1 LEVEL=3 TOKEN=t");
    assert_eq!(
        pairs(&django.labels),
        "org.opencontainers.image.version=1.2 team=WEB"
    );
    assert_eq!(django.platforms.len(), 2);
    assert_eq!(
        django.secrets[0].from,
        SecretFrom::File("/project/.npmrc".into())
    );
    assert_eq!(django.secrets[1].from, SecretFrom::Env("API_KEY".into()));
    assert_eq!(
        django.cache_from,
        [
            "registry.example.com/team/django:cache",
            "registry.example.com/team/django:old"
        ]
    );
    assert!(django.inline_cache && django.push);
    assert!(!plan.targets[0].spec.push);
    assert_eq!(
        plan.notes,
        ["target `django`: a cache of the type `gha` is not read"]
    );
}

#[test]
fn defaults_stand_where_the_environment_is_silent() {
    let plan = plan(SERVICES, &["postgres"], &[("IGNORED", "x")]).unwrap();
    assert_eq!(tags(&plan), [["registry.example.com/team/postgres:dev"]]);
    assert_eq!(plan.targets[0].spec.platforms.len(), 1);
}

#[test]
fn a_matrix_makes_targets() {
    let text = r#"
target "app" {
  name = "app-${item.name}-${replace(version, ".", "-")}"
  matrix = { item = [{ name = "web", port = 80 }, { name = "api", port = 81 }], version = ["1.0", "2.0"] }
  args = { PORT = item.port }
  tags = ["r.example.com/${item.name}:${version}"]
}
target "debug" { inherits = ["app-api-2-0"] }
"#;
    let all = plan(text, &["app"], &[]).unwrap();
    let names: Vec<&str> = all
        .targets
        .iter()
        .map(|target| target.name.as_str())
        .collect();
    assert_eq!(
        names,
        ["app-web-1-0", "app-web-2-0", "app-api-1-0", "app-api-2-0"]
    );
    let one = plan(text, &["debug"], &[]).unwrap();
    assert_eq!(one.targets[0].spec.args["PORT"], "81");
    assert_eq!(tags(&one), [["r.example.com/api:2.0"]]);
}

#[test]
fn json_says_the_same_as_hcl() {
    let text = r#"{
      "variable": { "TAG": { "default": "1.0" } },
      "group": { "default": { "targets": ["a"] } },
      "target": { "a": { "context": "${TAG}/x", "tags": ["r.example.com/a:${upper(TAG)}"], "no-cache": true } }
    }"#;
    let file = BakeFile::parse("docker-bake.json", text).unwrap();
    let options = BakeOptions {
        env: vec![("TAG".into(), "b".into())],
        ..BakeOptions::default()
    };
    let plan = file.plan(&["default"], &options).unwrap();
    assert_eq!(tags(&plan), [["r.example.com/a:B"]]);
    assert_eq!(plan.targets[0].spec.context, std::path::Path::new("b/x"));
    assert!(plan.targets[0].spec.no_cache);
    let json = plan.to_json();
    assert_eq!(json["target"]["a"]["tags"][0], "r.example.com/a:B");
    // What is printed is a bake file again, and means the same.
    let again = BakeFile::parse("x.json", &json.to_string()).unwrap();
    let again = again.plan(&["default"], &BakeOptions::default()).unwrap();
    assert_eq!(again.targets[0].spec, plan.targets[0].spec);
}

#[test]
fn files_are_merged_and_changed_from_outside() {
    let first = BakeFile::parse("a.hcl", r#"target "a" { tags = ["r.example.com/a:1"] }"#).unwrap();
    let second = BakeFile::parse(
        "b.hcl",
        "target \"a\" {\n context = \"b\"\n}\ntarget \"b\" {}",
    )
    .unwrap();
    let options = BakeOptions {
        set: [
            "a.args.X=1",
            "*.platform=linux/arm64,linux/amd64",
            "a.tags=r.example.com/z:2",
            "b.no-cache=true",
        ]
        .map(str::to_owned)
        .to_vec(),
        ..BakeOptions::default()
    };
    let plan = first.merge(second).plan(&["a", "b"], &options).unwrap();
    let (a, b) = (&plan.targets[0].spec, &plan.targets[1].spec);
    assert_eq!((a.context.to_str(), a.args["X"].as_str()), (Some("b"), "1"));
    assert_eq!((a.platforms.len(), b.platforms.len()), (2, 2));
    assert_eq!(a.tags[0].to_string(), "r.example.com/z:2");
    assert!(b.no_cache && !a.no_cache);
    let file = BakeFile::parse("a.hcl", "target \"app\" {}").unwrap();
    let typo = BakeOptions {
        set: vec!["ap.tags=r.example.com/z:2".to_owned()],
        ..BakeOptions::default()
    };
    let error = file.plan(&["app"], &typo).unwrap_err();
    assert!(error.to_string().contains("for no target"), "{error}");
    assert!(error.hints()[0].contains("`app`"), "{error:?}");
}

#[test]
fn functions_do_what_their_names_say() {
    for (expression, value) in [
        (r#"join("-", split(".", "1.2.3"))"#, "1-2-3"),
        (r#"trimprefix("v1.2", "v")"#, "1.2"),
        (r#"trimsuffix("a.git", ".git")"#, "a"),
        (r#"trimspace("  a ")"#, "a"),
        (r#"substr("abcdef", 1, 3)"#, "bcd"),
        (r#"substr("abcdef", -2, -1)"#, "ef"),
        (r#"title("hello world")"#, "Hello World"),
        (r#"format("%03d-%s%%", 7, "x")"#, "007-x%"),
        (r#"sanitize("a/b.c")"#, "a_b_c"),
        (r#"coalesce("", null, "x")"#, "x"),
        (r#"lookup({ a = "1" }, "b", "2")"#, "2"),
        (r#"element(["a", "b"], 3)"#, "b"),
        (
            r#"formatdate("YYYY-MM-DD'T'hh:mm:ssZ", "2024-10-01T02:03:04Z")"#,
            "2024-10-01T02:03:04Z",
        ),
        (r#"length(concat([1], [2, 3])) == 3 ? "yes" : "no""#, "yes"),
        (
            r#"join(",", distinct(flatten([["a"], ["b", "a"]])))"#,
            "a,b",
        ),
        (r#"join("", keys(merge({ a = 1 }, { b = 2 })))"#, "ab"),
        (
            r#"and(contains(["a"], "a"), not(equal(add(1, 2), 4))) ? "t" : "f""#,
            "t",
        ),
        (r#"dirname("a/b/c")"#, "a/b"),
        (r#"jsondecode("{\"a\":\"b\"}").a"#, "b"),
        (r#"reverse(lower("ABC"))"#, "cba"),
        (r#"max(1, 5, 3) == 5 && min(4, 2) == 2 ? "t" : "f""#, "t"),
    ] {
        let text = format!("target \"a\" {{\n args = {{ X = {expression} }}\n}}");
        let plan = plan(&text, &["a"], &[]).unwrap_or_else(|error| panic!("{expression}: {error}"));
        assert_eq!(plan.targets[0].spec.args["X"], value, "{expression}");
    }
}

#[test]
fn what_is_wrong_is_told() {
    for (text, words) in [
        ("target \"a\" {", "docker-bake.hcl"),
        ("target \"a\" { tgs = [] }", "tgs"),
        ("target \"a\" { tags = [\"${NOPE}\"] }", "NOPE"),
        ("target \"a\" { inherits = [\"a\"] }", "a -> a"),
        ("target \"a\" { inherits = [\"b\"] }", "no target `b`"),
        (
            "group \"a\" { targets = [\"b\"] }\ngroup \"b\" { targets = [\"a\"] }",
            "a -> b -> a",
        ),
        ("target \"b\" {}", "no group or target `a`"),
        ("target \"a\" { matrix = { x = [1] } }", "no `name`"),
        ("target \"a\" { tags = [\"BAD NAME\"] }", "BAD NAME"),
        ("target \"a\" { platforms = [\"arm\"] }", "`arm`"),
        (
            "target \"a\" { args = { X = upper() } }",
            "argument 1 is missing",
        ),
        (
            "variable \"X\" { default = Y }\nvariable \"Y\" { default = X }\ntarget \"a\" {}",
            "variable `X`",
        ),
        ("widget \"a\" {}", "no block `widget`"),
        (
            "variable \"X\" {\n default = \"\"\n validation {\n condition = X != \"\"\n error_message = \"X is needed\"\n }\n}\ntarget \"a\" {}",
            "X is needed",
        ),
    ] {
        let error = plan(text, &["a"], &[]).unwrap_err();
        assert_eq!(error.kind(), ImageErrorKind::Invalid, "{text}");
        assert!(error.to_string().contains(words), "{text}: {error}");
    }
    for (text, words) in [
        ("target \"a\" { ssh = [\"default\"] }", "ssh"),
        (
            "target \"a\" { context = \"https://example.com/x.git\" }",
            "context",
        ),
        ("target \"a\" { output = [\"type=oci\"] }", "oci"),
        ("function \"f\" {}", "f"),
    ] {
        let error = plan(text, &["a"], &[]).unwrap_err();
        assert_eq!(error.kind(), ImageErrorKind::Unsupported, "{text}");
        assert!(error.to_string().contains(words), "{text}: {error}");
    }
    let deep = format!("x = {}1{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(BakeFile::parse("deep.hcl", &deep).is_err());
}
