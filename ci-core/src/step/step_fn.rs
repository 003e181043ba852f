//! A closure as a step.

use std::error::Error;
use std::fmt;
use std::future::Future;

use async_trait::async_trait;

use super::{SessionUse, Step, StepContext, StepError};
use crate::outcome::{Failure, Outcome};

/// Turns an async closure into a step.
///
/// The closure gets the step's context and returns `Ok(())` or an [`Outcome`]. An error is a failure
/// of the step, with its chain of causes as the message; only a [`StepError`] is an infrastructure
/// failure.
///
/// ```
/// use ci_core::step::step_fn;
///
/// let step = step_fn("greet", |cx| async move {
///     cx.say("hello").await;
///     Ok::<_, std::io::Error>(())
/// });
/// ```
pub fn step_fn<F, Fut, T, E>(name: impl Into<String>, run: F) -> StepFn<F>
where
    F: Fn(StepContext) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T, E>> + Send,
    T: Into<Outcome>,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    StepFn {
        name: name.into(),
        run,
    }
}

/// A closure as a step, made by [`step_fn`].
#[derive(Clone)]
pub struct StepFn<F> {
    name: String,
    run: F,
}

impl<F> fmt::Debug for StepFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StepFn").field(&self.name).finish()
    }
}

#[async_trait]
impl<F, Fut, T, E> Step for StepFn<F>
where
    F: Fn(StepContext) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T, E>> + Send,
    T: Into<Outcome>,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    fn name(&self) -> &str {
        &self.name
    }

    async fn run(&self, cx: &StepContext) -> Result<Outcome, StepError> {
        self.run_owned(cx.clone()).await
    }

    async fn run_owned(&self, cx: StepContext) -> Result<Outcome, StepError> {
        let result = (self.run)(cx).await.map(Into::into).map_err(Into::into);
        match result {
            Ok(outcome) => Ok(outcome),
            Err(error) => match error.downcast::<StepError>() {
                Ok(error) => Err(*error),
                Err(error) => {
                    let words = crate::error::chain(error.as_ref());
                    Ok(Outcome::Failed(Box::new(Failure::message(words))))
                }
            },
        }
    }

    fn session_use(&self) -> SessionUse {
        SessionUse::OnDemand
    }
}
