//! `ci latest`: whether the tag `latest` follows a release, explained and done.

use std::process::Stdio;
use std::sync::{Arc, Mutex};

use ci_core::job::{GroupUse, JobSpec};
use ci_core::release::{
    ForgeTag, GitObject, Latest, LatestRequest, LatestStrategy, TagFacts, TagKind, VersionOrder,
};
use ci_core::run::RunOptions;
use ci_core::step::{StepSpec, step_fn};
use ci_core::store::RunStore;
use ci_core::workflow::WorkflowSpec;
use ci_docker::registry::{
    ForgeToken, ImageName, LatestReport, MoveLatest, Registry, RegistryError, gitlab_tag,
};
use clap::ValueEnum;
use serde_json::json;

use crate::args::{Format, Global};
use crate::failure::Failure;
use crate::image_args::{LatestArgs, OrderChoice, StrategyChoice, TagTypeChoice};
use crate::kept::Kept;
use crate::output;
use crate::registries::{image, registry, variable};

/// Decides about `latest`, says why, and moves it.
pub(crate) async fn run(global: &Global, args: LatestArgs) -> Result<u8, Failure> {
    let wanted = wanted(&args).await?;
    let registry = registry();
    // What the registry has no part in needs no lock.
    let is_asked = match wanted.request.begin() {
        Latest::Decided(decision) => decision.moves(),
        Latest::Compare(_) => true,
    };
    let report = if args.dry_run || !is_asked {
        registry.decide_latest(&wanted).await?
    } else {
        locked(global, registry, &wanted).await?
    };
    tell(global, &args, &wanted, &report)?;
    Ok(0)
}

async fn wanted(args: &LatestArgs) -> Result<MoveLatest, Failure> {
    let images = if args.image.is_empty() {
        variable("RELEASE_REGISTRY_IMAGE").into_iter().collect()
    } else {
        args.image.clone()
    };
    if images.is_empty() {
        return Err(
            Failure::input("there is no repository whose latest could move")
                .hint("name it with `--image`, or in the variable `RELEASE_REGISTRY_IMAGE`"),
        );
    }
    let images = images.iter().map(|name| repository(name));
    let images = images.collect::<Result<Vec<_>, _>>()?;
    let Some(tag) = args.tag.clone().or_else(|| variable("CI_COMMIT_TAG")) else {
        return Err(Failure::input("there is no tag of a release")
            .hint("name it with `--tag`, or in the variable `CI_COMMIT_TAG`"));
    };
    let strategy = chosen(args.strategy, "UPDATE_LATEST_STRATEGY")?;
    let strategy = match strategy.unwrap_or(StrategyChoice::Auto) {
        StrategyChoice::Force => LatestStrategy::Force,
        StrategyChoice::Skip => LatestStrategy::Skip,
        StrategyChoice::Auto => LatestStrategy::Auto,
    };
    let said = chosen(args.tag_type, "TAG_TYPE_OVERRIDE")?;
    let said = said.map(|said| match said {
        TagTypeChoice::Annotated => TagKind::Annotated,
        TagTypeChoice::Lightweight => TagKind::Lightweight,
    });
    let order = match args.version_order {
        OrderChoice::Semver => VersionOrder::Semver,
        OrderChoice::SortV => VersionOrder::SortV,
    };
    let facts = if strategy == LatestStrategy::Auto {
        facts(&tag, said).await
    } else {
        TagFacts {
            said,
            ..TagFacts::default()
        }
    };
    let request = LatestRequest {
        tag,
        strategy,
        order,
        facts,
    };
    let mut wanted = MoveLatest::new(request, images);
    wanted.latest.clone_from(&args.latest_tag);
    Ok(wanted)
}

/// A repository, named without a tag.
fn repository(name: &str) -> Result<ImageName, Failure> {
    let last = name.rsplit('/').next().unwrap_or(name);
    if last.contains([':', '@']) {
        return Err(Failure::input(format!("`{name}` has a tag or a digest"))
            .hint("name the repository alone; the release is given with `--tag`"));
    }
    image(name)
}

/// What an option says, else a variable.
fn chosen<T: ValueEnum>(option: Option<T>, name: &str) -> Result<Option<T>, Failure> {
    let Some(text) = variable(name).filter(|_| option.is_none()) else {
        return Ok(option);
    };
    let chosen = T::from_str(text.trim(), true);
    chosen.map(Some).map_err(|_| {
        let values = T::value_variants().iter().filter_map(T::to_possible_value);
        let values: Vec<String> = values
            .map(|value| format!("`{}`", value.get_name()))
            .collect();
        Failure::input(format!(
            "`{text}` in the variable `{name}` is none of {}",
            values.join(", ")
        ))
    })
}

/// What is known of a tag. The next source is asked only if the one before it does not know.
async fn facts(tag: &str, said: Option<TagKind>) -> TagFacts {
    let mut facts = TagFacts {
        said,
        ..TagFacts::default()
    };
    if said.is_none() {
        facts.git = git_object(tag).await;
        if facts.git.is_none() {
            facts.forge = forge(tag).await;
        }
    }
    facts
}

/// The type of the object that a tag of this repository names; nothing where there is no such tag.
async fn git_object(tag: &str) -> Option<GitObject> {
    let asked = tokio::process::Command::new("git")
        .args(["cat-file", "-t", &format!("refs/tags/{tag}")])
        .stdin(Stdio::null())
        .output()
        .await
        .ok()?;
    let said = String::from_utf8_lossy(&asked.stdout);
    match said.trim() {
        _ if !asked.status.success() => None,
        "tag" => Some(GitObject::Tag),
        _ => Some(GitObject::Other),
    }
}

/// What the forge knows of a tag; nothing where there is none or it does not tell.
async fn forge(tag: &str) -> Option<ForgeTag> {
    let (api, project) = (variable("CI_API_V4_URL")?, variable("CI_PROJECT_ID")?);
    let private = variable("GITLAB_TOKEN").map(ForgeToken::Private);
    let token = private.or_else(|| variable("CI_JOB_TOKEN").map(ForgeToken::Job));
    match gitlab_tag(&api, &project, tag, token.as_ref()).await {
        Ok(known) => known,
        Err(error) => {
            output::say(format!("warning: {}", crate::failure::chain(&error)));
            None
        }
    }
}

/// Moves `latest` as a run of its own, in a group that all who share the store are part of: registries
/// have no way to compare and swap.
async fn locked(
    global: &Global,
    registry: Registry,
    wanted: &MoveLatest,
) -> Result<LatestReport, Failure> {
    type Answer = Arc<Mutex<Option<Result<LatestReport, RegistryError>>>>;
    let answer: Answer = Arc::default();
    let step = {
        let (answer, wanted) = (Arc::clone(&answer), wanted.clone());
        step_fn("decide and move", move |cx| {
            let (answer, wanted, registry) =
                (Arc::clone(&answer), wanted.clone(), registry.clone());
            async move {
                let moved = registry.move_latest(&wanted).await;
                let words = match &moved {
                    Ok(report) => {
                        for step in report.decision.steps() {
                            cx.say(step.to_string()).await;
                        }
                        None
                    }
                    Err(error) => Some(error.to_string()),
                };
                if let Ok(mut answer) = answer.lock() {
                    *answer = Some(moved);
                }
                words.map_or(Ok(()), |words| Err(std::io::Error::other(words)))
            }
        })
    };
    let mut job = JobSpec::new("latest").step(StepSpec::code(step));
    for image in &wanted.images {
        let name = format!("{}:{}", image.path(), wanted.latest);
        job = job.group(GroupUse::mutex(name));
    }
    let workflow = WorkflowSpec::builder("latest").job(job).build();
    let workflow = workflow.map_err(|error| Failure::engine(error.to_string()))?;
    let store: Arc<dyn RunStore> = Kept::here(global)?.store()?;
    let report = ci_core::run::run(workflow, RunOptions::new().store(store)).await?;
    let answer = answer.lock().ok().and_then(|mut answer| answer.take());
    match answer {
        Some(answer) => Ok(answer?),
        None => Err(Failure::engine("the run ended before it decided")
            .hint(format!("`ci show {}` tells how it went", report.run))),
    }
}

fn tell(
    global: &Global,
    args: &LatestArgs,
    wanted: &MoveLatest,
    report: &LatestReport,
) -> Result<(), Failure> {
    if global.format == Format::Json {
        let changes = report.changes.iter().map(|change| {
            json!({ "image": change.image.to_string(), "before": change.before, "after": change.after })
        });
        return output::json(&json!({
            "tag": wanted.request.tag,
            "moves": report.decision.moves(),
            "dry_run": args.dry_run,
            "steps": report.decision.steps(),
            "changes": changes.collect::<Vec<_>>(),
        }));
    }
    for step in report.decision.steps() {
        output::line(step.to_string())?;
    }
    let would = if args.dry_run { "would move" } else { "moved" };
    for change in &report.changes {
        let before = change.before.as_deref().unwrap_or("nothing");
        output::line(format!(
            "{would} {} from {before} to {}",
            change.image, change.after
        ))?;
    }
    if report.changes.is_empty() {
        output::line("latest stays where it is")?;
    }
    Ok(())
}
