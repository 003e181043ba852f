//! The server: one endpoint.

use std::io::{self, Write};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::args::Args;
use crate::chaos::{Chaos, Mishap};
use crate::exec;

/// What is asked for.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Request {
    pub(crate) step_name: String,
    pub(crate) repo_path: String,
    pub(crate) commit_hash: String,
}

/// How a step ended.
#[derive(Debug, Serialize)]
pub(crate) struct Reply {
    status: &'static str,
    step_name: String,
    commit_hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<String>,
}

impl Reply {
    pub(crate) fn new(request: &Request, success: bool) -> Self {
        Self {
            status: if success { "success" } else { "failure" },
            step_name: request.step_name.clone(),
            commit_hash: request.commit_hash.clone(),
            exit_code: None,
            message: None,
            output: None,
        }
    }
}

#[derive(Debug)]
struct Server {
    args: Args,
    chaos: Chaos,
    /// Held while a `build` runs, and while a `test` does.
    building: Arc<Mutex<()>>,
    testing: Arc<Mutex<()>>,
}

/// Serves until it is told to end, or crashes.
pub(crate) async fn serve(args: Args) -> io::Result<()> {
    let address = match args.addr.strip_prefix(':') {
        Some(port) => format!("0.0.0.0:{port}"),
        None => args.addr.clone(),
    };
    let listener = TcpListener::bind(&address).await.map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("`{address}` cannot be listened on: {error}"),
        )
    })?;
    say(&format!("listening on {}", listener.local_addr()?));
    let server = Server {
        chaos: Chaos::new(&args),
        args,
        building: Arc::default(),
        testing: Arc::default(),
    };
    let routes = Router::new()
        .route("/step/trigger", post(trigger))
        .route("/healthz", get(async || "ok"))
        .with_state(Arc::new(server));
    axum::serve(listener, routes)
        .with_graceful_shutdown(told_to_end())
        .await
}

/// Says something to the person at the terminal.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

async fn told_to_end() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

async fn trigger(State(server): State<Arc<Server>>, body: Bytes) -> Response {
    let request: Request = match serde_json::from_slice(&body) {
        Ok(request) => request,
        Err(error) => return told(StatusCode::BAD_REQUEST, &format!("the request: {error}")),
    };
    // Held until the answer is made, or the client has gone away.
    let _alone = match server.place(&request.step_name) {
        Ok(place) => place,
        Err(answer) => return *answer,
    };
    let Request {
        step_name: step,
        commit_hash: commit,
        ..
    } = &request;
    say(&format!("{step} {commit}: begins"));
    let answer = if server.args.exec {
        match exec::run(&server.args, &request).await {
            Ok(reply) => Json(reply).into_response(),
            Err(why) => told(StatusCode::INTERNAL_SERVER_ERROR, &why),
        }
    } else {
        server.play(&request).await
    };
    say(&format!("{step} {commit}: answers {}", answer.status()));
    answer
}

impl Server {
    /// The right to run a step now, or why it has to wait or cannot be run.
    fn place(&self, step: &str) -> Result<Option<OwnedMutexGuard<()>>, Box<Response>> {
        let lock = match step {
            "lint" => return Ok(None),
            "build" => &self.building,
            "test" => &self.testing,
            _ => {
                let message = format!("there is no step `{step}`; there are lint, build and test");
                return Err(Box::new(told(StatusCode::BAD_REQUEST, &message)));
            }
        };
        let place = Arc::clone(lock).try_lock_owned();
        place.map(Some).map_err(|_| {
            let message = format!("another {step} runs");
            Box::new(told(StatusCode::CONFLICT, &message))
        })
    }

    /// Pretends to run a step.
    async fn play(&self, request: &Request) -> Response {
        let (step, commit) = (&request.step_name, &request.commit_hash);
        let (mishap, length) = self.chaos.next(step);
        tokio::time::sleep(length).await;
        match mishap {
            Mishap::Nothing => {
                let fails = self.chaos.fails(step, commit);
                let mut reply = Reply::new(request, !fails);
                reply.exit_code = Some(i32::from(fails));
                if fails {
                    reply.message = Some(format!("{step} failed on {commit}"));
                }
                Json(reply).into_response()
            }
            Mishap::Crash => {
                say(&format!("{step} {commit}: crashes the server"));
                std::process::abort();
            }
            Mishap::Hang => {
                say(&format!("{step} {commit}: hangs"));
                std::future::pending().await
            }
            Mishap::Drop => broken_off(),
            Mishap::Error => told(StatusCode::INTERNAL_SERVER_ERROR, "out of luck"),
        }
    }
}

fn told(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({"status": "error", "message": message}))).into_response()
}

/// An answer in the middle of which the connection breaks.
fn broken_off() -> Response {
    let dropped = Err(io::Error::other("dropped on purpose"));
    let parts = [Ok(Bytes::from_static(b"{\"status\": ")), dropped];
    Response::new(Body::from_stream(futures_util::stream::iter(parts)))
}
