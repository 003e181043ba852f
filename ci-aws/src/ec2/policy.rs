//! What the credentials have to allow, and whether they do.

use super::api::{ApiError, Ec2Api, LaunchRequest, Rehearsal};
use super::codes::Trouble;
use super::error::Ec2Error;
use super::options::{Ec2Options, Launch, Strategy};
use super::plan::candidates;
use super::tags;

/// Whether one action is allowed.
#[derive(Debug)]
#[non_exhaustive]
pub struct Permission {
    /// The action's name in policies.
    pub action: &'static str,
    /// Whether it is allowed; `None` if that could not be found out.
    pub allowed: Option<bool>,
    /// What EC2 said, where that is worth knowing.
    pub words: Option<String>,
}

/// Asks EC2 about each action that a job with these options needs, without doing any of them.
///
/// Actions on instances that are yet to be launched cannot be rehearsed: for those the answer is `None`.
///
/// # Errors
/// If there are no credentials, or EC2 does not answer.
pub async fn check(api: &dyn Ec2Api, options: &Ec2Options) -> Result<Vec<Permission>, Ec2Error> {
    let mut all = Vec::new();
    let mut rehearsals = vec![Rehearsal::Describe];
    // Of an instance that there is not: whoever may not do it at all is told so first.
    let nothing = "i-00000000000000000".to_owned();
    match &options.strategy {
        Strategy::Existing(id) => rehearsals.extend([
            Rehearsal::Start(id.clone()),
            Rehearsal::Stop(id.clone()),
            Rehearsal::Tag(id.clone()),
            Rehearsal::Untag(id.clone()),
            Rehearsal::Console(id.clone()),
        ]),
        Strategy::Template(launch) => rehearsals.extend([
            Rehearsal::Template(launch.template.clone()),
            Rehearsal::Launch(Box::new(sample(options, launch))),
            Rehearsal::Tag(nothing.clone()),
            Rehearsal::Terminate(nothing),
        ]),
    }
    for rehearsal in rehearsals {
        let action = rehearsal.action();
        all.push(match api.rehearse(&rehearsal).await {
            Ok(()) => Permission {
                action,
                allowed: Some(true),
                words: None,
            },
            Err(error) => refused(action, error)?,
        });
    }
    Ok(all)
}

fn refused(action: &'static str, error: ApiError) -> Result<Permission, Ec2Error> {
    let allowed = match error.trouble() {
        Trouble::Denied if error.code() == Some("UnauthorizedOperation") => Some(false),
        Trouble::Denied => return Err(Ec2Error::api("check the permissions", error)),
        Trouble::Throttled | Trouble::Unknown => {
            return Err(Ec2Error::api("check the permissions", error));
        }
        // Whether whoever may not do it is told so before other things differs between actions.
        _ => None,
    };
    Ok(Permission {
        action,
        allowed,
        words: Some(error.to_string()),
    })
}

fn sample(options: &Ec2Options, launch: &Launch) -> LaunchRequest {
    let token = uuid::Uuid::now_v7().to_string();
    let first = candidates(launch, false).into_iter().next();
    let (instance_type, zone, subnet, spot) = match first {
        Some(first) => (first.instance_type, first.zone, first.subnet, first.spot),
        None => (None, None, None, None),
    };
    LaunchRequest {
        template: launch.template.clone(),
        instance_type,
        zone,
        subnet,
        spot,
        tags: tags::of_launch("rehearsal", &options.owner, &token, 0),
        client_token: token,
        user_data: None,
    }
}

/// The IAM policy that jobs with these options need, as JSON.
///
/// Instances can only be ended, stopped and tagged if they are ours: the first statement is about what
/// cannot be restricted to an instance.
#[must_use]
pub fn policy(options: &Ec2Options) -> String {
    let any = "*";
    let mine = "arn:aws:ec2:*:*:instance/*";
    let mut statements = vec![serde_json::json!({
        "Sid": "Look",
        "Effect": "Allow",
        "Action": ["ec2:DescribeInstances", "ec2:DescribeLaunchTemplateVersions"],
        "Resource": any,
    })];
    match &options.strategy {
        Strategy::Existing(id) => statements.push(serde_json::json!({
            "Sid": "Use",
            "Effect": "Allow",
            "Action": [
                "ec2:StartInstances", "ec2:StopInstances", "ec2:CreateTags", "ec2:DeleteTags",
                "ec2:GetConsoleOutput",
            ],
            "Resource": format!("arn:aws:ec2:*:*:instance/{id}"),
        })),
        Strategy::Template(launch) => {
            statements.push(serde_json::json!({
                "Sid": "Launch",
                "Effect": "Allow",
                "Action": "ec2:RunInstances",
                "Resource": any,
            }));
            statements.push(serde_json::json!({
                "Sid": "TagAtLaunch",
                "Effect": "Allow",
                "Action": "ec2:CreateTags",
                "Resource": any,
                "Condition": {"StringEquals": {"ec2:CreateAction": "RunInstances"}},
            }));
            statements.push(serde_json::json!({
                "Sid": "End",
                "Effect": "Allow",
                "Action": ["ec2:TerminateInstances", "ec2:CreateTags"],
                "Resource": mine,
                "Condition": {"StringLike": {format!("aws:ResourceTag/{}", tags::RUN): "*"}},
            }));
            if launch.spot.is_some() {
                statements.push(serde_json::json!({
                    "Sid": "Spot",
                    "Effect": "Allow",
                    "Action": "ec2:CancelSpotInstanceRequests",
                    "Resource": any,
                }));
            }
        }
    }
    let document = serde_json::json!({"Version": "2012-10-17", "Statement": statements});
    format!("{document:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_allows_what_its_strategy_needs_and_no_more() {
        let existing = policy(&Ec2Options::new(Strategy::Existing("i-7".into())));
        assert!(existing.contains("instance/i-7"), "{existing}");
        assert!(!existing.contains("RunInstances"), "{existing}");
        let launch = policy(&Ec2Options::new(Strategy::Template(Launch::new("lt-1"))));
        assert!(launch.contains("ec2:RunInstances"), "{launch}");
        assert!(!launch.contains("ec2:StopInstances"), "{launch}");
        assert!(launch.contains("aws:ResourceTag/ci-core:run"), "{launch}");
    }
}
