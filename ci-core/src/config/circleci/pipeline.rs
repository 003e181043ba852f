//! The values of `pipeline.*`.

use std::collections::{BTreeMap, HashMap};

use super::parameters::{declared, only_values};
use crate::similar::closest;
use crate::workflow::RunFacts;
use crate::yaml::problem::{Problem, Problems};
use crate::yaml::{Mark, Node, Value};

/// What a pipeline runs for.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Pipeline {
    /// The branch or tag, the revision, the changed paths.
    pub facts: RunFacts,
    /// Arguments of the pipeline's parameters, as they are typed.
    pub parameters: BTreeMap<String, String>,
    /// Counts from 1.
    pub number: u64,
    /// Names the pipeline for good.
    pub id: String,
    /// The default branch of the repository.
    pub default_branch: Option<String>,
    /// Where the repository comes from.
    pub repository_url: Option<String>,
    /// Whether a schedule started it, and the schedule's name.
    pub schedule: Option<String>,
}

/// Values that are known to be empty on a machine of one's own.
const EMPTY: [&str; 14] = [
    "pipeline.git.base_revision",
    "pipeline.git.repo_id",
    "pipeline.git.commit.url",
    "pipeline.git.commit.subject",
    "pipeline.git.commit.body",
    "pipeline.git.commit.author_login",
    "pipeline.config.ref",
    "pipeline.config.sha",
    "pipeline.trigger.id",
    "pipeline.trigger.received_at",
    "pipeline.schedule.id",
    "pipeline.event.name",
    "pipeline.event.action",
    "pipeline.definition.id",
];

impl Pipeline {
    /// `owner/name` of the repository, as far as it is known.
    pub(super) fn slug(&self) -> String {
        self.repository_url.as_deref().map(slug).unwrap_or_default()
    }

    /// The values by their names. `file` is the configuration.
    pub(super) fn values(&self, file: &Node, problems: &mut Problems) -> HashMap<String, Node> {
        let mark = &file.mark;
        let text = |text: Option<&str>| match text {
            Some(text) => Value::Str(text.into()),
            None => Value::Null,
        };
        let url = self.repository_url.as_deref();
        let slug = self.slug();
        let (owner, name) = slug.rsplit_once('/').unwrap_or(("", &slug));
        let branch = self.facts.branch.as_deref();
        let source = if self.schedule.is_some() {
            "scheduled_pipeline"
        } else {
            "webhook"
        };
        let known = [
            ("id", text(Some(&self.id))),
            (
                "number",
                Value::Int(i64::try_from(self.number).unwrap_or(i64::MAX)),
            ),
            ("name", text(Some("pipeline"))),
            ("integration_source", text(Some("local"))),
            ("project.git_url", text(url)),
            ("project.type", text(Some(forge(url.unwrap_or_default())))),
            ("project.slug", text(Some(&slug))),
            ("git.branch", text(branch)),
            ("git.tag", text(self.facts.tag.as_deref())),
            ("git.revision", text(self.facts.revision.as_deref())),
            (
                "git.branch.is_default",
                Value::Bool(branch.is_some() && branch == self.default_branch.as_deref()),
            ),
            ("git.repo_url", text(url)),
            ("git.repo_owner", text(Some(owner))),
            ("git.repo_name", text(Some(name))),
            ("config.repository.name", text(Some(name))),
            ("config.repository.url", text(url)),
            ("config.file_path", text(Some(&mark.file))),
            ("trigger.type", text(Some(source))),
            ("trigger_source", text(Some(source))),
            ("schedule.name", text(self.schedule.as_deref())),
        ];
        let mut values: HashMap<String, Node> = known
            .into_iter()
            .map(|(name, value)| (format!("pipeline.{name}"), Node::new(value, mark)))
            .collect();
        for name in EMPTY {
            values.insert(name.to_owned(), Node::new(Value::Null, mark));
        }
        self.parameters(file, mark, &mut values, problems);
        values
    }

    fn parameters(
        &self,
        file: &Node,
        mark: &Mark,
        values: &mut HashMap<String, Node>,
        problems: &mut Problems,
    ) {
        let declared = declared(file, problems);
        only_values("a pipeline", &declared, problems);
        for (name, parameter) in &declared {
            let value = match (self.parameters.get(&**name), &parameter.default) {
                (Some(text), _) => parameter.check(&Node::text(text.as_str(), mark)),
                // What is wrong with it has been told; nothing that follows from it is.
                (None, Some(default)) => {
                    Ok(parameter.check(default).unwrap_or_else(|_| default.clone()))
                }
                (None, None) => {
                    let message = format!("the pipeline's parameter `{name}` has no default");
                    let problem = Problem::error(&parameter.mark, message);
                    problems.push(problem.hint("a pipeline may be started without arguments"));
                    continue;
                }
            };
            match value {
                Ok(value) => {
                    values.insert(format!("pipeline.parameters.{name}"), value);
                }
                Err(why) => {
                    let message = format!("the pipeline's parameter `{name}` {why}");
                    problems.push(Problem::error(mark, message));
                }
            }
        }
        for name in self.parameters.keys() {
            if !declared.iter().any(|(known, _)| **known == **name) {
                let message = format!("the pipeline has no parameter `{name}`");
                let meant = closest(name, declared.iter().map(|(known, _)| &**known));
                problems.push(Problem::error(mark, message).did_you_mean(meant));
            }
        }
    }
}

/// The forge of a repository, in the words of the vendor.
fn forge(url: &str) -> &'static str {
    let forges = ["bitbucket", "gitlab"];
    let found = forges.into_iter().find(|forge| url.contains(forge));
    found.unwrap_or("github")
}

/// `owner/name` of a repository's address.
fn slug(url: &str) -> String {
    let path = url.trim_end_matches('/').trim_end_matches(".git");
    let mut parts = path.rsplit(['/', ':']);
    let name = parts.next().unwrap_or_default();
    match parts.next() {
        Some(owner) => format!("{owner}/{name}"),
        None => name.to_owned(),
    }
}
