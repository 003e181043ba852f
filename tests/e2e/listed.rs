//! What lists and summaries tell: time budgets, names without secrets, what a held run needs.

use crate::support::{Project, until};

#[test]
fn what_stages_spent_of_their_budgets_is_shown_everywhere() {
    let project = Project::new(
        "
version: 1
name: budgets
budgets:
  - {stage: fast, limit: 5m}
  - {stage: slow, limit: 100ms}
jobs:
  lint: {stage: fast, steps: [{run: 'true'}]}
  test: {stage: slow, steps: [{run: sleep 0.3}]}
",
    );
    // How much was spent depends on the machine.
    let tells = |shown: &str, words: &str, limit: &str| {
        shown.split(words).skip(1).any(|rest| {
            let spent = rest.split_once(limit).map_or("-", |(spent, _)| spent);
            spent.chars().all(|it| it.is_ascii_digit() || it == ':')
        })
    };
    let kept = ("budget of stage fast: ", " of 5:00 (");
    let over = ("! budget of stage slow: ", " of 0:00 (");
    let console = project.ci(&["run"]).ok();
    let all = ["show", "report run"].map(|words| {
        let mut args: Vec<&str> = words.split(' ').collect();
        args.push("last");
        project.ci(&args).ok().stdout
    });
    let html = project.ci(&["report", "html", "last"]).ok().stdout;
    for shown in all.iter().chain([&console.stderr, &html]) {
        for (words, limit) in [kept, over] {
            assert!(tells(shown, words, limit), "{shown}\n{}", console.stderr);
        }
    }
    let markdown = ["report", "run", "last", "--format", "markdown"];
    let markdown = project.ci(&markdown).ok().stdout;
    assert!(
        markdown.contains("- **budget of stage slow: "),
        "{markdown}"
    );
    let json = ["report", "run", "last", "--format", "json"];
    let json = project.ci(&json).ok().json();
    assert_eq!(json["budgets"][0]["stage"], "fast");
    assert_eq!(json["budgets"][1]["limit"], 0.1);
    let show = project
        .ci(&["show", "last", "--format", "json"])
        .ok()
        .json();
    let events = show["events"].as_array().expect("events");
    let last = events.last().expect("an event");
    assert_eq!(last["budgets"], json["budgets"]);
}

#[test]
fn lists_show_names_without_secrets() {
    let project = Project::new(
        r#"
version: 1
name: masked
jobs:
  build:
    contexts: [vault]
    steps:
      - run: mkdir out; echo x > "out/$TOK.txt"; echo y > "out/$TOK2.txt"
      - store_artifacts: {paths: [out]}
      - restore_cache: {keys: ["k2-{{ .Environment.TOK }}"]}
      - run: ls out
      - save_cache: {key: "k2-{{ .Environment.TOK }}", paths: [out]}
"#,
    );
    let secrets = ["supersecretvalue42", "othersecretvalue43"];
    project.write(
        "secrets.yml",
        &format!("vault: {{TOK: {}, TOK2: {}}}\n", secrets[0], secrets[1]),
    );
    let run = ["run", "--context", "secrets.yml"];
    project.ci(&run).ok();
    let lists: [&[&str]; 5] = [
        &["artifacts", "last"],
        &["artifacts", "last", "--format", "json"],
        &["cache", "list"],
        &["cache", "list", "--format", "json"],
        &["show", "last", "--format", "json"],
    ];
    for args in lists {
        let shown = project.ci(args).ok().stdout;
        assert!(shown.contains("***"), "{shown}");
        for secret in secrets {
            assert!(!shown.contains(secret), "{args:?}: {shown}");
        }
    }
    let dest = project.path().join("copied");
    let dest_arg = dest.to_string_lossy().into_owned();
    project
        .ci(&["artifacts", "last", "build", "-o", &dest_arg])
        .ok();
    let mut contents = ["***.txt", "***-2.txt"].map(|name| {
        let path = dest.join("out").join(name);
        std::fs::read_to_string(path).expect("copied")
    });
    contents.sort_unstable();
    assert_eq!(contents, ["x\n", "y\n"]);
    std::fs::remove_dir_all(project.path().join("out")).expect("removed");
    let again = project.ci(&["run", "-v", "--context", "secrets.yml"]);
    let said = format!("{}{}", again.stdout, again.stderr);
    assert!(said.contains("brought back the cache `k2-***`"), "{said}");
    project.ci(&["cache", "rm", "k2-***"]).ok();
    assert!(!project.ci(&["cache", "list"]).ok().stdout.contains("k2-"));
    project.ci(&["cache", "rm", "k2-***"]).exits(2);
}

#[test]
fn a_decision_about_a_job_that_is_not_held_is_answered() {
    let project = Project::new(
        "
version: 1
name: gate
jobs:
  build: {steps: [{run: 'until [ -f go ]; do sleep 0.05; done'}]}
  deploy: {needs: [build], manual: true, steps: [{run: touch deployed}]}
",
    );
    let engine = project.spawn(&["run", "-q"]);
    until("the run is kept", || {
        project.store().is_file() && project.last_run()["active"] == true
    });
    let early = project.ci(&["approve", "last", "deploy"]).ok();
    assert!(
        early.stderr.contains("`deploy` is not held now"),
        "{}",
        early.stderr
    );
    project.write("go", "");
    let output = engine.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(project.path().join("deployed").exists());
    let late = project.ci(&["approve", "last", "deploy"]).exits(2);
    assert!(
        late.stderr.contains("has ended as success"),
        "{}",
        late.stderr
    );
    assert!(!late.stderr.contains("resume"), "{}", late.stderr);
}

#[test]
fn a_run_that_ended_on_hold_says_how_it_goes_on() {
    let project = Project::new(
        "
version: 1
name: hold
jobs:
  build: {steps: [{run: 'true'}]}
  deploy: {needs: [build], manual: true, steps: [{run: 'true'}]}
",
    );
    let held = project.ci(&["run", "--hold", "finish"]).ok();
    let run = project.last_id();
    let said = format!("{}{}", held.stdout, held.stderr);
    assert!(said.contains(&format!("ci approve {run} deploy")), "{said}");
    assert!(said.contains(&format!("ci resume {run}")), "{said}");
    assert!(!said.contains("rerun"), "{said}");
    let shown = project.ci(&["show", "last"]).ok();
    assert!(
        shown.stderr.contains(&format!("ci approve {run} deploy")),
        "{}",
        shown.stderr
    );
    let ended = project.ci(&["approve", "last", "build"]).exits(2);
    assert!(
        ended
            .stderr
            .contains("`build` is not held: it has ended as success"),
        "{}",
        ended.stderr
    );
    let approved = project.ci(&["approve", "last", "deploy"]).ok();
    assert!(
        approved.stderr.contains(&format!("`ci resume {run}`")),
        "{}",
        approved.stderr
    );
    assert!(!approved.stderr.contains("not held"), "{}", approved.stderr);
}

#[test]
fn the_end_of_a_background_command_is_told_in_words() {
    let project = Project::new(
        r#"
version: 1
name: behind
jobs:
  a:
    steps:
      - {run: 'echo $$ > first; exit 5', background: true}
      - {run: 'touch second; sleep 100', background: true}
      - run: |
          # The first is gone only when the engine knows how it ended.
          until [ -s first ] && ! kill -0 "$(cat first)" 2>/dev/null; do sleep 0.05; done
          until [ -e second ]; do sleep 0.05; done
"#,
    );
    let run = project.ci(&["run", "-v"]).ok();
    let said = format!("{}{}", run.stdout, run.stderr);
    for words in [
        "the background command ended with exit code 5",
        "the background command was stopped at the end of the job",
    ] {
        assert!(said.contains(words), "{said}");
    }
}
