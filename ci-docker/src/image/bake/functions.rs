//! The functions that expressions of bake files may call.
#![expect(
    clippy::needless_pass_by_value,
    reason = "the language's library takes functions of this form"
)]

use hcl::Value;
use hcl::eval::{Context, Func, FuncArgs, FuncDef, ParamType};

type Answer = Result<Value, String>;

/// Makes all functions known.
pub(super) fn declare(context: &mut Context<'static>) {
    const FUNCTIONS: &[(&str, Func)] = &[
        // Logic and comparison.
        ("equal", |args| Ok((at(&args, 0)? == at(&args, 1)?).into())),
        ("notequal", |args| {
            Ok((at(&args, 0)? != at(&args, 1)?).into())
        }),
        ("and", |args| {
            Ok((truth(&args, 0)? && truth(&args, 1)?).into())
        }),
        ("or", |args| {
            Ok((truth(&args, 0)? || truth(&args, 1)?).into())
        }),
        ("not", |args| Ok((!truth(&args, 0)?).into())),
        // Numbers.
        ("add", |args| {
            Ok((number(&args, 0)? + number(&args, 1)?).into())
        }),
        ("subtract", |args| {
            Ok((number(&args, 0)? - number(&args, 1)?).into())
        }),
        ("multiply", |args| {
            Ok((number(&args, 0)? * number(&args, 1)?).into())
        }),
        ("max", |args| extreme(&args, i64::max)),
        ("min", |args| extreme(&args, i64::min)),
        // Texts.
        ("upper", |args| Ok(text(&args, 0)?.to_uppercase().into())),
        ("lower", |args| Ok(text(&args, 0)?.to_lowercase().into())),
        ("title", |args| Ok(title(&text(&args, 0)?).into())),
        ("trimspace", |args| Ok(text(&args, 0)?.trim().into())),
        ("trim", trim),
        ("trimprefix", |args| {
            Ok(cut(&args, |a, b| a.strip_prefix(b))?.into())
        }),
        ("trimsuffix", |args| {
            Ok(cut(&args, |a, b| a.strip_suffix(b))?.into())
        }),
        ("replace", |args| {
            Ok(text(&args, 0)?
                .replace(&text(&args, 1)?, &text(&args, 2)?)
                .into())
        }),
        ("split", split),
        ("join", join),
        ("strlen", |args| Ok(text(&args, 0)?.chars().count().into())),
        ("substr", substr),
        ("reverse", |args| {
            Ok(text(&args, 0)?.chars().rev().collect::<String>().into())
        }),
        ("format", format),
        ("sanitize", |args| Ok(sanitize(&text(&args, 0)?).into())),
        ("basename", |args| Ok(ends(&text(&args, 0)?).1.into())),
        ("dirname", |args| Ok(ends(&text(&args, 0)?).0.into())),
        // Lists and objects.
        ("length", length),
        ("concat", concat),
        ("contains", |args| {
            Ok(list(&args, 0)?.contains(at(&args, 1)?).into())
        }),
        ("distinct", |args| Ok(distinct(list(&args, 0)?))),
        ("flatten", |args| Ok(flatten(list(&args, 0)?))),
        ("element", element),
        ("keys", |args| {
            Ok(object(&args, 0)?.keys().cloned().map(Value::from).collect())
        }),
        ("values", |args| {
            Ok(object(&args, 0)?.values().cloned().collect())
        }),
        ("merge", merge),
        ("lookup", lookup),
        ("coalesce", coalesce),
        // Others.
        ("jsonencode", |args| {
            serde_json::to_string(at(&args, 0)?)
                .map(Value::from)
                .map_err(|e| e.to_string())
        }),
        ("jsondecode", |args| {
            serde_json::from_str(&text(&args, 0)?).map_err(|e| e.to_string())
        }),
        ("timestamp", |_| Ok(now().into())),
        ("formatdate", formatdate),
    ];
    for (name, function) in FUNCTIONS {
        let definition = FuncDef::builder()
            .variadic_param(ParamType::Any)
            .build(*function);
        context.declare_func(*name, definition);
    }
}

fn at(args: &FuncArgs, index: usize) -> Result<&Value, String> {
    args.get(index)
        .ok_or_else(|| format!("argument {} is missing", index + 1))
}

fn truth(args: &FuncArgs, index: usize) -> Result<bool, String> {
    let value = at(args, index)?.as_bool();
    value.ok_or_else(|| format!("argument {} is no truth value", index + 1))
}

fn number(args: &FuncArgs, index: usize) -> Result<i64, String> {
    let value = at(args, index)?;
    let number = value.as_i64().or_else(|| value.as_str()?.parse().ok());
    number.ok_or_else(|| format!("argument {} is no whole number", index + 1))
}

fn text(args: &FuncArgs, index: usize) -> Result<String, String> {
    plain(at(args, index)?).ok_or_else(|| format!("argument {} is no text", index + 1))
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

fn list(args: &FuncArgs, index: usize) -> Result<&Vec<Value>, String> {
    let value = at(args, index)?.as_array();
    value.ok_or_else(|| format!("argument {} is no list", index + 1))
}

fn object(args: &FuncArgs, index: usize) -> Result<&hcl::Map<String, Value>, String> {
    let value = at(args, index)?.as_object();
    value.ok_or_else(|| format!("argument {} is no object", index + 1))
}

fn extreme(args: &FuncArgs, choose: fn(i64, i64) -> i64) -> Answer {
    let mut chosen = number(args, 0)?;
    for index in 1..args.len() {
        chosen = choose(chosen, number(args, index)?);
    }
    Ok(chosen.into())
}

fn title(text: &str) -> String {
    let mut is_start = true;
    let mut title = String::with_capacity(text.len());
    for c in text.chars() {
        if is_start {
            title.extend(c.to_uppercase());
        } else {
            title.push(c);
        }
        is_start = !c.is_alphanumeric();
    }
    title
}

fn trim(args: FuncArgs) -> Answer {
    let (whole, set) = (text(&args, 0)?, text(&args, 1)?);
    Ok(whole.trim_matches(|c| set.contains(c)).into())
}

fn cut(
    args: &FuncArgs,
    how: for<'a> fn(&'a str, &str) -> Option<&'a str>,
) -> Result<String, String> {
    let (whole, part) = (text(args, 0)?, text(args, 1)?);
    Ok(how(&whole, &part).unwrap_or(&whole).to_owned())
}

fn split(args: FuncArgs) -> Answer {
    let (separator, whole) = (text(&args, 0)?, text(&args, 1)?);
    if separator.is_empty() {
        return Ok(whole.chars().map(|c| Value::from(c.to_string())).collect());
    }
    Ok(whole.split(&separator).map(Value::from).collect())
}

fn join(args: FuncArgs) -> Answer {
    let separator = text(&args, 0)?;
    let mut words = Vec::new();
    for index in 1..args.len() {
        for item in list(&args, index)? {
            words.push(plain(item).ok_or("an item of the list is no text")?);
        }
    }
    Ok(words.join(&separator).into())
}

fn substr(args: FuncArgs) -> Answer {
    let (whole, start, length) = (text(&args, 0)?, number(&args, 1)?, number(&args, 2)?);
    let count = i64::try_from(whole.chars().count()).unwrap_or(i64::MAX);
    let start = if start < 0 {
        (count + start).max(0)
    } else {
        start
    };
    let length = if length < 0 { count } else { length };
    let place = |number: i64| usize::try_from(number).unwrap_or(0);
    let part = whole.chars().skip(place(start)).take(place(length));
    Ok(part.collect::<String>().into())
}

/// `%s`, `%v`, `%q`, `%d` with a width and zeros before it, and `%%`.
fn format(args: FuncArgs) -> Answer {
    let pattern = text(&args, 0)?;
    let (mut out, mut chars, mut next) = (String::new(), pattern.chars(), 1);
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut width = String::new();
        let verb = loop {
            match chars.next() {
                Some(digit) if digit.is_ascii_digit() && width.len() < 3 => width.push(digit),
                other => break other,
            }
        };
        if verb == Some('%') {
            out.push('%');
            continue;
        }
        let word = match verb {
            Some('s' | 'v') => text(&args, next)?,
            Some('d') => number(&args, next)?.to_string(),
            Some('q') => format!("{:?}", text(&args, next)?),
            _ => return Err(format!("the pattern `{pattern}` is not understood")),
        };
        next += 1;
        let pad = if width.starts_with('0') { "0" } else { " " };
        let width: usize = width.parse().unwrap_or(0);
        out.push_str(&pad.repeat(width.saturating_sub(word.chars().count())));
        out.push_str(&word);
    }
    Ok(out.into())
}

/// What may stand in the name of a target.
fn sanitize(text: &str) -> String {
    let keep = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    text.chars()
        .map(|c| if keep(c) { c } else { '_' })
        .collect()
}

/// The directory and the last part of a path.
fn ends(path: &str) -> (String, String) {
    let path = path.trim_end_matches('/');
    match path.rsplit_once('/') {
        Some(("", last)) => ("/".to_owned(), last.to_owned()),
        Some((dir, last)) => (dir.to_owned(), last.to_owned()),
        None => (".".to_owned(), path.to_owned()),
    }
}

fn length(args: FuncArgs) -> Answer {
    match at(&args, 0)? {
        Value::Array(items) => Ok(items.len().into()),
        Value::Object(fields) => Ok(fields.len().into()),
        Value::String(text) => Ok(text.chars().count().into()),
        _ => Err("argument 1 has no length".to_owned()),
    }
}

fn concat(args: FuncArgs) -> Answer {
    let mut all = Vec::new();
    for index in 0..args.len() {
        all.extend(list(&args, index)?.iter().cloned());
    }
    Ok(Value::Array(all))
}

fn distinct(items: &[Value]) -> Value {
    let mut seen: Vec<Value> = Vec::new();
    for item in items {
        if !seen.contains(item) {
            seen.push(item.clone());
        }
    }
    Value::Array(seen)
}

fn flatten(items: &[Value]) -> Value {
    let mut open: Vec<&Value> = items.iter().rev().collect();
    let mut flat = Vec::new();
    while let Some(item) = open.pop() {
        match item {
            Value::Array(inner) => open.extend(inner.iter().rev()),
            other => flat.push(other.clone()),
        }
    }
    Value::Array(flat)
}

fn element(args: FuncArgs) -> Answer {
    let (items, index) = (list(&args, 0)?, number(&args, 1)?);
    let count = i64::try_from(items.len()).unwrap_or(i64::MAX);
    if count == 0 {
        return Err("the list is empty".to_owned());
    }
    let index = usize::try_from(index.rem_euclid(count)).unwrap_or(0);
    items
        .get(index)
        .cloned()
        .ok_or_else(|| "the list is too short".to_owned())
}

fn merge(args: FuncArgs) -> Answer {
    let mut all = hcl::Map::new();
    for index in 0..args.len() {
        all.extend(object(&args, index)?.clone());
    }
    Ok(Value::Object(all))
}

fn lookup(args: FuncArgs) -> Answer {
    let key = text(&args, 1)?;
    match object(&args, 0)?.get(&key) {
        Some(found) => Ok(found.clone()),
        None => at(&args, 2).cloned(),
    }
}

fn coalesce(args: FuncArgs) -> Answer {
    let is_there = |value: &&Value| !value.is_null() && value.as_str() != Some("");
    args.iter()
        .find(is_there)
        .cloned()
        .ok_or_else(|| "no argument has a value".to_owned())
}

fn now() -> String {
    let now = jiff::Timestamp::now();
    // Seconds are enough, as elsewhere in this language.
    now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn formatdate(args: FuncArgs) -> Answer {
    let (pattern, time) = (text(&args, 0)?, text(&args, 1)?);
    let time: jiff::Timestamp = time
        .parse()
        .map_err(|_| format!("`{time}` is no time such as `2024-10-01T12:00:00Z`"))?;
    let mut out = String::new();
    let mut rest = pattern.as_str();
    while let Some(c) = rest.chars().next() {
        if c == '\'' {
            let quoted = rest[1..].split('\'').next().unwrap_or_default();
            out.push_str(quoted);
            rest = rest.get(quoted.len() + 2..).unwrap_or_default();
            continue;
        }
        let end = rest.find(|other| other != c).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = after;
        if !c.is_ascii_alphabetic() {
            out.push_str(word);
            continue;
        }
        let spec = match word {
            "YYYY" => "%Y",
            "YY" => "%y",
            "MMMM" => "%B",
            "MMM" => "%b",
            "MM" => "%m",
            "M" => "%-m",
            "DD" => "%d",
            "D" => "%-d",
            "EEEE" => "%A",
            "EEE" => "%a",
            "hh" => "%H",
            "h" => "%-H",
            "HH" => "%I",
            "mm" => "%M",
            "ss" => "%S",
            "Z" => "Z",
            _ => {
                return Err(format!(
                    "the part `{word}` of `{pattern}` is not understood"
                ));
            }
        };
        out.push_str(&time.strftime(spec).to_string());
    }
    Ok(out.into())
}
