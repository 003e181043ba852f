//! `ci bake`: the images of a bake file, built in parallel.

use std::path::{Path, PathBuf};

use ci_docker::image::bake::{BakeFile, BakeOptions};
use ci_docker::image::{Builder, ImageErrorKind};
use serde_json::json;

use super::image::{interrupts, watch};
use crate::args::{Format, Global};
use crate::failure::{Failure, INTERRUPTED};
use crate::image_args::BakeArgs;
use crate::output;
use crate::registries::registry;

/// Builds the targets of a bake file.
pub(crate) async fn run(global: &Global, args: BakeArgs) -> Result<u8, Failure> {
    let file = read(&args.file)?;
    let mut env: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    env.extend(args.variables);
    let options = BakeOptions {
        env,
        dir: PathBuf::new(),
        set: args.set,
    };
    let wanted: Vec<&str> = args.targets.iter().map(String::as_str).collect();
    let mut plan = file.plan(&wanted, &options)?;
    for note in &plan.notes {
        output::say(format!("note: {note}"));
    }
    if args.print {
        output::line(serde_json::to_string_pretty(&plan.to_json())?)?;
        return Ok(0);
    }
    for target in &mut plan.targets {
        target.spec.push |= args.push;
        target.spec.no_cache |= args.no_cache;
        target.spec.pull |= args.pull;
    }
    let builder = Builder::new(&args.engine.engine, registry())?;
    let cancel = interrupts();
    let baked = builder
        .bake(
            &plan.targets,
            usize::from(args.jobs),
            &watch(global),
            &cancel,
        )
        .await;
    let interrupted = cancel.is_cancelled();
    let mut failure = None;
    let mut rows = Vec::new();
    for target in baked {
        match target.result {
            Ok(built) if global.format == Format::Json => {
                output::json(&json!({ "event": "built", "target": target.name, "data": {
                    "id": built.id, "names": built.names, "digest": built.digest } }))?;
            }
            Ok(built) => {
                let digest = built.digest.unwrap_or(built.id);
                rows.push(vec![target.name, digest, built.names.join(" ")]);
            }
            // Those that were stopped because another one failed say nothing of their own.
            Err(error) if error.kind() == ImageErrorKind::Canceled => {}
            Err(error) => {
                failure.get_or_insert((target.name, error));
            }
        }
    }
    output::print(&output::table(&rows))?;
    match failure {
        _ if interrupted => Ok(INTERRUPTED),
        None => Ok(0),
        Some((name, error)) => {
            output::say(format!("the target `{name}` failed"));
            Err(error.into())
        }
    }
}

/// The files that were named, else those that are there.
fn read(named: &[PathBuf]) -> Result<BakeFile, Failure> {
    let found: Vec<PathBuf> = if named.is_empty() {
        let names = BakeFile::NAMES.iter().map(PathBuf::from);
        names.filter(|name| Path::is_file(name)).collect()
    } else {
        named.to_vec()
    };
    let mut files = found.iter();
    let Some(first) = files.next() else {
        let names = BakeFile::NAMES.join("`, `");
        return Err(Failure::input("there is no bake file in this directory")
            .hint(format!("name one with `--file`, or make one of `{names}`")));
    };
    let mut file = BakeFile::read(first)?;
    for later in files {
        file = file.merge(BakeFile::read(later)?);
    }
    Ok(file)
}
