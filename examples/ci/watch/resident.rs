//! The watching of repositories inside of another program: begun, given orders, stopped.

use std::ffi::OsString;

use ci_core::id::RunId;
use clap::Parser;
use tokio::sync::mpsc;

use super::args::WatchArgs;
use super::drive::Watch;
use super::orders::{Order, Orders, Start};
use crate::UsageError;
use crate::args::Global;
use crate::library::unusable;

/// The words of `ci watch`.
#[derive(Debug, Parser)]
#[command(name = "watch", disable_help_flag = true)]
struct Words {
    #[command(flatten)]
    global: Global,
    #[command(flatten)]
    args: WatchArgs,
}

/// The watching of repositories as `ci watch` does it, to be asked for runs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Watching {
    orders: Orders,
}

impl Watching {
    /// Opens the store and the repositories that the words of `ci watch` name. The future watches until
    /// it is [stopped](Self::stop), and has to be run for anything to happen; it needs the executor of
    /// tokio with threads.
    ///
    /// # Errors
    /// When the words or what they name cannot be used.
    pub fn open(
        words: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Result<(Self, impl Future<Output = Result<(), UsageError>> + Send), UsageError> {
        let words = words.into_iter().map(Into::into);
        let words = Words::try_parse_from(std::iter::once(OsString::from("watch")).chain(words))
            .map_err(|error| unusable(&error))?;
        let mut watch = Watch::open(words.global, words.args)?;
        let (sender, orders) = mpsc::unbounded_channel();
        let watched = async move {
            watch.go_on_with_unfinished().await?;
            watch.drive(orders).await?;
            Ok(())
        };
        let orders = Orders(sender);
        Ok((Self { orders }, watched))
    }

    /// Starts a run that no change asks for.
    ///
    /// # Errors
    /// When there is no such commit, its configuration or the arguments cannot be used, or its triggers
    /// let no program start a run.
    pub async fn start(&self, start: Start) -> Result<RunId, UsageError> {
        let asked = self.orders.ask(|answer| Order::Start(start, answer));
        Ok(asked.await?)
    }

    /// Runs again what did not succeed in a run, as a new run that reuses the rest.
    ///
    /// # Errors
    /// When there is no such run, it goes on, or it is for another repository.
    pub async fn rerun(&self, run: RunId) -> Result<RunId, UsageError> {
        let asked = self.orders.ask(|answer| Order::Rerun(run, answer));
        Ok(asked.await?)
    }

    /// Goes on with a run that ended on hold and that somebody has decided about since.
    ///
    /// # Errors
    /// When there is no such run, it has ended for good, or it is for another repository.
    pub async fn resume(&self, run: RunId) -> Result<(), UsageError> {
        let asked = self.orders.ask(|answer| Order::Resume(run, answer));
        asked.await?;
        Ok(())
    }

    /// Begins no new runs, and ends when those that run have ended; the second time stops them, the
    /// third time their teardown too.
    pub fn stop(&self) {
        // Nobody takes it if the watching has ended already.
        let _ = self.orders.0.send(Order::Stop);
    }
}
