//! The services of a compose file as those of a job.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ci_core::executor::PrepareRequest;
use ci_core::job::{JobSpec, ServiceSpec};
use ci_core::yaml;
use serde_json::{Map, Value};

use super::substitute::substitute;
use super::write::ALIASES;
use crate::error::{DockerError, DockerErrorKind};

/// What of a service has no meaning for one that lives as long as a job, and is left out.
const WITHOUT_MEANING: [&str; 9] = [
    "container_name",
    "depends_on",
    "expose",
    "labels",
    "logging",
    "networks",
    "ports",
    "profiles",
    "restart",
];

/// The services of a compose file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ComposeServices {
    /// The services, in the order of their names.
    pub services: Vec<ServiceSpec>,
    /// What of the file was left out and why, for people.
    pub left_out: Vec<String>,
}

/// Reads the services of a compose file. `variable` gives the values of its variables.
///
/// A service has its name as its alias, if [`export`](super::export) wrote no others. Its image, command, entry point and environment are taken;
/// ports and networks have no meaning, since the job reaches every port; whether it is ready its image
/// says, or an open port of it. The file's own job, if [`export`](super::export) wrote it, is left out.
///
/// # Errors
/// For a file that is no compose file, a service without an image, and a variable that has to be set.
pub fn read_services(
    text: &str,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<ComposeServices, DockerError> {
    let invalid = |text: String| DockerError::new(DockerErrorKind::Refused, text);
    let file: Value = yaml::from_str(text)
        .map_err(|error| invalid(format!("the compose file cannot be read: {error}")))?;
    let Some(Value::Object(all)) = file.get("services") else {
        return Err(invalid("the compose file has no `services`".to_owned()));
    };
    let mut read = ComposeServices {
        services: Vec::new(),
        left_out: Vec::new(),
    };
    for (name, service) in all {
        let wrong = |what: String| invalid(format!("the service `{name}` {what}"));
        let Value::Object(service) = service else {
            return Err(wrong("is no mapping".to_owned()));
        };
        if service.contains_key("x-ci-job") {
            continue;
        }
        let image = service.get("image").and_then(Value::as_str);
        let Some(image) = image else {
            let error = wrong("has no image".to_owned());
            return Err(error.with_hint("images are built before: `ci image build`"));
        };
        let fill =
            |text: &str| substitute(text, variable).map_err(|what| wrong(format!(": {what}")));
        let mut made = ServiceSpec::new(fill(image)?, name.clone());
        if let Some(aliases) = service.get(ALIASES).and_then(Value::as_array) {
            let names = aliases.iter().filter_map(Value::as_str);
            made.aliases = names.map(ToOwned::to_owned).collect();
        }
        made.env = environment(service.get("environment"), variable).map_err(wrong)?;
        made.command = words(service.get("command"), &fill, "command").map_err(&wrong)?;
        made.entrypoint = words(service.get("entrypoint"), &fill, "entrypoint").map_err(&wrong)?;
        read.left_out.extend(left_out(name, service));
        read.services.push(made);
    }
    read.services.sort_by(|a, b| a.aliases.cmp(&b.aliases));
    Ok(read)
}

/// What of a service is not taken although it means something.
fn left_out(name: &str, service: &Map<String, Value>) -> Vec<String> {
    const TAKEN: [&str; 4] = ["image", "command", "entrypoint", "environment"];
    let keys = service.keys().filter(|key| {
        let key = key.as_str();
        let is_known = TAKEN.contains(&key) || WITHOUT_MEANING.contains(&key);
        // A network that another service has is what the alias `localhost` says.
        let is_said = key == "network_mode" && service.contains_key(ALIASES);
        !is_known && !is_said && !key.starts_with("x-")
    });
    keys.map(|key| format!("`{key}` of the service `{name}`"))
        .collect()
}

fn environment(
    value: Option<&Value>,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<BTreeMap<String, String>, String> {
    let fill = |text: &str| substitute(text, variable).map_err(|what| format!(": {what}"));
    let mut all = BTreeMap::new();
    match value {
        None | Some(Value::Null) => {}
        Some(Value::Object(map)) => {
            for (name, value) in map {
                // Without a value it is that of whoever runs the file.
                let value = match value {
                    Value::Null => variable(name),
                    value => Some(fill(&plain(value)?)?),
                };
                all.extend(value.map(|value| (name.clone(), value)));
            }
        }
        Some(Value::Array(list)) => {
            for line in list {
                let line = plain(line)?;
                match line.split_once('=') {
                    Some((name, value)) => {
                        all.insert(name.to_owned(), fill(value)?);
                    }
                    None => all.extend(variable(&line).map(|value| (line.clone(), value))),
                }
            }
        }
        Some(_) => return Err("has an environment that is none".to_owned()),
    }
    Ok(all)
}

/// A value as the text that it was.
fn plain(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(it) => Ok(it.to_string()),
        _ => Err(format!("has the value `{value}`, which is no word")),
    }
}

/// The words of a command: a list, or a text that is split as a shell splits it.
fn words(
    value: Option<&Value>,
    fill: &dyn Fn(&str) -> Result<String, DockerError>,
    what: &str,
) -> Result<Vec<String>, String> {
    let fill = |text: &str| fill(text).map_err(|error| format!("has a wrong `{what}`: {error}"));
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(text)) => split(&fill(text)?),
        Some(Value::Array(list)) => list.iter().map(|word| fill(&plain(word)?)).collect(),
        Some(_) => Err(format!("has a `{what}` that is none")),
    }
}

/// Splits a text into words, with the quotes and backslashes of a POSIX shell and nothing else of it.
fn split(text: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let mut quote = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (None, ' ' | '\t' | '\n') => words.extend(word.take()),
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (Some(open), letter) if open == letter => quote = None,
            (None | Some('"'), '\\') => {
                let next = letters.next().ok_or("ends with a backslash")?;
                word.get_or_insert_default().push(next);
            }
            (_, letter) => word.get_or_insert_default().push(letter),
        }
    }
    if quote.is_some() {
        return Err(format!("has an open quote in `{text}`"));
    }
    words.extend(word);
    Ok(words)
}

/// The job with the services of the compose file that its `extra.docker.compose` names, and what was
/// left out of them. None if it names none.
pub(crate) fn with_services(
    request: &PrepareRequest<'_>,
) -> Result<Option<(JobSpec, Vec<String>)>, DockerError> {
    let extra = request.job.options.extra.get("docker");
    let Some(named) = extra.and_then(|extra| extra.get("compose")) else {
        return Ok(None);
    };
    let refused = |text: String| DockerError::new(DockerErrorKind::Refused, text);
    let (Some(file), Some(project)) = (named.as_str(), &request.project_dir) else {
        let name = &request.job.name;
        let text = format!("`extra.docker.compose` of the job `{name}` is no file of a project");
        return Err(refused(text));
    };
    let path = project.join(Path::new(file));
    let text = std::fs::read_to_string(&path).map_err(|error| {
        refused(format!(
            "the compose file `{}` cannot be read",
            path.display()
        ))
        .with_source(error)
    })?;
    let read = read_services(&text, &|name| request.env.get(name).cloned())?;
    let mut job = request.job.clone();
    let options = Arc::make_mut(&mut job.options);
    options.requires.services.extend(read.services);
    if let Some(Value::Object(extra)) = options.extra.get_mut("docker") {
        extra.remove("compose");
    }
    Ok(Some((job, read.left_out)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
services:
  web:
    image: "web:${TAG:-1}"
    command: httpd -f -h '/my dir'
    ports: ["8080:8080"]
    healthcheck: {test: [CMD, "true"]}
  db:
    image: postgres:16
    environment:
      POSTGRES_PASSWORD: secret
      PORT: 5432
      FROM_OUTSIDE:
    entrypoint: ["sh", "-c", "exec postgres $$X"]
  job:
    image: base
    x-ci-job: test
volumes: {data: {}}
"#;

    #[test]
    fn services_are_read_and_what_is_left_out_is_told() {
        let variable = |name: &str| (name == "FROM_OUTSIDE").then(|| "in".to_owned());
        let read = read_services(FILE, &variable).unwrap();
        let [db, web] = read.services.as_slice() else {
            panic!("{read:?}");
        };
        assert_eq!(
            (db.image.as_str(), db.aliases[0].as_str()),
            ("postgres:16", "db")
        );
        assert_eq!(db.env["PORT"], "5432");
        assert_eq!(db.env["FROM_OUTSIDE"], "in");
        assert_eq!(db.entrypoint, ["sh", "-c", "exec postgres $X"]);
        assert_eq!(web.image, "web:1");
        assert_eq!(web.command, ["httpd", "-f", "-h", "/my dir"]);
        assert_eq!(read.left_out, ["`healthcheck` of the service `web`"]);
    }

    #[test]
    fn what_is_no_service_is_refused() {
        for (text, expected) in [
            ("services: {a: {build: .}}", "has no image"),
            ("services: {a: 1}", "is no mapping"),
            ("version: '3'", "no `services`"),
            ("services: {a: {image: '${X:?must}'}}", "must"),
            (
                "services: {a: {image: i, command: \"'open\"}}",
                "open quote",
            ),
            ("[", "cannot be read"),
        ] {
            let error = read_services(text, &|_| None).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
