//! A job with its services as a compose file, to run it without an engine: `docker compose run JOB`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ci_core::job::{JobSpec, ServiceSpec};
use ci_core::session::Program;
use ci_core::shell::word;
use ci_core::step::{Action, CommandSpec};
use ci_core::yaml;
use serde_json::{Map, Value, json};

use crate::error::{DockerError, DockerErrorKind};

/// Where the job works.
const WORK_DIR: &str = "/work";

/// The alias of what shares the network of the job.
const LOCALHOST: &str = "localhost";

/// Where the aliases of a service are kept, so that it can be read back as it was.
pub(super) const ALIASES: &str = "x-ci-aliases";

/// A job as a compose file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ComposeExport {
    /// The name of the job's service.
    pub service: String,
    /// The file, in YAML.
    pub text: String,
    /// What of the job is not in it and why, for people.
    pub left_out: Vec<String>,
}

/// Writes a job with its services as a compose file. `image` is that of a job that names none, `env` are
/// the variables of the workflow.
///
/// The project's directory (that of the file) is the working directory. Only commands are in it; what
/// is of the engine (caches, artifacts, checkouts) and what compose cannot do is told as left out.
///
/// # Errors
/// For a job without an image.
pub fn export(
    job: &JobSpec,
    image: Option<&str>,
    env: &BTreeMap<String, String>,
) -> Result<ComposeExport, DockerError> {
    let options = &job.options;
    let image = options.requires.image.as_deref().or(image);
    let image = image.ok_or_else(|| {
        let text = format!("the job `{}` names no image", job.name);
        DockerError::new(DockerErrorKind::Refused, text)
            .with_hint("name an image in the job, or a default image for the executor")
    })?;
    let service = service_name(&job.name);
    let mut left_out = Vec::new();
    let script = script(job, &mut left_out);
    let beside = Beside::of(job);
    if !beside.services.is_empty() {
        let words = "waiting until services are ready: compose only starts them before the job";
        left_out.push(words.to_owned());
    }
    let mut all: BTreeMap<String, String> = env.clone();
    all.extend(options.env.clone());
    let mut made = json!({
        "x-ci-job": &*job.name,
        "image": escaped(image),
        "working_dir": WORK_DIR,
        "volumes": [format!(".:{WORK_DIR}")],
        "environment": variables(&all),
        "depends_on": beside.services.keys().collect::<Vec<_>>(),
        "entrypoint": ["sh", "-e", "-c"],
        "command": [escaped(&script)],
    });
    if let Some(holder) = &beside.holder {
        made["network_mode"] = json!(format!("service:{holder}"));
    }
    if let Some(platform) = &options.requires.platform {
        made["platform"] = json!(platform);
    }
    if let Some(milli) = options.requires.cpu_milli {
        made["cpus"] = json!(f64::from(milli) / 1000.0);
    }
    if let Some(mib) = options.requires.memory_mib {
        made["mem_limit"] = json!(format!("{mib}m"));
    }
    let mut services = beside.services;
    services.insert(service.clone(), made);
    let mut text = format!(
        "# The job {}: docker compose run --rm {service}\n",
        job.name
    );
    for left in &left_out {
        let _ = writeln!(text, "# not in it: {left}");
    }
    let file = json!({ "services": services });
    text.push_str(&yaml::to_string(&file));
    Ok(ComposeExport {
        service,
        text,
        left_out,
    })
}

/// The services of a job.
struct Beside {
    services: Map<String, Value>,
    /// The one that has the network in which the job and others are `localhost` for each other. Compose
    /// starts what a job needs and not what needs the job: so the network is that of a service.
    holder: Option<String>,
}

impl Beside {
    fn of(job: &JobSpec) -> Self {
        let mut beside = Self {
            services: Map::new(),
            holder: None,
        };
        let own = service_name(&job.name);
        for service in &job.options.requires.services {
            let name = beside.free_name(service, &own);
            let mut made = json!({
                "image": escaped(&service.image),
                "environment": variables(&service.env),
                ALIASES: service.aliases,
            });
            let names = service.aliases.iter().filter(|alias| *alias != LOCALHOST);
            let names: Vec<&String> = names.collect();
            let shares = names.len() < service.aliases.len();
            match &beside.holder {
                Some(holder) if shares => {
                    made["network_mode"] = json!(format!("service:{holder}"));
                    made["depends_on"] = json!([holder]);
                }
                _ => made["networks"] = json!({"default": {"aliases": names}}),
            }
            if shares {
                beside.holder.get_or_insert_with(|| name.clone());
            }
            for (key, words) in [
                ("command", &service.command),
                ("entrypoint", &service.entrypoint),
            ] {
                if !words.is_empty() {
                    made[key] = json!(words.iter().map(|it| escaped(it)).collect::<Vec<_>>());
                }
            }
            beside.services.insert(name, made);
        }
        beside
    }

    /// Its first alias, or what its image is called.
    fn free_name(&self, service: &ServiceSpec, own: &str) -> String {
        let mut aliases = service.aliases.iter();
        let alias = aliases.find(|it| !it.is_empty() && *it != LOCALHOST);
        let image = service.image.rsplit('/').next().unwrap_or_default();
        let image = image.split(['@', ':']).next().unwrap_or_default();
        let name = service_name(alias.map_or(image, String::as_str));
        let is_free = |name: &String| name != own && !self.services.contains_key(name);
        let numbered = (2..).map(|number| format!("{name}-{number}"));
        let mut names = std::iter::once(name.clone()).chain(numbered);
        names.find(is_free).unwrap_or(name)
    }
}

/// The commands of a job as one script: each in a shell of its own, as the engine runs them.
fn script(job: &JobSpec, left_out: &mut Vec<String>) -> String {
    let mut script = String::new();
    for (number, step) in job.steps.iter().enumerate() {
        let name = step
            .name
            .as_deref()
            .map_or_else(|| format!("{}", number + 1), str::to_owned);
        let Action::Run(command) = &step.action else {
            left_out.push(format!("the step {name} is of the engine, and no command"));
            continue;
        };
        if let Some(image) = &command.image {
            left_out.push(format!(
                "the step {name} has the image `{image}` of its own"
            ));
            continue;
        }
        let _ = write!(script, "({}", line(job, command, &step.env));
        script.push_str(if step.allow_failure { ") || true" } else { ")" });
        if command.background {
            script.push_str(" &");
        }
        script.push('\n');
    }
    script
}

fn line(job: &JobSpec, command: &CommandSpec, env: &BTreeMap<String, String>) -> String {
    let mut line = String::new();
    let own = job.options.working_dir.as_deref().unwrap_or_default();
    let dir = command.dir.as_deref().unwrap_or(own);
    // Where a vendor puts the project it is here, too: the script begins there.
    let dir = match dir.strip_prefix(own) {
        Some("") if own.starts_with(['~', '/']) => "",
        Some(below) if own.starts_with(['~', '/']) => below.strip_prefix('/').unwrap_or(dir),
        _ => dir,
    };
    if let Some(below) = dir.strip_prefix("~/") {
        let _ = write!(line, "cd ~/{} && ", word(below));
    } else if !matches!(dir, "" | ".") {
        let _ = write!(line, "cd {} && ", word(dir));
    }
    let words: Vec<String> = match &command.program {
        Program::Shell { shell, script } => {
            let own = if shell.is_empty() {
                &job.options.shell
            } else {
                shell
            };
            let default = ["sh", "-e", "-c"].map(str::to_owned).to_vec();
            let mut words = if own.is_empty() { default } else { own.clone() };
            words.push(script.clone());
            words
        }
        Program::Argv(words) => words.clone(),
        _ => Vec::new(),
    };
    if !env.is_empty() {
        line.push_str("env ");
        for (name, value) in env {
            let _ = write!(line, "{} ", word(&format!("{name}={value}")));
        }
    }
    let words: Vec<String> = words.iter().map(|text| word(text)).collect();
    line.push_str(&words.join(" "));
    line
}

/// A name as compose allows it.
fn service_name(name: &str) -> String {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "._-".contains(it);
    let plain = |it: char| if is_plain(it) { it } else { '-' };
    name.chars().map(plain).collect()
}

/// A value in which compose fills nothing in.
fn escaped(text: &str) -> String {
    text.replace('$', "$$")
}

fn variables(env: &BTreeMap<String, String>) -> Value {
    let pairs = env
        .iter()
        .map(|(name, value)| (name.clone(), json!(escaped(value))));
    Value::Object(pairs.collect())
}

#[cfg(test)]
mod tests {
    use ci_core::job::ServiceSpec;
    use ci_core::step::StepSpec;

    use super::super::read_services;
    use super::*;

    fn job() -> JobSpec {
        let mut db = ServiceSpec::new("postgres:16", "db");
        db.env.insert("PASSWORD".into(), "pa$s".into());
        let mut near = ServiceSpec::new("redis", "localhost");
        near.command = vec!["redis-server".into()];
        JobSpec::new("test 1/2")
            .image("base")
            .service(db)
            .service(near)
            .service(ServiceSpec::new("here:5000/x/redis:7", "localhost"))
            .run("echo \"it's $HOME\"")
            .step(StepSpec::run("true").image("other"))
            .step(StepSpec::run("make").dir("~/project/sub"))
            .step(StepSpec::run("make").dir("~/else where"))
            .with(|options| options.working_dir = Some("~/project".into()))
    }

    #[test]
    fn a_job_is_written_with_its_services_and_read_back() {
        let env = BTreeMap::from([("CI".to_owned(), "true".to_owned())]);
        let export = export(&job(), None, &env).unwrap();
        assert_eq!(export.service, "test-1-2");
        assert_eq!(export.left_out.len(), 2, "{:?}", export.left_out);
        let file: Value = yaml::from_str(&export.text).unwrap();
        let own = &file["services"]["test-1-2"];
        assert_eq!(own["image"], "base");
        assert_eq!(own["depends_on"], json!(["db", "redis", "redis-2"]));
        assert_eq!(own["network_mode"], "service:redis");
        let script = own["command"][0].as_str().unwrap();
        assert!(script.contains(r#"'echo "it'\''s $$HOME"'"#), "{script}");
        assert!(script.contains("(cd sub && sh -e -c make)"), "{script}");
        assert!(script.contains("(cd ~/'else where' && "), "{script}");
        let second = &file["services"]["redis-2"];
        assert_eq!(second["network_mode"], "service:redis");
        assert!(file["services"]["redis"].get("network_mode").is_none());
        let read = read_services(&export.text, &|_| None).unwrap();
        let db = read
            .services
            .iter()
            .find(|it| it.aliases == ["db"])
            .unwrap();
        assert_eq!(db.env["PASSWORD"], "pa$s");
        let near = read
            .services
            .iter()
            .filter(|it| it.aliases == ["localhost"]);
        assert_eq!(near.count(), 2, "{read:?}");
        assert_eq!(read.left_out, Vec::<String>::new());
    }

    #[test]
    fn a_job_without_an_image_is_none() {
        let error = export(&JobSpec::new("bare"), None, &BTreeMap::new()).unwrap_err();
        assert!(error.to_string().contains("`bare`"), "{error}");
        assert!(export(&JobSpec::new("bare"), Some("i"), &BTreeMap::new()).is_ok());
    }
}
