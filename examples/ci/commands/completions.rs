//! `ci completions`.

use clap::CommandFactory;

use crate::args::{Args, CompletionsArgs};

/// Prints the completions of a shell.
pub(crate) fn completions(args: &CompletionsArgs) {
    clap_complete::generate(
        args.shell,
        &mut Args::command(),
        "ci",
        &mut std::io::stdout(),
    );
}
