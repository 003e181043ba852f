//! The jobs of one pipeline: which are in it, how they start, and what each waits for.

use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use super::files::Files;
use super::job_rules::{Chosen, Scene, When, decide};
use super::jobs::Job;
use super::needs::{Names, Needed, by_stage, dependencies, resolve};
use super::notes::Notes;
use super::parallel::{Instance, instances};
use super::variables::{Variable, Variables};
use super::{Options, workflow_rules};
use crate::job::AllowFailure;
use crate::yaml::Map;
use crate::yaml::problem::{Problem, Problems};

/// The most values that the jobs of a pipeline may stand for, each instance of a job counted.
const MOST_VALUES: usize = 20_000_000;

/// The most pairs of a job and one that it waits for.
const MOST_EDGES: usize = 4_000_000;

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
        matches!(
            self.chosen.when,
            When::OnSuccess | When::Manual | When::Delayed
        )
    }
}

/// What a job of the pipeline waits for.
#[derive(Debug, Clone)]
pub(super) struct Links {
    pub(super) needs: Vec<Needed>,
    /// Whether the needs are the jobs of earlier stages, and not its own choice.
    pub(super) by_stage: bool,
    /// The jobs whose artifacts it fetches; all of earlier stages, if none are named.
    pub(super) artifacts: Option<Vec<usize>>,
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

/// What a pipeline is made from.
pub(super) struct Source<'a> {
    pub(super) root: &'a Map,
    pub(super) jobs: &'a [Job],
    pub(super) stages: &'a [Arc<str>],
    pub(super) files: &'a dyn Files,
    pub(super) options: &'a Options,
}

/// The pipeline that the facts of the options make, above the variables that all pipelines have.
pub(super) fn of<'a>(
    source: &Source<'a>,
    predefined: &Arc<BTreeMap<String, String>>,
    notes: &mut Notes,
) -> Pipeline<'a> {
    let scene = Scene {
        files: source.files,
        facts: &source.options.facts,
        cache: Rc::clone(&notes.cache),
        has_workflow_rules: workflow_rules::rules(source.root).is_some(),
    };
    let mut levels = Levels::new(source, predefined, notes);
    let granted = workflow_rules::decide(source.root, &levels.of_workflow(), &scene, notes);
    let mut stopped = None;
    match granted {
        Ok(granted) => levels.granted = granted,
        Err(why) => stopped = Some(why),
    }
    if let Some(word) = skip_word(source.options) {
        stopped = Some(format!("the commit message says `{word}`"));
    }
    let (entries, skipped) = choose(source, &levels, &scene, notes);
    let last = source.stages.len();
    let middle = |entry: &Entry<'_>| entry.job.stage > 0 && entry.job.stage + 1 < last;
    if stopped.is_none() && !entries.iter().any(middle) {
        stopped = Some(if entries.is_empty() {
            "no job is in it".to_owned()
        } else {
            "only jobs of `.pre` and `.post` are in it".to_owned()
        });
    }
    let mut missing = Problems::new();
    let links = link(source, &entries, notes, &mut missing);
    Pipeline {
        entries,
        links,
        skipped,
        stopped,
        missing,
    }
}

/// The words in a commit message that keep a push from starting a pipeline.
fn skip_word(options: &Options) -> Option<&'static str> {
    let message = options.facts.message.as_deref()?.to_ascii_lowercase();
    let words = ["[ci skip]", "[skip ci]", "[ci-skip]", "[skip-ci]"];
    let is_push = options.facts.source == "push";
    words
        .into_iter()
        .find(|word| is_push && message.contains(word))
}

type Skipped = Vec<(Arc<str>, String)>;

/// The jobs that are in the pipeline, and those that are not.
fn choose<'a>(
    source: &Source<'a>,
    levels: &Levels<'_>,
    scene: &Scene<'_>,
    notes: &mut Notes,
) -> (Vec<Entry<'a>>, Skipped) {
    let (mut entries, mut skipped) = (Vec::new(), Vec::new());
    // A job that has the name of another's instance stands for it, and of equal instances one counts.
    let mut taken: HashSet<Arc<str>> = HashSet::new();
    taken.extend(source.jobs.iter().map(|job| Arc::clone(&job.name)));
    let mut left = MOST_VALUES;
    for job in source.jobs {
        for instance in instances(job, &mut notes.problems) {
            if instance.name != job.name && !taken.insert(Arc::clone(&instance.name)) {
                continue;
            }
            let mut variables = levels.of_job(job, &instance, None);
            match decide(job, &variables, scene, notes) {
                Ok(chosen) => {
                    left = left.saturating_sub(job.weight);
                    if left == 0 {
                        let message = "the jobs of the pipeline stand for too many values";
                        notes.problems.push(Problem::error(&job.mark, message));
                        return (entries, skipped);
                    }
                    if !chosen.variables.is_empty() {
                        variables = levels.of_job(job, &instance, Some(&chosen.variables));
                    }
                    entries.push(Entry {
                        job,
                        instance,
                        chosen,
                        variables,
                    });
                }
                Err(why) => skipped.push((instance.name, why)),
            }
        }
    }
    (entries, skipped)
}

fn link(
    source: &Source<'_>,
    entries: &[Entry<'_>],
    notes: &mut Notes,
    missing: &mut Problems,
) -> Vec<Links> {
    let names = Names::new(source.jobs, entries, source.stages);
    let chosen: Vec<Option<Vec<Needed>>> = entries
        .iter()
        .map(|entry| resolve(entry, &names, notes, missing))
        .collect();
    let by_stages: Vec<bool> = chosen.iter().map(Option::is_none).collect();
    let stages = source.stages.len();
    let short = by_stage(entries, &by_stages, stages, false);
    let whole = by_stage(entries, &by_stages, stages, true);
    let mut links = Vec::new();
    let mut edges = 0usize;
    for (entry, needs) in entries.iter().zip(chosen) {
        let wanted = dependencies(entry, &names, notes);
        let is_by_stage = needs.is_none();
        let needs = needs.unwrap_or_else(|| {
            let waits = if entry.chosen.when == When::OnFailure {
                &whole
            } else {
                &short
            };
            let jobs = waits.get(entry.job.stage).into_iter().flatten();
            jobs.map(|job| Needed {
                job: *job,
                artifacts: true,
            })
            .collect()
        });
        edges = edges.saturating_add(needs.len());
        if edges > MOST_EDGES {
            let message = format!(
                "the jobs wait for each other in more than {MOST_EDGES} ways: use `needs` instead of stages"
            );
            notes
                .problems
                .push(Problem::error(&entry.job.mark, message));
            return links;
        }
        let artifacts = if is_by_stage {
            wanted
        } else {
            let offered = needs
                .iter()
                .filter(|need| need.artifacts)
                .map(|need| need.job);
            Some(
                offered
                    .filter(|job| wanted.as_ref().is_none_or(|it| it.contains(job)))
                    .collect(),
            )
        };
        links.push(Links {
            needs,
            by_stage: is_by_stage,
            artifacts,
        });
    }
    links
}

/// The levels that variables come from, the weakest first.
struct Levels<'a> {
    options: &'a Options,
    predefined: Arc<BTreeMap<String, String>>,
    globals: Variables,
    /// Those of the workflow's rule.
    granted: Variables,
}

impl<'a> Levels<'a> {
    fn new(
        source: &Source<'a>,
        predefined: &Arc<BTreeMap<String, String>>,
        notes: &mut Notes,
    ) -> Self {
        Self {
            options: source.options,
            predefined: Arc::clone(predefined),
            globals: super::jobs::variables(source.root.get("variables"), "variables", notes),
            granted: Variables::default(),
        }
    }

    /// The variables of the project's settings and of the pipeline, which win over the file's.
    fn outer(&self, variables: &mut Variables) {
        variables.extend_texts(&self.options.facts.variables);
        variables.extend_texts(&self.options.facts.run.variables);
    }

    fn of_workflow(&self) -> Variables {
        let mut all = Variables::above(&self.predefined);
        all.extend(&self.globals);
        self.outer(&mut all);
        all
    }

    fn of_job(&self, job: &Job, instance: &Instance, of_rule: Option<&Variables>) -> Variables {
        let mut all = Variables::above(&self.predefined);
        all.extend(&job.inherited);
        all.extend(&self.granted);
        all.extend(&job.own);
        for (name, value) in &instance.values {
            all.set(&**name, Variable::new(value));
        }
        if let Some(of_rule) = of_rule {
            all.extend(of_rule);
        }
        self.outer(&mut all);
        all
    }
}
