//! The CI engine that other tools embed.
//!
//! A [workflow](workflow::WorkflowSpec) is a graph of [jobs](job::JobSpec), a job a list of
//! [steps](step::StepSpec). [`run`](run::run()) runs it: in parallel, each job as soon as what it needs
//! has ended, on [executors](executor::Executor) that the program chooses, watched by
//! [sinks](event::Sink), kept in a [store](store::RunStore) from which a run that was killed
//! [resumes](run::resume).
//!
#![cfg_attr(feature = "engine", doc = "```")]
#![cfg_attr(not(feature = "engine"), doc = "```ignore")]
//! use ci_core::job::JobSpec;
//! use ci_core::run::{RunOptions, run};
//! use ci_core::step::{StepSpec, step_fn};
//! use ci_core::workflow::WorkflowSpec;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let greet = step_fn("greet", |cx| async move {
//!     cx.say(format!("hello from {}", cx.job().name)).await;
//!     Ok::<_, std::io::Error>(())
//! });
//! let workflow = WorkflowSpec::builder("greetings")
//!     .job(JobSpec::new("first").step(StepSpec::code(greet)))
//!     // Commands need an executor, such as the one of this machine with the feature `local`.
//!     .job(JobSpec::new("second").needs("first"))
//!     .build()?;
//!
//! let report = run(&workflow, RunOptions::new()).await?;
//! assert!(report.is_success());
//! # Ok(())
//! # }
//! ```
//!
//! A step that failed is data: an [`Outcome`](outcome::Outcome) in the [report](run::RunReport). An
//! `Err` means that the engine could not do its work.
//!
//! # Features
//!
//! | Feature | Default | What it brings |
//! |---|---|---|
//! | `engine` | yes | the model, the scheduler, the run; part of all features that do not stand alone |
//! | `local` | yes | `executor::LocalExecutor`: jobs as processes of this machine |
//! | `sqlite` | yes | `store::SqliteStore`: journal, resume, history, groups between processes |
//! | `storage` | yes | `storage`: caches, workspaces and artifacts, with the steps that use them |
//! | `archive` | yes | `archive`: directory trees as tar archives; part of the features above |
//! | `git` | no | the checkout step, and facts about the revision, on libgit2 |
//! | `http` | no | HTTP health checks in the step that waits for a service; `steps::step_runner` |
//! | `console` | no | the live board of running jobs on a terminal |
//! | `html` | no | the report of a run as one HTML file |
//! | `yaml` | no | workflows and settings as YAML; `yaml`: any type from it, with places |
//! | `circleci` | no | `config::circleci`: CircleCI 2.x files as workflows |
//! | `gitlab` | no | `config::gitlab`: GitLab CI files as workflows |
//! | `import` | no | `config::import`: GitHub Actions and Jenkins files as CircleCI or GitLab files |
//! | `triggers` | no | `trigger`: what starts runs, with filters, parameters and schedules |
//! | `watch` | no | `trigger::watch`: new commits and tags of repositories, each once |
//! | `notify` | no | `notify`: chats, webhooks, e-mail, commit statuses and checks told how runs end |
//! | `reports` | yes | `report`: test reports and coverage of every dialect, read in constant memory; `measure`: findings of scanners |
//! | `release` | no | `release`: version order, tag kinds, whether `latest` follows a release |
//! | `testing` | no | `testing`: mock executor, virtual clock, executor conformance kit |
//!
//! `reports` and `release` stand alone: with `default-features = false` they bring no runtime and a
//! handful of dependencies.
//!
//! # Where to look
//!
//! | To … | see |
//! |---|---|
//! | build a workflow | [`workflow`], [`job`], [`step`] |
//! | run, watch and steer it | [`mod@run`], [`event`] |
//! | write a step | [`step::Step`], [`step::step_fn()`] |
//! | write an executor | [`executor::Executor`], [`session::Session`] |
//! | know how something ended | [`outcome`] |
//! | keep runs and go on with them | [`store`], [`run::resume`], [`run::rerun`] |
//! | say which machine a job gets | [`settings`] |
//! | read YAML, with the place of what is wrong | `yaml`, with the feature `yaml` |
//! | hide values | [`secret`] |
//! | write words that a shell takes as they are | [`shell`] |
//! | read and write test reports | `report`, with the feature `reports` |
//! | tell people and forges how runs end | `notify`, with the feature `notify` |
//! | start runs by pushes, tags and times | `trigger`, with the features `triggers` and `watch` |
//! | decide what a release does | `release`, with the feature `release` |
//! | copy directories that may have a run store in them | [`held`] |
//! | look at a run that is over | [`view`] |
//! | draw a workflow | [`graph::render`] |
//! | schedule without running | [`scheduler::Machine`] |
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "archive")]
pub mod archive;
#[cfg(feature = "engine")]
pub mod clock;
#[cfg(any(feature = "circleci", feature = "gitlab"))]
pub mod config;
#[cfg(feature = "engine")]
mod error;
#[cfg(feature = "engine")]
pub mod event;
#[cfg(feature = "engine")]
pub mod executor;
#[cfg(feature = "engine")]
pub mod graph;
#[cfg(feature = "engine")]
pub mod held;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "engine")]
pub mod id;
#[cfg(feature = "engine")]
pub mod job;
#[cfg(feature = "reports")]
pub mod measure;
#[cfg(feature = "notify")]
pub mod notify;
#[cfg(feature = "engine")]
pub mod outcome;
#[cfg(feature = "release")]
pub mod release;
#[cfg(feature = "reports")]
#[doc(inline)]
pub use ci_report as report;
#[cfg(feature = "engine")]
pub mod run;
#[cfg(feature = "engine")]
pub mod scheduler;
#[cfg(feature = "engine")]
pub mod secret;
#[cfg(feature = "engine")]
pub mod session;
#[cfg(feature = "engine")]
pub mod settings;
#[cfg(any(feature = "engine", feature = "reports"))]
mod severity;
#[cfg(feature = "engine")]
pub mod shell;
#[cfg(feature = "engine")]
mod similar;
#[cfg(feature = "engine")]
pub mod step;
#[cfg(feature = "engine")]
pub mod steps;
#[cfg(feature = "storage")]
pub mod storage;
#[cfg(feature = "engine")]
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "triggers")]
pub mod trigger;
#[cfg(feature = "engine")]
pub mod units;
#[cfg(feature = "git")]
pub mod vcs;
#[cfg(feature = "engine")]
pub mod view;
#[cfg(feature = "engine")]
mod wildcard;
#[cfg(feature = "engine")]
pub mod workflow;
#[cfg(feature = "yaml")]
pub mod yaml;
