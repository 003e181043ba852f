//! Steps, variables and conditions of stages.

use super::parser::{Argument, Argumented, Statement};
use crate::config::import::pipeline::{Action, Pipeline, Run, Step, directory};
use crate::config::import::text::{Known, Piece, Text, variable};
use crate::shell::quote;

/// The steps of a block.
pub(super) fn read(block: &Statement, pipeline: &mut Pipeline) -> Vec<Step> {
    let mut steps = Vec::new();
    collect(block, None, pipeline, &mut steps);
    steps
}

/// Blocks are at most as deep as the parser lets them be.
fn collect(block: &Statement, dir: Option<&str>, pipeline: &mut Pipeline, steps: &mut Vec<Step>) {
    for statement in block.children() {
        let inside = match (&*statement.name, statement.code) {
            ("dir", false) => {
                let own = statement.argument("path").map_or(".", Argumented::as_str);
                let dir = dir.map_or_else(|| own.to_owned(), |dir| format!("{dir}/{own}"));
                collect(statement, Some(&dir), pipeline, steps);
                true
            }
            ("timestamps" | "ansiColor" | "script" | "wrap", false) if understood(statement) => {
                collect(statement, dir, pipeline, steps);
                true
            }
            ("withEnv" | "withCredentials" | "timeout" | "retry" | "catchError", false) => {
                let hint = "its steps are converted without it: set variables in a context, limits in `.ci/settings.yml`";
                pipeline.note(&statement.mark, format!("`{}`", statement.words), hint);
                collect(statement, dir, pipeline, steps);
                true
            }
            _ => false,
        };
        if !inside {
            steps.push(step(statement, dir, pipeline));
        }
    }
}

/// Whether a block has nothing but steps.
fn understood(block: &Statement) -> bool {
    block.children().iter().all(|it| {
        !it.code && !matches!(&*it.name, "def" | "if" | "for" | "try" | "while" | "switch")
    })
}

fn step(statement: &Statement, dir: Option<&str>, pipeline: &mut Pipeline) -> Step {
    let converted = if statement.code {
        None
    } else {
        action(statement, dir, pipeline)
    };
    let name: String = statement.words.chars().take(60).collect();
    let action = converted.unwrap_or_else(|| {
        let hint = suggestion(&statement.name);
        pipeline.note(
            &statement.mark,
            format!("the step `{}`", statement.words),
            hint,
        );
        Action::Placeholder {
            what: statement.words.clone(),
        }
    });
    Step::new(name, &statement.mark, action)
}

fn action(statement: &Statement, dir: Option<&str>, pipeline: &mut Pipeline) -> Option<Action> {
    let run = |script: Text| {
        let dir = dir.map(Text::plain);
        Action::Run(Run {
            script,
            dir,
            ..Run::default()
        })
    };
    Some(match &*statement.name {
        "sh" => {
            if let Some(more) = statement.arguments.iter().find(|it| is_result(it)) {
                let name = more.name.clone().unwrap_or_default();
                pipeline.note(
                    &statement.mark,
                    format!("`{name}` of `sh`"),
                    "use what the command prints in the same command",
                );
            }
            run(text(statement.argument("script")?))
        }
        "echo" => {
            let mut script = Text::plain("echo \"");
            script.append(crate::config::import::pipeline::in_double_quotes(&text(
                statement.argument("message")?,
            )));
            script.push("\"");
            run(script)
        }
        "sleep" => run(Text::plain(format!(
            "sleep {}",
            quote(statement.argument("time")?.as_str())
        ))),
        "error" => {
            let words = statement
                .argument("message")
                .map_or("error", Argumented::as_str);
            run(Text::plain(format!("echo {} >&2; exit 1", quote(words))))
        }
        "checkout" => Action::Checkout,
        "git" => {
            pipeline.note(
                &statement.mark,
                format!("the repository of `{}`", statement.words),
                "the repository of the pipeline is checked out",
            );
            Action::Checkout
        }
        "junit" => Action::TestResults {
            path: statement.argument("testResults")?.as_str().to_owned(),
        },
        "archiveArtifacts" => {
            let globs = statement
                .argument("artifacts")?
                .as_str()
                .split(',')
                .map(str::trim);
            let paths: Vec<String> = globs.filter(|it| !it.is_empty()).map(directory).collect();
            Action::Artifacts {
                paths,
                for_jobs: false,
            }
        }
        "stash" => {
            let globs = statement.named("includes").map_or(".", Argumented::as_str);
            let paths = globs.split(',').map(|it| it.trim().to_owned()).collect();
            Action::Artifacts {
                paths,
                for_jobs: true,
            }
        }
        "unstash" => Action::Attach,
        "cleanWs" | "deleteDir" => run(Text::plain("true")),
        _ => return None,
    })
}

fn is_result(argument: &Argument) -> bool {
    matches!(
        argument.name.as_deref(),
        Some("returnStdout" | "returnStatus")
    )
}

fn suggestion(name: &str) -> &'static str {
    match name {
        "bat" | "powershell" | "pwsh" => {
            "only Linux jobs are converted: write the command for a shell"
        }
        "emailext" | "mail" | "slackSend" | "office365ConnectorSend" => {
            "`notify` of `.ci/settings.yml` tells chats and mail"
        }
        "build" => "start the other pipeline through its API",
        "input" => "make it a job of type approval",
        "docker" | "withDockerRegistry" => "`docker` in a `sh` step",
        "publishHTML" => "keep the pages as artifacts",
        "script" | "def" | "if" | "for" | "try" | "while" => {
            "this is Groovy code: write a shell script that does the same"
        }
        _ => "do in a `sh` step what it does",
    }
}

/// Variables, with the `credentials` that somebody has to set.
pub(super) fn environment(block: &Statement, pipeline: &mut Pipeline) -> Vec<(String, Text)> {
    let mut env = Vec::new();
    for statement in block.children() {
        let value = statement
            .words
            .split_once('=')
            .map(|(_, value)| value.trim());
        let plain = value.and_then(|it| it.strip_prefix('\'')?.strip_suffix('\''));
        if let Some(value) = plain.filter(|it| !it.contains('\'')) {
            env.push((variable(&statement.name), live(value)));
        } else {
            let hint = "set the variable in a context (CircleCI), in the project's variables (GitLab), or here with `--context FILE`";
            pipeline.note(
                &statement.mark,
                format!("the variable `{}`", statement.words),
                hint,
            );
        }
    }
    env
}

/// A text of Groovy as shell: `${env.X}` and `${params.X}` are variables, as is what a shell calls so.
fn text(value: &Argumented) -> Text {
    match value {
        Argumented::Text(text, true) => live(text),
        // Nothing is put in by Groovy: `$` is the shell's.
        Argumented::Text(text, false) => Text::plain(text),
        Argumented::Word(word) => Text(vec![Piece::Env(variable(word))]),
    }
}

fn live(source: &str) -> Text {
    let mut text = Text::default();
    let mut rest = source;
    while let Some(at) = rest.find('$') {
        if rest[..at].ends_with('\\') {
            text.push(&rest[..at - 1]);
            text.push("$");
            rest = &rest[at + 1..];
            continue;
        }
        text.push(&rest[..at]);
        rest = &rest[at + 1..];
        let name;
        if let Some(braced) = rest.strip_prefix('{') {
            let Some(end) = braced.find('}') else {
                text.push("${");
                rest = braced;
                continue;
            };
            name = braced[..end].trim();
            rest = &braced[end + 1..];
        } else {
            let end =
                rest.find(|it: char| !(it.is_ascii_alphanumeric() || matches!(it, '_' | '.')));
            let end = end.unwrap_or(rest.len());
            name = rest[..end].trim_end_matches('.');
            rest = &rest[name.len()..];
        }
        if name.is_empty() {
            text.push("$");
        } else {
            text.0.push(piece(name));
        }
    }
    text.push(rest);
    text
}

fn piece(name: &str) -> Piece {
    let name = name
        .strip_prefix("env.")
        .or_else(|| name.strip_prefix("params."))
        .unwrap_or(name);
    match name {
        "BRANCH_NAME" | "GIT_BRANCH" => Piece::Known(Known::RefName),
        "GIT_COMMIT" => Piece::Known(Known::Sha),
        "TAG_NAME" => Piece::Known(Known::Tag),
        "BUILD_NUMBER" | "BUILD_ID" => Piece::Known(Known::RunNumber),
        "WORKSPACE" => Piece::Known(Known::Workspace),
        "JOB_NAME" => Piece::Known(Known::Job),
        other => Piece::Env(variable(other)),
    }
}

/// `when { … }` as a condition of a shell.
pub(super) fn when(block: &Statement, pipeline: &mut Pipeline) -> Option<Text> {
    let conditions = block
        .children()
        .iter()
        .filter(|it| it.name != "beforeAgent");
    let conditions: Vec<Text> = conditions
        .filter_map(|it| condition(it, pipeline))
        .collect();
    all(conditions, " && ")
}

fn all(conditions: Vec<Text>, between: &str) -> Option<Text> {
    let mut conditions = conditions.into_iter();
    let mut text = Text::plain("{ ");
    text.append(conditions.next()?);
    for condition in conditions {
        text.push(between);
        text.append(condition);
    }
    text.push("; }");
    Some(text)
}

fn condition(statement: &Statement, pipeline: &mut Pipeline) -> Option<Text> {
    let inner = |pipeline: &mut Pipeline| -> Vec<Text> {
        statement
            .children()
            .iter()
            .filter_map(|it| condition(it, pipeline))
            .collect()
    };
    let fits = |known: Known, glob: &str| {
        let mut text = Text::plain("case \"");
        text.0.push(Piece::Known(known));
        let safe = |it: char| {
            it.is_ascii_alphanumeric() || matches!(it, '*' | '?' | '/' | '-' | '_' | '.')
        };
        let glob: String = glob.chars().filter(|it| safe(*it)).collect();
        text.push(&format!(
            "\" in {}) true;; *) false;; esac",
            if glob.is_empty() { "?*" } else { &glob }
        ));
        text
    };
    let found = match &*statement.name {
        "branch" => statement
            .argument("pattern")
            .map(|it| fits(Known::Branch, it.as_str())),
        "tag" | "buildingTag" => {
            let glob = statement
                .argument("pattern")
                .map_or("?*", Argumented::as_str);
            Some(fits(Known::Tag, glob))
        }
        "environment" => environment_is(statement),
        "not" => all(inner(pipeline), " && ").map(|text| {
            let mut not = Text::plain("! ");
            not.append(text);
            not
        }),
        "allOf" => all(inner(pipeline), " && "),
        "anyOf" => all(inner(pipeline), " || "),
        _ => None,
    };
    if found.is_none() {
        let hint = "no condition of a shell says the same: the stage runs in spite of it";
        pipeline.note(
            &statement.mark,
            format!("the condition `{}`", statement.words),
            hint,
        );
    }
    found
}

fn environment_is(statement: &Statement) -> Option<Text> {
    let name = statement.named("name")?.as_str();
    let value = statement.named("value")?.as_str();
    Some(Text::plain(format!(
        "[ \"${{{}}}\" = {} ]",
        variable(name),
        quote(value)
    )))
}
