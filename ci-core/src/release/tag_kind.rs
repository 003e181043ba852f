//! Whether a tag is annotated or lightweight, from the best fact at hand.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What kind of tag asks for a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TagKind {
    /// Made with `git tag -a`: an official release.
    Annotated,
    /// Made with plain `git tag`: an internal one.
    Lightweight,
}

/// The type of the git object that a tag names, as `git cat-file -t refs/tags/NAME` prints it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GitObject {
    /// `tag`: an annotated tag is an object of its own.
    Tag,
    /// Anything else, `commit` as a rule.
    Other,
}

/// What the forge's API says about a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ForgeTag {
    /// The tag has a message of its own.
    WithMessage,
    /// The forge knows the tag, and it has no message.
    WithoutMessage,
}

impl ForgeTag {
    /// From the field `message` of the reply. A message of nothing but blanks is none.
    #[must_use]
    pub fn from_message(message: Option<&str>) -> Option<Self> {
        let is_said = message.is_some_and(|message| !message.trim().is_empty());
        Some(if is_said {
            Self::WithMessage
        } else {
            Self::WithoutMessage
        })
    }
}

/// What is known of a tag; what could not be found out is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TagFacts {
    /// What a person said it is.
    pub said: Option<TagKind>,
    /// What git says.
    pub git: Option<GitObject>,
    /// What the forge says.
    pub forge: Option<ForgeTag>,
}

/// By which fact the kind of a tag was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TagKindSource {
    /// A person said so.
    Said,
    /// The type of the git object.
    GitObject,
    /// The forge's API.
    Forge,
    /// A guess from the name.
    Name,
}

/// Words that make a tag an internal one, for want of a better fact.
const INTERNAL: [&str; 6] = ["alpha", "beta", "rc", "pre", "dev", "test"];

impl TagFacts {
    /// The kind of the tag `name`: by what was said, else by the git object, else by the forge, else by
    /// the name, in which `alpha`, `beta`, `rc`, `pre`, `dev` or `test` mean lightweight.
    #[must_use]
    pub fn kind(&self, name: &str) -> (TagKind, TagKindSource) {
        if let Some(kind) = self.said {
            return (kind, TagKindSource::Said);
        }
        if let Some(object) = self.git {
            let kind = annotated_if(object == GitObject::Tag);
            return (kind, TagKindSource::GitObject);
        }
        if let Some(forge) = self.forge {
            let kind = annotated_if(forge == ForgeTag::WithMessage);
            return (kind, TagKindSource::Forge);
        }
        let kind = annotated_if(internal_word(name).is_none());
        (kind, TagKindSource::Name)
    }

    /// How the kind was found, in words.
    pub(super) fn reason(self, name: &str) -> String {
        let (kind, source) = self.kind(name);
        let why = match source {
            TagKindSource::Said => "it was said so".to_owned(),
            TagKindSource::GitObject => match kind {
                TagKind::Annotated => "its git object is a tag".to_owned(),
                TagKind::Lightweight => "its git object is no tag".to_owned(),
            },
            TagKindSource::Forge => match kind {
                TagKind::Annotated => "the forge knows a message of it".to_owned(),
                TagKind::Lightweight => "the forge knows no message of it".to_owned(),
            },
            TagKindSource::Name => match internal_word(name) {
                Some(word) => {
                    format!("neither git nor the forge told, and its name has `{word}` in it")
                }
                None => {
                    "neither git nor the forge told, and its name looks like a release".to_owned()
                }
            },
        };
        format!("tag `{name}` is {kind}: {why}")
    }
}

fn annotated_if(holds: bool) -> TagKind {
    if holds {
        TagKind::Annotated
    } else {
        TagKind::Lightweight
    }
}

fn internal_word(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    INTERNAL.into_iter().find(|word| name.contains(word))
}

impl fmt::Display for TagKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Annotated => "annotated",
            Self::Lightweight => "lightweight",
        })
    }
}
