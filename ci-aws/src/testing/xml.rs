//! Answers in the form of EC2.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::model::Answer;
use crate::ec2::{Instance, InstanceState};

/// The document of an answer to an action.
pub(super) fn answer(action: &str, answer: &Answer) -> String {
    let body = match answer {
        Answer::Done => "<return>true</return>".to_owned(),
        Answer::Launched(it) => format!("<instancesSet>{}</instancesSet>", instance(it)),
        Answer::Found(found) => {
            let items = found.iter().map(|it| {
                format!("<item><reservationId>r-1</reservationId><instancesSet>{}</instancesSet></item>", instance(it))
            });
            format!(
                "<reservationSet>{}</reservationSet>",
                items.collect::<String>()
            )
        }
        Answer::Console(None) => String::new(),
        Answer::Console(Some(text)) => format!("<output>{}</output>", BASE64.encode(text)),
        Answer::UserData(data) => {
            let data = data
                .as_ref()
                .map(|it| format!("<userData>{}</userData>", BASE64.encode(it)));
            format!(
                "<launchTemplateVersionSet><item><launchTemplateData>{}</launchTemplateData></item></launchTemplateVersionSet>",
                data.unwrap_or_default()
            )
        }
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{action}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>fake</requestId>{body}</{action}Response>"
    )
}

/// The document of an error.
pub(super) fn error(code: &str, message: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>{}</Code><Message>{}</Message></Error></Errors><RequestID>fake</RequestID></Response>",
        escape(code),
        escape(message)
    )
}

fn instance(of: &Instance) -> String {
    let mut text = String::from("<item>");
    let mut put = |name: &str, value: &str| {
        // Writing to a string does not fail.
        let _ = write!(text, "<{name}>{}</{name}>", escape(value));
    };
    put("instanceId", &of.id);
    put("instanceType", &of.instance_type);
    for (name, value) in [
        ("ipAddress", &of.public_ip),
        ("privateIpAddress", &of.private_ip),
        ("spotInstanceRequestId", &of.spot_request),
    ] {
        if let Some(value) = value {
            put(name, value);
        }
    }
    if of.is_spot {
        put("instanceLifecycle", "spot");
    }
    let _ = write!(
        text,
        "<instanceState><code>{}</code><name>{}</name></instanceState>",
        number(of.state),
        of.state
    );
    if let Some(reason) = &of.reason {
        let _ = write!(
            text,
            "<stateReason><code>{}</code></stateReason>",
            escape(reason)
        );
    }
    if let Some(zone) = &of.zone {
        let _ = write!(
            text,
            "<placement><availabilityZone>{}</availabilityZone></placement>",
            escape(zone)
        );
    }
    text.push_str("<tagSet>");
    for (name, value) in &of.tags {
        let _ = write!(
            text,
            "<item><key>{}</key><value>{}</value></item>",
            escape(name),
            escape(value)
        );
    }
    text.push_str("</tagSet></item>");
    text
}

fn number(state: InstanceState) -> u32 {
    match state {
        InstanceState::Pending => 0,
        InstanceState::Running => 16,
        InstanceState::ShuttingDown => 32,
        InstanceState::Terminated => 48,
        InstanceState::Stopping => 64,
        InstanceState::Stopped => 80,
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
