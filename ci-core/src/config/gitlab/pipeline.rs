//! The jobs of one pipeline: which are in it, how they start, and what each waits for.

use std::sync::Arc;

use super::files::Files;
use super::job_rules::{Chosen, Scene, When, decide};
use super::jobs::Job;
use super::needs::{Names, Needed, by_stage, dependencies, resolve};
use super::parallel::{Instance, instances};
use super::predefined;
use super::state::State;
use super::variables::Variables;
use super::{Options, workflow_rules};
use crate::config::problem::Problems;
use crate::config::yaml::Map;
use crate::job::AllowFailure;

/// A job of the pipeline.
#[derive(Debug, Clone)]
pub(super) struct Entry<'a> {
    pub(super) job: &'a Job,
    pub(super) instance: Instance,
    pub(super) chosen: Chosen,
    /// Every variable that the job has, the winning values.
    pub(super) variables: Variables,
}

impl Entry<'_> {
    pub(super) fn name(&self) -> &str {
        &self.instance.name
    }

    /// Whether it waits for somebody while the pipeline goes on.
    pub(super) fn is_optional_manual(&self) -> bool {
        self.chosen.when == When::Manual && self.chosen.allow_failure != AllowFailure::Never
    }

    /// Whether it runs only where no job before it failed.
    pub(super) fn waits_for_success(&self) -> bool {
        matches!(self.chosen.when, When::OnSuccess | When::Manual | When::Delayed)
    }
}

/// What a job of the pipeline waits for.
#[derive(Debug, Clone)]
pub(super) struct Links {
    pub(super) needs: Vec<Needed>,
    /// Whether the needs are the jobs of earlier stages, and not its own choice.
    pub(super) by_stage: bool,
    /// The jobs whose artifacts it fetches.
    pub(super) artifacts: Vec<usize>,
}

/// One pipeline.
#[derive(Debug)]
pub(super) struct Pipeline<'a> {
    pub(super) entries: Vec<Entry<'a>>,
    pub(super) links: Vec<Links>,
    pub(super) skipped: Vec<(Arc<str>, String)>,
    /// Why there is no pipeline.
    pub(super) stopped: Option<String>,
    /// Needs of jobs that are not in the pipeline: it cannot be created.
    pub(super) missing: Problems,
}

/// The pipeline that the facts of `options` make.
pub(super) fn of<'a>(
    root: &Map,
    jobs: &'a [Job],
    stages: &[Arc<str>],
    files: &dyn Files,
    options: &Options,
    state: &mut State,
) -> Pipeline<'a> {
    let scene = Scene {
        files,
        facts: &options.facts,
        has_workflow_rules: workflow_rules::rules(root).is_some(),
    };
    let levels = Levels::new(root, options, state);
    let (granted, mut stopped) =
        match workflow_rules::decide(root, &levels.of_workflow(), &scene, state) {
            Ok(granted) => (granted, None),
            Err(why) => (Variables::default(), Some(why)),
        };
    let mut entries = Vec::new();
    let mut skipped = Vec::new();
    for job in jobs {
        for instance in instances(job, &mut state.problems) {
            let taken = *instance.name != *job.name && jobs.iter().any(|it| it.name == instance.name);
            let twice = entries.iter().rev().take(200).any(|entry: &Entry<'_>| entry.instance.name == instance.name);
            if taken || twice {
                continue;
            }
            let visible = levels.of_job(job, &instance, &granted, None);
            match decide(job, &visible, &scene, state) {
                Ok(chosen) => {
                    let variables = levels.of_job(job, &instance, &granted, Some(&chosen.variables));
                    entries.push(Entry { job, instance, chosen, variables });
                }
                Err(why) => skipped.push((instance.name, why)),
            }
        }
    }
    let middle = |entry: &Entry<'_>| entry.job.stage > 0 && entry.job.stage + 1 < stages.len();
    if stopped.is_none() && !entries.iter().any(middle) {
        stopped = Some(if entries.is_empty() {
            "no job is in it".to_owned()
        } else {
            "only jobs of `.pre` and `.post` are in it".to_owned()
        });
    }
    let mut missing = Problems::new();
    let links = link(jobs, &entries, stages, state, &mut missing);
    Pipeline {
        entries,
        links,
        skipped,
        stopped,
        missing,
    }
}

fn link(
    jobs: &[Job],
    entries: &[Entry<'_>],
    stages: &[Arc<str>],
    state: &mut State,
    missing: &mut Problems,
) -> Vec<Links> {
    let names = Names::new(jobs, entries, stages);
    let chosen: Vec<Option<Vec<Needed>>> =
        entries.iter().map(|entry| resolve(entry, &names, state, missing)).collect();
    let by_stages: Vec<bool> = chosen.iter().map(Option::is_none).collect();
    let mut links = Vec::new();
    for (index, (entry, needs)) in entries.iter().zip(chosen).enumerate() {
        let is_by_stage = needs.is_none();
        let wanted = dependencies(entry, &names, state);
        let (needs, mut artifacts) = match needs {
            Some(needs) => {
                let artifacts = needs.iter().filter(|need| need.artifacts).map(|need| need.job);
                let artifacts = artifacts.collect();
                (needs, artifacts)
            }
            None => {
                let needed = |job| Needed { job, artifacts: true };
                let needs = by_stage(index, entries, &by_stages).into_iter().map(needed).collect();
                let earlier = |(_, other): &(usize, &Entry<'_>)| other.job.stage < entry.job.stage;
                let earlier = entries.iter().enumerate().filter(earlier).map(|(other, _)| other);
                (needs, earlier.collect::<Vec<usize>>())
            }
        };
        if let Some(wanted) = wanted {
            artifacts.retain(|job| wanted.contains(job));
        }
        links.push(Links { needs, by_stage: is_by_stage, artifacts });
    }
    links
}

/// The levels that variables come from, the weakest first.
struct Levels<'a> {
    options: &'a Options,
    predefined: Variables,
    globals: Variables,
}

impl<'a> Levels<'a> {
    fn new(root: &Map, options: &'a Options, state: &mut State) -> Self {
        let mut predefined = Variables::default();
        predefined.extend_texts(&predefined::of_pipeline(&options.facts));
        let globals = super::jobs::variables(root.get("variables"), "variables", state);
        Self {
            options,
            predefined,
            globals,
        }
    }

    /// The variables of the project's settings and of the pipeline, which win over the file's.
    fn outer(&self, variables: &mut Variables) {
        variables.extend_texts(&self.options.facts.variables);
        variables.extend_texts(&self.options.facts.run.variables);
    }

    fn of_workflow(&self) -> Variables {
        let mut all = self.predefined.clone();
        all.extend(&self.globals);
        self.outer(&mut all);
        all
    }

    fn of_job(
        &self,
        job: &Job,
        instance: &Instance,
        granted: &Variables,
        of_rule: Option<&Variables>,
    ) -> Variables {
        let mut all = self.predefined.clone();
        all.extend(&job.inherited);
        all.extend(granted);
        all.extend(&job.own);
        for (name, value) in &instance.values {
            all.set(&**name, super::variables::Variable::new(value));
        }
        if let Some(of_rule) = of_rule {
            all.extend(of_rule);
        }
        self.outer(&mut all);
        all
    }
}
