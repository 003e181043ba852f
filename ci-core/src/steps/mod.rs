//! The built-in steps: what stands behind each [`Action`](crate::step::Action).
//!
//! A workflow names them through [`StepSpec`](crate::step::StepSpec); the types are public so that a
//! step of an embedding program can run one as a part of its own work.
//!
//! | step | does |
//! |---|---|
//! | [`RunCommand`] | runs a command, in the background if asked |
//! | [`Checkout`] | puts the sources at a commit, tag or branch into a directory |
//! | [`WaitFor`] | waits until a port, a URL or a command answers |
//! | [`Approval`] | waits until somebody decides |

mod approval;
mod checkout;
mod command;
mod dispatch;
mod job_env;
#[cfg(test)]
#[cfg(unix)]
mod test_support;
mod url;
mod wait;

pub use approval::Approval;
pub use checkout::Checkout;
pub use command::RunCommand;
pub(crate) use dispatch::builtin;
#[cfg(feature = "git")]
use url::mask_in;
use url::mask_url;
pub use wait::WaitFor;
