//! Steps: a mapping with one action and the policies of the step, or the bare name of an action.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess};
use serde::{Deserialize, Serialize};

use super::action::{
    ApprovalForm, CheckoutForm, PathsForm, RestoreCacheForm, RunForm, SaveCacheForm, WaitForm,
    WorkspaceForm,
};
use super::duration::Time;
use super::entries::Entries;
use super::shape::{Shape, present, shaped};
use crate::session::Program;
use crate::step::{Action, CommandSpec, CustomSpec, StepSpec, StepWhen};

/// A step.
#[derive(Debug)]
pub(super) struct StepForm(pub(super) StepSpec);

shaped!(StepForm: StepFields, String);

impl Shape for StepForm {
    const EXPECTED: &'static str = "a step such as `run: cargo test`, or `checkout`";

    fn from_text<E: Error>(text: &str) -> Result<Self, E> {
        let mut fields = StepFields::default();
        match text {
            "checkout" => fields.checkout = Some(CheckoutForm::default()),
            "approval" => fields.approval = Some(ApprovalForm::default()),
            _ => {
                return Err(E::custom(format_args!(
                    "`{text}` is no step; a command is written `run: {text}`"
                )));
            }
        }
        fields.step().map(Self).map_err(E::custom)
    }

    fn from_map<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        StepFields::deserialize(MapAccessDeserializer::new(map))?
            .step()
            .map(Self)
            .map_err(A::Error::custom)
    }
}

impl Serialize for StepForm {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        StepFields::from(&self.0).serialize(serializer)
    }
}

/// A step: one action, and the policies that hold for every kind of step.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct StepFields {
    /// What people see; by default made from the action.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Arc<str>>,
    /// Runs a script, or a program with its arguments when it is a list.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    run: Option<RunForm>,
    /// Of `run`: the shell as words, such as `[bash, -eo, pipefail, -c]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    shell: Vec<String>,
    /// Of `run`: the directory, absolute or relative to the working directory of the job.
    #[serde(skip_serializing_if = "Option::is_none")]
    dir: Option<String>,
    /// Of `run`: whether the job goes on at once while the command runs until the job ends.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    background: bool,
    /// Of `run`: the image of a container of its own, beside the job's.
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    /// Puts the sources of the project into the working directory.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    checkout: Option<CheckoutForm>,
    /// Brings back a cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    restore_cache: Option<RestoreCacheForm>,
    /// Saves a cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    save_cache: Option<SaveCacheForm>,
    /// Adds files to the workspace of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    persist_workspace: Option<WorkspaceForm>,
    /// Brings the workspace of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    attach_workspace: Option<WorkspaceForm>,
    /// Keeps files as artifacts.
    #[serde(skip_serializing_if = "Option::is_none")]
    store_artifacts: Option<PathsForm>,
    /// Keeps test results.
    #[serde(skip_serializing_if = "Option::is_none")]
    store_test_results: Option<PathsForm>,
    /// Keeps coverage reports.
    #[serde(skip_serializing_if = "Option::is_none")]
    store_coverage: Option<PathsForm>,
    /// Keeps values that were measured, and reads them.
    #[serde(skip_serializing_if = "Option::is_none")]
    store_metrics: Option<PathsForm>,
    /// Keeps the reports of scanners and linters, and reads them.
    #[serde(skip_serializing_if = "Option::is_none")]
    store_findings: Option<PathsForm>,
    /// Waits until a service answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    wait_for: Option<WaitForm>,
    /// Waits until somebody approves.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    approval: Option<ApprovalForm>,
    /// A step that the embedding program registered under this name.
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    custom: Option<String>,
    /// Of `use`: what the step is given.
    #[serde(skip_serializing_if = "serde_json::Value::is_null")]
    with: serde_json::Value,
    /// A step that was code of the program that wrote this; read like `use`.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// After which outcomes of the steps before it the step runs.
    #[serde(skip_serializing_if = "is_default")]
    when: StepWhen,
    /// The longest the step may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<Time>,
    /// The longest the step may be silent.
    #[serde(skip_serializing_if = "Option::is_none")]
    no_output_timeout: Option<Time>,
    /// A script: where it succeeds in the session, the step is left out and counts as a success.
    #[serde(skip_serializing_if = "Option::is_none")]
    skip_if: Option<String>,
    /// Whether the job goes on, as if the step had succeeded, when it fails.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    allow_failure: bool,
    /// Variables for this step only.
    #[serde(skip_serializing_if = "Entries::is_empty")]
    env: Entries<String>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What a step can do, for messages.
const ACTIONS: &str = "`run`, `checkout`, `restore_cache`, `save_cache`, `persist_workspace`, \
     `attach_workspace`, `store_artifacts`, `store_test_results`, `store_coverage`, `store_metrics`, \
     `store_findings`, `wait_for`, `approval`, `use`";

impl StepFields {
    fn step(mut self) -> Result<StepSpec, String> {
        self.check_companions()?;
        let actions = self.actions()?;
        let mut actions = actions.into_iter();
        let action = match (actions.next(), actions.next()) {
            (Some(action), None) => action,
            (None, _) => {
                return Err(format!(
                    "the step names nothing to do; it takes one of {ACTIONS}"
                ));
            }
            (Some(first), Some(second)) => {
                return Err(format!(
                    "a step does one thing, and this one says both `{}` and `{}`; make them two steps",
                    first.kind(),
                    second.kind()
                ));
            }
        };
        Ok(StepSpec {
            name: self.name,
            action,
            when: self.when,
            timeout: self.timeout.map(|limit| limit.0),
            no_output_timeout: self.no_output_timeout.map(|limit| limit.0),
            skip_if: self.skip_if,
            allow_failure: self.allow_failure,
            env: self.env.sorted(),
        })
    }

    /// Refuses fields that only mean something beside another.
    fn check_companions(&self) -> Result<(), String> {
        let lonely = match &self.run {
            Some(RunForm::Words(_)) if !self.shell.is_empty() => {
                return Err("`shell` is for scripts; a list in `run` has no shell between".into());
            }
            None if !self.shell.is_empty() => Some("shell"),
            None if self.dir.is_some() => Some("dir"),
            None if self.background => Some("background"),
            None if self.image.is_some() => Some("image"),
            _ => None,
        };
        if let Some(field) = lonely {
            return Err(format!("`{field}` means something only beside `run`"));
        }
        if !self.with.is_null() && self.custom.is_none() {
            return Err("`with` means something only beside `use`".into());
        }
        Ok(())
    }

    /// Takes everything that the step says it does.
    fn actions(&mut self) -> Result<Vec<Action>, String> {
        let run = self.run.take().map(|run| {
            let program = match run {
                RunForm::Script(script) => Program::Shell {
                    shell: std::mem::take(&mut self.shell),
                    script,
                },
                RunForm::Words(words) => Program::Argv(words),
            };
            Action::Run(CommandSpec {
                program,
                dir: self.dir.take(),
                background: self.background,
                image: self.image.take(),
            })
        });
        let wait = self.wait_for.take().map(WaitForm::spec).transpose()?;
        let with = std::mem::take(&mut self.with);
        let custom = self.custom.take().map(|step| CustomSpec { step, with });
        let code = self.code.take().map(|step| CustomSpec {
            step,
            with: serde_json::Value::Null,
        });
        let found = [
            run,
            self.checkout
                .take()
                .map(|form| Action::Checkout(form.into())),
            self.restore_cache
                .take()
                .map(|form| Action::RestoreCache(form.into())),
            self.save_cache
                .take()
                .map(|form| Action::SaveCache(form.into())),
            self.persist_workspace
                .take()
                .map(|form| Action::PersistWorkspace(form.into())),
            self.attach_workspace
                .take()
                .map(|form| Action::AttachWorkspace(form.into())),
            self.store_artifacts
                .take()
                .map(|form| Action::StoreArtifacts(form.into())),
            self.store_test_results
                .take()
                .map(|form| Action::StoreTestResults(form.into())),
            self.store_coverage
                .take()
                .map(|form| Action::StoreCoverage(form.into())),
            self.store_metrics
                .take()
                .map(|form| Action::StoreMetrics(form.into())),
            self.store_findings
                .take()
                .map(|form| Action::StoreFindings(form.into())),
            wait.map(Action::WaitFor),
            self.approval
                .take()
                .map(|form| Action::Approval(form.into())),
            custom.map(Action::Custom),
            code.map(Action::Custom),
        ];
        Ok(found.into_iter().flatten().collect())
    }
}

impl From<&StepSpec> for StepFields {
    fn from(step: &StepSpec) -> Self {
        let mut fields = Self {
            name: step.name.clone(),
            when: step.when,
            timeout: step.timeout.map(Time),
            no_output_timeout: step.no_output_timeout.map(Time),
            skip_if: step.skip_if.clone(),
            allow_failure: step.allow_failure,
            env: (&step.env).into(),
            ..Self::default()
        };
        match &step.action {
            Action::Run(command) => {
                fields.dir.clone_from(&command.dir);
                fields.background = command.background;
                fields.image.clone_from(&command.image);
                fields.run = Some(match &command.program {
                    Program::Shell { shell, script } => {
                        fields.shell.clone_from(shell);
                        RunForm::Script(script.clone())
                    }
                    Program::Argv(words) => RunForm::Words(words.clone()),
                });
            }
            Action::Checkout(spec) => fields.checkout = Some(spec.into()),
            Action::RestoreCache(spec) => fields.restore_cache = Some(spec.into()),
            Action::SaveCache(spec) => fields.save_cache = Some(spec.into()),
            Action::PersistWorkspace(spec) => fields.persist_workspace = Some(spec.into()),
            Action::AttachWorkspace(spec) => fields.attach_workspace = Some(spec.into()),
            Action::StoreArtifacts(spec) => fields.store_artifacts = Some(spec.into()),
            Action::StoreTestResults(spec) => fields.store_test_results = Some(spec.into()),
            Action::StoreCoverage(spec) => fields.store_coverage = Some(spec.into()),
            Action::StoreMetrics(spec) => fields.store_metrics = Some(spec.into()),
            Action::StoreFindings(spec) => fields.store_findings = Some(spec.into()),
            Action::WaitFor(spec) => fields.wait_for = Some(spec.into()),
            Action::Approval(spec) => fields.approval = Some(spec.into()),
            Action::Custom(custom) => {
                fields.custom = Some(custom.step.clone());
                fields.with = custom.with.clone();
            }
            Action::Code(code) => fields.code = Some(code.step().name().to_owned()),
        }
        fields
    }
}
