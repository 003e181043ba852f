//! The program `ci`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(ci_cli::main(std::env::args_os()))
}
