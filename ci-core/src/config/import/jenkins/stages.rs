//! Stages: one after the other, in parallel, with what holds around them.

use super::parser::{Argumented, Statement};
use super::{matrix, steps};
use crate::config::import::pipeline::{Action, Job, Pipeline, Run, Step, When};
use crate::config::import::text::{Text, variable};

const BASE: &str = "buildpack-deps:noble";

/// What holds for the stages below.
#[derive(Debug, Clone, Default)]
pub(super) struct Around {
    pub(super) image: Option<String>,
    pub(super) env: Vec<(String, Text)>,
    pub(super) post: Option<Statement>,
    pub(super) guard: Option<Text>,
    pub(super) timeout_minutes: Option<i64>,
    /// What the names of jobs end with: the values of a matrix.
    pub(super) suffix: String,
}

impl Around {
    /// `agent any`, `agent none`, `agent { docker … }`, `agent { label … }`.
    pub(super) fn agent(&mut self, agent: &Statement, pipeline: &mut Pipeline) {
        for kind in agent.children() {
            match &*kind.name {
                "docker" => {
                    let image = kind
                        .argument("image")
                        .or_else(|| kind.child("image")?.argument("image"));
                    self.image = image.map(|it| it.as_str().to_owned());
                    for more in kind.children().iter().filter(|it| it.name != "image") {
                        pipeline.note(&more.mark, format!("`{}` of the agent", more.words), "`options` of the executor in `.ci/settings.yml` have volumes and limits");
                    }
                }
                "label" | "node" => {
                    let hint = "GitLab has `tags`; CircleCI a `resource_class`; here `labels` of `.ci/settings.yml`";
                    pipeline.note(&kind.mark, format!("the agent `{}`", kind.words), hint);
                }
                _ => pipeline.note(
                    &kind.mark,
                    format!("the agent `{}`", kind.words),
                    "name an image for it",
                ),
            }
        }
    }

    pub(super) fn options(&mut self, options: &Statement, pipeline: &mut Pipeline) {
        for option in options.children() {
            let number = option
                .argument("time")
                .and_then(|it| it.as_str().parse::<i64>().ok());
            let unit = option.named("unit").map_or("MINUTES", Argumented::as_str);
            if option.name == "timeout"
                && let Some(number) = number
            {
                self.timeout_minutes = Some(match unit.trim_matches('\'') {
                    "SECONDS" => number.div_euclid(60).max(1),
                    "HOURS" => number.saturating_mul(60),
                    "DAYS" => number.saturating_mul(24 * 60),
                    _ => number,
                });
                continue;
            }
            let hint = match &*option.name {
                "retry" => "`retry` of the job in `.ci/settings.yml`, or GitLab's `retry`",
                "disableConcurrentBuilds" => {
                    "`groups` of the job in `.ci/settings.yml`, or GitLab's `resource_group`"
                }
                "buildDiscarder" => "`store.retention` of `.ci/settings.yml`",
                "timestamps" | "ansiColor" => "logs have times and colours anyway",
                _ => "nothing of CircleCI or GitLab is the same",
            };
            pipeline.note(&option.mark, format!("the option `{}`", option.words), hint);
        }
    }
}

/// Puts stages into a pipeline, in their order.
#[derive(Debug, Default)]
pub(super) struct Stages {
    /// The jobs that the next stage waits for.
    before: Vec<String>,
}

impl Stages {
    /// Adds stages, one after the other.
    pub(super) fn add(&mut self, stages: &Statement, around: &Around, pipeline: &mut Pipeline) {
        for stage in stages.children() {
            if stage.name == "stage" {
                self.stage(stage, around, pipeline);
            } else {
                pipeline.note(
                    &stage.mark,
                    format!("`{}`", stage.words),
                    "only `stage` stands in `stages`",
                );
            }
        }
    }

    fn stage(&mut self, stage: &Statement, around: &Around, pipeline: &mut Pipeline) {
        let mut own = around.clone();
        let (mut steps, mut inner, mut parallel, mut held) = (None, None, None, None);
        let mut matrix = None;
        for part in stage.children() {
            match &*part.name {
                "steps" => steps = Some(part),
                "stages" => inner = Some(part),
                "parallel" => parallel = Some(part),
                "agent" => own.agent(part, pipeline),
                "environment" => {
                    let env = steps::environment(part, pipeline);
                    own.env.extend(env);
                }
                "when" => own.guard = both(own.guard.take(), steps::when(part, pipeline)),
                "post" => own.post = Some(joined(own.post.take(), part)),
                "options" => own.options(part, pipeline),
                "input" => held = Some(part),
                "failFast" => {}
                "tools" => pipeline.note(
                    &part.mark,
                    "`tools` of a stage",
                    "use an image that has them",
                ),
                "matrix" => matrix = Some(part),
                _ => pipeline.note(
                    &part.mark,
                    format!("`{}`", part.words),
                    "nothing of CircleCI or GitLab is the same",
                ),
            }
        }
        let name = stage.argument("name").map_or("stage", Argumented::as_str);
        if let Some(held) = held {
            let called = format!("approve-{name}{}", own.suffix);
            let mut job = Job::new(unique(&called, pipeline), BASE);
            job.approval = true;
            job.needs = std::mem::take(&mut self.before);
            pipeline.note(
                &held.mark,
                format!("the words of `input` of the stage `{name}`"),
                "the job that waits carries the name of the stage",
            );
            self.before = vec![job.name.clone()];
            pipeline.jobs.push(job);
        }
        if let Some(parallel) = parallel {
            let before = self.before.clone();
            let mut after = Vec::new();
            for branch in parallel.children() {
                let mut line = Self {
                    before: before.clone(),
                };
                line.stage(branch, &own, pipeline);
                after.extend(line.before);
            }
            self.before = after;
        } else if let Some(matrix) = matrix {
            self.cells(stage, matrix, &own, pipeline);
        } else if let Some(inner) = inner {
            self.add(inner, &own, pipeline);
        } else if let Some(steps) = steps {
            self.job(name, steps, own, pipeline);
        } else {
            pipeline.note(
                &stage.mark,
                format!("the stage `{name}` without steps"),
                "write its steps",
            );
        }
    }

    /// The stages of a matrix, one after the other in each cell, the cells beside each other.
    fn cells(
        &mut self,
        stage: &Statement,
        matrix: &Statement,
        around: &Around,
        pipeline: &mut Pipeline,
    ) {
        let before = self.before.clone();
        let mut after = Vec::new();
        for (place, cell) in matrix::cells(matrix, pipeline).into_iter().enumerate() {
            let mut own = around.clone();
            for (name, value) in &cell {
                own.suffix.push('-');
                own.suffix.push_str(value);
                own.env.push((variable(name), Text::plain(value)));
            }
            let mut line = Self {
                before: before.clone(),
            };
            let first = pipeline.jobs.len();
            line.stage(&matrix::stage(stage, matrix), &own, pipeline);
            // Each step of the file counts once.
            for job in pipeline.jobs.iter_mut().skip(first).filter(|_| place > 0) {
                job.steps.iter_mut().for_each(|step| step.counted = false);
            }
            after.extend(line.before);
        }
        if !after.is_empty() {
            self.before = after;
        }
    }

    fn job(&mut self, name: &str, steps: &Statement, around: Around, pipeline: &mut Pipeline) {
        let image = around.image.as_deref().unwrap_or(BASE);
        let called = format!("{name}{}", around.suffix);
        let mut job = Job::new(unique(&called, pipeline), image);
        job.needs = std::mem::take(&mut self.before);
        job.guard = around.guard;
        job.timeout_minutes = around.timeout_minutes;
        job.env = around.env;
        job.steps = steps::read(steps, pipeline);
        // Every stage has the files without asking for them.
        if !job
            .steps
            .iter()
            .any(|step| matches!(step.action, Action::Checkout))
        {
            let step = Step::new("Checkout", &steps.mark, Action::Checkout).added();
            job.steps.insert(0, step);
        }
        for part in around.post.iter().flat_map(Statement::children) {
            let Some(when) = moment(part, pipeline) else {
                continue;
            };
            for mut step in steps::read(part, pipeline) {
                step.when = when;
                if step.is_placeholder()
                    || matches!(step.action, Action::Run(Run { .. }))
                    || when != When::Failure
                {
                    job.steps.push(step);
                } else {
                    pipeline.note(
                        &part.mark,
                        format!("`{}` after a failure", step.name),
                        "it runs always or never: do it in a command",
                    );
                }
            }
        }
        self.before = vec![job.name.clone()];
        pipeline.jobs.push(job);
    }
}

/// When a part of `post` runs; notes where that is not quite what it says.
fn moment(part: &Statement, pipeline: &mut Pipeline) -> Option<When> {
    let (when, runs) = match &*part.name {
        "always" | "cleanup" => return Some(When::Always),
        "failure" | "unsuccessful" => return Some(When::Failure),
        "success" => return Some(When::Success),
        "changed" => (Some(When::Always), "after every run"),
        "fixed" => (Some(When::Success), "after every success"),
        "regression" | "aborted" | "unstable" => (Some(When::Failure), "after every failure"),
        _ => (None, "never"),
    };
    let what = format!("`{}` of `post`", part.name);
    let hint = format!("it runs {runs}: look at the outcome of the run before in a command");
    pipeline.note(&part.mark, what, &hint);
    when
}

/// The `post` of a pipeline is for each of its stages here, behind the stage's own.
fn joined(outer: Option<Statement>, own: &Statement) -> Statement {
    let mut joined = own.clone();
    let more = outer.and_then(|it| it.block).unwrap_or_default();
    joined.block.get_or_insert_default().extend(more);
    joined
}

fn both(outer: Option<Text>, own: Option<Text>) -> Option<Text> {
    match (outer, own) {
        (Some(mut all), Some(own)) => {
            all.push(" && ");
            all.append(own);
            Some(all)
        }
        (outer, own) => outer.or(own),
    }
}

/// A name that fits both vendors, and that no other job has.
fn unique(name: &str, pipeline: &Pipeline) -> String {
    let letters = name.chars().map(|it| {
        if it.is_ascii_alphanumeric() {
            it.to_ascii_lowercase()
        } else {
            '-'
        }
    });
    let name: String = letters.collect();
    let words: Vec<&str> = name.split('-').filter(|it| !it.is_empty()).collect();
    let name = if words.is_empty() {
        "stage".to_owned()
    } else {
        words.join("-")
    };
    let taken = |name: &str| pipeline.jobs.iter().any(|job| job.name == name);
    let mut found = name.clone();
    let mut number = 2;
    while taken(&found) {
        found = format!("{name}-{number}");
        number += 1;
    }
    found
}
