//! Checks of what a command gets and of how it ends.

use super::bench::{Bench, JOB_VARIABLE};
use super::check::{Check, Trouble, Verdict, check, ensure, same};
use super::processes::endless;
use crate::session::{Command, ExitStatus, SessionErrorKind, Stream};

pub(super) const CHECKS: &[Check] = &[
    check!("exec: arguments reach the program unchanged", arguments),
    check!("exec: a script of many lines runs in its shell", script),
    check!("exec: exit codes", exit_codes),
    check!("exec: signals", signals),
    check!("exec: a code above 128 is no signal", large_code),
    check!("exec: the environment of job and command", environment),
    check!("exec: directories", directories),
    check!("exec: standard input is closed", stdin),
    check!("exec: what does not exist is an error", missing),
    check!("exec: what is no command is refused", refused),
    check!("exec: commands run at once", concurrent),
    check!("exec: a background process lives on", background),
];

async fn arguments(bench: Bench) -> Verdict {
    let odd = [
        "two words",
        "",
        "*",
        "$HOME `id` $(id)",
        "quo'te \"double\" back\\slash",
        "new\nline",
        "-n",
        "smørrebrød 日本",
    ];
    let command = Command::argv(["printf", "[%s]"].iter().chain(&odd).copied());
    let ran = bench.exec(command).await?;
    same("the status", &ran.status, &ExitStatus::Code(0))?;
    let expected = format!("[{}]", odd.join("]["));
    same("what arrived", &ran.stdout(), &expected)?;
    Ok(String::new())
}

async fn script(bench: Bench) -> Verdict {
    let script = "set -- a 'b c'\nfor word in \"$@\"; do\n  echo \"<$word>\"\ndone # \"'\n\ncat <<END\nhere\nEND\n";
    same(
        "the output",
        &bench.sh(script).await?,
        &"<a>\n<b c>\nhere\n".to_owned(),
    )?;
    Ok(String::new())
}

async fn exit_codes(bench: Bench) -> Verdict {
    let codes = [0, 1, 2, 42, 100, 126, 127, 128, 255];
    for code in codes {
        let ran = bench.script(&format!("exit {code}")).await?;
        same(
            format!("`exit {code}`"),
            &ran.status,
            &ExitStatus::Code(code),
        )?;
    }
    let ran = bench.exec(Command::argv(["false"])).await?;
    same("`false`", &ran.status, &ExitStatus::Code(1))?;
    Ok(format!("{codes:?}"))
}

async fn signals(bench: Bench) -> Verdict {
    for number in [9, 15] {
        let ran = bench
            .script(&format!("kill -{number} $$; sleep 60"))
            .await?;
        same(
            format!("signal {number}"),
            &ran.status,
            &ExitStatus::Signal(number),
        )?;
    }
    Ok(String::new())
}

async fn large_code(bench: Bench) -> Verdict {
    if !bench.options.exact_signals {
        let reason = "this executor knows signals only as a shell tells them (`exact_signals`)";
        return Err(Trouble::skipped(reason));
    }
    for code in [130, 137] {
        let ran = bench.script(&format!("exit {code}")).await?;
        same(
            format!("`exit {code}`"),
            &ran.status,
            &ExitStatus::Code(code),
        )?;
    }
    Ok(String::new())
}

async fn environment(bench: Bench) -> Verdict {
    let odd = "two words, 'quo\"tes', $HOME `id` \\ new\nline\tund Grüße =x ";
    let show = "printf '%s|%s|%s|%s' \"$CONFORMANCE_JOB\" \"$ODD\" \"$EMPTY\" \"${EMPTY-unset}\"";
    let command = bench.command(show).env("ODD", odd).env("EMPTY", "");
    let ran = bench.exec(command).await?;
    let expected = format!("{}|{odd}||", JOB_VARIABLE.1);
    same("the environment", &ran.stdout(), &expected)?;

    let own = bench.command(show).env(JOB_VARIABLE.0, "of the command");
    let ran = bench.exec(own).await?;
    same(
        "the command's own variable",
        &ran.stdout(),
        &"of the command|||unset".to_owned(),
    )?;
    Ok(String::new())
}

async fn directories(bench: Bench) -> Verdict {
    let info = bench.session.info().clone();
    bench
        .sh("mkdir -p 'conformance dir/inner' ~/conformance-home")
        .await?;
    for (given, meant) in [
        (None, info.work_dir.clone()),
        (Some("."), info.work_dir.clone()),
        (Some("/"), "/".to_owned()),
        (
            Some("conformance dir/inner"),
            format!("{}/conformance dir/inner", info.work_dir),
        ),
        (Some("~"), info.home.clone()),
        (
            Some("~/conformance-home"),
            format!("{}/conformance-home", info.home),
        ),
    ] {
        let mut command = bench.command("pwd -P");
        command.dir = given.map(ToOwned::to_owned);
        let got = bench.exec(command).await?.stdout();
        let expected = bench.sh(&format!("cd '{meant}' && pwd -P")).await?;
        same(format!("the directory for {given:?}"), &got, &expected)?;
    }
    let home = bench.sh("printf %s \"$HOME\"").await?;
    same("`HOME`", &home, &info.home)?;
    Ok(format!("{}, home {}", info.work_dir, info.home))
}

async fn stdin(bench: Bench) -> Verdict {
    let started = bench.start(bench.command("cat; echo ended"));
    let ran = started.end(bench.options.patience).await?;
    same("what `cat` read", &ran.stdout(), &"ended\n".to_owned())?;
    Ok(String::new())
}

async fn missing(bench: Bench) -> Verdict {
    let program = "conformance-no-such-program";
    for (what, command) in [
        ("a program", Command::argv([program, "x"])),
        ("a program by path", Command::argv([format!("/{program}")])),
        ("a shell", Command::shell([program, "-c"], "true")),
        (
            "a directory",
            bench.command("true").dir("/conformance/no/such/dir"),
        ),
    ] {
        let started = bench.start(command);
        match started.end(bench.options.patience).await {
            Err(trouble) if is_kind(&trouble, SessionErrorKind::NotFound) => {}
            other => {
                let text = format!("{what} that does not exist gave {other:?} instead of NotFound");
                return Err(Trouble::failed(text));
            }
        }
    }
    let ran = bench.script(program).await?;
    same("what a shell says", &ran.status, &ExitStatus::Code(127))?;
    Ok("the shell's own 127 stays an exit code".to_owned())
}

async fn refused(bench: Bench) -> Verdict {
    let started = bench.start(Command::argv::<String>([]));
    match started.end(bench.options.patience).await {
        Err(trouble) if is_kind(&trouble, SessionErrorKind::Refused) => Ok(String::new()),
        other => Err(Trouble::failed(format!(
            "a command without words gave {other:?} instead of Refused"
        ))),
    }
}

async fn concurrent(bench: Bench) -> Verdict {
    const COUNT: usize = 4;
    bench.sh("rm -rf together && mkdir together").await?;
    // None ends before all have begun.
    let script = |me: usize| {
        format!(
            "touch together/{me}; tries=0\n\
             until [ \"$(ls together | wc -l)\" -eq {COUNT} ]; do\n\
               tries=$((tries+1)); [ $tries -lt 100 ] || exit 9; sleep 1\n\
             done; echo {me}"
        )
    };
    let started: Vec<_> = (0..COUNT)
        .map(|me| bench.start(bench.command(&script(me))))
        .collect();
    for (me, started) in started.into_iter().enumerate() {
        let ran = started.end(bench.options.patience * 2).await?;
        same(
            format!("the status of {me}"),
            &ran.status,
            &ExitStatus::Code(0),
        )?;
        same("its output", &ran.stdout(), &format!("{me}\n"))?;
    }
    Ok(format!("{COUNT} at once"))
}

async fn background(bench: Bench) -> Verdict {
    let script = format!("{} & echo $!", endless());
    let began = std::time::Instant::now();
    let ran = bench
        .start(bench.command(&script))
        .end(bench.options.patience)
        .await
        .map_err(|trouble| trouble.at("a background process that holds the output"))?;
    let took = began.elapsed();
    same("the status", &ran.status, &ExitStatus::Code(0))?;
    let pid = ran.log.lines(1).await;
    bench.all_live(&pid).await?;
    bench.sh(&format!("kill -9 {}", pid[0])).await?;
    ensure(ran.log.text(Stream::Stderr).is_empty(), || {
        format!("errors: {}", ran.log.text(Stream::Stderr))
    })?;
    Ok(format!("the command itself ended after {took:.2?}"))
}

/// Whether the trouble is an error of this kind; see the conversion of errors.
fn is_kind(trouble: &Trouble, kind: SessionErrorKind) -> bool {
    matches!(trouble, Trouble::Failed(text) if text.ends_with(&format!("({kind:?})")))
}
