//! Channels against servers on this machine that record what they got, refuse, are busy, hang or
//! break off.
#![cfg(feature = "notify")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use ci_core::job::JobSpec;
use ci_core::notify::{
    About, Channel, Chat, Delivery, Forge, ForgeReport, Notifier, NotifyPlan, NotifyReport, Webhook,
};
use ci_core::run::{RunOptions, run};
use ci_core::settings::{ForgeKind, NotifyRule};
use ci_core::step::{StepSpec, step_fn};
use ci_core::workflow::{RunFacts, WorkflowSpec};
use serde_json::Value;
use tokio::net::TcpListener;

/// A request that a server got.
#[derive(Debug, Clone)]
struct Got {
    /// The method and the path as they were sent.
    line: String,
    headers: HeaderMap,
    body: String,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

type Answers = Box<dyn Fn(usize) -> Response + Send + Sync>;

#[derive(Clone)]
struct Server {
    address: String,
    got: Arc<Mutex<Vec<Got>>>,
    answers: Arc<Answers>,
}

impl Server {
    /// A server that answers its requests, counted from 0, like that.
    async fn start(answers: impl Fn(usize) -> Response + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: format!("http://{}", listener.local_addr().unwrap()),
            got: Arc::default(),
            answers: Arc::new(Box::new(answers)),
        };
        let router = Router::new().fallback(take).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        server
    }

    fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }
}

async fn take(State(server): State<Server>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let number = {
        let mut got = server.got.lock().unwrap();
        got.push(Got {
            line: format!("{} {}", parts.method, parts.uri),
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        });
        got.len() - 1
    };
    (server.answers)(number)
}

fn ok() -> Response {
    StatusCode::OK.into_response()
}

/// Runs a workflow with a job that ends like that, and tells the channel about run and jobs.
async fn told(channel: impl Channel + 'static, delivery: Delivery, good: bool) -> NotifyReport {
    let step = step_fn("work", move |_| async move {
        if good { Ok(()) } else { Err("it said no") }
    });
    let workflow = WorkflowSpec::builder("build")
        .job(JobSpec::new("test").step(StepSpec::code(step)))
        .build()
        .unwrap();
    let mut rule = NotifyRule::default();
    rule.to.push("c".into());
    let facts = RunFacts::default().branch("main").revision("a1b2c3");
    let plan = NotifyPlan::new()
        .channel("c", channel, delivery)
        .rule(rule)
        .run_url("https://ci.example.org/{run}")
        .secrets([("TOKEN", "hunter22token")]);
    let (sink, notifier) = Notifier::start(plan, About::default().facts(facts.clone()));
    let report = run(&workflow, RunOptions::new().facts(facts).sink(sink)).await;
    assert_eq!(report.unwrap().is_success(), good);
    notifier.finish().await
}

/// Tries at once again.
fn quick() -> Delivery {
    let mut delivery = Delivery::default();
    delivery.backoff.initial = Duration::from_millis(1);
    delivery
}

#[tokio::test]
async fn a_chat_gets_one_message() {
    let server = Server::start(|_| ok()).await;
    let chat = Chat::new(&format!("{}/services/T0/B0", server.address)).unwrap();
    let report = told(chat, quick(), false).await;
    assert_eq!((report.messages, report.failures.len()), (1, 0));
    let got = server.got();
    assert_eq!(got[0].line, "POST /services/T0/B0");
    let text = got[0].json()["text"].as_str().unwrap().to_owned();
    assert!(
        text.contains("|build failed on main>*\n• job test: it said no"),
        "{text}"
    );
}

#[tokio::test]
async fn a_busy_server_is_asked_again_with_the_same_id_and_a_signature() {
    let server = Server::start(|number| match number {
        0 => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        1 => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "0")]).into_response(),
        _ => ok(),
    })
    .await;
    let hook = Webhook::new(&server.address).unwrap().signed("k").unwrap();
    let report = told(hook, quick(), true).await;
    assert_eq!((report.messages, report.failures.len()), (1, 0));
    let got = server.got();
    assert_eq!(got.len(), 3);
    let id = |got: &Got| got.headers["webhook-id"].to_str().unwrap().to_owned();
    assert!(got.iter().all(|it| id(it) == id(&got[0])));
    assert!(
        got[2].headers["webhook-signature"]
            .to_str()
            .unwrap()
            .starts_with("v1,")
    );
    let notice = &got[2].json()["notices"][0];
    assert_eq!(notice["what"]["kind"], "run_finished");
    assert_eq!(notice["what"]["outcome"], "success");
    assert_eq!(notice["what"]["jobs"][0]["name"], "test");
}

#[tokio::test]
async fn who_refuses_is_not_asked_again_and_what_it_echoes_is_masked() {
    let body = "bad token hunter22token \u{1b}[31m";
    let server = Server::start(move |_| (StatusCode::NOT_FOUND, body).into_response()).await;
    let report = told(Chat::new(&server.address).unwrap(), quick(), false).await;
    let said = report.failures[0].to_string();
    assert_eq!(
        said,
        "notify: a notice did not reach `c`: the server answered 404 Not Found: bad token ***"
    );
    assert_eq!(server.got().len(), 1);
}

#[tokio::test]
async fn a_redirection_is_not_followed() {
    let other = Server::start(|_| ok()).await;
    let to = other.address.clone();
    let server = Server::start(move |_| {
        (StatusCode::TEMPORARY_REDIRECT, [("location", to.clone())]).into_response()
    })
    .await;
    let report = told(Chat::new(&server.address).unwrap(), quick(), false).await;
    assert!(report.failures[0].message.contains("307"), "{report:?}");
    assert!(other.got().is_empty());
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up() {
    // It takes connections and never answers.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let mut delivery = quick();
    delivery.timeout = Duration::from_millis(50);
    delivery.attempts = std::num::NonZeroU32::new(2).unwrap();
    let report = told(Chat::new(&address).unwrap(), delivery, true).await;
    assert_eq!(
        report.failures[0].message,
        "no answer within 50ms (tried 2 times)"
    );
    drop(listener);
}

#[tokio::test]
async fn nobody_listens_and_the_address_is_in_no_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/secret-path", listener.local_addr().unwrap());
    drop(listener);
    let report = told(Chat::new(&address).unwrap(), quick(), true).await;
    let said = report.failures[0].to_string();
    assert!(
        said.contains("(tried 5 times)") && !said.contains("secret-path"),
        "{said}"
    );
}

#[tokio::test]
async fn statuses_of_three_forges_go_where_their_apis_have_them() {
    let table = [
        (
            ForgeKind::Github,
            "acme/app",
            "/repos/acme/app/statuses/a1b2c3",
            "authorization",
            "Bearer hunter22token",
            "pending",
            "failure",
        ),
        (
            ForgeKind::Gitlab,
            "acme/sub/app",
            "/projects/acme%2Fsub%2Fapp/statuses/a1b2c3",
            "private-token",
            "hunter22token",
            "running",
            "failed",
        ),
        (
            ForgeKind::Gitea,
            "acme/app",
            "/repos/acme/app/statuses/a1b2c3",
            "authorization",
            "token hunter22token",
            "pending",
            "failure",
        ),
    ];
    for (kind, repository, path, header, value, begins, ends) in table {
        let server = Server::start(|_| StatusCode::CREATED.into_response()).await;
        let api = format!("{}/api/", server.address);
        let forge = Forge::new(
            kind,
            ForgeReport::Status,
            Some(&api),
            repository,
            "hunter22token",
        );
        let report = told(forge.unwrap().name("build"), quick(), false).await;
        assert_eq!(report.failures, []);
        let got = server.got();
        let last = got.last().unwrap();
        assert_eq!(last.line, format!("POST /api{path}"));
        assert_eq!(last.headers[header], value);
        assert_eq!(last.json()["state"], ends);
        assert!(
            last.json()["target_url"]
                .as_str()
                .unwrap()
                .starts_with("https://ci.example.org/0")
        );
        // A run that is over before the first message went out has no beginning to tell.
        assert!(
            got.len() == 1 || got[0].json()["state"] == begins,
            "{got:?}"
        );
    }
}

#[tokio::test]
async fn gitlab_says_that_a_state_is_set_already() {
    let body = r#"{"message":"Cannot transition status via :drop from :failed"}"#;
    let server = Server::start(move |_| (StatusCode::BAD_REQUEST, body).into_response()).await;
    let forge = Forge::new(
        ForgeKind::Gitlab,
        ForgeReport::Status,
        Some(&server.address),
        "1",
        "t",
    );
    assert_eq!(told(forge.unwrap(), quick(), false).await.failures, []);
}

#[tokio::test]
async fn a_check_that_was_begun_is_completed() {
    let server = Server::start(|_| {
        (
            StatusCode::CREATED,
            r#"{"id": 42, "status": "in_progress"}"#,
        )
            .into_response()
    })
    .await;
    let kind = ForgeKind::Github;
    let forge = Forge::new(kind, ForgeReport::Check, Some(&server.address), "a/b", "t").unwrap();
    // Its beginning is taken before the run ends.
    let begun = Arc::clone(&server.got);
    let step = step_fn("wait", move |_| {
        let begun = Arc::clone(&begun);
        async move {
            while begun.lock().unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
            Ok::<_, std::io::Error>(())
        }
    });
    let workflow = WorkflowSpec::builder("build")
        .job(JobSpec::new("test").step(StepSpec::code(step)))
        .build()
        .unwrap();
    let mut rule = NotifyRule::default();
    rule.to.push("c".into());
    let facts = RunFacts::default().revision("a1b2c3");
    let plan = NotifyPlan::new().channel("c", forge, quick()).rule(rule);
    let (sink, notifier) = Notifier::start(plan, About::default().facts(facts.clone()));
    let options = RunOptions::new().facts(facts).sink(sink);
    assert!(run(&workflow, options).await.unwrap().is_success());
    assert_eq!(notifier.finish().await.failures, []);
    let got = server.got();
    let lines: Vec<&str> = got.iter().map(|it| &*it.line).collect();
    assert_eq!(
        lines,
        [
            "POST /repos/a/b/check-runs",
            "PATCH /repos/a/b/check-runs/42"
        ]
    );
    assert_eq!(got[0].json()["status"], "in_progress");
    assert_eq!(got[1].json()["conclusion"], "success");
}
