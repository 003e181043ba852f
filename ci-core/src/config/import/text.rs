//! Text with variables that every vendor calls something else.

use super::Target;

/// Text with variables. In shell scripts and conditions it is shell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Text(pub(super) Vec<Piece>);

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// As it is.
    Plain(String),
    /// The value of a matrix.
    Matrix(String),
    /// A variable of the environment.
    Env(String),
    /// Something every vendor knows.
    Known(Known),
    /// What stands for the content of files, in the key of a cache.
    Hash(Vec<String>),
}

/// What every vendor knows about a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    Sha,
    /// The branch or the tag.
    RefName,
    /// `refs/heads/BRANCH` or `refs/tags/TAG`.
    Ref,
    Tag,
    Branch,
    /// `owner/name`.
    Repository,
    Owner,
    RunNumber,
    Workspace,
    /// `push`, `pull_request` and so on.
    Event,
    Actor,
    Job,
}

impl Text {
    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self(vec![Piece::Plain(text.into())])
    }

    pub(super) fn push(&mut self, text: &str) {
        if let Some(Piece::Plain(last)) = self.0.last_mut() {
            last.push_str(text);
        } else if !text.is_empty() {
            self.0.push(Piece::Plain(text.to_owned()));
        }
    }

    pub(super) fn append(&mut self, other: Self) {
        for piece in other.0 {
            match piece {
                Piece::Plain(text) => self.push(&text),
                other => self.0.push(other),
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0
            .iter()
            .all(|it| matches!(it, Piece::Plain(text) if text.is_empty()))
    }

    /// Whether it is the same in every run of one job: no variables but those of the matrix.
    pub(super) fn is_fixed(&self) -> bool {
        let fixed = |it: &Piece| matches!(it, Piece::Plain(_) | Piece::Matrix(_));
        self.0.iter().all(fixed)
    }

    /// The text for a vendor.
    pub(super) fn render(&self, target: Target) -> String {
        self.0.iter().map(|piece| piece.render(target)).collect()
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::plain(text)
    }
}

impl Piece {
    fn render(&self, target: Target) -> String {
        match (self, target) {
            // `<<` begins an expression there.
            (Self::Plain(text), Target::CircleCi) => text.replace("<<", "\\<<"),
            (Self::Plain(text), Target::GitLab) => text.clone(),
            (Self::Matrix(name), Target::CircleCi) => {
                format!("<< parameters.{} >>", parameter(name))
            }
            (Self::Matrix(name), Target::GitLab) => format!("${{{}}}", variable(name)),
            (Self::Env(name), _) => format!("${{{name}}}"),
            (Self::Known(known), target) => known.render(target).to_owned(),
            (Self::Hash(files), Target::CircleCi) => {
                let sums = files
                    .iter()
                    .map(|file| format!("{{{{ checksum \"{file}\" }}}}"));
                sums.collect::<Vec<_>>().join("-")
            }
            // There the key has a place of its own for files.
            (Self::Hash(_), Target::GitLab) => String::new(),
        }
    }
}

impl Known {
    fn render(self, target: Target) -> &'static str {
        match target {
            Target::CircleCi => match self {
                Self::Sha => "${CIRCLE_SHA1}",
                Self::RefName => "${CIRCLE_TAG:-${CIRCLE_BRANCH}}",
                Self::Ref => {
                    r#"$(if [ -n "${CIRCLE_TAG}" ]; then echo "refs/tags/${CIRCLE_TAG}"; else echo "refs/heads/${CIRCLE_BRANCH}"; fi)"#
                }
                Self::Tag => "${CIRCLE_TAG}",
                Self::Branch => "${CIRCLE_BRANCH}",
                Self::Repository => "${CIRCLE_PROJECT_USERNAME}/${CIRCLE_PROJECT_REPONAME}",
                Self::Owner => "${CIRCLE_PROJECT_USERNAME}",
                Self::RunNumber => "${CIRCLE_BUILD_NUM}",
                Self::Workspace => "${CIRCLE_WORKING_DIRECTORY}",
                Self::Event => {
                    r#"$(if [ -n "${CIRCLE_PULL_REQUEST}" ]; then echo pull_request; else echo push; fi)"#
                }
                Self::Actor => "${CIRCLE_USERNAME}",
                Self::Job => "${CIRCLE_JOB}",
            },
            Target::GitLab => match self {
                Self::Sha => "${CI_COMMIT_SHA}",
                Self::RefName => "${CI_COMMIT_REF_NAME}",
                Self::Ref => {
                    r#"$(if [ -n "${CI_COMMIT_TAG}" ]; then echo "refs/tags/${CI_COMMIT_TAG}"; else echo "refs/heads/${CI_COMMIT_REF_NAME}"; fi)"#
                }
                Self::Tag => "${CI_COMMIT_TAG}",
                Self::Branch => "${CI_COMMIT_BRANCH}",
                Self::Repository => "${CI_PROJECT_PATH}",
                Self::Owner => "${CI_PROJECT_NAMESPACE}",
                Self::RunNumber => "${CI_PIPELINE_IID}",
                Self::Workspace => "${CI_PROJECT_DIR}",
                Self::Event => {
                    r#"$(if [ "${CI_PIPELINE_SOURCE}" = merge_request_event ]; then echo pull_request; else echo "${CI_PIPELINE_SOURCE}"; fi)"#
                }
                Self::Actor => "${GITLAB_USER_LOGIN}",
                Self::Job => "${CI_JOB_NAME}",
            },
        }
    }
}

/// The name of a matrix value as a parameter of CircleCI: lower case, two letters at least.
pub(super) fn parameter(name: &str) -> String {
    let mut fitting: String = name
        .chars()
        .map(|it| it.to_ascii_lowercase())
        .map(|it| {
            if it.is_ascii_alphanumeric() || it == '_' {
                it
            } else {
                '-'
            }
        })
        .collect();
    let begins = fitting.starts_with(|it: char| it.is_ascii_lowercase());
    // `name` is what an invocation is called.
    if !begins || fitting.len() < 2 || fitting == "name" {
        fitting.insert_str(0, "m-");
    }
    fitting
}

/// A name as a variable of a shell.
pub(super) fn variable(name: &str) -> String {
    let mut fitting: String = name
        .chars()
        .map(|it| if it.is_ascii_alphanumeric() { it } else { '_' })
        .collect();
    if !fitting.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_') {
        fitting.insert(0, '_');
    }
    fitting
}
