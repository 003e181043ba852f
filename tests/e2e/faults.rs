//! Steps that misbehave, stores that cannot be used, secrets that try to get out.

use std::time::{Duration, Instant};

use crate::support::{Project, job, processes_of, until, until_within};

fn one_job(step: &str) -> Project {
    let mut script = String::new();
    for line in step.lines() {
        script.push_str("          ");
        script.push_str(line);
        script.push('\n');
    }
    Project::new(&format!(
        "version: 1\nname: one\njobs:\n  job:\n    steps:\n      - run: |\n{script}"
    ))
}

#[test]
fn a_daemon_that_a_step_forked_dies_with_the_job() {
    let project = one_job(
        "(setsid sh -c 'echo $$ > pid; exec sleep 300' </dev/null >/dev/null 2>&1 &)\nwhile [ ! -s pid ]; do sleep 0.01; done",
    );
    project.ci(&["run", "-q"]).ok();
    assert_eq!(processes_of(&project.last_id()), [0u32; 0]);
    let pid = project.read("pid");
    assert!(
        !std::path::Path::new(&format!("/proc/{}", pid.trim())).exists(),
        "{pid} still runs"
    );
}

#[test]
fn a_step_that_ignores_term_is_killed() {
    let project = Project::new(
        "version: 1\nname: stubborn\njobs:\n  job:\n    timeout: 1s\n    steps:\n      - run: |\n          trap '' TERM INT HUP\n          while :; do sleep 0.1; done\n",
    );
    // It never ends by itself.
    let finished = project.ci(&["run", "--format", "json"]).exits(1).finished();
    assert_eq!(job(&finished, "job")["outcome"], "timed_out");
    assert_eq!(processes_of(&project.last_id()), [0u32; 0]);
}

#[test]
fn a_step_that_closes_its_output_still_ends_by_its_own_exit_code() {
    let project = one_job("echo before\nexec >&- 2>&-\nsleep 0.2\nexit 4");
    let finished = project.ci(&["run", "--format", "json"]).exits(1).finished();
    assert_eq!(job(&finished, "job")["exit_code"], 4);
    assert_eq!(project.ci(&["logs", "last", "job"]).ok().stdout, "before\n");
}

#[test]
fn a_child_that_holds_the_pipe_does_not_hold_the_step() {
    let project = one_job("sleep 300 &\necho done");
    let began = Instant::now();
    project.ci(&["run", "-q"]).ok();
    // Less than the child takes.
    assert!(began.elapsed() < Duration::from_mins(4));
    assert_eq!(processes_of(&project.last_id()), [0u32; 0]);
}

#[test]
fn two_gibibytes_without_a_newline_are_kept_in_bounded_memory() {
    let project = one_job("head -c 2147483648 /dev/zero | tr '\\0' x");
    let engine = project.spawn(&["run", "-q"]);
    let status = format!("/proc/{}/status", engine.id());
    let mut peak = 0;
    // A little less than the runner of the tests allows: then it is said what did not happen.
    until_within(Duration::from_mins(14), "the run ends", || {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let Some(line) = line else { return true };
        peak = line
            .trim()
            .trim_end_matches(" kB")
            .parse::<u64>()
            .expect("a number");
        text.contains("State:\tZ")
    });
    let output = engine.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    assert!((1..256 * 1024).contains(&peak), "{peak} KiB at the peak");
    let logs = project.path().join(".state/runs.db.logs");
    let size = walk(&logs);
    assert!(
        size >= 2_147_483_648,
        "{size} bytes of log in `{}`",
        logs.display()
    );
}

fn walk(dir: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|entry| {
            let meta = entry.metadata().expect("a file");
            if meta.is_dir() {
                walk(&entry.path())
            } else {
                meta.len()
            }
        })
        .sum()
}

#[test]
fn a_secret_never_shows_however_it_is_printed() {
    let secret = "hunter2-correct-horse";
    let project = one_job(
        "printf hunter2-cor; sleep 0.2; printf 'rect-horse\\n'\necho \"plain $TOKEN\"\nprintf %s \"$TOKEN\" | base64\nprintf %s \"x$TOKEN\" | base64\nprintf %s \"xy$TOKEN\" | base64\necho \"$LINES_OF_KEY\"\necho \"$TOKEN\" >&2\nmkdir -p out; echo kept > \"out/$TOKEN.txt\"\nexit 3",
    );
    let workflow = project.read(".ci/workflow.yml");
    project.write(
        ".ci/workflow.yml",
        &workflow.replace("    steps:", "    contexts: [vault]\n    steps:"),
    );
    project.write(
        "secrets.yml",
        &format!("vault:\n  TOKEN: {secret}\n  LINES_OF_KEY: \"first-line-of-key\\nsecond-line-of-key\\n\"\n  PIN: \"12\"\n"),
    );
    let run = project
        .ci(&["run", "--format", "json", "--context", "secrets.yml"])
        .exits(1);
    let verbose = project
        .ci(&["run", "-v", "--context", "secrets.yml"])
        .exits(1);
    let logs = project.ci(&["logs", "last"]).ok();
    let shown = project.ci(&["show", "last", "--format", "json"]).ok();
    let plain = secret.to_owned();
    let coded = [
        "aHVudGVyMi1jb3JyZWN0LWhvcnNl",
        "ImNvcnJlY3QtaG9yc2",
        "h1bnRlcjItY29ycmVjdC1ob3JzZQ",
    ];
    for text in [
        &run.stdout,
        &run.stderr,
        &verbose.stderr,
        &verbose.stdout,
        &logs.stdout,
        &shown.stdout,
    ] {
        assert!(!text.contains(&plain), "{text}");
        assert!(
            !text.contains("first-line-of-key") && !text.contains("second-line-of-key"),
            "{text}"
        );
        for form in coded {
            assert!(!text.contains(form), "{form}: {text}");
        }
    }
    assert!(logs.stdout.contains("***"), "{}", logs.stdout);
    let warned = run.events().iter().any(|event| {
        event["type"] == "warning"
            && event["message"]
                .as_str()
                .is_some_and(|text| text.contains("PIN"))
    });
    assert!(warned, "a secret of two characters gives a warning");
    let stored = std::fs::read(project.store()).expect("the store");
    assert!(
        !stored
            .windows(secret.len())
            .any(|window| window == secret.as_bytes())
    );
}

#[test]
fn the_user_s_home_stays_as_it_was() {
    let project =
        one_job("echo \"$HOME\" > home; mkdir -p ~/.cache/tool && touch ~/.cache/tool/file");
    project.ci(&["run", "-q"]).ok();
    let home = project.read("home");
    assert_ne!(home.trim(), std::env::var("HOME").unwrap_or_default());
    assert!(
        !std::path::Path::new(home.trim()).exists(),
        "the private home is still there"
    );
}

#[test]
fn a_store_that_cannot_be_used_says_why_and_loses_nothing() {
    let project = one_job("touch ran");
    std::fs::create_dir_all(project.store().parent().expect("a directory")).expect("created");
    std::fs::write(project.store(), "this is no store, it is somebody's diary").expect("written");
    let wrong = project.ci(&["run"]).exits(3);
    assert!(wrong.stderr.contains("runs.db"), "{}", wrong.stderr);
    assert!(wrong.stderr.contains("hint:"), "{}", wrong.stderr);
    assert!(!project.path().join("ran").exists());
    let kept = std::fs::read_to_string(project.store()).expect("still there");
    assert_eq!(kept, "this is no store, it is somebody's diary");
}

#[test]
fn the_first_interrupt_stops_the_jobs_and_teardown_still_runs() {
    let project = Project::new(
        "version: 1\nname: stop\njobs:\n  work: {steps: [{run: touch begun; sleep 300}]}\n  clean: {needs: [work], always: true, steps: [{run: touch swept}]}\n",
    );
    let engine = project.spawn(&["run", "-q"]);
    until("the job runs", || project.path().join("begun").exists());
    let pid = engine.id().to_string();
    let sent = std::process::Command::new("kill")
        .args(["-TERM", &pid])
        .status()
        .expect("kill");
    assert!(sent.success());
    let output = engine.wait_with_output().expect("it ends");
    assert_eq!(
        output.status.code(),
        Some(130),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(project.path().join("swept").exists());
    assert_eq!(project.last_run()["outcome"], "canceled");
    assert_eq!(processes_of(&project.last_id()), [0u32; 0]);
}
