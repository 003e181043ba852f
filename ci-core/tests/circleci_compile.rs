//! What CircleCI files compile to, rule by rule: each case is a file and the part of the compiled one
//! that the rule is about.
#![cfg(feature = "circleci")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of a test that fails has failed"
)]

use ci_core::config::circleci::{CompileOptions, Compiled, Lowered, compile};
use ci_core::config::problem::Problems;
use ci_core::config::yaml::{Node, load};

fn options() -> CompileOptions {
    let mut options = CompileOptions::default();
    options.pipeline.facts.branch = Some("main".to_owned());
    options.pipeline.number = 7;
    options
}

#[track_caller]
fn compiled(text: &str) -> Compiled {
    compile(text, "config.yml", &options()).unwrap()
}

#[track_caller]
fn lowered(text: &str) -> Lowered {
    compiled(text).lower(None, &options()).unwrap()
}

/// The mistakes of a file, those that are found when its jobs are made included.
#[track_caller]
fn wrong(text: &str) -> String {
    let done = compile(text, "c", &options()).and_then(|it| it.lower(None, &options()));
    done.unwrap_err().to_string()
}

fn yaml(text: &str) -> Node {
    let mut documents = load(text, "expected", &mut Problems::new()).unwrap();
    documents.remove(0)
}

/// Follows keys and indices, as in `jobs.build.steps.0`.
#[track_caller]
fn at<'n>(node: &'n Node, path: &str) -> &'n Node {
    path.split('/').fold(node, |node, key| match key.parse() {
        Ok(index) => {
            let index: usize = index;
            &node.as_seq().unwrap()[index]
        }
        Err(_) => node
            .get(key)
            .unwrap_or_else(|| panic!("nothing at {key} of {path}: {node:?}")),
    })
}

/// The part at `path` is what `expected` says.
#[track_caller]
fn check(text: &str, path: &str, expected: &str) {
    let compiled = compiled(text);
    let part = at(&compiled.config, path);
    let expected = yaml(expected);
    assert!(part.same(&expected), "{part:#?}\nis not\n{expected:#?}");
}

/// A file of one job with these steps and parameters of commands.
fn steps(commands: &str, steps: &str) -> String {
    format!(
        "version: 2.1\nparameters: {{n: {{type: integer, default: 3}}, off: {{type: boolean, default: false}}, empty: {{type: string, default: ''}}}}\ncommands:\n{commands}\njobs:\n  build:\n    docker: [{{image: a}}]\n    steps:\n{steps}\n"
    )
}

#[track_caller]
fn check_steps(commands: &str, list: &str, expected: &str) {
    check(&steps(commands, list), "jobs/build/steps", expected);
}

const SAY: &str = "  say: {parameters: {what: {type: string}, times: {type: integer, default: 1}, loud: {type: boolean, default: no}}, steps: [run: echo << parameters.what >> << parameters.times >> << parameters.loud >>]}";

#[test]
fn a_file_without_workflows_runs_build() {
    check(
        "version: 2.1\njobs: {build: {docker: [{image: a}], steps: [checkout, run: ls, run: {command: b, name: c}]}}",
        "workflows",
        "{workflow: {jobs: [build]}, version: 2}",
    );
}

#[test]
fn files_of_version_2_stay_as_they_are() {
    let text = "version: 2\nx: &x {docker: [{image: a}]}\njobs: {build: {<<: *x, steps: [checkout, run: 'echo \\<< a']}}\n";
    check(text, "jobs/build/docker/0/image", "a");
    check(text, "jobs/build/steps/1/run", "'echo \\<< a'");
    // The one job that runs without workflows is `build`.
    let lowered = lowered(text);
    let names: Vec<&str> = lowered.workflow.jobs.iter().map(|job| &*job.name).collect();
    assert_eq!(names, ["build"]);
    assert_eq!(
        lowered.workflow.jobs[0].steps.len(),
        3,
        "the environment, the checkout, the command"
    );
    assert!(compiled(text).config.get("workflows").is_none());
}

#[test]
fn arguments_keep_their_type_alone_and_become_text_in_text() {
    check_steps(
        SAY,
        "      - say: {what: a}\n      - say: {what: 'x y', times: << pipeline.parameters.n >>, loud: true}\n      - run: {command: ls, environment: {N: << pipeline.number >>}, background: << pipeline.parameters.off >>}",
        "[run: {command: echo a 1 false}, run: {command: echo x y 3 true}, run: {command: ls, environment: {N: 7}, background: false}]",
    );
}

#[test]
fn an_escape_is_text_and_a_heredoc_is_none_of_ours() {
    check_steps(
        "  c: {parameters: {x: {type: string}}, steps: [run: << parameters.x >>]}",
        "      - run: \"cat \\\\<<EOF\\nx\\nEOF\"\n      - run: cat <<EOF\n      - c: {x: 'a \\<< b'}\n      - run: a \\<< parameters.x >> << pipeline.number >>",
        "[run: {command: \"cat <<EOF\\nx\\nEOF\"}, run: {command: cat <<EOF}, run: {command: a << b}, run: {command: a << parameters.x >> 7}]",
    );
}

#[test]
fn sections_show_and_hide() {
    check_steps(
        "  c: {parameters: {b: {type: boolean, default: false}}, steps: [run: 'a<<#parameters.b>> yes<</parameters.b>><<^parameters.b>> no<</parameters.b>>']}",
        "      - c\n      - c: {b: true}",
        "[run: {command: a no}, run: {command: a yes}]",
    );
}

#[test]
fn keys_are_filled_too() {
    check_steps(
        "",
        "      - run: {command: a, environment: {V_<< pipeline.number >>: b}}",
        "[run: {command: a, environment: {V_7: b}}]",
    );
}

#[test]
fn conditions_nest_and_are_decided() {
    for (condition, holds) in [
        ("true", true),
        ("''", false),
        ("0", false),
        ("<< pipeline.parameters.off >>", false),
        ("<< pipeline.parameters.empty >>", false),
        ("<< pipeline.parameters.n >>", true),
        ("{equal: [3, << pipeline.parameters.n >>]}", true),
        ("{equal: ['3', << pipeline.parameters.n >>]}", false),
        ("{equal: [a, a, a]}", true),
        ("{not: {or: [false, {and: [true, {not: 1}]}]}}", true),
        (
            "{matches: {pattern: 'ma', value: << pipeline.git.branch >>}}",
            false,
        ),
        (
            "{matches: {pattern: '^ma.*$', value: << pipeline.git.branch >>}}",
            true,
        ),
        ("<< pipeline.git.tag >>", false),
        (
            "<< pipeline.git.branch == \"main\" and not pipeline.git.tag >>",
            true,
        ),
    ] {
        let text = steps(
            "",
            &format!(
                "      - checkout\n      - when: {{condition: {condition}, steps: [run: yes it is]}}\n      - unless: {{condition: {condition}, steps: [run: no it is not]}}"
            ),
        );
        let word = if holds { "yes it is" } else { "no it is not" };
        let expected = format!("[checkout, run: {{command: {word}}}]");
        check(&text, "jobs/build/steps", &expected);
    }
}

#[test]
fn steps_are_resolved_where_they_are_written() {
    // `hi` of the orb is not that of the file.
    let text = r"
version: 2.1
orbs:
  o:
    commands:
      hi: {steps: [run: of the orb]}
      around:
        parameters: {body: {type: steps, default: [hi]}}
        steps: [hi, {steps: << parameters.body >>}]
commands:
  hi: {steps: [run: of the file]}
  through: {parameters: {inner: {type: steps}}, steps: [o/around: {body: << parameters.inner >>}]}
jobs:
  build: {docker: [{image: a}], steps: [o/around, o/around: {body: [hi]}, through: {inner: [hi, checkout]}]}
";
    check(
        text,
        "jobs/build/steps",
        "[run: {command: of the orb}, run: {command: of the orb}, run: {command: of the orb}, run: {command: of the file}, run: {command: of the orb}, run: {command: of the file}, checkout]",
    );
}

#[test]
fn defaults_may_name_other_commands_and_steps_may_be_none() {
    check_steps(
        "  a: {parameters: {s: {type: steps, default: []}}, steps: [run: a, {steps: << parameters.s >>}, {when: {condition: << parameters.s >>, steps: [run: some]}}]}\n  b: {steps: [a: {s: [run: in b]}]}",
        "      - a\n      - b",
        "[run: {command: a}, run: {command: a}, run: {command: in b}, run: {command: some}]",
    );
}

#[test]
fn a_default_may_be_a_value_of_the_pipeline() {
    let text = r"
version: 2.1
parameters: {n: {type: integer, default: 4}, tag: {type: string, default: '16.3'}}
commands: {c: {parameters: {t: {type: string, default: << pipeline.parameters.tag >>}}, steps: [run: << parameters.t >>]}}
executors: {e: {parameters: {t: {type: string, default: 'v<< pipeline.parameters.tag >>'}}, docker: [{image: 'a:<< parameters.t >>'}]}}
jobs:
  build:
    parameters: {n: {type: integer, default: << pipeline.parameters.n >>}}
    executor: e
    parallelism: << parameters.n >>
    steps: [c]
";
    check(
        text,
        "jobs/build",
        "{parallelism: 4, docker: [{image: 'a:v16.3'}], steps: [run: {command: '16.3'}]}",
    );
    let told = wrong(&text.replace(
        "type: integer, default: << pipe",
        "type: boolean, default: << pipe",
    ));
    assert!(
        told.contains("the argument `n` of the job `build` is an integer, not a boolean"),
        "{told}"
    );
}

const EXECUTORS: &str = r"
version: 2.1
orbs:
  o:
    orbs:
      deep:
        executors: {tiny: {docker: [{image: 'deep:1'}]}}
        jobs: {j: {executor: tiny, steps: [run: deep]}}
    executors: {small: {parameters: {tag: {type: string, default: '1.0'}}, docker: [{image: 'o:<< parameters.tag >>'}]}}
    jobs: {j: {parameters: {e: {type: executor, default: small}}, executor: << parameters.e >>, steps: [checkout]}}
executors:
  big: {parameters: {size: {type: enum, enum: [m, l], default: m}}, machine: {image: u}, resource_class: << parameters.size >>, environment: {A: 1, B: 2}, shell: sh, working_directory: ~/w}
  small: {docker: [{image: mine}]}
jobs:
  j: {parameters: {e: {type: executor, default: {name: big, size: l}}}, executor: << parameters.e >>, environment: {B: 3}, shell: bash, steps: [checkout]}
workflows:
  w:
    jobs:
      - j
      - j: {name: on-orb, e: {name: o/small, tag: '9'}}
      - o/j
      - o/j: {name: ours, e: small}
      - j: {name: of-string, e: small}
";

#[test]
fn executors_are_found_where_they_are_named_and_the_job_wins() {
    check(
        EXECUTORS,
        "jobs/j",
        "{environment: [{A: 1}, {B: 2}, {B: 3}], shell: bash, steps: [checkout], machine: {image: u}, resource_class: l, working_directory: ~/w}",
    );
    for (job, image) in [
        ("on-orb", "o:9"),
        ("o/j", "o:1.0"),
        ("ours", "mine"),
        ("of-string", "mine"),
    ] {
        let compiled = compiled(EXECUTORS);
        let jobs = compiled.config.get("jobs").unwrap();
        let docker = jobs.get(job).unwrap().get("docker").unwrap();
        assert_eq!(at(docker, "0/image").as_str(), Some(image), "{job}");
    }
}

#[test]
fn the_machine_of_a_job_stands_for_that_of_its_executor() {
    let text = "version: 2.1\nexecutors: {e: {docker: [{image: a}], environment: {A: 1}}}\njobs: {build: {executor: e, machine: true, steps: [checkout]}}";
    check(
        text,
        "jobs/build",
        "{machine: true, environment: {A: 1}, steps: [checkout]}",
    );
}

const MATRIX: &str = r"
version: 2.1
jobs:
  test:
    parameters: {version: {type: string, default: x}, os: {type: executor, default: linux}, n: {type: integer, default: 1}}
    executor: << parameters.os >>
    steps: [run: << parameters.version >> << parameters.n >>]
  end: {docker: [{image: a}], steps: [checkout]}
executors: {linux: {docker: [{image: l}]}, mac: {macos: {xcode: 1.2.3}}}
workflows:
  w:
    jobs:
      - test: {matrix: {parameters: {version: ['1.0', '2.0'], os: [linux, mac]}, exclude: [{version: '1.0', os: mac}]}}
      - test:
          name: build-v<< matrix.version >>
          matrix: {alias: builds, parameters: {version: [a, b]}}
          n: 5
          context: [c-<< matrix.version >>]
          pre-steps: [run: pre << matrix.version >>]
          post-steps: [run: {command: post, when: always}]
      - end: {requires: [test, builds]}
      - end: {name: last, requires: [build-va: [failed, canceled], end: terminal]}
";

#[test]
fn a_matrix_makes_a_job_of_each_combination() {
    let compiled = compiled(MATRIX);
    let jobs = compiled.config.get("jobs").unwrap();
    let names: Vec<&str> = jobs.as_map().unwrap().keys().collect();
    let expected = [
        "test-linux-1.0",
        "test-linux-2.0",
        "test-mac-2.0",
        "build-va",
        "build-vb",
        "end",
        "last",
    ];
    assert_eq!(names, expected);
    check(
        MATRIX,
        "jobs/build-va/steps",
        "[run: {command: pre a}, run: {command: a 5}, run: {command: post, when: always}]",
    );
    check(
        MATRIX,
        "workflows/w/jobs",
        "[test-linux-1.0, test-linux-2.0, test-mac-2.0, build-va: {context: [c-a]}, build-vb: {context: [c-b]}, end: {requires: [test-linux-1.0, test-linux-2.0, test-mac-2.0, build-va, build-vb]}, last: {requires: [build-va: [failed, canceled], end: terminal]}]",
    );
}

#[test]
fn jobs_that_run_in_several_ways_have_numbers() {
    let text = r"
version: 2.1
jobs: {a: {parameters: {x: {type: string, default: d}}, docker: [{image: a}], steps: [run: << parameters.x >>]}, b: {docker: [{image: a}], steps: [checkout]}}
workflows:
  w: {jobs: [hold: {type: approval}, a: {x: '1', requires: [hold]}, a: {x: '2'}, a, b: {requires: [a-1, a-3]}]}
  v: {jobs: [b, a: {x: '2'}, a: {name: named}, b: {name: last, requires: [a, b]}]}
";
    check(
        text,
        "workflows",
        "{w: {jobs: [hold: {type: approval}, a-1: {requires: [hold]}, a-2, a-3, b: {requires: [a-1, a-3]}]}, v: {jobs: [b, a-2, named, last: {requires: [a-2, b]}]}, version: 2}",
    );
    check(text, "jobs/a-3/steps", "[run: {command: d}]");
}

#[test]
fn what_runs_twice_alike_is_one_job() {
    let text = r"
version: 2.1
jobs: {a: {docker: [{image: a}], steps: [checkout]}, b: {docker: [{image: a}], steps: [run: b]}}
workflows: {w: {jobs: [a, b: {requires: [a]}, a]}, v: {jobs: [a]}}
";
    check(
        text,
        "workflows",
        "{w: {jobs: [a, b: {requires: [a]}, a]}, v: {jobs: [a]}, version: 2}",
    );
    let lowered = compiled(text).lower(Some("w"), &options()).unwrap();
    assert_eq!(lowered.workflow.jobs.len(), 2);
}

#[test]
fn entries_keep_what_workflows_need() {
    let text = r"
version: 2.1
jobs: {a: {docker: [{image: a}], steps: [checkout]}}
workflows:
  w:
    triggers: [{schedule: {cron: '0 0 * * *', filters: {branches: {only: [main, /r.*/]}}}}]
    max_auto_reruns: 2
    jobs:
      - a: {context: [x, y], filters: {branches: {only: main}, tags: {ignore: /.*/}}, serial-group: deploy}
      - h: {type: approval, requires: [a]}
      - n: {type: no-op, requires: [h], filters: pipeline.git.branch == 'main'}
  gone: {when: {and: [<< pipeline.git.tag >>, true]}, jobs: [nothing]}
  also: {unless: pipeline.git.branch == 'main', jobs: [nothing]}
";
    check(
        text,
        "workflows",
        "{w: {triggers: [{schedule: {cron: '0 0 * * *', filters: {branches: {only: [main, /r.*/]}}}}], max_auto_reruns: 2, jobs: [a: {context: [x, y], filters: {branches: {only: main}, tags: {ignore: /.*/}}, serial-group: deploy}, h: {type: approval, requires: [a]}, n: {type: no-op, requires: [h], filters: pipeline.git.branch == 'main'}]}, version: 2}",
    );
}

#[test]
fn only_jobs_that_run_are_compiled_and_the_others_warn() {
    let text = r"
version: 2.1
jobs:
  a: {docker: [{image: a}], steps: [checkout]}
  spare: {docker: [{image: a}], steps: [nothing-like-that]}
  needs: {parameters: {x: {type: string}}, docker: [{image: a}], steps: [neither]}
workflows: {w: {jobs: [a]}}
";
    let compiled = compiled(text);
    check(
        text,
        "jobs",
        "{a: {docker: [{image: a}], steps: [checkout]}}",
    );
    let told: Vec<String> = compiled.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        ["config.yml:5:41: warning: there is no step or command `nothing-like-that`"]
    );
}

#[test]
fn what_cannot_be_is_refused_where_it_stands() {
    let job = |body: &str| format!("version: 2.1\njobs:\n  build:\n    {body}\n");
    let flow = |jobs: &str| {
        format!(
            "version: 2.1\njobs:\n  a: {{docker: [{{image: a}}], steps: [checkout]}}\n  b: {{docker: [{{image: a}}], steps: [checkout]}}\nworkflows:\n  w:\n    jobs: {jobs}\n"
        )
    };
    for (text, message) in [
        (job("steps: [checkout]"), "c:4:5: the job `build` does not say what it runs in"),
        (
            job("{docker: [{image: a}], machine: true, steps: [checkout]}"),
            "c:4:28: the job `build` has both `docker` and `machine`",
        ),
        (job("docker: [{image: a}]"), "the job `build` has no steps"),
        (
            job("{docker: [{image: a}], parallelism: 0, steps: [checkout]}"),
            "c:4:41: `parallelism` is a number from 1, not `0`",
        ),
        (
            job("{docker: [{image: a}], steps: [save_cache: {key: a}]}"),
            "the step needs `paths`",
        ),
        (job("{docker: [{image: a}], steps: [run]}"), "the step needs `command`"),
        (flow("[a: {name: x}, b: {name: x}]"), "c:7:26: two jobs of the workflow are called `x`"),
        (flow("[a, b: {requires: [c]}]"), "c:7:30: `requires` names `c`"),
        (
            flow("[a: {requires: [b]}, b: {requires: [a]}]"),
            "c:7:12: jobs wait for each other: a -> b -> a",
        ),
        (
            flow("[a: {filters: {branches: {onyl: x}}}]"),
            "c:7:37: a filter has no `onyl`",
        ),
        (flow("[a: {x: 1}]"), "c:7:16: the job `a` has no parameter `x`"),
        (
            "version: 2.1\nparameters: {s: {type: steps, default: []}}\njobs: {build: {machine: true, steps: [checkout]}}".to_owned(),
            "c:2:17: a pipeline has no parameters of the type `steps`: `s`",
        ),
        (
            "version: 2.1\nparameters: {s: {type: string}}\njobs: {build: {machine: true, steps: [checkout]}}".to_owned(),
            "c:2:17: the pipeline's parameter `s` has no default",
        ),
        (
            "version: 2\njobs: {build: {docker: [{image: a}], steps: [chekout]}}".to_owned(),
            "c:2:46: there is no step `chekout`\n  hint: did you mean `checkout`?",
        ),
        (
            "version: 2\njobs: {a: {machine: true, steps: [checkout]}}\nworkflows: {version: 2, w: {jobs: [a: {requires: [aa]}]}}".to_owned(),
            "c:3:36: `requires` names `aa`, which is no job of the workflow",
        ),
    ] {
        let told = wrong(&text);
        assert!(told.contains(message), "{text}\n{told}");
    }
}

#[test]
fn a_wrong_default_is_told_once() {
    let text = steps(
        "  c: {parameters: {e: {type: enum, enum: [a], default: b}}, steps: [run: x]}",
        "      - c\n      - c",
    );
    let told = wrong(&text);
    assert_eq!(told.lines().count(), 1, "{told}");
}

#[test]
fn a_branch_for_which_nothing_runs_is_no_mistake() {
    let text = r"
version: 2.1
jobs: {a: {machine: true, steps: [checkout]}}
workflows:
  w: {jobs: [a: {filters: {branches: {ignore: main}}}]}
";
    let all_filtered = lowered(text);
    assert_eq!(&*all_filtered.workflow.name, "w");
    assert!(all_filtered.workflow.jobs.is_empty());
    assert_eq!(all_filtered.skipped.len(), 1);

    let none_chosen = lowered(&text.replace("w: {", "w: {when: false, "));
    assert_eq!(&*none_chosen.workflow.name, "no workflow");
}

#[test]
fn filters_decide_what_runs_and_what_needs_it() {
    let text = r"
version: 2.1
jobs: {a: {machine: true, steps: [checkout]}}
workflows:
  w:
    jobs:
      - a: {name: here}
      - a: {name: elsewhere, filters: {branches: {ignore: [main]}}}
      - a: {name: after-both, requires: [here, elsewhere]}
      - a: {name: after-none, requires: [elsewhere]}
      - a: {name: by-words, filters: pipeline.git.branch matches /^ma.*/}
";
    let lowered = lowered(text);
    let names: Vec<&str> = lowered.workflow.jobs.iter().map(|job| &*job.name).collect();
    assert_eq!(names, ["here", "after-both", "by-words"]);
    let why: Vec<String> = lowered
        .skipped
        .iter()
        .map(|it| format!("{}: {}", it.name, it.why))
        .collect();
    assert_eq!(
        why,
        [
            "elsewhere: filter: the branch `main` is among `ignore`",
            "after-none: dependency: none of the jobs it requires runs (`elsewhere`)"
        ]
    );
}
