//! `ci ec2`: what an executor needs, and whether it may.

use std::path::Path;

use ci_aws::ec2::{Ec2Options, Permission, SdkEc2, Strategy, check, policy};
use ci_core::settings::ExecutorSettings;
use serde_json::json;

use super::EC2;
use super::args::{Ec2Args, Ec2Command};
use super::executor::read;
use crate::args::{Format, Global};
use crate::executors::AN_EC2;
use crate::failure::{Failure, WORKFLOW, chain};
use crate::{open, output};

/// Does what was typed.
pub(crate) async fn ec2(global: &Global, command: Ec2Command) -> Result<u8, Failure> {
    match command {
        Ec2Command::Policy(args) => {
            let (_, options) = named(&args)?;
            output::line(policy(&options.1))?;
        }
        Ec2Command::Check(args) => return allowed(global, &args).await,
    }
    Ok(0)
}

/// The executor that was meant.
fn named(args: &Ec2Args) -> Result<(String, (ci_aws::ec2::Access, Ec2Options)), Failure> {
    let settings = open::settings(args.settings.as_deref(), Path::new("."))?;
    let is_ec2 = |it: &ExecutorSettings| it.kind == EC2;
    let wanted = args.executor.as_deref().unwrap_or(EC2);
    let found = match settings.executors.get_key_value(wanted) {
        Some(found) => Some(found),
        None if args.executor.is_none() => settings.executors.iter().find(|(_, it)| is_ec2(it)),
        None => None,
    };
    let Some((name, executor)) = found.filter(|(_, it)| is_ec2(it)) else {
        let text = format!("the settings have no executor `{wanted}` of the type `ec2`");
        return Err(Failure::input(text).hint(AN_EC2));
    };
    let read = read(executor)
        .map_err(|error| Failure::input(format!("executor `{name}`: {}", chain(&error))))?;
    Ok((name.clone(), read))
}

async fn allowed(global: &Global, args: &Ec2Args) -> Result<u8, Failure> {
    let (name, (access, options)) = named(args)?;
    let api = SdkEc2::new(access);
    let found = check(&api, &options).await?;
    let region = api.region().await;
    if global.format == Format::Json {
        let permissions = found
            .iter()
            .map(|it| json!({ "action": it.action, "allowed": it.allowed, "words": it.words }));
        output::json(&json!({
            "executor": name,
            "region": region,
            "permissions": permissions.collect::<Vec<_>>(),
        }))?;
    } else {
        let on = match &options.strategy {
            Strategy::Existing(id) => format!("the instance `{id}`"),
            Strategy::Template(launch) => format!("the launch template `{}`", launch.template.name),
            _ => "its machine".to_owned(),
        };
        let region = region.as_deref().unwrap_or("no region");
        output::say(format!(
            "`{name}` uses {on} in {region}; nothing was done to it"
        ));
        output::print(&output::table(&found.iter().map(row).collect::<Vec<_>>()))?;
    }
    if found.iter().any(|it| it.allowed == Some(false)) {
        output::say("\nhint: `ci ec2 policy` prints the policy that allows it");
        return Ok(WORKFLOW);
    }
    Ok(0)
}

fn row(permission: &Permission) -> Vec<String> {
    let (answer, words) = match permission.allowed {
        Some(true) => ("allowed", ""),
        Some(false) => ("DENIED", permission.words.as_deref().unwrap_or_default()),
        None => ("unknown", permission.words.as_deref().unwrap_or_default()),
    };
    // What EC2 says of a denial may go on for a page.
    let words: String = output::plain(words).chars().take(100).collect();
    vec![permission.action.to_owned(), answer.to_owned(), words]
}
