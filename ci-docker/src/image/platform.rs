//! Platforms of images: operating system, processor, and which of its kind.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A platform such as `linux/amd64` or `linux/arm/v7`, in the words of the OCI image specification:
/// `x86_64` becomes `amd64`, `aarch64` becomes `arm64`, and variants that say nothing are dropped.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Platform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

/// The text is no platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a platform such as `linux/amd64` or `linux/arm/v7`")]
pub struct ParsePlatformError(String);

impl Platform {
    /// What a tag for this platform ends with: `amd64`, `arm64`, `arm-v7`.
    #[must_use]
    pub fn suffix(&self) -> String {
        let system = if self.os == "linux" {
            String::new()
        } else {
            format!("{}-", self.os)
        };
        match &self.variant {
            Some(variant) => format!("{system}{}-{variant}", self.architecture),
            None => format!("{system}{}", self.architecture),
        }
    }

    /// The processor, as Docker names it.
    #[must_use]
    pub fn architecture(&self) -> &str {
        &self.architecture
    }
}

impl FromStr for Platform {
    type Err = ParsePlatformError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParsePlatformError(text.to_owned());
        let is_word = |word: &str| {
            !word.is_empty()
                && word
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
        };
        let words: Vec<String> = text.trim().split('/').map(str::to_lowercase).collect();
        if words.len() > 3 || !words.iter().all(|word| is_word(word)) {
            return Err(wrong());
        }
        let mut words = words.into_iter();
        let (Some(os), Some(architecture)) = (words.next(), words.next()) else {
            return Err(wrong());
        };
        let (architecture, implied) = match architecture.as_str() {
            "x86_64" | "x86-64" => ("amd64", None),
            "i386" | "i686" => ("386", None),
            "aarch64" => ("arm64", None),
            "armhf" => ("arm", Some("v7")),
            "armel" => ("arm", Some("v6")),
            other => (other, None),
        };
        let variant = words.next().or_else(|| implied.map(str::to_owned));
        let variant = match (architecture, variant.as_deref()) {
            ("arm64", Some("v8" | "8")) | ("amd64", Some("v1")) => None,
            ("arm", None) => Some("v7".to_owned()),
            ("arm", Some(variant @ ("5" | "6" | "7" | "8"))) => Some(format!("v{variant}")),
            _ => variant,
        };
        Ok(Self {
            architecture: architecture.to_owned(),
            os,
            variant,
        })
    }
}

impl TryFrom<String> for Platform {
    type Error = ParsePlatformError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Platform> for String {
    fn from(platform: Platform) -> Self {
        platform.to_string()
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_are_read_in_every_spelling() {
        for (text, name, suffix) in [
            ("linux/amd64", "linux/amd64", "amd64"),
            ("Linux/x86_64", "linux/amd64", "amd64"),
            ("linux/aarch64", "linux/arm64", "arm64"),
            ("linux/arm64/v8", "linux/arm64", "arm64"),
            ("linux/arm", "linux/arm/v7", "arm-v7"),
            ("linux/arm/v6", "linux/arm/v6", "arm-v6"),
            ("linux/armhf", "linux/arm/v7", "arm-v7"),
            ("windows/amd64", "windows/amd64", "windows-amd64"),
        ] {
            let platform: Platform = text.parse().unwrap();
            assert_eq!(
                (platform.to_string().as_str(), platform.suffix().as_str()),
                (name, suffix)
            );
        }
        for text in ["", "linux", "linux/", "a/b/c/d", "linux/am d64"] {
            assert!(text.parse::<Platform>().is_err(), "{text}");
        }
    }
}
