//! Variables in the values of compose files: `$NAME`, `${NAME}`, `${NAME:-word}` and its kin, `$$`.

/// A value with its variables. An error names the one that has to be set.
pub(super) fn substitute(
    text: &str,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(inner) = rest.strip_prefix('{') {
            let end = inner
                .find('}')
                .ok_or_else(|| format!("`{text}` has an open `${{`"))?;
            out.push_str(&braced(&inner[..end], variable)?);
            rest = &inner[end + 1..];
        } else {
            let name = name_of(rest);
            if name.is_empty() {
                out.push('$');
            } else {
                out.push_str(&variable(name).unwrap_or_default());
            }
            rest = &rest[name.len()..];
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// The variable that begins a text.
fn name_of(text: &str) -> &str {
    let is_part = |it: char| it == '_' || it.is_ascii_alphanumeric();
    let end = text.find(|it| !is_part(it)).unwrap_or(text.len());
    let starts_well = |it: char| it == '_' || it.is_ascii_alphabetic();
    if text.starts_with(starts_well) {
        &text[..end]
    } else {
        ""
    }
}

fn braced(inner: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let name = name_of(inner);
    if name.is_empty() {
        return Err(format!("`${{{inner}}}` names no variable"));
    }
    let (rule, word) = inner[name.len()..].split_at(
        inner[name.len()..]
            .find(|it| !":-?+".contains(it))
            .unwrap_or(inner.len() - name.len())
            .min(2),
    );
    let found = variable(name);
    let not_empty = || found.clone().filter(|value| !value.is_empty());
    match rule {
        "" => Ok(found.unwrap_or_default()),
        ":-" => Ok(not_empty().unwrap_or_else(|| word.to_owned())),
        "-" => Ok(found.unwrap_or_else(|| word.to_owned())),
        ":+" => Ok(not_empty().map_or_else(String::new, |_| word.to_owned())),
        "+" => Ok(found.map_or_else(String::new, |_| word.to_owned())),
        ":?" => not_empty().ok_or_else(|| format!("the variable `{name}` is not set: {word}")),
        "?" => found.ok_or_else(|| format!("the variable `{name}` is not set: {word}")),
        _ => Err(format!("`${{{inner}}}` is no variable")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_filled_in_as_compose_does() {
        let variable = |name: &str| match name {
            "SET" => Some("value".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        for (text, expected) in [
            ("plain", "plain"),
            ("$SET/${SET}x", "value/valuex"),
            ("$$SET $ 5$", "$SET $ 5$"),
            ("${NONE:-other}", "other"),
            ("${EMPTY:-other}${EMPTY-no}", "other"),
            ("${SET:+yes}${NONE+no}", "yes"),
            ("[$NONE]", "[]"),
        ] {
            assert_eq!(
                substitute(text, &variable).as_deref(),
                Ok(expected),
                "{text}"
            );
        }
        assert!(
            substitute("${NONE:?must be}", &variable)
                .unwrap_err()
                .contains("must be")
        );
        assert!(substitute("${open", &variable).is_err());
        assert!(substitute("${}", &variable).is_err());
    }
}
