//! The steps that an embedding program registered under names.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::{CustomSpec, Step, StepError};
use crate::similar::{closest, did_you_mean};

type Factory = dyn Fn(&serde_json::Value) -> Result<Arc<dyn Step>, String> + Send + Sync;

/// The steps that an embedding program registered under names, for
/// [`Action::Custom`](super::Action::Custom): a spec that is only data names the step and what it is
/// given.
///
/// ```
/// use ci_core::step::{StepRegistry, step_fn};
///
/// let registry = StepRegistry::new().register("greet", |with: &serde_json::Value| {
///     let name = with["name"].as_str().ok_or("`name` is missing")?.to_owned();
///     Ok::<_, &str>(step_fn("greet", move |cx| {
///         let line = format!("hello {name}");
///         async move {
///             cx.say(line).await;
///             Ok::<_, std::io::Error>(())
///         }
///     }))
/// });
/// assert_eq!(registry.names().collect::<Vec<_>>(), ["greet"]);
/// ```
#[derive(Clone, Default)]
pub struct StepRegistry {
    factories: BTreeMap<String, Arc<Factory>>,
}

impl fmt::Debug for StepRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.factories.keys()).finish()
    }
}

impl StepRegistry {
    /// Nothing registered yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers what makes the step `name` from what the spec gives it; an error says what is wrong
    /// with that. Replaces what was registered under the name before.
    #[must_use]
    pub fn register<F, S, E>(mut self, name: impl Into<String>, make: F) -> Self
    where
        F: Fn(&serde_json::Value) -> Result<S, E> + Send + Sync + 'static,
        S: Step + 'static,
        E: fmt::Display,
    {
        let factory = move |with: &serde_json::Value| match make(with) {
            Ok(step) => Ok(Arc::new(step) as Arc<dyn Step>),
            Err(error) => Err(error.to_string()),
        };
        self.factories.insert(name.into(), Arc::new(factory));
        self
    }

    /// The names that are registered, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.factories.keys().map(String::as_str)
    }

    /// Whether a step is registered under `name`.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.factories.contains_key(name)
    }

    /// Makes the step that a spec names.
    pub fn make(&self, spec: &CustomSpec) -> Result<Arc<dyn Step>, StepError> {
        let name = &spec.step;
        let Some(factory) = self.factories.get(name) else {
            let meant = did_you_mean(closest(name, self.names()));
            let known: Vec<String> = self.names().map(|name| format!("`{name}`")).collect();
            let known = match known.as_slice() {
                [] => "nothing".into(),
                names => names.join(", "),
            };
            return Err(StepError::new(format!(
                "no step is registered as `{name}`{meant}; registered: {known}"
            )));
        };
        factory(&spec.with).map_err(|why| {
            StepError::new(format!(
                "the step `{name}` does not take what it is given: {why}"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::step_fn;

    fn custom(step: &str, with: serde_json::Value) -> CustomSpec {
        let step = step.into();
        CustomSpec { step, with }
    }

    fn error(registry: &StepRegistry, spec: &CustomSpec) -> String {
        registry
            .make(spec)
            .map(|_| ())
            .map_err(|error| error.to_string())
            .unwrap_err()
    }

    #[test]
    fn a_step_is_found_by_its_name_or_the_names_are_listed() {
        let registry = StepRegistry::new().register("greet", |with| {
            let name = with.as_str().ok_or("it takes a name")?.to_owned();
            Ok::<_, &str>(step_fn(name, |_| async { Ok::<_, StepError>(()) }))
        });
        let made = registry.make(&custom("greet", "ada".into())).unwrap();
        assert_eq!(made.name(), "ada");
        assert_eq!(
            error(&registry, &custom("gret", serde_json::Value::Null)),
            "no step is registered as `gret` (did you mean `greet`?); registered: `greet`"
        );
        assert_eq!(
            error(&registry, &custom("greet", 3.into())),
            "the step `greet` does not take what it is given: it takes a name"
        );
        assert_eq!(
            error(&StepRegistry::new(), &custom("x", serde_json::Value::Null)),
            "no step is registered as `x`; registered: nothing"
        );
    }
}
