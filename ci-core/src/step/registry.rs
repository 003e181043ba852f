//! Steps that a spec names instead of holding.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::{Step, StepError};

type Factory = Arc<dyn Fn(&serde_json::Value) -> Result<Arc<dyn Step>, String> + Send + Sync>;

/// The steps of the embedding program by the names under which specs ask for them.
#[derive(Clone, Default)]
pub struct StepRegistry {
    factories: BTreeMap<String, Factory>,
}

impl fmt::Debug for StepRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.factories.keys()).finish()
    }
}

impl StepRegistry {
    /// Registers a way to make a step from what the spec gives it. The error, in words, says what is
    /// wrong with that. A later registration of a name replaces an earlier one.
    pub fn register<F>(&mut self, name: impl Into<String>, make: F)
    where
        F: Fn(&serde_json::Value) -> Result<Arc<dyn Step>, String> + Send + Sync + 'static,
    {
        self.factories.insert(name.into(), Arc::new(make));
    }

    /// The step of this name, made from `with`.
    pub(crate) fn make(
        &self,
        name: &str,
        with: &serde_json::Value,
    ) -> Result<Arc<dyn Step>, StepError> {
        let Some(make) = self.factories.get(name) else {
            let known: Vec<_> = self
                .factories
                .keys()
                .map(|name| format!("`{name}`"))
                .collect();
            let known = if known.is_empty() {
                "none is".to_owned()
            } else {
                format!("known: {}", known.join(", "))
            };
            let message = format!("no step is registered as `{name}` ({known})");
            return Err(StepError::new(message));
        };
        make(with).map_err(|why| StepError::new(format!("the step `{name}`: {why}")))
    }
}
