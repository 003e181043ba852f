//! Tells whom the settings name how a run goes.

use std::sync::Arc;

use ci_core::notify::{About, Notifier, NotifyPlan};
use ci_core::run::RunOptions;
use ci_core::settings::{NotifySettings, SecretRef};
use ci_core::store::RunStore;
use ci_core::workflow::RunFacts;

use crate::open::Contexts;
use crate::output;

/// What is told about a run, if anything is.
#[derive(Default)]
#[must_use = "what is left goes out when it is finished"]
pub(crate) struct Telling(Option<Notifier>);

/// Lets the run tell whom the settings name. Secrets come from the environment and from contexts.
pub(crate) fn tell(
    options: RunOptions,
    settings: &NotifySettings,
    contexts: &Contexts,
    facts: &RunFacts,
    store: &Arc<dyn RunStore>,
) -> (RunOptions, Telling) {
    let plan = NotifyPlan::from_settings(settings, |secret| look_up(secret, contexts));
    if plan.is_empty() {
        return (options, Telling::default());
    }
    let about = About::default()
        .facts(facts.clone())
        .store(Arc::clone(store));
    let (sink, notifier) = Notifier::start(plan, about);
    (options.sink(sink), Telling(Some(notifier)))
}

fn look_up(secret: &SecretRef, contexts: &Contexts) -> Option<String> {
    match &secret.context {
        Some(context) => contexts.get(context)?.get(&secret.name).cloned(),
        None => std::env::var(&secret.name).ok(),
    }
}

impl Telling {
    /// Waits until what is left went out, and says what did not. Nothing of it changes how the run ended.
    pub(crate) async fn finish(self) {
        if let Some(notifier) = self.0 {
            for failure in notifier.finish().await.failures {
                output::say(format!("warning: {failure}"));
            }
        }
    }
}
