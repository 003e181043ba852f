//! The variables that GitLab defines for every pipeline, as far as a machine of one's own knows them.

use std::collections::BTreeMap;

use super::Facts;

const NO_COMMIT: &str = "0000000000000000000000000000000000000000";

/// The variables that rules and includes may ask for.
pub(super) fn of_pipeline(facts: &Facts) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut set = |name: &str, value: &str| drop(all.insert(name.to_owned(), value.to_owned()));
    for name in ["CI", "GITLAB_CI"] {
        set(name, "true");
    }
    of_commit(facts, &mut set);
    of_project(facts, &mut set);
    set("CI_PIPELINE_SOURCE", &facts.source);
    set("CI_PIPELINE_ID", "1");
    set("CI_PIPELINE_IID", "1");
    let url = format!("https://localhost/{}/-/pipelines/1", facts.project);
    set("CI_PIPELINE_URL", &url);
    if facts.source == "trigger" {
        set("CI_PIPELINE_TRIGGERED", "true");
    }
    set("CI_CONFIG_PATH", ".gitlab-ci.yml");
    set("CI_SERVER", "yes");
    set("CI_SERVER_NAME", "GitLab");
    set("CI_SERVER_HOST", "localhost");
    set("CI_SERVER_FQDN", "localhost");
    set("CI_SERVER_PORT", "443");
    set("CI_SERVER_PROTOCOL", "https");
    set("CI_SERVER_URL", "https://localhost");
    set("CI_API_V4_URL", "https://localhost/api/v4");
    set("CI_REGISTRY", "localhost");
    set("CI_REGISTRY_IMAGE", &format!("localhost/{}", facts.project));
    set("CI_TEMPLATE_REGISTRY_HOST", "registry.gitlab.com");
    set("GITLAB_USER_LOGIN", "local");
    set("GITLAB_USER_NAME", "local");
    set("GITLAB_USER_EMAIL", "local@localhost");
    set("GITLAB_USER_ID", "1");
    if facts.is_merge_request() {
        of_merge_request(facts, &mut set);
    }
    all
}

fn of_commit(facts: &Facts, set: &mut impl FnMut(&str, &str)) {
    let name = facts.ref_name();
    let revision = facts.run.revision.as_deref().unwrap_or(NO_COMMIT);
    let message = facts.message.as_deref().unwrap_or_default();
    set("CI_COMMIT_SHA", revision);
    set("CI_COMMIT_SHORT_SHA", revision.get(..8).unwrap_or(revision));
    set("CI_COMMIT_BEFORE_SHA", NO_COMMIT);
    set("CI_COMMIT_REF_NAME", name);
    set("CI_COMMIT_REF_SLUG", &slug(name));
    set("CI_COMMIT_REF_PROTECTED", "false");
    set("CI_COMMIT_MESSAGE", message);
    let (title, description) = message.split_once('\n').unwrap_or((message, ""));
    set("CI_COMMIT_TITLE", title);
    set(
        "CI_COMMIT_AUTHOR",
        facts.author.as_deref().unwrap_or_default(),
    );
    let timestamp = facts.timestamp.as_deref().unwrap_or_default();
    set("CI_COMMIT_TIMESTAMP", timestamp);
    set(
        "CI_COMMIT_DESCRIPTION",
        description.trim_start_matches('\n'),
    );
    if let Some(tag) = &facts.run.tag {
        set("CI_COMMIT_TAG", tag);
    } else if !facts.is_merge_request() {
        set("CI_COMMIT_BRANCH", name);
    }
}

fn of_project(facts: &Facts, set: &mut impl FnMut(&str, &str)) {
    let (namespace, name) = facts
        .project
        .rsplit_once('/')
        .unwrap_or(("", &facts.project));
    set("CI_PROJECT_NAME", name);
    set("CI_PROJECT_TITLE", name);
    set("CI_PROJECT_NAMESPACE", namespace);
    set(
        "CI_PROJECT_ROOT_NAMESPACE",
        namespace.split('/').next().unwrap_or_default(),
    );
    set("CI_PROJECT_PATH", &facts.project);
    set("CI_PROJECT_PATH_SLUG", &slug(&facts.project));
    set("CI_PROJECT_ID", "1");
    set(
        "CI_PROJECT_URL",
        &format!("https://localhost/{}", facts.project),
    );
    set("CI_PROJECT_VISIBILITY", "private");
    set("CI_DEFAULT_BRANCH", &facts.default_branch);
}

fn of_merge_request(facts: &Facts, set: &mut impl FnMut(&str, &str)) {
    let target = facts
        .target_branch
        .as_deref()
        .unwrap_or(&facts.default_branch);
    set("CI_MERGE_REQUEST_ID", "1");
    set("CI_MERGE_REQUEST_IID", "1");
    set("CI_MERGE_REQUEST_EVENT_TYPE", "detached");
    set("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", facts.ref_name());
    set("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", target);
    set("CI_MERGE_REQUEST_SOURCE_PROJECT_PATH", &facts.project);
    set("CI_MERGE_REQUEST_PROJECT_PATH", &facts.project);
    set("CI_MERGE_REQUEST_PROJECT_ID", "1");
    set(
        "CI_MERGE_REQUEST_TITLE",
        facts.message.as_deref().unwrap_or_default(),
    );
    set("CI_OPEN_MERGE_REQUESTS", &format!("{}!1", facts.project));
}

/// The variables that a job has besides, the same for all: rules cannot ask for them.
pub(super) fn of_jobs() -> BTreeMap<String, String> {
    let pairs = [
        ("CI_JOB_ID", "1".to_owned()),
        ("CI_JOB_STATUS", "running".to_owned()),
        ("CI_CONCURRENT_ID", "0".to_owned()),
        ("CI_NODE_TOTAL", "1".to_owned()),
        // Defined, but with nothing in it: there is no server that would take it.
        ("CI_JOB_TOKEN", String::new()),
        ("CI_REGISTRY_USER", String::new()),
        ("CI_REGISTRY_PASSWORD", String::new()),
        ("CI_DEPENDENCY_PROXY_SERVER", String::new()),
        ("CI_RUNNER_ID", "1".to_owned()),
        ("CI_RUNNER_DESCRIPTION", "local".to_owned()),
        ("CI_RUNNER_TAGS", "[]".to_owned()),
    ];
    let owned = |(name, value): (&str, String)| (name.to_owned(), value);
    pairs.into_iter().map(owned).collect()
}

/// A name as a part of an address: lower case, `-` for what is no letter or digit, 63 at most.
pub(super) fn slug(name: &str) -> String {
    let letters = name.chars().map(|letter| {
        let lower = letter.to_ascii_lowercase();
        if lower.is_ascii_alphanumeric() {
            lower
        } else {
            '-'
        }
    });
    let short: String = letters.take(63).collect();
    short.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_short_and_has_no_dash_at_its_ends() {
        assert_eq!(slug("Feature/ÄB_1-"), "feature--b-1");
        assert_eq!(slug(&"x".repeat(70)).len(), 63);
    }

    #[test]
    fn branch_tag_and_merge_request_define_different_variables() {
        let branch = of_pipeline(&Facts::branch("dev"));
        let tag = of_pipeline(&Facts::tag("v1"));
        let request = of_pipeline(&Facts::merge_request("dev", "main"));
        assert_eq!(
            branch.get("CI_COMMIT_BRANCH").map(String::as_str),
            Some("dev")
        );
        assert!(!branch.contains_key("CI_COMMIT_TAG"));
        assert_eq!(tag.get("CI_COMMIT_TAG").map(String::as_str), Some("v1"));
        assert!(!tag.contains_key("CI_COMMIT_BRANCH"));
        assert!(!request.contains_key("CI_COMMIT_BRANCH"));
        assert!(request.contains_key("CI_MERGE_REQUEST_IID"));
    }
}
