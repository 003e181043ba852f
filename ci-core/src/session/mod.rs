//! What a step may do on the machine that its job runs on: run commands, move files.
//!
//! [`Session`] is the seam between the steps and the executors. It knows nothing of jobs or of
//! scheduling, so that both steps and executors can stand on it.

mod command;
mod kept;
mod output;
#[expect(
    clippy::module_inception,
    reason = "the trait gives the module its name"
)]
mod session;
mod tree;

pub use command::{BASH_OR_SH, Command, ExitStatus, Program};
pub use kept::KeptTrees;
pub use output::{LogSink, Output, OutputChunk, OutputOptions, Stream};
pub use session::{ExecIo, Session, SessionError, SessionErrorKind, SessionInfo};
pub use tree::{CopyRoot, TreeReader, TreeSelection};
