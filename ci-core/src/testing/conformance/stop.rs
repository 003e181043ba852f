//! Checks of how commands are stopped.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::bench::{Bench, Ran, Started};
use super::check::{Check, Trouble, Verdict, check, ensure, same};
use super::processes::endless;
use crate::session::ExitStatus;

pub(super) const CHECKS: &[Check] = &[
    check!("stop: a sleeping command ends soon", sleeping),
    check!("stop: a command may clean up when asked", cleaning_up),
    check!(
        "stop: a command that ignores the request is forced",
        ignoring
    ),
    check!("stop: children and grandchildren end too", tree),
    check!("stop: a daemon that left its session ends too", daemon),
    check!("stop: a command that floods its output", flooding),
    check!("stop: a busy command when its time runs out", timeout),
    check!("stop: a command that is canceled before it starts", early),
    check!("stop: other commands of the session run on", others),
];

/// Stops a command, and gives how long that took.
async fn stop(bench: &Bench, started: Started) -> Result<(Ran, Duration), Trouble> {
    let began = Instant::now();
    let most = bench.options.grace + bench.options.patience;
    let ran = started.cancel().end(most).await?;
    same("the status", &ran.status, &ExitStatus::Stopped)?;
    Ok((ran, began.elapsed()))
}

/// How long a command that obeys may take to stop: as long as it would have been given time anyway, or
/// as anything that is quick.
fn obedient(bench: &Bench) -> Duration {
    bench.options.grace.max(bench.options.patience)
}

async fn sleeping(bench: Bench) -> Verdict {
    let started = bench.start(bench.command(&format!("echo $$; {}", endless())));
    let pid = bench
        .soon("the command's start", started.log.lines(1))
        .await?;
    let (_, took) = stop(&bench, started).await?;
    bench.none_lives(&pid).await?;
    ensure(took < obedient(&bench), || format!("it took {took:.2?}"))?;
    Ok(format!("after {took:.2?}"))
}

async fn cleaning_up(bench: Bench) -> Verdict {
    /// A busy machine may not get round to the trap in one grace period, but hardly in all of them.
    const TRIES: u32 = 3;
    let script = "trap 'echo asked; exit 0' TERM; echo ready; while :; do sleep 1; done";
    let mut tries = 0;
    loop {
        tries += 1;
        let started = bench.start(bench.command(script));
        bench
            .soon("the command's start", started.log.lines(1))
            .await?;
        let (ran, took) = stop(&bench, started).await?;
        let had_its_time = took >= bench.options.grace;
        if tries < TRIES && had_its_time && ran.stdout() == "ready\n" {
            continue;
        }
        same("the output", &ran.stdout(), &"ready\nasked\n".to_owned())?;
        return Ok(format!("after {took:.2?}"));
    }
}

async fn ignoring(bench: Bench) -> Verdict {
    let script = "trap '' TERM; trap 'echo told' INT; echo $$; while :; do sleep 1; done";
    let started = bench.start(bench.command(script));
    let pid = bench
        .soon("the command's start", started.log.lines(1))
        .await?;
    let (_, took) = stop(&bench, started).await?;
    bench.none_lives(&pid).await?;
    let grace = bench.options.grace;
    // A clock on another machine may differ a little.
    ensure(took + Duration::from_millis(100) >= grace, || {
        format!("it was forced after {took:.2?}, before the grace period of {grace:?} was over")
    })?;
    Ok(format!(
        "after {took:.2?}, the grace period being {grace:?}"
    ))
}

async fn tree(bench: Bench) -> Verdict {
    let sleep = endless();
    let script = format!(
        "{sleep} & echo $!\n\
         sh -c '{sleep} & echo $!; wait' &\n\
         sh -c 'trap \"\" TERM; (trap \"\" HUP; exec {sleep}) & echo $!; wait'"
    );
    let started = bench.start(bench.command(&script));
    let pids = bench.soon("three processes", started.log.lines(3)).await?;
    bench.all_live(&pids).await?;
    let (_, took) = stop(&bench, started).await?;
    bench.none_lives(&pids).await?;
    Ok(format!("after {took:.2?}"))
}

async fn daemon(bench: Bench) -> Verdict {
    if !bench.script("command -v setsid").await?.status.success() {
        return Err(Trouble::skipped("the session has no `setsid`"));
    }
    let sleep = endless();
    // The daemon has another session and another parent when its number is shown.
    let script = format!(
        "setsid sh -c '({sleep} </dev/null >/dev/null 2>&1 & echo $!)' &\n\
         wait; echo waiting; {sleep}"
    );
    let started = bench.start(bench.command(&script));
    let lines = bench.soon("the daemon", started.log.lines(2)).await?;
    let pid = &lines[..1];
    bench.all_live(pid).await?;
    let (_, took) = stop(&bench, started).await?;
    bench.none_lives(pid).await?;
    Ok(format!("after {took:.2?}"))
}

async fn flooding(bench: Bench) -> Verdict {
    let started = bench.start(bench.command("echo $$; exec yes 'a line of output'"));
    let lines = bench.soon("some output", started.log.lines(10_000)).await?;
    let (_, took) = stop(&bench, started).await?;
    bench.none_lives(&lines[..1]).await?;
    ensure(took < obedient(&bench), || format!("it took {took:.2?}"))?;
    Ok(format!("after {took:.2?}"))
}

async fn timeout(bench: Bench) -> Verdict {
    const LIMIT: Duration = Duration::from_millis(500);
    let limit = CancellationToken::new();
    let script = "echo $$; while :; do :; done";
    let started = bench.start_with(bench.command(script), limit.clone());
    let pid = bench
        .soon("the command's start", started.log.lines(1))
        .await?;
    tokio::time::sleep(LIMIT).await;
    limit.cancel();
    let ran = started
        .end(bench.options.patience + bench.options.grace)
        .await?;
    same("the status", &ran.status, &ExitStatus::Stopped)?;
    bench.none_lives(&pid).await?;
    Ok(format!("a limit of {LIMIT:?}"))
}

async fn early(bench: Bench) -> Verdict {
    bench.sh("rm -f started").await?;
    let over = CancellationToken::new();
    over.cancel();
    let started = bench.start_with(bench.command("touch started"), over);
    let ran = started.end(bench.options.patience).await?;
    same("the status", &ran.status, &ExitStatus::Stopped)?;
    let found = bench.sh("if [ -e started ]; then echo it ran; fi").await?;
    same("what it left", &found, &String::new())?;
    Ok(String::new())
}

async fn others(bench: Bench) -> Verdict {
    bench.sh("rm -f go").await?;
    let waiting = "echo $$; tries=0; until [ -e go ]; do\n\
                   tries=$((tries+1)); [ $tries -lt 100 ] || exit 9; sleep 1; done; exit 7";
    let other = bench.start(bench.command(waiting));
    let left = bench
        .sh(&format!("{} >/dev/null 2>&1 & echo $!", endless()))
        .await?;
    let left = [left.trim().to_owned()];
    let started = bench.start(bench.command(&format!("echo $$; {}", endless())));
    bench.soon("one command", started.log.lines(1)).await?;
    let mut alive = bench.soon("the other", other.log.lines(1)).await?;
    stop(&bench, started).await?;
    alive.extend(left.iter().cloned());
    bench.all_live(&alive).await?;
    bench.sh(&format!("touch go; kill -9 {}", left[0])).await?;
    let ran = other.end(bench.options.patience).await?;
    same("the other's status", &ran.status, &ExitStatus::Code(7))?;
    Ok(String::new())
}
