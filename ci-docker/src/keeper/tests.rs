//! Messages told to the shells of this machine.

use std::io::{Read, Write as _};
use std::process::{Command, Stdio};

use bytes::Bytes;

use super::message::{Done, ToRun, can_export, command, mark, prelude, question};
use super::splitter::Splitter;
use crate::script;

/// What a shell said on a stream up to a mark, and what the mark said.
fn until(mut stream: impl Read, mark: &str) -> (String, String) {
    let (mut splitter, mut text, mut piece) = (Splitter::new(mark), Vec::new(), [0; 99]);
    loop {
        let length = stream.read(&mut piece).unwrap();
        text.extend_from_slice(&splitter.push(Bytes::copy_from_slice(&piece[..length])));
        let said = splitter.said().map(ToOwned::to_owned);
        let text = || String::from_utf8_lossy(&text).into_owned();
        assert!(said.is_some() || length > 0, "no mark: {}", text());
        if let Some(said) = said {
            return (text(), said);
        }
    }
}

/// What a shell said on both of its streams.
struct Heard {
    shell: &'static str,
    text: String,
    said: String,
    errors: String,
}

/// What the shells of this machine say when the first process of a container is told this, up to a mark.
fn told(told: &str, mark: &str) -> Vec<Heard> {
    let dir = tempfile::tempdir().unwrap();
    let told = prelude() + told;
    let run = |shell: &'static str| {
        let fifo = dir.path().join(shell.replace(' ', "-"));
        let place = |script: &str| {
            let script = script.replace("/.ci-core/told", &fifo.display().to_string());
            let notes = dir.path().display().to_string();
            let script = script.replace("/.ci-core", &notes);
            // This process has the other ends of the pipes, which are outside of a container.
            let known = format!(r#"{}|"$_ci_own""#, std::process::id());
            let script = script.replace(r#""$_ci_own""#, &known);
            script.replace("sh -s", &format!("{shell} -s"))
        };
        let mut words = shell.split(' ');
        let mut child = Command::new(words.next()?)
            .args(words)
            .args(["-c", &place(script::DEADMAN[2])])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .ok()?;
        let mut input = child.stdin.take()?;
        input.write_all(place(&told).as_bytes()).unwrap();
        let (text, said) = until(child.stdout.take()?, mark);
        let (errors, none) = until(child.stderr.take()?, mark);
        assert_eq!(none, "");
        // The end of its input ends it.
        drop(input);
        child.wait().unwrap();
        Some(Heard {
            shell,
            text,
            said,
            errors,
        })
    };
    let shells = ["sh", "dash", "bash", "busybox sh"];
    let heard: Vec<_> = shells.into_iter().filter_map(run).collect();
    assert!(!heard.is_empty());
    heard
}

fn task(words: &[&str]) -> Vec<String> {
    let begin = ["0", "/"].iter().chain(words);
    begin.map(|&word| word.to_owned()).collect()
}

#[test]
fn each_question_gets_its_answer_whatever_its_words_are() {
    let words = ["two words", "it's", "a\nline", "$HOME `id` \\", ""];
    let script = "printf '%s|' \"$@\"; echo bad >&2; exit 3";
    let first = mark("nonce", 1);
    for heard in told(&question(&first, script, &words), &first) {
        let shell = heard.shell;
        assert_eq!(heard.text, words.join("|") + "|", "{shell}");
        assert_eq!(
            (heard.said.as_str(), heard.errors.as_str()),
            ("3", "bad\n"),
            "{shell}"
        );
    }
}

#[test]
fn a_command_runs_with_its_words_variables_and_signals() {
    let odd = "it's $HOME `id` \\ \"\n\t=x ";
    let script =
        "printf '%s|' \"$ODD\" \"$@\"; cat; echo \"${_ci_begin-none}\"; trap - INT; kill -INT $$";
    let first = mark("nonce", 1);
    let words = task(&["sh", "-c", script, "sh", odd, "-n", ""]);
    let env = [format!("ODD={odd}")];
    let task = ToRun {
        words: &words,
        env: &env,
    };
    for heard in told(&command(&first, &task), &first) {
        let shell = heard.shell;
        assert_eq!(heard.text, format!("{odd}|{odd}|-n||none\n"), "{shell}");
        // Other processes of this machine are about, but none that holds its output.
        let done = Done::read(&heard.said).unwrap();
        assert_eq!((done.code, done.held), (130, false), "{shell}");
        assert_eq!(heard.errors, "", "{shell} tells nothing of the signal");
    }
}

#[test]
fn a_process_that_is_left_with_the_output_is_seen() {
    for (left, held) in [("sleep 9 &", true), ("sleep 9 >/dev/null 2>&1 &", false)] {
        let first = mark("nonce", 1);
        let words = task(&["sh", "-c", &format!("{left} echo $!")]);
        let task = ToRun {
            words: &words,
            env: &[],
        };
        for heard in told(&command(&first, &task), &first) {
            let done = Done::read(&heard.said).unwrap();
            assert_eq!((done.code, done.held), (0, held), "{}: {left}", heard.shell);
            let _ = Command::new("kill").arg(heard.text.trim()).status();
        }
    }
}

#[test]
fn names_of_shells_and_names_that_are_none_are_not_exported() {
    for (name, expected) in [
        ("PATH", true),
        ("_X9", true),
        ("9X", false),
        ("a.b", false),
        ("", false),
        ("SHLVL", false),
        ("UID", false),
        ("_ci_begin", false),
        ("grüße", false),
    ] {
        assert_eq!(can_export(name), expected, "{name}");
    }
}

#[test]
fn what_a_mark_says_of_a_command_is_read() {
    let done = |code, alone, held| Done { code, alone, held };
    for (said, expected) in [
        ("0,1,", Some(done(0, true, false))),
        ("137,,1", Some(done(137, false, true))),
        ("1", None),
        ("", None),
        ("x,,", None),
    ] {
        assert_eq!(Done::read(said), expected, "{said}");
    }
}
