//! Reads the values and the findings that a step kept.

use super::reports::{MOST_DIAGNOSTICS, cut, format_name, no_report};
use crate::event::{FindingCounts, FindingRecord, MetricValue, ReportDiagnostic, ReportFile};
use crate::measure::findings::{self, Finding};
use crate::measure::values::{self, Measured};
use crate::report::DiagnosticKind;
use crate::step::StepRecord;
use crate::storage::{Artifact, ArtifactReader, Storage};

/// How many findings a step tells of.
const MOST_TOLD: usize = 100;

/// The values in files, and what is said of the files.
#[derive(Debug, Default)]
pub(crate) struct ReadValues {
    pub(crate) files: Vec<ReportFile>,
    pub(crate) values: Vec<Measured>,
}

/// The findings in files, each once, the worst first, and what is said of the files.
#[derive(Debug, Default)]
pub(crate) struct ReadFindings {
    pub(crate) files: Vec<ReportFile>,
    pub(crate) findings: Vec<Finding>,
}

/// Reads values. A file without any is told and changes nothing.
pub(crate) fn values_in<'a>(
    storage: &Storage,
    kept: impl IntoIterator<Item = &'a Artifact>,
) -> ReadValues {
    let mut all = ReadValues::default();
    for artifact in kept {
        let mut file = file_of(artifact);
        let read = open(storage, artifact).and_then(|content| {
            let found = values::read(content).map_err(|error| crate::error::chain(&error))?;
            Ok(found.at(&artifact.path))
        });
        match read {
            Ok(found) => {
                file.format = Some(format_name(found.format));
                tell(&mut file, &found.warnings);
                all.values.extend(found.values);
            }
            Err(words) => file.diagnostics.push(no_report(words)),
        }
        all.files.push(file);
    }
    all
}

/// Reads findings. A file that is no report of them is told and changes nothing.
pub(crate) fn findings_in<'a>(
    storage: &Storage,
    kept: impl IntoIterator<Item = &'a Artifact>,
) -> ReadFindings {
    let (mut files, mut found) = (Vec::new(), Vec::new());
    for artifact in kept {
        let mut file = file_of(artifact);
        let read = open(storage, artifact).and_then(|content| {
            findings::read(content).map_err(|error| crate::error::chain(&error))
        });
        match read {
            Ok(report) => {
                file.format = Some(format_name(report.format));
                tell(&mut file, &report.warnings);
                found.extend(report.findings);
            }
            Err(words) => file.diagnostics.push(no_report(words)),
        }
        files.push(file);
    }
    let mut findings = findings::merge(found);
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    ReadFindings { files, findings }
}

pub(super) fn read_metrics(storage: &Storage, kept: &[Artifact]) -> StepRecord {
    let ReadValues { files, values } = values_in(storage, kept);
    let values = values.into_iter().map(value_of).collect();
    StepRecord::Metrics { files, values }
}

pub(super) fn read_findings(storage: &Storage, kept: &[Artifact]) -> StepRecord {
    let ReadFindings { files, findings } = findings_in(storage, kept);
    StepRecord::Findings {
        files,
        counts: count(&findings),
        worst: findings.iter().take(MOST_TOLD).map(record_of).collect(),
    }
}

/// Findings by how bad they are.
pub(crate) fn count<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> FindingCounts {
    let mut counts = FindingCounts::default();
    for finding in findings {
        counts.add(finding.severity);
    }
    counts
}

fn value_of(measured: Measured) -> MetricValue {
    MetricValue {
        name: measured.name,
        value: measured.value,
        unit: measured.unit,
    }
}

/// A finding as events tell it.
pub(crate) fn record_of(finding: &Finding) -> FindingRecord {
    FindingRecord {
        severity: finding.severity,
        rule: finding.rule.clone(),
        place: finding.place(),
        message: cut(&finding.message),
        tools: finding.tools.clone(),
    }
}

fn open(storage: &Storage, artifact: &Artifact) -> Result<ArtifactReader, String> {
    let opened = storage.open_artifact(&artifact.digest);
    opened.map_err(|error| crate::error::chain(&error))
}

fn file_of(artifact: &Artifact) -> ReportFile {
    ReportFile {
        path: artifact.path.clone(),
        ..ReportFile::default()
    }
}

fn tell(file: &mut ReportFile, warnings: &[String]) {
    let told = warnings.iter().take(MOST_DIAGNOSTICS);
    file.diagnostics = told
        .map(|words| ReportDiagnostic {
            offset: 0,
            line: 0,
            kind: DiagnosticKind::Value.name().to_owned(),
            message: words.clone(),
        })
        .collect();
}
