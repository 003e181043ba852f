//! Where runs are recorded and what they keep lies: from the command line, else the project's settings,
//! else the user's own directories.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ci_core::settings::Settings;
use ci_core::storage::Storage;
use ci_core::store::{Retention, RunStore, SqliteStore};

use crate::args::Global;
use crate::failure::{Failure, chain};
use crate::open;

/// The places of a project.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    store: Option<PathBuf>,
    storage: Option<PathBuf>,
    cache_limit: Option<u64>,
    retention: Retention,
    /// The page of every run.
    pub(crate) page: Option<PathBuf>,
    /// Whether it is also kept among the artifacts.
    pub(crate) keeps_page: bool,
}

impl Kept {
    /// The places of the project in `dir`.
    pub(crate) fn of(global: &Global, settings: &Settings, dir: &Path) -> Self {
        let own = |path: &Option<PathBuf>| path.as_ref().map(|path| dir.join(path));
        let retention = &settings.store.retention;
        Self {
            store: global.store.clone().or_else(|| own(&settings.store.path)),
            storage: global
                .storage
                .clone()
                .or_else(|| own(&settings.storage.path)),
            cache_limit: settings.storage.cache_limit,
            page: own(&settings.report.html),
            keeps_page: settings.report.artifact,
            retention: Retention {
                max_age: retention.max_age,
                max_runs: retention.max_runs.map(u64::from),
            },
        }
    }

    /// The places of the project around the current directory.
    pub(crate) fn here(global: &Global) -> Result<Self, Failure> {
        let here = std::env::current_dir()
            .map_err(|error| Failure::input(format!("the current directory: {error}")))?;
        let project = here
            .ancestors()
            .find(|dir| dir.join(Settings::FILE).is_file());
        let dir = project.unwrap_or(&here);
        Ok(Self::of(global, &open::settings(None, dir)?, dir))
    }

    /// The run store.
    pub(crate) fn store(&self) -> Result<Arc<SqliteStore>, Failure> {
        let store = match &self.store {
            Some(file) => SqliteStore::open(file),
            None => SqliteStore::open_default(),
        };
        Ok(Arc::new(store?))
    }

    /// The run store, if there is one already.
    pub(crate) fn store_if_there(&self) -> Result<Option<Arc<SqliteStore>>, Failure> {
        // Whatever else stands there is opened, and refused.
        if self.store_path()?.exists() {
            self.store().map(Some)
        } else {
            Ok(None)
        }
    }

    /// The run store of a command for which runs have to be there: it is not made.
    pub(crate) fn store_to_read(&self) -> Result<Arc<SqliteStore>, Failure> {
        let store = self.store_if_there()?;
        store.ok_or_else(|| match self.no_store() {
            Ok(words) => Failure::input(words).hint("`ci run` makes it; `--store` names another"),
            Err(failure) => failure,
        })
    }

    /// Says that there is no run store.
    pub(crate) fn no_store(&self) -> Result<String, Failure> {
        let path = self.store_path()?;
        Ok(format!("there is no run store `{}` yet", path.display()))
    }

    fn store_path(&self) -> Result<PathBuf, Failure> {
        match &self.store {
            Some(file) => Ok(file.clone()),
            None => Ok(SqliteStore::default_path()?),
        }
    }

    /// The storage of caches, workspaces and artifacts.
    pub(crate) fn storage(&self) -> Result<Arc<Storage>, Failure> {
        let storage = match &self.storage {
            Some(dir) => Storage::open(dir.clone()),
            None => Storage::open_default(),
        };
        let storage = storage.map_err(|error| Failure::engine(chain(&error)))?;
        Ok(Arc::new(match self.cache_limit {
            Some(bytes) => storage.cache_limit(bytes),
            None => storage,
        }))
    }

    /// Removes the runs that the settings call old, with what they kept.
    pub(crate) async fn forget_old(&self) -> Result<(), Failure> {
        let retention = &self.retention;
        if retention.max_age.is_some() || retention.max_runs.is_some() {
            self.forget(retention).await?;
        }
        Ok(())
    }

    /// Removes old runs with what they kept, and says how many.
    pub(crate) async fn forget(&self, retention: &Retention) -> Result<usize, Failure> {
        let (store, storage) = (self.store()?, self.storage()?);
        let removed = store.prune(retention).await?;
        let mut trouble = None;
        for run in &removed {
            // What one run kept may not go: that keeps nothing of the others.
            if let Err(error) = storage.remove_run(*run) {
                trouble.get_or_insert(Failure::engine(chain(&error)));
            }
        }
        match trouble {
            Some(failure) => Err(failure),
            None => Ok(removed.len()),
        }
    }
}
