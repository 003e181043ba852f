//! `ci report run` and `ci report html`: a run as a page, as Markdown or as text.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ci_core::id::RunId;
use ci_core::store::RunStore;
use ci_core::view::{RunView, RunViewOptions, run_html, run_markdown, run_text, run_view};

use crate::args::{Format, Global, RunRef};
use crate::failure::{Failure, chain};
use crate::kept::Kept;
use crate::{open, output};

/// The page of a run among its artifacts.
pub(crate) const PAGE: &str = "run.html";

#[derive(Debug, clap::Args)]
pub(crate) struct PageArgs {
    #[command(flatten)]
    pub(crate) run: RunRef,
    /// Where to write it [default: standard output]
    #[arg(long, short = 'o', value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// How many KiB of logs are in it at most
    #[arg(long, value_name = "KIB", default_value_t = 160)]
    pub(crate) logs: u32,
}

/// Writes a run in the format that was asked for.
pub(crate) async fn run(global: &Global, args: &PageArgs) -> Result<u8, Failure> {
    let view = view(global, args).await?;
    let text = match global.format {
        Format::Text => run_text(&view),
        Format::Markdown => run_markdown(&view),
        Format::Html => run_html(&view),
        Format::Json => format!("{}\n", serde_json::to_string(&view)?),
        Format::Junit | Format::Lcov | Format::Cobertura => {
            return Err(Failure::input("a run cannot be written in that format")
                .hint("it can be text, markdown, html and json"));
        }
    };
    write(args.output.as_deref(), &text)?;
    Ok(0)
}

/// Writes a run as a page.
pub(crate) async fn html(global: &Global, args: &PageArgs) -> Result<u8, Failure> {
    let view = view(global, args).await?;
    write(args.output.as_deref(), &run_html(&view))?;
    Ok(0)
}

async fn view(global: &Global, args: &PageArgs) -> Result<RunView, Failure> {
    let kept = Kept::here(global)?;
    let store = kept.store_to_read()?;
    let run = open::run_id(&*store, &args.run.run).await?;
    let most = usize::try_from(args.logs).unwrap_or(usize::MAX);
    let options = options(&kept)?.log_bytes(most.saturating_mul(1024));
    Ok(run_view(&*store, run, &options).await?)
}

fn options(kept: &Kept) -> Result<RunViewOptions, Failure> {
    Ok(RunViewOptions::default().storage(kept.storage()?))
}

/// Writes the page of a run that has just ended. `{run}` in the name of the file is the run's id.
pub(crate) async fn write_page(
    kept: &Kept,
    store: &Arc<impl RunStore>,
    run: RunId,
    file: &Path,
) -> Result<PathBuf, Failure> {
    let view = run_view(&**store, run, &options(kept)?).await?;
    let file = PathBuf::from(file.to_string_lossy().replace("{run}", &run.to_string()));
    if let Some(dir) = file.parent() {
        std::fs::create_dir_all(dir).map_err(|error| cannot_write(dir, &error))?;
    }
    write(Some(&file), &run_html(&view))?;
    Ok(file)
}

/// Keeps the page of a run that has just ended among its artifacts.
pub(crate) async fn keep_page(
    kept: &Kept,
    store: &Arc<impl RunStore>,
    run: RunId,
) -> Result<(), Failure> {
    let view = run_view(&**store, run, &options(kept)?).await?;
    let storage = kept.storage()?;
    let stored = storage.keep_for_run(run, PAGE, run_html(&view).as_bytes());
    stored
        .map(drop)
        .map_err(|error| Failure::engine(chain(&error)))
}

fn write(file: Option<&Path>, text: &str) -> Result<(), Failure> {
    match file {
        Some(file) => std::fs::write(file, text).map_err(|error| cannot_write(file, &error)),
        None => output::print(text),
    }
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::input(format!("`{}`: {error}", path.display()))
}
