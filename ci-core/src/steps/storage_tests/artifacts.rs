//! Keeping files after the job.

use std::os::unix::fs::symlink;

use super::kit::{Done, Job, secrets, storage, words};
use crate::event::StoredKind;
use crate::id::RunId;
use crate::step::PathsSpec;
use crate::steps::{StoreArtifacts, StoreCoverage, StoreTestResults};

async fn kept(paths: &[&str], exclude: &[&str], destination: Option<&str>) -> Done {
    let (_temp, storage) = storage();
    let job = Job::new(RunId::new(), "job", &storage);
    job.machine.write("report/index.html", "<html>");
    job.machine.write("report/data/x.json", "{}");
    job.machine.write("one.txt", "1");
    job.machine.write("two.txt", "22");
    symlink("one.txt", job.machine.path("latest.txt")).unwrap();
    let mut spec = PathsSpec::new(words(paths));
    spec.exclude = words(exclude);
    spec.destination = destination.map(str::to_owned);
    job.run(StoreArtifacts(spec)).await.ok()
}

fn names(done: &Done) -> Vec<&str> {
    let mut names: Vec<_> = done.stored().into_iter().map(|(_, name)| name).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn files_stand_where_they_were_told_to() {
    let all = ["report/data/x.json", "report/index.html"];
    for (paths, exclude, destination, expected) in [
        (&["report"][..], &[][..], None, &all[..]),
        (&["report/**/*.json"], &[], None, &all[..1]),
        (&["report"], &["**/*.json"], None, &all[1..]),
        (
            &["report"],
            &["report/data"],
            Some("html"),
            &["html/index.html"],
        ),
        (
            &["report/"],
            &[],
            Some("html/"),
            &["html//data/x.json", "html//index.html"],
        ),
        (&["one.txt"], &[], Some("renamed.txt"), &["renamed.txt"]),
        (&["one.txt"], &[], Some("dir/"), &["dir/one.txt"]),
        (
            &["one.txt", "two.txt"],
            &[],
            Some("dir"),
            &["dir/one.txt", "dir/two.txt"],
        ),
        (
            &["*.txt"],
            &[],
            Some("/dir"),
            &["dir/latest.txt", "dir/one.txt", "dir/two.txt"],
        ),
    ] {
        let expected: Vec<String> = expected
            .iter()
            .map(|name| name.replace("//", "/"))
            .collect();
        let done = kept(paths, exclude, destination).await;
        assert_eq!(names(&done), expected, "{paths:?} {destination:?}");
        assert!(done.warnings().is_empty(), "{:?}", done.warnings());
    }
}

#[tokio::test]
async fn what_cannot_be_kept_is_a_warning() {
    let done = kept(&["none", "latest.txt"], &[], None).await;
    assert_eq!(names(&done), [""; 0]);
    assert_eq!(done.warnings().len(), 2, "{:?}", done.warnings());
    let done = kept(&["one.txt"], &[], Some("../../evil")).await;
    assert_eq!(names(&done), [""; 0]);
    assert!(
        done.warnings()[0].contains("`one.txt`"),
        "{:?}",
        done.warnings()
    );
}

#[tokio::test]
async fn results_and_coverage_are_kept_as_what_they_are() {
    let (temp, storage) = storage();
    let run = RunId::new();
    let new = || {
        let job = Job::new(run, "job", &storage);
        let dir = job.machine.elsewhere();
        job.machine
            .write(&format!("{dir}/junit.xml"), "<testsuite/>");
        (job, dir)
    };
    let path = |dir: &str| format!("{}/junit.xml", dir.trim_start_matches('/'));
    let (job, dir) = new();
    let done = job
        .run(StoreTestResults(PathsSpec::new([dir.clone()])))
        .await
        .ok();
    assert_eq!(
        done.stored(),
        [(StoredKind::TestResults, path(&dir).as_str())]
    );
    let (job, dir) = new();
    let done = job
        .run(StoreCoverage(PathsSpec::new([dir.clone()])))
        .await
        .ok();
    assert_eq!(done.stored(), [(StoredKind::Coverage, path(&dir).as_str())]);
    let listed = storage.artifacts(run, Some("job")).unwrap();
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0].digest, listed[1].digest);
    let dest = temp.path().join("out");
    assert_eq!(storage.export(run, "job", &dest).unwrap().len(), 2);
}

#[cfg(feature = "reports")]
mod reports {
    use super::*;
    use crate::step::StepRecord;
    use crate::steps::{StoreFindings, StoreMetrics};

    fn job_with_reports() -> (tempfile::TempDir, Job) {
        let (temp, storage) = storage();
        let job = Job::new(RunId::new(), "job", &storage);
        job.machine.write(
            "junit.xml",
            "<testsuite name='s'><testcase classname='a' name='x' time='1.5'/>\
             <testcase classname='a' name='y'><failure message='no'/></testcase></testsuite>",
        );
        job.machine
            .write("lcov.info", "SF:a\nDA:1,1\nDA:2,0\nend_of_record\n");
        job.machine.write("notes.txt", "hello");
        (temp, job)
    }

    #[tokio::test]
    async fn test_results_are_read() {
        let (_temp, job) = job_with_reports();
        let spec = PathsSpec::new(words(&["junit.xml", "notes.txt"]));
        let done = job.run(StoreTestResults(spec)).await.ok();
        let read = done.records.iter().find_map(|record| match record {
            StepRecord::Tests { files, tests, .. } => Some((files, tests)),
            _ => None,
        });
        let (files, tests) = read.expect("test results");
        let ids: Vec<_> = tests.iter().map(|test| (test.id(), test.time)).collect();
        assert_eq!(ids, [("a::x".into(), Some(1.5)), ("a::y".into(), None)]);
        assert_eq!(tests[1].message.as_deref(), Some("no"));
        let formats: Vec<_> = files.iter().map(|file| file.format.as_deref()).collect();
        assert_eq!(formats, [Some("junit"), None]);
        assert_eq!(done.warnings().len(), 1, "{:?}", done.warnings());
        assert!(done.said.contains("2 tests: 1 passed, 1 failed"));
    }

    #[tokio::test]
    async fn values_and_findings_are_read() {
        let (_temp, storage) = storage();
        let job = Job::new(RunId::new(), "job", &storage);
        job.machine
            .write("m.json", r#"{"size": 7, "time": {"p50": 1.5}}"#);
        let estimates = "target/criterion/parse/large/new/estimates.json";
        job.machine
            .write(estimates, r#"{"median": {"point_estimate": 12.5}}"#);
        job.machine.write("notes.txt", "hello there");
        let spec = PathsSpec::new(words(&["m.json", "target/criterion", "notes.txt"]));
        let done = job.run(StoreMetrics(spec)).await.ok();
        let read = done.records.iter().find_map(|record| match record {
            StepRecord::Metrics { files, values } => Some((files, values)),
            _ => None,
        });
        let (files, values) = read.expect("values");
        let told: Vec<_> = values.iter().map(|it| (&*it.name, it.value)).collect();
        let expected = [("size", 7.0), ("time.p50", 1.5), ("parse/large", 12.5)];
        assert_eq!(told, expected);
        assert_eq!((files.len(), done.warnings().len()), (3, 1));

        let quality = |tool: &str| {
            format!(
                r#"[{{"description": "{tool}", "check_name": "r", "severity": "critical",
                    "fingerprint": "1", "location": {{"path": "a.rs", "lines": {{"begin": 3}}}}}}]"#
            )
        };
        let job = Job::new(RunId::new(), "job", &storage);
        job.machine.write("one.json", &quality("unused"));
        job.machine.write("two.json", &quality("unused"));
        let spec = PathsSpec::new(words(&["one.json", "two.json"]));
        let done = job.run(StoreFindings(spec)).await.ok();
        let read = done.records.iter().find_map(|record| match record {
            StepRecord::Findings { counts, worst, .. } => Some((counts, worst)),
            _ => None,
        });
        let (counts, worst) = read.expect("findings");
        assert_eq!(counts.total(), 1, "what two tools found counts once");
        assert_eq!(worst[0].to_string(), "critical r a.rs:3: unused");
        assert!(done.said.contains("1 finding: 1 critical"), "{}", done.said);
    }

    #[tokio::test]
    async fn coverage_is_read() {
        let (_temp, job) = job_with_reports();
        let spec = PathsSpec::new(words(&["lcov.info", "notes.txt"]));
        let done = job.run(StoreCoverage(spec)).await.ok();
        let read = done.records.iter().find_map(|record| match record {
            StepRecord::Coverage { files, totals } => Some((files, totals)),
            _ => None,
        });
        let (files, totals) = read.expect("coverage");
        assert_eq!((totals.lines.covered, totals.lines.total), (1, 2));
        assert_eq!(files[0].format.as_deref(), Some("lcov"));
        assert!(done.warnings()[0].contains("`notes.txt`"));
    }
}

#[tokio::test]
async fn names_are_kept_without_their_secrets() {
    let (_temp, storage) = storage();
    let run = RunId::new();
    let mut job = Job::new(run, "job", &storage);
    job.secrets = secrets(&["first-value", "other-value"]);
    job.machine.write("out/first-value.txt", "1");
    job.machine.write("out/other-value.txt", "2");
    let spec = PathsSpec::new(words(&["out"]));
    let done = job.run(StoreArtifacts(spec)).await.ok();
    assert_eq!(names(&done), ["out/***-2.txt", "out/***.txt"]);
    let listed = storage.artifacts(run, None).unwrap();
    let listed: Vec<_> = listed.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(listed, ["out/***-2.txt", "out/***.txt"]);
}
