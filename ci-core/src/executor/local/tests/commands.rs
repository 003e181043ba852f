//! Commands: programs, shells, variables, directories, output and exit.

use std::ffi::OsStr;

use super::*;
use crate::executor::local::env::Inheritance;
use crate::session::SessionErrorKind;

#[tokio::test]
async fn exit_codes_and_signals_are_told_apart() {
    let place = Place::new();
    let session = place.session().await;
    for (script, expected) in [
        ("exit 0", ExitStatus::Code(0)),
        ("exit 7", ExitStatus::Code(7)),
        ("exit 137", ExitStatus::Code(137)),
        ("kill -KILL $$", ExitStatus::Signal(9)),
        ("kill -TERM $$", ExitStatus::Signal(15)),
        ("false; exit 3", ExitStatus::Code(1)),
    ] {
        let (status, _) = run(&*session, Command::sh(script)).await;
        assert_eq!(status.unwrap(), expected, "{script}");
    }
    session.teardown().await.unwrap();
}

#[tokio::test]
async fn shells_and_programs_get_their_words_as_they_are() {
    let place = Place::new();
    let session = place.session().await;
    let bash = Command::shell(["bash", "-eo", "pipefail", "-c"], "false | true; echo no");
    let (status, log) = run(&*session, bash).await;
    assert_eq!(status.unwrap(), ExitStatus::Code(1));
    assert_eq!(log.text(Stream::Stdout), "");
    let words = ["printf", "%s|", "a b", "$HOME", "", "*"];
    let (status, log) = run(&*session, Command::argv(words)).await;
    assert_eq!(status.unwrap(), ExitStatus::Code(0));
    assert_eq!(log.text(Stream::Stdout), "a b|$HOME||*|");
    session.teardown().await.unwrap();
}

#[tokio::test]
async fn standard_input_is_closed() {
    let place = Place::new();
    let session = place.session().await;
    assert_eq!(
        sh(&*session, "cat; if read x; then exit 1; fi; echo end").await,
        "end\n"
    );
    session.teardown().await.unwrap();
}

#[tokio::test]
async fn each_stream_keeps_its_order() {
    let place = Place::new();
    let session = place.session().await;
    let script = "i=0; while [ $i -lt 2000 ]; do echo out$i; echo err$i >&2; i=$((i+1)); done; \
                  printf 'no newline'";
    let (status, log) = run(&*session, Command::sh(script)).await;
    assert_eq!(status.unwrap(), ExitStatus::Code(0));
    let mut expected: Vec<u8> = (0..2000)
        .flat_map(|i| format!("out{i}\n").into_bytes())
        .collect();
    expected.extend_from_slice(b"no newline");
    assert_eq!(log.bytes(Stream::Stdout), expected);
    let errors = log.text(Stream::Stderr);
    let expected = (0..2000).map(|i| format!("err{i}"));
    assert!(errors.lines().eq(expected), "{errors}");
    session.teardown().await.unwrap();
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let place = Place::new();
    let session = place.session().await;
    let missing = [
        (Command::argv(["no-such-program"]), "no-such-program"),
        (Command::argv(["./no-such-file"]), "no-such-file"),
        (Command::sh("true").dir("no/such/dir"), "no/such/dir"),
    ];
    for (command, name) in missing {
        let error = run(&*session, command).await.0.unwrap_err();
        assert_eq!(error.kind(), SessionErrorKind::NotFound, "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
    session.teardown().await.unwrap();
    let error = run(&*session, Command::sh("true")).await.0.unwrap_err();
    assert_eq!(error.kind(), SessionErrorKind::Refused);
}

#[tokio::test]
async fn variables_come_from_the_job_and_the_command_and_little_else() {
    let mut place = Place::new();
    place.env.insert("A".into(), "job".into());
    place.env.insert("B".into(), "job".into());
    let session = place.session_of(&JobSpec::new("my job")).await;
    let (_, log) = run(&*session, Command::argv(["env"]).env("B", "step")).await;
    let text = log.text(Stream::Stdout);
    let get = |name: &str| {
        let start = format!("{name}=");
        text.lines().find_map(|line| line.strip_prefix(&start))
    };
    assert_eq!(get("A"), Some("job"));
    assert_eq!(get("B"), Some("step"));
    assert_eq!(get("CI"), Some("true"));
    assert_eq!(get("CI_CORE_RUN"), Some(&*place.run.to_string()));
    assert_eq!(get("CI_CORE_JOB"), Some("my job"));
    assert_eq!(get("HOME"), Some(&*session.info().home));
    let inherited = Inheritance::default().pick(std::env::vars_os());
    let added = ["A", "B", "CI", "HOME", "TMPDIR", "PWD", "RUSTUP_HOME"];
    for name in text
        .lines()
        .filter_map(|line| Some(line.split_once('=')?.0))
    {
        let known = added.contains(&name) || name.starts_with("CI_CORE_");
        assert!(known || inherited.contains_key(OsStr::new(name)), "{name}");
    }
    session.teardown().await.unwrap();
}

#[tokio::test]
async fn all_variables_are_inherited_on_request() {
    let place = Place::with(LocalExecutor::inherit_all_env);
    let session = place.session().await;
    let (_, log) = run(&*session, Command::argv(["env"])).await;
    let text = log.text(Stream::Stdout);
    let mut own = Inheritance::default();
    own.all();
    for name in own.pick(std::env::vars_os()).into_keys() {
        let start = format!("{}=", name.to_string_lossy());
        assert!(text.lines().any(|line| line.starts_with(&start)), "{start}");
    }
    session.teardown().await.unwrap();
}

#[tokio::test]
async fn a_command_that_was_canceled_before_does_not_start() {
    let place = Place::new();
    let session = place.session().await;
    let io = ExecIo::new(Output::discard(), CancellationToken::new());
    io.cancel.cancel();
    let status = session.exec(&Command::sh("touch started"), io).await;
    assert_eq!(status.unwrap(), ExitStatus::Stopped);
    assert!(!place.project().join("started").exists());
    session.teardown().await.unwrap();
}
