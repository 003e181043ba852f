//! `ci mcp` before an independent client: the Python package of the protocol's makers.

use std::process::Command;

use serde_json::Value;

use crate::support::{Project, ci_path, python};

const CLIENT: &str = r#"
import asyncio, json, os, sys
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

async def main():
    calls = json.loads(sys.argv[2])
    server = StdioServerParameters(command=sys.argv[1], args=sys.argv[3:], env=dict(os.environ))
    async with stdio_client(server) as (read, write):
        async with ClientSession(read, write) as session:
            await session.initialize()
            tools = await session.list_tools()
            answers = []
            for name, arguments in calls:
                try:
                    result = await session.call_tool(name, arguments)
                    text = "".join(part.text for part in result.content)
                    error = getattr(result, "isError", None) or getattr(result, "is_error", None)
                    answers.append({"text": text, "error": bool(error)})
                except Exception as problem:
                    answers.append({"text": str(problem), "error": True})
            print(json.dumps({"tools": sorted(tool.name for tool in tools.tools), "answers": answers}))

asyncio.run(main())
"#;

/// Lets the client ask, and gives what it got.
fn ask(project: &Project, options: &[&str], calls: &Value) -> Value {
    let output = Command::new(python())
        .args(["-c", CLIENT])
        .arg(ci_path())
        .arg(calls.to_string())
        .arg("mcp")
        .args(options)
        .current_dir(project.path())
        .env("CI_STORE", project.store())
        .env("CI_STORAGE", project.path().join(".storage"))
        .env("DEPLOY_TOKEN", "hunter22token")
        .output()
        .expect("python");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn failed_project() -> Project {
    let project = Project::new(
        "version: 1
name: ci
jobs:
  build: {steps: [run: 'echo fine']}
  test:
    needs: [build]
    steps:
      - name: Unit tests
        run: |
          for i in $(seq 1 50); do echo \"line $i\"; done
          echo 'assertion failed: 1 == 2 hunter22token'
          exit 3
",
    );
    project.ci(&["run", "-q"]).exits(1);
    project
}

fn text(answer: &Value) -> &str {
    answer["text"].as_str().expect("a text")
}

#[test]
fn an_independent_client_learns_what_failed_and_may_not_write() {
    let project = failed_project();
    let calls = serde_json::json!([
        ["what_failed", {}],
        ["list_runs", {"limit": 5}],
        ["read_log", {"job": "test", "from": 2, "lines": 3}],
        ["read_log", {"job": "test", "from": -2}],
        ["failed_tests", {}],
        ["list_artifacts", {}],
        ["show_run", {"run": "last"}],
        ["read_log", {"job": "tset"}],
        ["what_failed", {"rum": "last"}],
        ["cancel", {"run": "last"}],
    ]);
    let got = ask(&project, &[], &calls);
    let tools: Vec<&str> = got["tools"]
        .as_array()
        .expect("tools")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(
        tools,
        [
            "failed_tests",
            "list_artifacts",
            "list_runs",
            "read_log",
            "show_run",
            "what_failed"
        ]
    );
    let answers = got["answers"].as_array().expect("answers");
    let failed = text(&answers[0]);
    assert!(
        failed.contains("test") && failed.contains("Unit tests"),
        "{failed}"
    );
    assert!(failed.contains("assertion failed: 1 == 2 ***"), "{failed}");
    let runs: Value = serde_json::from_str(text(&answers[1])).expect("JSON");
    assert_eq!(runs["total"], 1);
    assert_eq!(runs["runs"][0]["outcome"], "failed");
    assert_eq!(
        text(&answers[2]),
        "lines 2 to 4 of 51\nline 2\nline 3\nline 4\n"
    );
    assert_eq!(
        text(&answers[3]),
        "lines 50 to 51 of 51\nline 50\nassertion failed: 1 == 2 ***\n"
    );
    for wrong in &answers[7..] {
        assert_eq!(wrong["error"], true, "{wrong}");
    }
    assert!(
        text(&answers[9]).contains("--allow-write"),
        "{}",
        answers[9]
    );
}

#[test]
fn with_leave_it_starts_a_run_again() {
    let project = failed_project();
    let calls = serde_json::json!([["rerun", {"run": "last"}]]);
    let got = ask(&project, &["--allow-write"], &calls);
    let answer = &got["answers"][0];
    assert_eq!(answer["error"], false, "{answer}");
    assert!(text(answer).ends_with("began"), "{answer}");
    crate::support::until("the rerun ends", || {
        let page = project.ci(&["runs", "--format", "json"]).ok().json();
        page["total"] == 2 && !page["data"][0]["outcome"].is_null()
    });
}
