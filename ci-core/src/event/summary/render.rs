//! Renders the end of a run: a table of the jobs, the failures, the slowest path, what to do next.

use std::sync::Arc;
use std::time::Duration;

use crate::event::path::longest;
use crate::event::terminal::{Paint, Tone, columns, fit, mark, one_line, precise};
use crate::event::{BudgetReport, JobInfo, JobResult, RunEvent, TestCounts};
use crate::id::RunId;
use crate::outcome::OutcomeKind;
use crate::shell;

/// With more jobs than this the table leaves out those that succeeded.
const LONGEST_TABLE: usize = 100;
/// Longer names are not padded to.
const WIDEST_NAME: usize = 40;
/// More failures than this are only in the table.
const MOST_FAILURES: usize = 10;
/// How many held jobs come with the command that lets them go on.
const MOST_HELD: usize = 5;

/// What a run came to. Build it from the last event of a run or from what the store has of it, and
/// show its [`lines`](Self::lines).
#[derive(Debug, Clone)]
pub struct Summary {
    run: RunId,
    outcome: OutcomeKind,
    duration: Duration,
    jobs: Vec<JobResult>,
    budgets: Vec<BudgetReport>,
    workflow: Option<Arc<str>>,
    plan: Vec<JobInfo>,
    failures: Vec<FailedOutput>,
    program: Option<String>,
    color: bool,
    brief: bool,
}

/// The end of what a failed job wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailedOutput {
    /// The job.
    pub job: Arc<str>,
    /// The step that failed, if one did.
    pub step: Option<Arc<str>>,
    /// Its last lines, safe to show (see [`Sanitizer`](crate::event::Sanitizer)).
    pub lines: Vec<String>,
}

impl FailedOutput {
    /// The last `lines` of `step` of `job`.
    #[must_use]
    pub fn new(job: Arc<str>, step: Option<Arc<str>>, lines: Vec<String>) -> Self {
        Self { job, step, lines }
    }
}

impl Summary {
    /// The summary of a run with these `jobs`, in the order in which they are to be shown.
    #[must_use]
    pub fn new(
        run: RunId,
        outcome: OutcomeKind,
        duration: Duration,
        jobs: impl Into<Vec<JobResult>>,
    ) -> Self {
        Self {
            run,
            outcome,
            duration,
            jobs: jobs.into(),
            budgets: Vec::new(),
            workflow: None,
            plan: Vec::new(),
            failures: Vec::new(),
            program: None,
            color: false,
            brief: false,
        }
    }

    /// The summary of the run that this event ends; `None` for any other event.
    pub(in crate::event) fn of(event: &RunEvent) -> Option<Self> {
        let RunEvent::RunFinished {
            run,
            outcome,
            jobs,
            budgets,
            duration,
        } = event
        else {
            return None;
        };
        let summary = Self::new(*run, *outcome, *duration, jobs.as_slice());
        Some(summary.budgets(budgets.clone()))
    }

    /// Shows what stages spent of their time budgets.
    #[must_use]
    pub fn budgets(mut self, budgets: impl Into<Vec<BudgetReport>>) -> Self {
        self.budgets = budgets.into();
        self
    }

    /// Names the workflow.
    #[must_use]
    pub fn workflow(mut self, name: Arc<str>) -> Self {
        self.workflow = Some(name);
        self
    }

    /// Shows the slowest path through `plan`, which the start of the run tells.
    #[must_use]
    pub fn plan(mut self, plan: impl Into<Vec<JobInfo>>) -> Self {
        self.plan = plan.into();
        self
    }

    /// Shows the end of what failed jobs wrote.
    #[must_use]
    pub fn failures(mut self, failures: Vec<FailedOutput>) -> Self {
        self.failures = failures;
        self
    }

    /// Ends with commands to type next, for a command line that is called `program`.
    #[must_use]
    pub fn hints(mut self, program: impl Into<String>) -> Self {
        self.program = Some(program.into());
        self
    }

    /// Uses colours.
    #[must_use]
    pub fn color(mut self, color: bool) -> Self {
        self.color = color;
        self
    }

    /// Leaves out the table, the slowest path and the budgets that were kept.
    #[must_use]
    pub fn brief(mut self, brief: bool) -> Self {
        self.brief = brief;
        self
    }

    /// The summary, line by line.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let paint = Paint { color: self.color };
        let mut lines = Vec::new();
        if !self.brief {
            self.table(paint, &mut lines);
        }
        self.failed(paint, &mut lines);
        lines.extend(self.tests());
        if !self.brief {
            self.slowest_path(paint, &mut lines);
        }
        self.spent(paint, &mut lines);
        lines.push(self.total(paint));
        self.next(paint, &mut lines);
        lines
    }

    fn table(&self, paint: Paint, lines: &mut Vec<String>) {
        let shown: Vec<&JobResult> = if self.jobs.len() > LONGEST_TABLE {
            let other = |job: &&JobResult| job.outcome != OutcomeKind::Success;
            self.jobs.iter().filter(other).take(LONGEST_TABLE).collect()
        } else {
            self.jobs.iter().collect()
        };
        let widest = |width: fn(&JobResult) -> usize| shown.iter().map(|job| width(job)).max();
        let name = widest(|job| columns(&one_line(&job.name)));
        let name = name.unwrap_or(0).min(WIDEST_NAME);
        let word = widest(|job| job.outcome.as_str().len()).unwrap_or(0);
        for job in &shown {
            lines.push(row(paint, job, name, word));
        }
        if shown.len() < self.jobs.len() {
            let rest = self.jobs.len() - shown.len();
            lines.push(paint.tone(Tone::Dim, &format!("  and {rest} jobs more")));
        }
        lines.push(String::new());
    }

    fn failed(&self, paint: Paint, lines: &mut Vec<String>) {
        for failure in self.failures.iter().take(MOST_FAILURES) {
            let result = self.jobs.iter().find(|job| job.name == failure.job);
            let name = paint.tone(Tone::Bold, &one_line(&failure.job));
            let how = result.map_or_else(String::new, |job| format!(" {}", ending(job)));
            let step = failure.step.as_ref();
            let step = step.map_or_else(String::new, |s| format!(" in step `{}`", one_line(s)));
            let cross = paint.tone(Tone::Bad, "✗");
            lines.push(format!("{cross} {name}{how}{step}"));
            let margin = paint.tone(Tone::Dim, "  │");
            for line in &failure.lines {
                lines.push(format!("{margin} {line}"));
            }
            lines.push(String::new());
        }
        if let Some(rest) = self.failures.len().checked_sub(MOST_FAILURES + 1) {
            lines.push(format!("and {} failures more", rest + 1));
            lines.push(String::new());
        }
    }

    /// The tests of all jobs together.
    fn tests(&self) -> Option<String> {
        let mut all = TestCounts::default();
        let reports = self.jobs.iter().filter_map(|job| job.reports.as_ref());
        for tests in reports.filter_map(|reports| reports.tests.as_ref()) {
            all.merge(tests);
        }
        (all.tests > 0).then(|| all.to_string())
    }

    fn slowest_path(&self, paint: Paint, lines: &mut Vec<String>) {
        let took: std::collections::HashMap<&str, Duration> = self
            .jobs
            .iter()
            .map(|job| (&*job.name, job.duration))
            .collect();
        let weight = |place: usize| {
            let name = self.plan.get(place).map_or("", |job| &*job.name);
            took.get(name).copied().unwrap_or_default()
        };
        let (total, path) = longest(&self.plan, weight);
        if path.len() < 2 || total.is_zero() {
            return;
        }
        let names: Vec<String> = path
            .iter()
            .filter(|&&place| !weight(place).is_zero())
            .map(|&place| one_line(&self.plan[place].name))
            .collect();
        let line = format!("slowest path {}: {}", precise(total), names.join(" → "));
        lines.push(paint.tone(Tone::Dim, &line));
    }

    fn spent(&self, paint: Paint, lines: &mut Vec<String>) {
        for budget in &self.budgets {
            if budget.is_over() {
                lines.push(paint.tone(Tone::Warn, &format!("! {budget}")));
            } else if !self.brief {
                lines.push(paint.tone(Tone::Dim, &budget.to_string()));
            }
        }
    }

    fn total(&self, paint: Paint) -> String {
        let (sign, tone) = mark(self.outcome, false);
        let counts: Vec<String> = OutcomeKind::ALL
            .into_iter()
            .filter_map(|kind| {
                let count = self.jobs.iter().filter(|job| job.outcome == kind).count();
                (count > 0).then(|| format!("{count} {kind}"))
            })
            .collect();
        let workflow = match &self.workflow {
            Some(name) => format!("{} ", one_line(name)),
            None => String::new(),
        };
        format!(
            "{} {workflow}{} in {}: {}",
            paint.tone(tone, sign),
            paint.tone(tone, self.outcome.as_str()),
            precise(self.duration),
            if counts.is_empty() {
                "no jobs".to_owned()
            } else {
                counts.join(", ")
            },
        )
    }

    fn next(&self, paint: Paint, lines: &mut Vec<String>) {
        let Some(program) = &self.program else {
            return;
        };
        if self.outcome == OutcomeKind::Success {
            return;
        }
        let run = self.run;
        lines.push(paint.tone(Tone::Dim, "next:"));
        if let Some(failure) = self.failures.first() {
            lines.push(format!("  {program} logs {run} {}", typed(&failure.job)));
        }
        if self.outcome != OutcomeKind::OnHold {
            lines.push(format!("  {program} rerun {run} --from-failed"));
            return;
        }
        let held = self.jobs.iter();
        let held = held.filter(|job| job.outcome == OutcomeKind::OnHold);
        for job in held.take(MOST_HELD) {
            lines.push(format!("  {program} approve {run} {}", typed(&job.name)));
        }
        lines.push(format!("  {program} resume {run}"));
    }
}

/// A line of the table.
fn row(paint: Paint, job: &JobResult, name: usize, word: usize) -> String {
    let (sign, tone) = mark(job.outcome, job.allowed);
    let label = one_line(&job.name);
    let label = if columns(&label) > name {
        label
    } else {
        fit(&label, name)
    };
    let time = if job.attempts == 0 {
        String::new()
    } else {
        precise(job.duration)
    };
    let mut line = format!(
        "{} {label}  {}  {time:>8}",
        paint.tone(tone, sign),
        paint.tone(tone, &fit(job.outcome.as_str(), word)),
    );
    let mut details = Vec::new();
    if job.attempts > 1 {
        details.push(format!("{} attempts", job.attempts));
    }
    if job.allowed && job.outcome != OutcomeKind::Success {
        details.push("allowed to fail".to_owned());
    }
    if let Some(reports) = &job.reports {
        details.extend(reports.tests.map(|tests| tests_of(&tests)));
        details.extend(reports.coverage.map(|coverage| coverage.to_string()));
    }
    details.extend(why(job));
    if !details.is_empty() {
        line.push_str("  ");
        line.push_str(&details.join(", "));
    }
    line.truncate(line.trim_end().len());
    line
}

/// `12 tests, 2 bad`.
fn tests_of(tests: &TestCounts) -> String {
    let plural = if tests.tests == 1 { "" } else { "s" };
    match tests.bad() {
        0 => format!("{} test{plural}", tests.tests),
        bad => format!("{} test{plural}, {bad} bad", tests.tests),
    }
}

/// `failed: exit code 1`.
fn ending(job: &JobResult) -> String {
    match why(job) {
        Some(why) => format!("{}: {why}", job.outcome),
        None => job.outcome.to_string(),
    }
}

fn why(job: &JobResult) -> Option<String> {
    match (&job.reason, job.exit_code) {
        (Some(reason), _) => Some(one_line(reason)),
        (None, Some(code)) if code != 0 => Some(format!("exit code {code}")),
        _ => None,
    }
}

/// The name of a job in a command to type.
pub(in crate::event) fn typed(name: &str) -> String {
    shell::word(&one_line(name))
}
