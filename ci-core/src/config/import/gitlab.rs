//! Writes a pipeline as a file of GitLab.

use super::Target;
use super::circleci::regex_of;
use super::pipeline::{Action, Filter, Job, Pipeline, Step, When};
use super::text::{Piece, Text, variable};
use super::tree::{list, map, text, texts, truth};
use crate::shell::quote;
use crate::yaml::Node;

const TARGET: Target = Target::GitLab;

/// Names that are keys of the file and no jobs.
const RESERVED: [&str; 16] = [
    "image",
    "services",
    "stages",
    "types",
    "before_script",
    "after_script",
    "variables",
    "cache",
    "include",
    "pages",
    "default",
    "workflow",
    "true",
    "false",
    "nil",
    "spec",
];

/// The file. GitLab has one pipeline: several become one.
pub(super) fn write(pipelines: &mut [Pipeline]) -> Node {
    let mut entries: Vec<(String, Node)> = Vec::new();
    let rules: Vec<Option<Node>> = pipelines.iter().map(workflow).collect();
    let same = rules.windows(2).all(|pair| pair[0] == pair[1]);
    if let (true, Some(Some(rules))) = (same, rules.first()) {
        entries.push(("workflow".into(), rules.clone()));
    }
    for pipeline in pipelines {
        let mut notes = Vec::new();
        if !pipeline.env.is_empty() {
            entries.push(("variables".into(), variables(&pipeline.env)));
        }
        for job in &pipeline.jobs {
            entries.push((called(&job.name), self::job(pipeline, job, &mut notes)));
        }
        for (mark, message, suggestion) in notes {
            pipeline.note(&mark, message, suggestion);
        }
        let mark = pipeline
            .jobs
            .iter()
            .flat_map(|job| &job.steps)
            .map(|step| step.mark.clone())
            .next();
        if let (false, Some(mark)) = (same, mark) {
            let message = format!("the branches and tags of `{}`", pipeline.name);
            pipeline.note(
                &mark,
                message,
                "files whose branches differ become one pipeline: give its jobs `rules`",
            );
        }
    }
    map(entries)
}

type Notes = Vec<(crate::yaml::Mark, String, String)>;

fn called(name: &str) -> String {
    if RESERVED.contains(&name) {
        format!("{name}-job")
    } else {
        name.to_owned()
    }
}

fn variables(env: &[(String, Text)]) -> Node {
    map(env
        .iter()
        .map(|(name, value)| (name, text(value.render(TARGET)))))
}

/// Which refs have pipelines.
fn workflow(pipeline: &Pipeline) -> Option<Node> {
    if pipeline.branches.is_empty() && pipeline.tags.is_empty() {
        return None;
    }
    let mut rules = Vec::new();
    let mut part = |filter: &Filter, name: &str| {
        for glob in &filter.ignore {
            let condition = format!("${name} =~ /^{}$/", slashed(glob));
            rules.push(map([("if", text(condition)), ("when", text("never"))]));
        }
        for glob in &filter.only {
            let condition = format!("${name} =~ /^{}$/", slashed(glob));
            rules.push(map([("if", text(condition))]));
        }
        if filter.only.is_empty() && !filter.ignore.is_empty() {
            rules.push(map([("if", text(format!("${name}")))]));
        }
    };
    part(&pipeline.branches, "CI_COMMIT_BRANCH");
    part(&pipeline.tags, "CI_COMMIT_TAG");
    Some(map([("rules", list(rules))]))
}

fn slashed(glob: &str) -> String {
    regex_of(glob).replace('/', "\\/")
}

fn job(pipeline: &Pipeline, job: &Job, notes: &mut Notes) -> Node {
    let mut entries: Vec<(&str, Node)> = Vec::new();
    let needs = job
        .needs
        .iter()
        .filter(|need| pipeline.jobs.iter().any(|it| it.name == **need));
    let needs: Vec<String> = needs.map(|need| called(need)).collect();
    if job.approval {
        entries.push(("script", texts(["true"])));
        entries.push(("needs", texts(needs)));
        entries.push(("when", text("manual")));
        entries.push(("allow_failure", truth(false)));
        return map(entries);
    }
    entries.push(("image", text(job.image.render(TARGET))));
    if !job.services.is_empty() {
        let services = job.services.iter().map(|service| {
            let mut entries = vec![
                ("name", text(service.image.render(TARGET))),
                ("alias", text(&service.name)),
            ];
            if !service.env.is_empty() {
                entries.push(("variables", variables(&service.env)));
            }
            map(entries)
        });
        entries.push(("services", list(services)));
    }
    // A job that waits for none runs whatever others do.
    let after = job.when;
    if !needs.is_empty() && after != When::Success {
        let when = if after == When::Failure {
            "on_failure"
        } else {
            "always"
        };
        entries.push(("when", text(when)));
    }
    entries.push(("needs", texts(needs)));
    if !job.matrix.is_empty() {
        let combinations = job.matrix.iter().map(|values| {
            map(values
                .iter()
                .map(|(name, value)| (variable(name), text(value))))
        });
        entries.push(("parallel", map([("matrix", list(combinations))])));
    }
    if !job.env.is_empty() {
        entries.push(("variables", variables(&job.env)));
    }
    if let Some(minutes) = job.timeout_minutes {
        entries.push(("timeout", text(format!("{minutes} minutes"))));
    }
    if job.allow_failure {
        entries.push(("allow_failure", truth(true)));
    }
    let (script, after) = scripts(job);
    entries.push(("script", texts(script)));
    if !after.is_empty() {
        entries.push(("after_script", texts(after)));
    }
    entries.extend(kept(job, notes));
    map(entries)
}

/// The lines of the script, and those of the script that runs also after a failure.
fn scripts(job: &Job) -> (Vec<String>, Vec<String>) {
    let (mut script, mut after) = (Vec::new(), Vec::new());
    if let Some(guard) = &job.guard {
        let guard = guard.render(TARGET);
        script.push(format!(
            "if ! {{ {guard}; }}; then echo 'skipped: its condition does not hold'; exit 0; fi"
        ));
    }
    for step in &job.steps {
        let Some(line) = line(step) else { continue };
        match step.when {
            When::Success => script.push(line),
            When::Always => after.push(line),
            When::Failure => {
                after.push(format!(
                    "if [ \"${{CI_JOB_STATUS}}\" = failed ]; then\n{line}\nfi"
                ));
            }
        }
    }
    if script.is_empty() {
        script.push("true".into());
    }
    (script, after)
}

fn line(step: &Step) -> Option<String> {
    match &step.action {
        Action::Run(run) => {
            // A shell of its own: directories and variables of one step are not those of the next.
            let mut own = Text::plain("(\nset -e\n");
            own.append(run.whole(&[]));
            own.push("\n)");
            Some(own.render(TARGET))
        }
        Action::Placeholder { what } => Some(format!(
            "echo {} >&2",
            quote(&format!("not converted: {what}"))
        )),
        _ => None,
    }
}

/// Caches, artifacts and reports.
fn kept(job: &Job, notes: &mut Notes) -> Vec<(&'static str, Node)> {
    let (mut caches, mut paths, mut reports) = (Vec::new(), Vec::new(), Vec::new());
    for step in &job.steps {
        match &step.action {
            Action::SaveCache { key, paths } => {
                let outside = paths.iter().any(|it| it.starts_with(['~', '/']));
                if outside {
                    let message = format!("the cache of `{}`", paths.join("`, `"));
                    let hint = "GitLab caches only paths inside the project: let the tool keep its cache there, by a variable such as `CARGO_HOME` or `PIP_CACHE_DIR`";
                    notes.push((step.mark.clone(), message, hint.into()));
                }
                let inside = paths.iter().filter(|it| !it.starts_with(['~', '/']));
                let inside: Vec<String> = inside.cloned().collect();
                if !inside.is_empty() {
                    caches.push(map([("key", key_of(key)), ("paths", texts(inside))]));
                }
            }
            Action::Artifacts { paths: more, .. } => {
                for path in more {
                    if !paths.contains(path) {
                        paths.push(path.clone());
                    }
                }
            }
            Action::TestResults { path } => reports.push(path.clone()),
            _ => {}
        }
    }
    let mut entries = Vec::new();
    if caches.len() == 1 {
        entries.extend(caches.pop().map(|cache| ("cache", cache)));
    } else if !caches.is_empty() {
        caches.truncate(4);
        entries.push(("cache", list(caches)));
    }
    let mut artifacts = Vec::new();
    if !paths.is_empty() {
        artifacts.push(("paths", texts(paths)));
        artifacts.push(("when", text("always")));
    }
    if !reports.is_empty() {
        artifacts.push(("reports", map([("junit", texts(reports))])));
    }
    if !artifacts.is_empty() {
        entries.push(("artifacts", map(artifacts)));
    }
    entries
}

fn key_of(key: &Text) -> Node {
    let files = key.0.iter().filter_map(|piece| match piece {
        Piece::Hash(files) => Some(files.clone()),
        _ => None,
    });
    let files: Vec<String> = files.flatten().take(2).collect();
    let prefix = key.render(TARGET);
    let prefix = prefix.trim_end_matches('-');
    if files.is_empty() {
        return text(if prefix.is_empty() { "default" } else { prefix });
    }
    let mut entries = vec![("files", texts(files))];
    if !prefix.is_empty() {
        entries.push(("prefix", text(prefix)));
    }
    map(entries)
}
