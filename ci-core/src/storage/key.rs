//! Templates of cache keys: `deps-{{ arch }}-{{ checksum "Cargo.lock" }}`.

use std::fmt;
use std::str::FromStr;

/// A cache key with places to fill, in the notation that `CircleCI` took from Go's `text/template`.
///
/// | place | stands for |
/// |---|---|
/// | `{{ checksum "file" "glob" }}` | a hash of the contents of files |
/// | `{{ .Branch }}`, `{{ .Tag }}`, `{{ .Revision }}` | what the run is for; empty if there is none |
/// | `{{ .Environment.NAME }}` | a variable of the step; empty if it is not set |
/// | `{{ arch }}`, `{{ os }}` | the machine that the job runs on |
/// | `{{ epoch }}` | seconds since 1970-01-01 UTC |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyTemplate {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Checksum(Vec<String>),
    Value(KeyValue),
}

/// A place in a key template that is no checksum.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyValue {
    /// The branch.
    Branch,
    /// The tag.
    Tag,
    /// The commit.
    Revision,
    /// A variable.
    Environment(String),
    /// The processor architecture.
    Arch,
    /// The operating system.
    Os,
    /// Seconds since 1970-01-01 UTC.
    Epoch,
}

/// What fills the places of a template.
pub trait KeyLookup {
    /// The value for a place; empty if there is none.
    fn value(&self, value: &KeyValue) -> String;
    /// The hash of the files that these paths and globs name; `None` if it is not known.
    fn checksum(&self, files: &[String]) -> Option<String>;
}

/// A key template cannot be read or filled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the key template `{template}` {problem}")]
pub struct KeyError {
    template: String,
    problem: String,
}

const KNOWN: &str = "`checksum \"FILE\"`, `.Branch`, `.Tag`, `.Revision`, `.Environment.NAME`, \
                     `arch`, `os` and `epoch`";

impl KeyTemplate {
    /// The paths and globs of each checksum.
    pub fn checksums(&self) -> impl Iterator<Item = &[String]> {
        self.parts.iter().filter_map(|part| match part {
            Part::Checksum(files) => Some(files.as_slice()),
            _ => None,
        })
    }

    /// The key.
    pub fn fill(&self, lookup: &dyn KeyLookup) -> Result<String, KeyError> {
        let mut key = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => key.push_str(text),
                Part::Value(value) => key.push_str(&lookup.value(value)),
                Part::Checksum(files) => {
                    let names = files.join("`, `");
                    let hash = lookup.checksum(files).ok_or_else(|| KeyError {
                        template: self.to_string(),
                        problem: format!("needs the file `{names}`, which does not exist"),
                    })?;
                    key.push_str(&hash);
                }
            }
        }
        Ok(key)
    }
}

impl FromStr for KeyTemplate {
    type Err = KeyError;

    fn from_str(template: &str) -> Result<Self, KeyError> {
        let failed = |problem: String| KeyError {
            template: template.to_owned(),
            problem,
        };
        let mut parts = Vec::new();
        let mut rest = template;
        while let Some((text, after)) = rest.split_once("{{") {
            push_text(&mut parts, text);
            let (words, after) = words(after).map_err(|problem| failed(problem.to_owned()))?;
            parts.push(place(&words).map_err(failed)?);
            rest = after;
        }
        push_text(&mut parts, rest);
        Ok(Self { parts })
    }
}

impl fmt::Display for KeyTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                Part::Text(text) => f.write_str(text)?,
                Part::Checksum(files) => {
                    f.write_str("{{ checksum")?;
                    for file in files {
                        let file = file.replace('\\', "\\\\").replace('"', "\\\"");
                        write!(f, " \"{file}\"")?;
                    }
                    f.write_str(" }}")?;
                }
                Part::Value(value) => match value {
                    KeyValue::Branch => f.write_str("{{ .Branch }}")?,
                    KeyValue::Tag => f.write_str("{{ .Tag }}")?,
                    KeyValue::Revision => f.write_str("{{ .Revision }}")?,
                    KeyValue::Environment(name) => write!(f, "{{{{ .Environment.{name} }}}}")?,
                    KeyValue::Arch => f.write_str("{{ arch }}")?,
                    KeyValue::Os => f.write_str("{{ os }}")?,
                    KeyValue::Epoch => f.write_str("{{ epoch }}")?,
                },
            }
        }
        Ok(())
    }
}

fn push_text(parts: &mut Vec<Part>, text: &str) {
    if !text.is_empty() {
        parts.push(Part::Text(text.to_owned()));
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Word {
    Bare(String),
    Quoted(String),
}

/// The words up to the closing braces, and what follows them.
fn words(text: &str) -> Result<(Vec<Word>, &str), &'static str> {
    const OPEN: &str = "has a `{{` without a `}}`";
    let mut words = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix("}}") {
            return Ok((words, after));
        }
        let first = rest.chars().next().ok_or(OPEN)?;
        if matches!(first, '"' | '\'' | '`') {
            let (word, after) = quoted(first, &rest[1..]).ok_or("has a quote without an end")?;
            words.push(Word::Quoted(word));
            rest = after;
            continue;
        }
        let ends = |c: char| c.is_whitespace() || "}\"'`".contains(c);
        let length = rest.find(ends).ok_or(OPEN)?.max(first.len_utf8());
        words.push(Word::Bare(rest[..length].to_owned()));
        rest = &rest[length..];
    }
}

/// A quoted word after its opening quote, and what follows it. Within double quotes a backslash
/// takes away the meaning of the next character.
fn quoted(quote: char, text: &str) -> Option<(String, &str)> {
    let mut word = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        if c == quote {
            return Some((word, &text[at + c.len_utf8()..]));
        }
        if c == '\\' && quote == '"' {
            word.push(chars.next()?.1);
        } else {
            word.push(c);
        }
    }
    None
}

fn place(words: &[Word]) -> Result<Part, String> {
    let Some((Word::Bare(name), arguments)) = words.split_first() else {
        return Err(format!("has a place with no function: known are {KNOWN}"));
    };
    if name == "checksum" {
        let file = |word: &Word| match word {
            Word::Quoted(file) => Ok(file.clone()),
            Word::Bare(word) => Err(format!("has `{word}` where `checksum` takes a quoted file")),
        };
        let files: Vec<String> = arguments.iter().map(file).collect::<Result<_, _>>()?;
        if files.is_empty() {
            return Err("has a `checksum` of no file".to_owned());
        }
        return Ok(Part::Checksum(files));
    }
    let value = match name.as_str() {
        ".Branch" => KeyValue::Branch,
        ".Tag" => KeyValue::Tag,
        ".Revision" => KeyValue::Revision,
        "arch" => KeyValue::Arch,
        "os" => KeyValue::Os,
        "epoch" => KeyValue::Epoch,
        _ => match name.strip_prefix(".Environment.") {
            Some(variable) if !variable.is_empty() => KeyValue::Environment(variable.to_owned()),
            _ => {
                return Err(format!(
                    "uses `{name}`, which is not known: known are {KNOWN}"
                ));
            }
        },
    };
    if arguments.is_empty() {
        Ok(Part::Value(value))
    } else {
        Err(format!("gives arguments to `{name}`, which takes none"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Facts;

    impl KeyLookup for Facts {
        fn value(&self, value: &KeyValue) -> String {
            match value {
                KeyValue::Branch => "main".to_owned(),
                KeyValue::Environment(name) => format!("<{name}>"),
                KeyValue::Epoch => "17".to_owned(),
                _ => String::new(),
            }
        }

        fn checksum(&self, files: &[String]) -> Option<String> {
            let there = !files.iter().any(|file| file == "missing");
            there.then(|| format!("#{}", files.join("+")))
        }
    }

    #[test]
    fn templates_are_filled() {
        for (template, expected) in [
            ("plain", "plain"),
            ("v1-{{ .Branch }}-{{epoch}}", "v1-main-17"),
            (r#"{{ checksum "a.lock" }}"#, "#a.lock"),
            (r#"{{checksum "a" "b/**/c"}}!"#, "#a+b/**/c!"),
            ("{{ checksum 'it' }}{{ checksum `x\\y` }}", "#it#x\\y"),
            (r#"{{ checksum "say \"x\"" }}"#, r#"#say "x""#),
            ("{{ .Environment.HOME }}", "<HOME>"),
            ("{{ .Tag }}{{ .Revision }}", ""),
            ("a}}b{c", "a}}b{c"),
        ] {
            let filled = template.parse::<KeyTemplate>().unwrap().fill(&Facts);
            assert_eq!(filled.as_deref(), Ok(expected), "{template}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (template, problem) in [
            (
                "{{ .BuildNum }}",
                "uses `.BuildNum`, which is not known: known are `checksum",
            ),
            ("{{ .Environment. }}", "uses `.Environment.`"),
            ("x-{{ epoch", "has a `{{` without a `}}`"),
            ("{{ checksum \"a }}", "has a quote without an end"),
            ("{{ checksum }}", "has a `checksum` of no file"),
            (
                "{{ checksum Cargo.lock }}",
                "has `Cargo.lock` where `checksum`",
            ),
            ("{{ }}", "has a place with no function"),
            ("{{ epoch \"x\" }}", "gives arguments to `epoch`"),
        ] {
            let error = template.parse::<KeyTemplate>().unwrap_err().to_string();
            assert!(error.contains(problem), "{template}: {error}");
            assert!(error.contains(&format!("`{template}`")), "{error}");
        }
        let template: KeyTemplate = r#"{{ checksum "missing" }}"#.parse().unwrap();
        let error = template.fill(&Facts).unwrap_err().to_string();
        assert!(error.contains("needs the file `missing`"), "{error}");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_and_what_is_read_is_shown_the_same(
            text in "([{}\"'`\\\\ .a-zä]|checksum|epoch|\\.Branch|\\.Environment\\.){0,24}"
        ) {
            if let Ok(template) = text.parse::<KeyTemplate>() {
                let shown = template.to_string();
                prop_assert_eq!(shown.parse::<KeyTemplate>(), Ok(template), "{}", shown);
            }
        }
    }
}
