//! Brings a source and its submodules into a directory of this machine.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::CheckoutError;
use super::library::{self, Ground, Revision};
use super::monitor::Monitor;
use super::program;
use super::source::{Fetch, Transport, UnknownTransport, fetches};

/// What to bring.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// A local path or a URL.
    pub(super) source: String,
    /// Where relative paths start.
    pub(super) base: Option<PathBuf>,
    /// A commit, tag or branch.
    pub(super) revision: String,
    /// The branch to be on, where the revision itself names none.
    pub(super) branch: Option<String>,
    /// How many commits of history.
    pub(super) depth: Option<u32>,
    /// Whether submodules come along.
    pub(super) submodules: bool,
}

/// How deep submodules may lie in submodules.
const MOST_LEVELS: u32 = 16;

/// Brings what is wanted into `dir`, submodules included, and gives the commit.
pub(super) async fn bring(
    wanted: Wanted,
    dir: PathBuf,
    monitor: &Arc<Monitor>,
) -> Result<String, CheckoutError> {
    let submodules = wanted.submodules;
    let mut main = None;
    // A list and not recursion: the depth is for the input to say, the stack is ours.
    let mut open = vec![(wanted, dir, 0)];
    while let Some((wanted, dir, level)) = open.pop() {
        if monitor.is_canceled() {
            return Err(CheckoutError::Canceled);
        }
        let commit = bring_one(&wanted, &dir, monitor).await?;
        main.get_or_insert(commit);
        if !submodules {
            continue;
        }
        let around = dir.clone();
        for module in blocking(move || library::submodules(&around)).await? {
            if level == MOST_LEVELS {
                let name = module.name;
                let why =
                    format!("the submodule `{name}` lies more than {MOST_LEVELS} levels deep");
                return Err(CheckoutError::Refused(why));
            }
            // What the local repository has of a submodule needs no network.
            let kept = match wanted.transport()? {
                Transport::Path(source) => {
                    let name = module.name.clone();
                    blocking(move || Ok(library::kept_module(&source, &name))).await?
                }
                _ => None,
            };
            let source = kept.map_or(module.url, |path| path.to_string_lossy().into_owned());
            monitor.say(format!("submodule `{}`", module.name));
            let wanted = Wanted {
                source,
                base: Some(dir.clone()),
                revision: module.commit,
                branch: None,
                depth: wanted.depth,
                submodules,
            };
            open.push((wanted, module.dir, level + 1));
        }
    }
    main.ok_or_else(|| CheckoutError::Refused("nothing was asked for".into()))
}

impl Wanted {
    fn transport(&self) -> Result<Transport, CheckoutError> {
        Transport::of(&self.source, self.base.as_deref()).map_err(|UnknownTransport(scheme)| {
            CheckoutError::Refused(format!(
                "`{scheme}` is no transport of git that is known here: use a local path, `file`, \
                 `git`, `http`, `https` or `ssh`"
            ))
        })
    }
}

/// Brings one repository, without its submodules.
async fn bring_one(
    wanted: &Wanted,
    dir: &Path,
    monitor: &Arc<Monitor>,
) -> Result<String, CheckoutError> {
    let transport = wanted.transport()?;
    let url = match &transport {
        Transport::Path(path) => existing(path)?.to_string_lossy().into_owned(),
        _ => wanted.source.clone(),
    };
    let ground = {
        let (dir, url) = (dir.to_owned(), url.clone());
        blocking(move || library::survey(&dir, &url)).await?
    };
    let mut found = match (ground, &transport) {
        (Ground::Fresh, Transport::Path(_)) => {
            let (source, dir) = (PathBuf::from(&url), dir.to_owned());
            let (revision, monitor) = (wanted.revision.clone(), Arc::clone(monitor));
            blocking(move || {
                library::clone_path(&source, &dir, &monitor)?;
                library::resolve(&dir, &revision)
            })
            .await?
        }
        (Ground::Fresh, _) => {
            let (dir, url) = (dir.to_owned(), url.clone());
            blocking(move || library::start(&dir, &url)).await?;
            None
        }
        (Ground::Reused, _) => None,
    };
    if found.is_none() && (ground == Ground::Reused || !matches!(transport, Transport::Path(_))) {
        found = fetch_until_found(wanted, &transport, dir, monitor).await?;
    }
    let (dir, monitor) = (dir.to_owned(), Arc::clone(monitor));
    let (name, branch) = (wanted.revision.clone(), wanted.branch.clone());
    blocking(move || {
        let mut revision = found.ok_or_else(|| library::missing(&dir, &name, &url))?;
        revision.branch = branch.or(revision.branch);
        library::write(&dir, &revision, &monitor)?;
        Ok(revision.commit.to_string())
    })
    .await
}

/// Fetches more and more until the revision is there.
async fn fetch_until_found(
    wanted: &Wanted,
    transport: &Transport,
    dir: &Path,
    monitor: &Arc<Monitor>,
) -> Result<Option<Revision>, CheckoutError> {
    // libgit2 has no shallow fetch from a directory.
    let local = matches!(transport, Transport::File | Transport::Path(_));
    let shallow = wanted.depth.is_some_and(|depth| depth > 0);
    let by_program = match transport {
        Transport::Program => true,
        Transport::File if shallow => program::is_there().await,
        _ => false,
    };
    let depth = if local && shallow && !by_program {
        monitor.say("all history comes along: a depth needs the `git` program for this source");
        None
    } else {
        wanted.depth
    };
    let mut failed = None;
    for fetch in fetches(&wanted.revision, depth) {
        let fetched = if by_program {
            program::fetch(dir, &fetch, monitor).await
        } else {
            by_library(dir, fetch, monitor).await
        };
        match fetched {
            Ok(()) => failed = None,
            // A narrow fetch fails where the name is of another kind; the next one may still do.
            Err(CheckoutError::Broken(error)) => failed = Some(CheckoutError::Broken(error)),
            Err(error) => return Err(error),
        }
        let (dir, revision) = (dir.to_owned(), wanted.revision.clone());
        if let Some(found) = blocking(move || library::resolve(&dir, &revision)).await? {
            return Ok(Some(found));
        }
    }
    failed.map_or(Ok(None), Err)
}

async fn by_library(dir: &Path, fetch: Fetch, monitor: &Arc<Monitor>) -> Result<(), CheckoutError> {
    let (dir, monitor) = (dir.to_owned(), Arc::clone(monitor));
    blocking(move || library::fetch(&dir, &fetch, &monitor)).await
}

/// The path without links and `..`, so that it names one repository for good.
fn existing(path: &Path) -> Result<PathBuf, CheckoutError> {
    path.canonicalize().map_err(|error| {
        CheckoutError::Refused(format!(
            "the source `{}` is not there: {error}",
            path.display()
        ))
    })
}

/// Does work that blocks where it holds up nobody. Canceling reaches it through its monitor.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CheckoutError> + Send + 'static,
) -> Result<T, CheckoutError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(CheckoutError::broken("the checkout broke off", error)))
}
