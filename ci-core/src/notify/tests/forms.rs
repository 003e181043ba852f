//! What messages look like, with hostile names, and what the settings come to.

use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::kit::*;
use crate::notify::*;
use crate::outcome::{Outcome, OutcomeKind};
use crate::settings::{ForgeKind, SecretRef};

fn failed_run(name: &str, test: &str) -> Notice {
    notice(NoticeKind::RunFinished {
        outcome: OutcomeKind::Failed,
        change: Change::Broken,
        duration: Duration::from_millis(90_500),
        jobs: vec![
            ended("lint", &Outcome::Success),
            ended(name, &Outcome::from_exit_code(2)),
        ],
        failed_tests: vec![test.to_owned()],
    })
}

#[test]
fn a_chat_gets_a_link_and_what_failed() {
    let text = chat::text(&message(vec![failed_run("test", "a::b")]));
    assert_eq!(
        text,
        "*<https://ci.example.org/runs/1|ci failed on main>*\n• job test: exit code 2\n• test a::b"
    );
}

#[test]
fn foreign_words_are_no_markup_and_call_nobody() {
    let name = "<!channel> @all <https://evil.example|x> &\u{1b}[31m\n*b*";
    let text = chat::text(&message(vec![failed_run(name, name)]));
    assert!(!text.contains("<!") && !text.contains("@all"), "{text}");
    assert_eq!(text.matches('<').count(), 1, "{text}");
    assert_eq!(text.lines().count(), 3, "{text}");
    let mail = email::body(&message(vec![failed_run(name, "a\r\nBcc: x@y")]));
    assert!(!mail.contains("\nBcc:"), "{mail}");
}

proptest! {
    #[test]
    fn no_name_breaks_out_of_a_message(name in "\\PC{0,40}|[<>|@&`\r\n\\x00-\\x1f]{0,20}") {
        let text = chat::text(&message(vec![failed_run(&name, &name)]));
        prop_assert_eq!(text.matches('<').count(), 1);
        prop_assert!(!text.contains('\r') && !text.contains('\0'));
    }
}

#[test]
fn a_signature_is_that_of_standard_webhooks() {
    // The example of the specification's reference libraries.
    let key = base64::Engine::decode(
        &base64::engine::general_purpose::STANDARD,
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    )
    .unwrap();
    let signature = webhook::signature(
        &key,
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1_614_265_330,
        br#"{"test": 2432232314}"#,
    );
    assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

#[test]
fn the_states_of_forges_are_theirs() {
    let job = |outcome: &Outcome| {
        notice(NoticeKind::JobFinished {
            job: ended("a", outcome),
            change: Change::Same,
        })
    };
    let state = |forge, notice: &Notice| {
        forge_body::status(forge, "ci/a", notice)["state"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let began = notice(NoticeKind::RunStarted);
    let table = [
        (began, "pending", "running"),
        (job(&Outcome::Success), "success", "success"),
        (job(&Outcome::failed("x")), "failure", "failed"),
        (job(&Outcome::Skipped("x".into())), "success", "skipped"),
        (
            job(&Outcome::InfrastructureFailure("x".into())),
            "error",
            "failed",
        ),
    ];
    for (notice, github, gitlab) in table {
        assert_eq!(state(ForgeKind::Github, &notice), github);
        assert_eq!(state(ForgeKind::Gitea, &notice), github);
        assert_eq!(state(ForgeKind::Gitlab, &notice), gitlab);
    }
    let check = forge_body::check("ci/a", &job(&Outcome::failed("**x**")));
    assert_eq!(check["conclusion"], "failure");
    assert_eq!(check["head_sha"], "a1b2c3");
    assert_eq!(
        check["output"]["summary"],
        "    ci/a failed on main\n    **x**"
    );
}

#[cfg(feature = "yaml")]
#[test]
fn the_example_of_the_settings_is_a_plan() {
    let text = include_str!("../../settings/example.yml");
    let settings = crate::settings::Settings::parse(text, Path::new("settings.yml")).unwrap();
    let full = NotifyPlan::from_settings(&settings.notify, |wanted: &SecretRef| {
        let value = if wanted.name.ends_with("URL") {
            "https://chat.example.org/T0/secret-part"
        } else {
            "hunter22"
        };
        Some(value.to_owned())
    });
    assert_eq!(full.failures, []);
    assert_eq!(full.channels.len(), 4);
    assert!(!format!("{full:?}").contains("secret-part"));
    assert_eq!(full.channels["mail"].delivery.per, Duration::from_mins(10));
    let bare = NotifyPlan::from_settings(&settings.notify, |_| None);
    let said: Vec<String> = bare.failures.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "notify: `mail`: the variable `$SMTP_PASSWORD` is not set",
            "notify: `ops`: the variable `$OPS_WEBHOOK_SECRET` is not set",
            "notify: `status`: the variable `$GITHUB_TOKEN` is not set",
            "notify: `team`: the variable `$SLACK_WEBHOOK_URL` is not set",
        ]
    );
}

#[test]
fn what_is_wrong_with_the_settings_is_said_and_the_rest_works() {
    let settings = serde_json::json!({
        "channels": {
            "good": {"chat": {}},
            "two": {"chat": {}, "webhook": {"url": "http://127.0.0.1/"}},
            "none": {},
            "file": {"webhook": {"url": "file:///etc/passwd"}},
            "gitea": {"status": {"forge": "gitea", "repository": "a/b", "token": "$T"}},
            "check": {"check": {"forge": "gitlab", "repository": "a/b", "token": "$T"}},
            "clear": {"email": {"server": "s", "security": "none", "user": "u", "password": "$T",
                "from": "a@b.c", "to": ["d@e.f"]}},
            "from": {"email": {"server": "s", "from": "nobody", "to": ["d@e.f"]}},
        },
        "rules": [{"to": ["god"]}],
    });
    let settings = serde_json::from_value(settings).unwrap();
    let url = "https://chat.example.org/";
    let plan = NotifyPlan::from_settings(&settings, |_| Some(url.into()));
    assert_eq!(plan.channels.keys().collect::<Vec<_>>(), ["good"]);
    let said: Vec<String> = plan.failures.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(said.join("\n"));
}
