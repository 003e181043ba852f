//! The first connection to a machine that may still be on its way up.

use std::error::Error as _;
use std::time::Duration;

use ci_core::executor::{ExecutorError, ExecutorErrorKind, PrepareRequest};
use tokio::time::Instant;

use super::rent::Landlord;
use super::wait::{gone, look};
use crate::ssh::{SshError, SshErrorKind, SshExecutor, SshSession};

/// Connects to the instance `id`, again and again until it lets us in.
///
/// # Errors
/// At once for a wrong host key, and for an instance that is not up any more.
pub(super) async fn connect(
    landlord: &Landlord,
    id: &str,
    ssh: &SshExecutor,
    request: &PrepareRequest<'_>,
) -> Result<SshSession, ExecutorError> {
    let options = &landlord.options;
    let patience = landlord.patience(options.boot_deadline, &request.output, &request.cancel);
    let mut told = false;
    loop {
        let error = match ssh.open(request.clone()).await {
            Ok(session) => return Ok(session),
            Err(error) => error,
        };
        let source = error.source().and_then(|it| it.downcast_ref::<SshError>());
        // Before its start is over a machine answers nothing, and then knows no user.
        let may_pass = source.is_some_and(|error| {
            matches!(
                error.kind(),
                SshErrorKind::Unreachable | SshErrorKind::Lost | SshErrorKind::Denied
            )
        });
        if !may_pass {
            return Err(error);
        }
        if Instant::now() >= patience.deadline {
            let text = format!("`{id}` did not let us in in time: {error}");
            let is_denied = source.is_some_and(|error| error.kind() == SshErrorKind::Denied);
            let hint = if is_denied {
                "is the user the right one, and does the machine know the public half of the key?"
            } else {
                "is the port open for this machine, and does it have the address that was asked for?"
            };
            return Err(ExecutorError::new(ExecutorErrorKind::TimedOut, text)
                .with_hint(hint)
                .with_source(error));
        }
        let instance = look(landlord.api.as_ref(), id, &patience).await?;
        if let Some(instance) = instance.filter(|it| !it.state.is_up()) {
            return Err(gone(&instance).into());
        }
        if !told {
            request
                .output
                .say(format!("waiting for `{id}` to let us in"))
                .await;
            told = true;
        }
        let pause = options.poll.min(Duration::from_secs(2));
        // At the deadline the last error is what there is to tell.
        if Instant::now() < patience.deadline {
            patience.sleep(pause, "connecting").await?;
        }
    }
}
