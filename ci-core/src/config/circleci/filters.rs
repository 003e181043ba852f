//! Whether a job of a workflow is part of the pipeline of a branch or a tag.

use super::compiler::Compiler;
use super::logic::Place;
use super::pattern::fits;
use super::pipeline::Pipeline;
use crate::similar::closest;
use crate::yaml::problem::Problem;
use crate::yaml::{Node, Value};

/// Why a job is filtered out; `None` if it is not.
pub(super) fn why_not(
    filters: Option<&Node>,
    pipeline: &Pipeline,
    compiler: &mut Compiler<'_>,
) -> Option<String> {
    match filters.map(|node| (&node.value, node)) {
        Some((Value::Str(expression), node)) => {
            let holds = compiler.holds(node, Place::Workflow);
            (!holds).then(|| format!("filter: `{expression}` does not hold"))
        }
        _ => by_name(filters, pipeline).unwrap_or_else(|problem| {
            compiler.problems.push(problem);
            None
        }),
    }
}

/// The rules for branches and tags: jobs run for every branch unless told otherwise, and for no tag
/// unless told so.
fn by_name(filters: Option<&Node>, pipeline: &Pipeline) -> Result<Option<String>, Problem> {
    let part = |key: &str| {
        filters
            .and_then(|node| node.get(key))
            .filter(|node| !node.is_null())
    };
    let (kind, name) = match (&pipeline.facts.tag, &pipeline.facts.branch) {
        (Some(tag), _) => ("tag", tag),
        (None, Some(branch)) => ("branch", branch),
        (None, None) => return Ok(None),
    };
    if let Some(problem) = unknown_key(filters) {
        return Err(problem);
    }
    let part = part(if kind == "tag" { "tags" } else { "branches" });
    let Some(part) = part else {
        return Ok((kind == "tag").then(|| {
            format!("filter: it runs for no tag, because it has no filter for tags (`{name}`)")
        }));
    };
    // A filter may be just the names.
    let only = if part.as_map().is_some() {
        part.get("only")
    } else {
        Some(part)
    };
    if let Some(only) = only
        && !any_fits(only, name)?
    {
        return Ok(Some(format!(
            "filter: the {kind} `{name}` is not among `only`"
        )));
    }
    if only.is_none()
        && let Some(ignore) = part.get("ignore")
        && any_fits(ignore, name)?
    {
        return Ok(Some(format!(
            "filter: the {kind} `{name}` is among `ignore`"
        )));
    }
    Ok(None)
}

/// A key of filters that there is not.
fn unknown_key(filters: Option<&Node>) -> Option<Problem> {
    let refuse = |node: &Node, known: &[&'static str]| {
        let mut entries = node.as_map()?.entries();
        let (key, entry) = entries.find(|(key, _)| !known.contains(&&***key))?;
        let message = format!("a filter has no `{key}`");
        let meant = closest(key, known.iter().copied());
        Some(Problem::error(&entry.key, message).did_you_mean(meant))
    };
    let filters = filters?;
    refuse(filters, &["branches", "tags"]).or_else(|| {
        let parts = ["branches", "tags"].into_iter();
        let mut parts = parts.filter_map(|key| filters.get(key));
        parts.find_map(|part| refuse(part, &["only", "ignore"]))
    })
}

fn any_fits(names: &Node, name: &str) -> Result<bool, Problem> {
    let list = match names.as_seq() {
        Some(list) => list,
        None => std::slice::from_ref(names),
    };
    for filter in list {
        let text = filter.scalar().unwrap_or_default();
        let fit = fits(&text, name)
            .map_err(|why| Problem::error(&filter.mark, format!("the pattern `{text}`: {why}")))?;
        if fit {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::workflow::RunFacts;
    use crate::yaml::load;
    use crate::yaml::problem::Problems;

    fn runs(filters: &str, facts: RunFacts) -> bool {
        let mut problems = Problems::new();
        let node = load(filters, "f", &mut problems).unwrap().pop();
        let pipeline = Pipeline {
            facts,
            ..Pipeline::default()
        };
        let mut compiler = Compiler::new(&mut problems, HashMap::new(), Vec::new());
        why_not(node.as_ref(), &pipeline, &mut compiler).is_none()
    }

    #[test]
    fn branches_run_unless_told_and_tags_only_if_told() {
        let branch = |name: &str| RunFacts::default().branch(name);
        let tag = RunFacts {
            tag: Some("v1.2".into()),
            ..RunFacts::default()
        };
        for (filters, on_main, on_topic, on_tag) in [
            ("{}", true, true, false),
            ("branches: {only: main}", true, false, false),
            ("branches: {only: [/ma.*/, x]}", true, false, false),
            ("branches: {ignore: main}", false, true, false),
            ("tags: {only: /v.*/}", true, true, true),
            (
                "{tags: {only: /v.*/}, branches: {ignore: /.*/}}",
                false,
                false,
                true,
            ),
            ("tags: {only: v1}", true, true, false),
        ] {
            assert_eq!(runs(filters, branch("main")), on_main, "{filters}");
            assert_eq!(runs(filters, branch("topic")), on_topic, "{filters}");
            assert_eq!(runs(filters, tag.clone()), on_tag, "{filters}");
        }
    }
}
