//! `ci completions`: the completions of a shell. Those of bash, zsh and fish ask the program for the
//! names of jobs.

use clap::{CommandFactory, Parser};
use clap_complete::Shell;

use crate::args::{Args, Command, CompletionsArgs};
use crate::failure::Failure;
use crate::{open, output};

/// Completes `--job` in bash, in front of what is generated.
const BASH: &str = r#"
_ci_with_jobs() {
    if [ "$3" != --job ]; then
        _ci "$@"
        return
    fi
    local name
    COMPREPLY=()
    while IFS= read -r name; do
        case "$name" in "$2"*) COMPREPLY+=("$(printf %q "$name")") ;; esac
    done < <(ci shim jobs "${COMP_WORDS[@]:1:COMP_CWORD-2}" 2>/dev/null)
}
complete -F _ci_with_jobs -o bashdefault -o default ci
"#;

/// What zsh asks for a name of a job.
const ZSH: &str = r#"
_ci_job_names() {
    local -a names
    names=("${(@f)$(ci shim jobs "${(@Q)words[2,CURRENT-1]}" 2>/dev/null)}")
    compadd -a names
}
"#;

/// What fish asks for a name of a job.
const FISH: &str = r"
complete -c ci -l job -x -a '(ci shim jobs (commandline -opc)[2..] 2>/dev/null)'
";

/// Prints the completions of a shell.
pub(crate) fn completions(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "ci", &mut script);
    let script = String::from_utf8_lossy(&script);
    output::print(&match args.shell {
        Shell::Bash => format!("{script}{BASH}"),
        Shell::Zsh => {
            let script = script.replace(":JOB:_default'", ":JOB:_ci_job_names'");
            // The functions stand before the call that ends the script.
            script.replacen(
                "\nautoload -U is-at-least\n",
                &format!("\nautoload -U is-at-least\n{ZSH}"),
                1,
            )
        }
        Shell::Fish => format!("{script}{FISH}"),
        _ => script.into_owned(),
    })
}

/// Prints the names of the jobs of the workflow that a command line is about, as far as it has been
/// typed. One that says nothing sensible yet has none.
pub(crate) fn jobs(words: &[String]) -> Result<u8, Failure> {
    // What is typed may end in an option that still wants its value.
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let words = match &words[..] {
        [before @ .., "--job"] => before,
        all => all,
    };
    let typed = Args::try_parse_from(["ci"].iter().chain(words));
    // What cannot be read yet may still be about the workflow that is here.
    let typed = typed.or_else(|_| Args::try_parse_from(["ci", "list"]));
    let args = match typed.map(|args| args.command) {
        Ok(Command::Run(run)) => run.workflow,
        Ok(
            Command::Compile(args)
            | Command::Validate(args)
            | Command::Explain(args)
            | Command::List(args),
        ) => args,
        Ok(_) | Err(_) => return Ok(0),
    };
    let project = open::project(&args, &[])?;
    let (workflow, _) = project.settings.apply(project.workflow);
    let plan = workflow.plan(&project.facts);
    let plan = plan.map_err(|error| project.origin.invalid(&error))?;
    let running = plan.dag.jobs().filter(|id| !plan.skipped.contains_key(id));
    let names: Vec<&str> = running.map(|id| &*plan.job(id).name).collect();
    for name in names {
        output::line(name)?;
    }
    Ok(0)
}
