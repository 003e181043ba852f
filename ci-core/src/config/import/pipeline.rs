//! A pipeline between two vendors: what both know.

use super::Note;
use super::text::Text;
use crate::yaml::Mark;

/// A pipeline.
#[derive(Debug, Clone, Default)]
pub(super) struct Pipeline {
    pub(super) name: String,
    pub(super) env: Vec<(String, Text)>,
    pub(super) jobs: Vec<Job>,
    pub(super) branches: Filter,
    pub(super) tags: Filter,
    pub(super) notes: Vec<Note>,
}

/// Which branches or tags; patterns with `*`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Filter {
    pub(super) only: Vec<String>,
    pub(super) ignore: Vec<String>,
}

impl Filter {
    pub(super) fn is_empty(&self) -> bool {
        self.only.is_empty() && self.ignore.is_empty()
    }
}

/// A job.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) name: String,
    pub(super) needs: Vec<String>,
    /// After which outcomes of these it runs.
    pub(super) when: When,
    pub(super) image: Text,
    pub(super) services: Vec<Service>,
    pub(super) env: Vec<(String, Text)>,
    /// The names of the matrix, and its combinations.
    pub(super) matrix: Vec<Vec<(String, String)>>,
    /// A shell condition; the job does nothing where it does not hold.
    pub(super) guard: Option<Text>,
    pub(super) steps: Vec<Step>,
    pub(super) timeout_minutes: Option<i64>,
    pub(super) allow_failure: bool,
    /// Whether a person starts it.
    pub(super) approval: bool,
}

impl Job {
    pub(super) fn new(name: impl Into<String>, image: &str) -> Self {
        Self {
            name: name.into(),
            needs: Vec::new(),
            when: When::Success,
            image: Text::plain(image),
            services: Vec::new(),
            env: Vec::new(),
            matrix: Vec::new(),
            guard: None,
            steps: Vec::new(),
            timeout_minutes: None,
            allow_failure: false,
            approval: false,
        }
    }
}

impl Job {
    /// Changes every text in which a value of the matrix may stand.
    pub(super) fn change_texts(&mut self, change: &impl Fn(&mut Text)) {
        let env = |env: &mut Vec<(String, Text)>| env.iter_mut().for_each(|(_, it)| change(it));
        change(&mut self.image);
        env(&mut self.env);
        self.guard.iter_mut().for_each(change);
        for service in &mut self.services {
            change(&mut service.image);
            env(&mut service.env);
        }
        for step in &mut self.steps {
            match &mut step.action {
                Action::Run(run) => {
                    change(&mut run.script);
                    run.dir.iter_mut().chain(&mut run.guard).for_each(change);
                    env(&mut run.env);
                }
                Action::RestoreCache { keys } => keys.iter_mut().for_each(change),
                Action::SaveCache { key, .. } => change(key),
                _ => {}
            }
        }
    }
}

/// A container beside a job.
#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) image: Text,
    pub(super) env: Vec<(String, Text)>,
}

/// A step.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) name: String,
    pub(super) mark: Mark,
    pub(super) action: Action,
    pub(super) when: When,
    /// Whether it stands for a step of the source, and was not added.
    pub(super) counted: bool,
}

/// When a step or a job runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum When {
    #[default]
    Success,
    Failure,
    Always,
}

/// What a step does.
#[derive(Debug, Clone)]
pub(super) enum Action {
    Checkout,
    Run(Run),
    RestoreCache {
        keys: Vec<Text>,
    },
    SaveCache {
        key: Text,
        paths: Vec<String>,
    },
    Artifacts {
        paths: Vec<String>,
        for_jobs: bool,
    },
    Attach,
    TestResults {
        path: String,
    },
    /// Not converted: says so.
    Placeholder {
        what: String,
    },
}

/// A command.
#[derive(Debug, Clone, Default)]
pub(super) struct Run {
    pub(super) script: Text,
    pub(super) shell: Option<String>,
    pub(super) dir: Option<Text>,
    pub(super) env: Vec<(String, Text)>,
    /// A shell condition.
    pub(super) guard: Option<Text>,
    pub(super) ignore_failure: bool,
}

impl Step {
    pub(super) fn new(name: impl Into<String>, mark: &Mark, action: Action) -> Self {
        Self {
            name: name.into(),
            mark: mark.clone(),
            action,
            when: When::Success,
            counted: true,
        }
    }

    pub(super) fn added(mut self) -> Self {
        self.counted = false;
        self
    }

    pub(super) fn is_placeholder(&self) -> bool {
        matches!(self.action, Action::Placeholder { .. })
    }
}

/// Whether a program is a shell as any other.
fn is_shell(program: &str) -> bool {
    let name = program.split_whitespace().next().unwrap_or_default();
    matches!(name.rsplit('/').next(), Some("sh" | "bash"))
}

/// The directory above what a pattern stands for.
pub(super) fn directory(glob: &str) -> String {
    let plain = glob.split('*').next().unwrap_or(glob);
    if plain.len() == glob.len() {
        return glob.to_owned();
    }
    let above = plain.rsplit_once('/').map_or(".", |(above, _)| above);
    above.to_owned()
}

impl Run {
    /// The shell, where it is not the usual one.
    pub(super) fn own_shell(&self) -> Option<&str> {
        self.shell.as_deref().filter(|shell| is_shell(shell))
    }

    /// The script with its condition, its variables and its directory, as one shell script.
    pub(super) fn whole(&self, extra: &[(String, Text)]) -> Text {
        let mut whole = Text::default();
        if let Some(guard) = &self.guard {
            whole.push("if ! { ");
            whole.append(guard.clone());
            whole.push("; }; then echo 'skipped: its condition does not hold'; exit 0; fi\n");
        }
        for (name, value) in extra.iter().chain(&self.env) {
            whole.push(&format!("export {name}=\""));
            whole.append(in_double_quotes(value));
            whole.push("\"\n");
        }
        if let Some(dir) = &self.dir {
            whole.push("cd \"");
            whole.append(in_double_quotes(dir));
            whole.push("\"\n");
        }
        if self.ignore_failure {
            whole.push("(\n");
        }
        // What stands before it is for a shell: another program gets only the script.
        let other = self.shell.as_deref().filter(|shell| !is_shell(shell));
        if let Some(program) = other {
            whole.push(&format!("cat <<'END_OF_STEP' | {program}\n"));
        }
        whole.append(self.script.clone());
        if other.is_some() {
            whole.push("\nEND_OF_STEP");
        }
        if self.ignore_failure {
            whole.push("\n) || echo 'failed, which is allowed'");
        }
        whole
    }
}

/// A text between double quotes of a shell: its plain parts as they are, its variables live.
pub(super) fn in_double_quotes(text: &Text) -> Text {
    let mut safe = Text::default();
    for piece in &text.0 {
        match piece {
            super::text::Piece::Plain(plain) => {
                let mut escaped = String::new();
                for letter in plain.chars() {
                    if matches!(letter, '"' | '\\' | '$' | '`') {
                        escaped.push('\\');
                    }
                    escaped.push(letter);
                }
                safe.push(&escaped);
            }
            other => safe.0.push(other.clone()),
        }
    }
    safe
}

impl Pipeline {
    /// Says what did not come along, once for each place.
    pub(super) fn note(
        &mut self,
        mark: &Mark,
        message: impl Into<String>,
        suggestion: impl Into<String>,
    ) {
        let note = Note {
            mark: mark.clone(),
            message: message.into(),
            suggestion: suggestion.into(),
        };
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

/// Gives pipelines and jobs of several files names of their own. Variables of a pipeline become those of
/// its jobs where there are several.
pub(super) fn tell_apart(pipelines: &mut [Pipeline]) {
    let several = pipelines.len() > 1;
    let (mut names, mut jobs) = (Vec::new(), Vec::new());
    for pipeline in pipelines {
        if pipeline.name.is_empty() {
            pipeline.name = "build".into();
        }
        pipeline.name = free(&names, &pipeline.name);
        names.push(pipeline.name.clone());
        for at in 0..pipeline.jobs.len() {
            let old = pipeline.jobs[at].name.clone();
            let mut new = old.clone();
            if jobs.contains(&new) {
                new = free(&jobs, &format!("{}-{old}", pipeline.name));
                for job in &mut pipeline.jobs {
                    for need in job.needs.iter_mut().filter(|need| **need == old) {
                        need.clone_from(&new);
                    }
                }
                pipeline.jobs[at].name.clone_from(&new);
            }
            jobs.push(new);
        }
        if several {
            let env = std::mem::take(&mut pipeline.env);
            for job in &mut pipeline.jobs {
                let own = std::mem::take(&mut job.env);
                job.env = env.iter().cloned().chain(own).collect();
            }
        }
    }
}

fn free(taken: &[String], name: &str) -> String {
    let mut free = name.to_owned();
    let mut number = 2;
    while taken.contains(&free) {
        free = format!("{name}-{number}");
        number += 1;
    }
    free
}
