//! What the help of commands shows to be typed.

/// The program.
pub(crate) const PROGRAM: &str = "Examples:
  ci run                          run the workflow of this directory
  ci run path/to/project -v       another one, with all its output
  ci run --job test               one job and what it needs
  ci runs                         what ran lately
  ci show last                    how the last run went
  ci show --last --failed         what failed in it, and what changed since it last went well
  ci logs last test               what its job `test` printed
  ci report html last -o run.html the run as a page
  ci rerun last --from-failed     run again what failed
  ci graph --as mermaid           the jobs as a diagram
  ci explain                      what differs from the vendor's machines
  ci watch .                      run every new commit, until Ctrl-C

Exit codes: 0 success, also of a run that ended on hold, 1 the workflow failed, 2 the input was
wrong, 3 the engine or an executor broke, 130 interrupted.";

pub(crate) const RUN: &str = "Examples:
  ci run -v                             the workflow of this directory, with all its output
  ci run --job test -j 4                one job and what it needs, four jobs at once
  ci run --branch main --var LEVEL=2    as a run for `main`, with a variable
  ci run --format json | jq .type       its events, one a line";

pub(crate) const RESUME: &str = "Examples:
  ci resume                             go on with the last run
  ci approve last deploy && ci resume   after `ci run --hold finish`";

pub(crate) const RERUN: &str = "Examples:
  ci rerun last                         every job again
  ci rerun last --from-failed           only those that did not succeed, and what needs them";

pub(crate) const GRAPH: &str = "Examples:
  ci graph | dot -Tpng -o jobs.png      a picture by Graphviz
  ci graph --as mermaid                 for Markdown
  ci graph --format json                nodes and edges, for programs";

pub(crate) const RUNS: &str = "Examples:
  ci runs --branch main -n 5            the last five for `main`
  ci runs --format json | jq '.data[].outcome'";

pub(crate) const SHOW: &str = "Examples:
  ci show                               how the last run went
  ci show --failed                      only what failed in it
  ci show --branch main                 the last run for `main`";

pub(crate) const LOGS: &str = "Examples:
  ci logs last                          what all jobs printed
  ci logs last test --step 0            the first step of the job `test`
  ci logs last test -f                  go on while it runs";

pub(crate) const CANCEL: &str = "Examples:
  ci cancel                             stop the last run
  ci cancel last --job deploy           only its job `deploy`";

pub(crate) const APPROVE: &str = "Examples:
  ci approve last deploy                let the job `deploy` go on
  ci approve last deploy --reject       refuse it";

pub(crate) const ARTIFACTS: &str = "Examples:
  ci artifacts last                     list the files of all jobs
  ci artifacts last build -o out        copy those of `build` into `out`";

pub(crate) const CACHE: &str = "Examples:
  ci cache list                         what there is, and how large
  ci cache rm deps-v1                   remove one by its key";
