//! `ci image`: images built, merged, copied and looked up.

use std::sync::Arc;

use ci_docker::image::{BuildEvent, BuildSpec, BuildWatch, Builder, Platform, Secret};
use ci_docker::registry::ImageName;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::args::{Format, Global};
use crate::failure::{Failure, INTERRUPTED};
use crate::image_args::{BuildArgs, ImageCommand};
use crate::output;
use crate::registries::{image, registry};

/// Does what is asked of images.
pub(crate) async fn run(global: &Global, command: ImageCommand) -> Result<u8, Failure> {
    let is_json = global.format == Format::Json;
    match command {
        ImageCommand::Build(args) => return build(global, &args).await,
        ImageCommand::Merge { tag, sources } => {
            let (targets, sources) = (images(&tag)?, images(&sources)?);
            let merged = registry().merge(&sources, &targets).await?;
            if is_json {
                output::json(
                    &json!({ "digest": merged.digest, "platforms": merged.platforms, "tags": tag }),
                )?;
            } else {
                output::say(format!("merged {}", merged.platforms.join(", ")));
                output::line(&merged.digest)?;
            }
        }
        ImageCommand::Copy { from, to } => {
            let (from, to) = (image(&from)?, image(&to)?);
            let copied = registry().copy(&from, &to).await?;
            if is_json {
                output::json(
                    &json!({ "from": from.to_string(), "to": to.to_string(), "digest": copied.digest }),
                )?;
            } else {
                output::say(format!("copied {from} to {to}"));
                output::line(&copied.digest)?;
            }
        }
        ImageCommand::Digest { image: name } => {
            let name = image(&name)?;
            let Some(digest) = registry().digest(&name).await? else {
                return Err(Failure::input(format!("`{name}` is not in the registry"))
                    .hint(format!("`ci image tags {}` lists what is", name.path())));
            };
            if is_json {
                output::json(&json!({ "image": name.to_string(), "digest": digest }))?;
            } else {
                output::line(digest)?;
            }
        }
        ImageCommand::Tags { repository } => {
            let tags = registry().tags(&image(&repository)?).await?;
            if tags.is_empty() {
                output::say(format!(
                    "`{repository}` is not in the registry, or has no tags"
                ));
            }
            if is_json {
                output::json(&json!({ "total": tags.len(), "data": tags }))?;
            } else {
                for tag in tags {
                    output::line(tag)?;
                }
            }
        }
    }
    Ok(0)
}

fn images(names: &[String]) -> Result<Vec<ImageName>, Failure> {
    names.iter().map(|name| image(name)).collect()
}

async fn build(global: &Global, args: &BuildArgs) -> Result<u8, Failure> {
    let spec = spec(args)?;
    let builder = Builder::new(&args.engine.engine, registry())?;
    let cancel = interrupts();
    let built = builder.build(&spec, "", &watch(global), &cancel).await;
    if cancel.is_cancelled() {
        return Ok(INTERRUPTED);
    }
    let built = built?;
    if global.format == Format::Json {
        output::json(&json!({ "id": built.id, "names": built.names, "digest": built.digest }))?;
    } else {
        output::line(built.digest.as_ref().unwrap_or(&built.id))?;
    }
    Ok(0)
}

fn spec(args: &BuildArgs) -> Result<BuildSpec, Failure> {
    let mut spec = BuildSpec::new(&args.context);
    spec.dockerfile.clone_from(&args.file);
    spec.tags = images(&args.tag)?;
    spec.args = args.arguments.iter().cloned().collect();
    spec.labels = args.label.iter().cloned().collect();
    let secrets = args.secret.iter().map(|secret| Secret::parse(secret));
    spec.secrets = secrets.collect::<Result<_, _>>().map_err(Failure::input)?;
    spec.target.clone_from(&args.target);
    spec.cache_from.clone_from(&args.cache_from);
    spec.inline_cache = args.inline_cache;
    let platforms = args
        .platform
        .iter()
        .map(|platform| platform.parse::<Platform>());
    let platforms = platforms.collect::<Result<_, _>>();
    spec.platforms = platforms.map_err(|error| Failure::input(error.to_string()))?;
    spec.network.clone_from(&args.network);
    spec.no_cache = args.no_cache;
    spec.pull = args.pull;
    spec.push = args.push;
    Ok(spec)
}

/// A token that the first Ctrl-C or TERM cancels.
pub(crate) fn interrupts() -> CancellationToken {
    let cancel = CancellationToken::new();
    let canceled = cancel.clone();
    tokio::spawn(async move {
        let interrupted = tokio::signal::ctrl_c();
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let Ok(mut terminated) = signal(SignalKind::terminate()) else {
                return;
            };
            tokio::select! {
                _ = interrupted => {}
                _ = terminated.recv() => {}
            }
        }
        #[cfg(not(unix))]
        let _ = interrupted.await;
        canceled.cancel();
    });
    cancel
}

/// Prints what happens: for people on standard error, for programs as one JSON document a line.
pub(super) fn watch(global: &Global) -> BuildWatch {
    let is_json = global.format == Format::Json;
    Arc::new(
        move |target: &str, platform: Option<&Platform>, event: BuildEvent| {
            if is_json {
                tell_json(target, platform, &event);
            } else {
                tell(target, platform, &event);
            }
        },
    )
}

fn tell(target: &str, platform: Option<&Platform>, event: &BuildEvent) {
    let platform = platform.map(ToString::to_string).unwrap_or_default();
    let whose = [target, &platform]
        .into_iter()
        .filter(|part| !part.is_empty());
    let whose = whose.collect::<Vec<_>>().join(" ");
    let whose = if whose.is_empty() {
        whose
    } else {
        format!("{whose} | ")
    };
    match event {
        BuildEvent::Done { step, cached } => {
            let how = if *cached { "cached" } else { "done  " };
            output::say(format!("{whose}{how} {step}"));
        }
        BuildEvent::Failed { step, why } => output::say(format!("{whose}failed {step}: {why}")),
        BuildEvent::Output { bytes, .. } => {
            for line in String::from_utf8_lossy(bytes).lines() {
                output::say(format!("{whose}       {line}"));
            }
        }
        BuildEvent::Note(words) => output::say(format!("{whose}{words}")),
        BuildEvent::Pushing(name) => output::say(format!("{whose}pushing {name}")),
        BuildEvent::Pushed { name, digest } => {
            output::say(format!("{whose}pushed {name} {digest}"));
        }
        _ => {}
    }
}

fn tell_json(target: &str, platform: Option<&Platform>, event: &BuildEvent) {
    let (kind, rest) = match event {
        BuildEvent::Started { step } => ("started", json!({ "step": step })),
        BuildEvent::Done { step, cached } => ("done", json!({ "step": step, "cached": cached })),
        BuildEvent::Failed { step, why } => ("failed", json!({ "step": step, "why": why })),
        BuildEvent::Output { is_error, bytes } => (
            "output",
            json!({ "stderr": is_error, "text": String::from_utf8_lossy(bytes) }),
        ),
        BuildEvent::Note(words) => ("note", json!({ "text": words })),
        BuildEvent::Pushing(name) => ("pushing", json!({ "image": name })),
        BuildEvent::Pushed { name, digest } => {
            ("pushed", json!({ "image": name, "digest": digest }))
        }
        _ => return,
    };
    let platform = platform.map(ToString::to_string);
    // Whoever reads may have gone away.
    let _ = output::json(
        &json!({ "event": kind, "target": target, "platform": platform, "data": rest }),
    );
}
