//! Waiting on real ports, a small HTTP server and commands.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;

use tokio::net::TcpSocket;
use tokio::time::Instant;

use crate::job::JobSpec;
use crate::outcome::{CancelReason, Outcome};
use crate::step::{Action, StepSpec, WaitProbe, WaitSpec};
use crate::steps::test_support::Bench;

fn bench(probe: WaitProbe, deadline: Duration, interval: Duration) -> Bench {
    let action = Action::WaitFor(WaitSpec {
        probe,
        deadline,
        interval,
    });
    Bench::new(JobSpec::new("j").step(StepSpec::new(action)))
}

const LONG: Duration = Duration::from_mins(1);
const SHORT: Duration = Duration::from_millis(10);

/// A server that answers each connection with the next status, the last one for ever.
fn serve(statuses: &'static [&'static str]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for (index, stream) in listener.incoming().enumerate() {
            let Ok(mut stream) = stream else { return };
            let status = statuses[index.min(statuses.len() - 1)];
            let _ = stream.read(&mut [0; 4096]);
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\ncontent-length: 0\r\nlocation: /\r\nconnection: close\r\n\r\n"
            );
        }
    });
    format!("http://{address}/health")
}

/// A port that is taken but that nobody listens on yet.
fn closed_port() -> (TcpSocket, u16) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}

#[tokio::test]
async fn a_port_that_listens_is_an_answer_from_here_and_from_inside() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let probe = || WaitProbe::Tcp(address.clone());
    let here = bench(probe(), LONG, SHORT);
    assert_eq!(here.run(0).await.unwrap(), Outcome::Success);
    let inside = bench(probe(), LONG, SHORT).elsewhere();
    assert_eq!(inside.run(0).await.unwrap(), Outcome::Success);
}

#[tokio::test]
async fn a_port_that_opens_later_is_waited_for() {
    let (socket, port) = closed_port();
    let bench = bench(WaitProbe::Tcp(format!("127.0.0.1:{port}")), LONG, SHORT);
    let open = async {
        while !bench.log().await.contains("waiting") {
            tokio::task::yield_now().await;
        }
        socket.listen(16).unwrap()
    };
    let (outcome, _listener) = tokio::join!(bench.run(0), open);
    assert_eq!(outcome.unwrap(), Outcome::Success);
}

#[tokio::test]
async fn a_closed_port_fails_with_what_was_tried() {
    let (_socket, port) = closed_port();
    for elsewhere in [false, true] {
        let mut bench = bench(WaitProbe::Tcp(format!("127.0.0.1:{port}")), SHORT, SHORT);
        if elsewhere {
            bench = bench.elsewhere();
        }
        let words = bench.run(0).await.unwrap().to_string();
        let start = format!("failed: port {port} of `127.0.0.1` did not answer within 10ms (");
        assert!(words.starts_with(&start), "{words}");
        assert!(
            words.to_lowercase().contains("refused") || elsewhere,
            "{words}"
        );
    }
}

#[cfg(feature = "http")]
#[tokio::test]
async fn a_url_has_to_answer_with_a_good_status() {
    let url = serve(&["503 Busy", "500 Broken", "302 Found"]);
    let good = bench(WaitProbe::Http(url), LONG, SHORT);
    assert_eq!(good.run(0).await.unwrap(), Outcome::Success);
    let url = serve(&["404 Not Found"]);
    let bad = bench(WaitProbe::Http(url.clone()), SHORT, SHORT);
    let words = bad.run(0).await.unwrap().to_string();
    assert!(
        words.contains(&format!("`{url}` did not answer")),
        "{words}"
    );
    assert!(
        words.ends_with(": status 404") || words.ends_with("no answer"),
        "{words}"
    );
}

#[tokio::test]
async fn a_url_is_asked_from_inside_where_the_session_is_elsewhere() {
    let tools = ["curl", "wget"].map(|tool| {
        let found = std::process::Command::new(tool).arg("--version").output();
        found.is_ok_and(|output| output.status.success())
    });
    let bench = bench(WaitProbe::Http(serve(&["200 OK"])), LONG, SHORT).elsewhere();
    let outcome = bench.run(0).await.unwrap();
    if tools.contains(&true) {
        assert_eq!(outcome, Outcome::Success);
    } else {
        assert!(
            outcome.to_string().contains("`curl` or `wget`"),
            "{outcome}"
        );
    }
}

#[tokio::test]
async fn a_session_without_tools_is_told_at_once() {
    // A directory with nothing but `sh` in it is a machine without tools.
    let bin = tempfile::tempdir().unwrap();
    let sh = ["/bin/sh", "/usr/bin/sh"]
        .into_iter()
        .find(|sh| std::fs::exists(sh).unwrap());
    std::os::unix::fs::symlink(sh.unwrap(), bin.path().join("sh")).unwrap();
    let bench = bench(WaitProbe::Tcp("127.0.0.1:9".into()), LONG, LONG)
        .env("PATH", bin.path().to_str().unwrap())
        .elsewhere();
    let words = bench.run(0).await.unwrap().to_string();
    assert!(
        words.contains("needs `bash`, `nc` or `python3` where it runs"),
        "{words}"
    );
}

#[tokio::test]
async fn a_command_is_tried_until_it_succeeds() {
    let script = "echo x >> tries; test $(wc -l < tries) -ge 3";
    let bench = bench(WaitProbe::Command(script.into()), LONG, SHORT);
    assert_eq!(bench.run(0).await.unwrap(), Outcome::Success);
    let tries = std::fs::read_to_string(bench.work_dir().join("tries")).unwrap();
    assert_eq!(tries, "x\nx\nx\n");
}

#[tokio::test(start_paused = true)]
async fn the_deadline_passes_on_the_clock_of_the_engine() {
    let start = Instant::now();
    let minute = Duration::from_mins(1);
    let script = WaitProbe::Command("echo not ready; exit 3".into());
    let bench = bench(script, 4 * minute, minute);
    assert_eq!(
        bench.run(0).await.unwrap(),
        Outcome::failed(
            "`echo not ready; exit 3` did not answer within 4m (4 tries): exit code 3, \
             `not ready`"
        )
    );
    assert_eq!(start.elapsed(), 4 * minute);
    let log = bench.log().await;
    assert!(
        log.contains("no answer yet: exit code 3, `not ready`"),
        "{log}"
    );
}

#[tokio::test]
async fn a_try_that_hangs_is_stopped_at_the_deadline() {
    let bench = bench(WaitProbe::Command("exec sleep 1000".into()), SHORT, SHORT);
    let words = bench.run(0).await.unwrap().to_string();
    assert!(words.ends_with("(one try): no answer"), "{words}");
}

#[tokio::test(start_paused = true)]
async fn cancellation_ends_the_wait() {
    let bench = bench(WaitProbe::Command("false".into()), LONG * 600, LONG * 60);
    let cancel = bench.cancellation();
    let later = async {
        tokio::time::sleep(LONG).await;
        cancel.cancel();
    };
    let start = Instant::now();
    let (outcome, ()) = tokio::join!(bench.run(0), later);
    assert_eq!(outcome.unwrap(), Outcome::Canceled(CancelReason::Requested));
    assert_eq!(start.elapsed(), LONG);
}

#[tokio::test]
async fn a_malformed_address_fails_without_a_try() {
    let bench = bench(WaitProbe::Tcp("localhost".into()), LONG, LONG);
    assert_eq!(
        bench.run(0).await.unwrap(),
        Outcome::failed("`localhost` is not of the form `host:port`")
    );
}
