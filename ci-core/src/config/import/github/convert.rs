//! Expressions as text, and as conditions of a shell.

use super::super::pipeline::{When, in_double_quotes};
use super::super::text::{Known, Piece, Text, variable};
use super::expression::{Expression, parse};

/// What stands for an expression that no variable stands for.
pub(super) const UNKNOWN: &str = "NOT_CONVERTED";

/// A text with its expressions, and those that nothing stands for.
#[derive(Debug, Clone, Default)]
pub(super) struct Converted {
    pub(super) text: Text,
    /// The expressions that were not converted.
    pub(super) left: Vec<String>,
    /// Those between single quotes of a shell, where a variable is only its name.
    pub(super) in_quotes: Vec<String>,
}

/// Converts the `${{ … }}` of a text.
pub(super) fn text(source: &str) -> Converted {
    let mut done = Converted::default();
    let mut rest = source;
    let mut line_before = String::new();
    while let Some(begin) = rest.find("${{") {
        let plain = &rest[..begin];
        done.text.push(plain);
        match plain.rfind('\n') {
            Some(end) => plain[end + 1..].clone_into(&mut line_before),
            None => line_before.push_str(plain),
        }
        let Some(length) = rest[begin..].find("}}") else {
            done.text.push(&rest[begin..]);
            return done;
        };
        let inner = rest[begin + 3..begin + length].trim();
        if let Some(text) = parse(inner).and_then(|it| value(&it)) {
            if !text.is_fixed() && line_before.matches('\'').count() % 2 == 1 {
                done.in_quotes.push(inner.to_owned());
            }
            done.text.append(text);
        } else {
            done.left.push(inner.to_owned());
            done.text.0.push(Piece::Env(UNKNOWN.into()));
        }
        rest = &rest[begin + length + 2..];
    }
    done.text.push(rest);
    done
}

/// The value of an expression, where variables stand for it.
fn value(expression: &Expression) -> Option<Text> {
    match expression {
        Expression::Literal(text) => Some(Text::plain(text)),
        Expression::Path(path) => self::path(path),
        Expression::Call(name, arguments) if name == "hashfiles" => {
            let files = arguments.iter().map(|it| match it {
                Expression::Literal(file) => Some(file.clone()),
                _ => None,
            });
            Some(Text(vec![Piece::Hash(files.collect::<Option<_>>()?)]))
        }
        Expression::Call(name, arguments) if name == "format" => format(arguments),
        // `a || 'default'`: only variables of the environment may be empty.
        Expression::Binary("||", left, right) => match (value(left)?, &**right) {
            (Text(pieces), Expression::Literal(default)) => match pieces.as_slice() {
                [Piece::Env(name)] if is_plain(default) => {
                    Some(Text(vec![Piece::Env(format!("{name}:-{default}"))]))
                }
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

fn is_plain(text: &str) -> bool {
    text.chars()
        .all(|it| it.is_alphanumeric() || matches!(it, '-' | '_' | '.' | '/' | ':'))
}

fn format(arguments: &[Expression]) -> Option<Text> {
    let (Expression::Literal(pattern), values) = arguments.split_first()? else {
        return None;
    };
    let mut text = Text::default();
    let mut rest = &**pattern;
    while let Some(begin) = rest.find('{') {
        text.push(&rest[..begin]);
        let end = begin + rest[begin..].find('}')?;
        let index: usize = rest[begin + 1..end].parse().ok()?;
        text.append(value(values.get(index)?)?);
        rest = &rest[end + 1..];
    }
    text.push(rest);
    Some(text)
}

/// The value of a context.
fn path(path: &str) -> Option<Text> {
    let (context, name) = path.split_once('.')?;
    let piece = match (context, name) {
        ("matrix", name) if !name.contains('.') => Piece::Matrix(name.to_owned()),
        ("env" | "secrets" | "vars", name) => Piece::Env(variable(name)),
        ("github", "sha") => Piece::Known(Known::Sha),
        ("github", "ref") => Piece::Known(Known::Ref),
        ("github", "ref_name") => Piece::Known(Known::RefName),
        ("github", "head_ref") => Piece::Known(Known::Branch),
        ("github", "repository") => Piece::Known(Known::Repository),
        ("github", "repository_owner") => Piece::Known(Known::Owner),
        ("github", "run_number" | "run_id" | "run_attempt") => Piece::Known(Known::RunNumber),
        ("github", "workspace") => Piece::Known(Known::Workspace),
        ("github", "event_name") => Piece::Known(Known::Event),
        ("github", "actor" | "triggering_actor") => Piece::Known(Known::Actor),
        ("github", "job") => Piece::Known(Known::Job),
        ("github", "token") => Piece::Env("GITHUB_TOKEN".into()),
        ("runner", "os") => Piece::Plain("Linux".into()),
        ("runner", "arch") => Piece::Plain("X64".into()),
        ("runner", "temp") => Piece::Plain("/tmp".into()),
        ("runner", "tool_cache") => Piece::Plain("/opt".into()),
        ("inputs", name) => Piece::Env(variable(&name.to_ascii_uppercase())),
        _ => return None,
    };
    Some(Text(vec![piece]))
}

/// When something runs: after what, and under which condition of a shell.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Condition {
    pub(super) when: When,
    pub(super) guard: Option<Text>,
}

/// An `if`, with or without `${{ }}`; `None` where no condition of a shell says the same.
pub(super) fn condition(source: &str) -> Option<Condition> {
    let source = source.trim();
    let inner = source
        .strip_prefix("${{")
        .and_then(|it| it.strip_suffix("}}"));
    let inner = inner.filter(|it| !it.contains("${{")).unwrap_or(source);
    let expression = parse(inner)?;
    let guard = shell(&expression)?;
    Some(Condition {
        when: when(&expression),
        guard: Some(guard).filter(|guard| guard.render(super::super::Target::CircleCi) != "true"),
    })
}

/// What the status functions in an expression come to.
fn when(expression: &Expression) -> When {
    match expression {
        Expression::Call(name, _) => match &**name {
            "always" => When::Always,
            "failure" => When::Failure,
            _ => When::Success,
        },
        // `!cancelled()` is success or failure.
        Expression::Not(inner) => match &**inner {
            Expression::Call(name, _) if name == "cancelled" => When::Always,
            _ => When::Success,
        },
        Expression::Binary("&&" | "||", left, right) => match (when(left), when(right)) {
            (When::Success, other) | (other, _) => other,
        },
        _ => When::Success,
    }
}

/// The expression as a condition of a shell. Status functions hold: they say when it is asked.
fn shell(expression: &Expression) -> Option<Text> {
    let mut text = Text::default();
    match expression {
        Expression::Call(name, _)
            if matches!(&**name, "always" | "failure" | "success" | "cancelled") =>
        {
            text.push("true");
        }
        Expression::Not(inner) if matches!(&**inner, Expression::Call(name, _) if name == "cancelled") =>
        {
            text.push("true");
        }
        Expression::Not(inner) => {
            text.push("! { ");
            text.append(shell(inner)?);
            text.push("; }");
        }
        Expression::Binary(sign @ ("&&" | "||"), left, right) => {
            let (left, right) = (shell(left)?, shell(right)?);
            let is_true = |it: &Text| *it == Text::plain("true");
            match (*sign, is_true(&left), is_true(&right)) {
                ("&&", true, _) => return Some(right),
                ("&&", _, true) => return Some(left),
                _ => {}
            }
            text.push("{ ");
            text.append(left);
            text.push(&format!(" {sign} "));
            text.append(right);
            text.push("; }");
        }
        Expression::Binary(sign @ ("==" | "!="), left, right) => {
            text.push("[ ");
            text.append(word(left)?);
            text.push(if *sign == "==" { " = " } else { " != " });
            text.append(word(right)?);
            text.push(" ]");
        }
        Expression::Call(name, arguments) => {
            let [all, part] = arguments.as_slice() else {
                return None;
            };
            let (before, after) = match &**name {
                "startswith" => ("", "*"),
                "endswith" => ("*", ""),
                "contains" => ("*", "*"),
                _ => return None,
            };
            text.push("case ");
            text.append(word(all)?);
            text.push(&format!(" in {before}"));
            text.append(word(part)?);
            text.push(&format!("{after}) true;; *) false;; esac"));
        }
        Expression::Literal(literal) => {
            let holds = !matches!(&**literal, "" | "false" | "0");
            text.push(if holds { "true" } else { "false" });
        }
        Expression::Path(_) => {
            let word = word(expression)?;
            text.push("[ -n ");
            text.append(word.clone());
            text.push(" ] && [ ");
            text.append(word);
            text.push(" != false ]");
        }
        Expression::Binary(..) => return None,
    }
    Some(text)
}

fn word(expression: &Expression) -> Option<Text> {
    let value = value(expression)?;
    if value.0.iter().any(|piece| matches!(piece, Piece::Hash(_))) {
        return None;
    }
    let mut word = Text::plain("\"");
    word.append(in_double_quotes(&value));
    word.push("\"");
    Some(word)
}
