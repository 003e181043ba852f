//! From the form of a query to a call, see *query requests* in the EC2 reference.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::model::Call;
use crate::ec2::{LaunchRequest, Question, Spot, Template};

/// The fields of a form.
#[derive(Debug, Default)]
pub(super) struct Form(BTreeMap<String, String>);

impl Form {
    pub(super) fn parse(body: &str) -> Self {
        let fields = body.split('&').filter_map(|field| {
            let (name, value) = field.split_once('=')?;
            Some((decode(name), decode(value)))
        });
        Self(fields.collect())
    }

    fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    fn text(&self, name: &str) -> String {
        self.get(name).unwrap_or_default()
    }

    pub(super) fn action(&self) -> String {
        self.text("Action")
    }

    pub(super) fn is_rehearsal(&self) -> bool {
        self.text("DryRun") == "true"
    }

    /// The tags below `prefix`.
    fn tags(&self, prefix: &str) -> BTreeMap<String, String> {
        let mut tags = BTreeMap::new();
        for number in 1.. {
            let Some(key) = self.get(&format!("{prefix}Tag.{number}.Key")) else {
                break;
            };
            tags.insert(key, self.text(&format!("{prefix}Tag.{number}.Value")));
        }
        tags
    }

    fn template(&self, prefix: &str) -> Template {
        let id = self.get(&format!("{prefix}LaunchTemplateId"));
        let name = id.or_else(|| self.get(&format!("{prefix}LaunchTemplateName")));
        Template {
            name: name.unwrap_or_default(),
            version: self.text(&format!("{prefix}Version")),
        }
    }

    /// The call, if it is one that the stand-in knows.
    pub(super) fn call(&self) -> Option<Call> {
        let id = || self.text("InstanceId.1");
        let resource = || self.text("ResourceId.1");
        Some(match self.action().as_str() {
            "RunInstances" => Call::Launch(Box::new(self.launch())),
            "DescribeInstances" => Call::Describe(self.question()),
            "StartInstances" => Call::Start(id()),
            "StopInstances" => Call::Stop(id()),
            "TerminateInstances" => Call::Terminate(id()),
            "CreateTags" => Call::Tag(resource(), self.tags("")),
            "DeleteTags" => {
                let value = self.get("Tag.1.Value");
                Call::Untag(resource(), self.text("Tag.1.Key"), value)
            }
            "GetConsoleOutput" => Call::Console(self.text("InstanceId")),
            "DescribeLaunchTemplateVersions" => Call::Template(self.template("").name),
            "CancelSpotInstanceRequests" => Call::CancelSpot(self.text("SpotInstanceRequestId.1")),
            _ => return None,
        })
    }

    fn question(&self) -> Question {
        if let Some(id) = self.get("InstanceId.1") {
            return Question::Id(id);
        }
        let (name, value) = (self.text("Filter.1.Name"), self.text("Filter.1.Value.1"));
        match name.strip_prefix("tag:") {
            Some(tag) => Question::Tag(tag.to_owned(), value),
            None => Question::Tagged(value),
        }
    }

    fn launch(&self) -> LaunchRequest {
        let is_spot = self.text("InstanceMarketOptions.MarketType") == "spot";
        let spot = is_spot.then(|| Spot {
            max_price: self.get("InstanceMarketOptions.SpotOptions.MaxPrice"),
        });
        let data = self.get("UserData");
        LaunchRequest {
            template: self.template("LaunchTemplate."),
            instance_type: self.get("InstanceType"),
            zone: self.get("Placement.AvailabilityZone"),
            subnet: self.get("SubnetId"),
            spot,
            client_token: self.text("ClientToken"),
            tags: self.tags("TagSpecification.1."),
            user_data: data.and_then(|data| BASE64.decode(data).ok()),
        }
    }
}

/// Undoes the encoding of forms.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = tail.get(..2).and_then(|it| std::str::from_utf8(it).ok());
                match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
                    Some(byte) => {
                        bytes.push(byte);
                        rest = tail.get(2..).unwrap_or_default();
                    }
                    None => bytes.push(b'%'),
                }
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read() {
        let body = "Action=CreateTags&ResourceId.1=i-1&Tag.1.Key=a%3Ab&Tag.1.Value=c+d%25&Tag.2.Key=e&Tag.2.Value=%zz";
        let call = Form::parse(body).call();
        let tags = [("a:b", "c d%"), ("e", "%zz")];
        let tags = tags.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(call, Some(Call::Tag("i-1".into(), tags.into())));
        assert_eq!(Form::parse("Action=DeleteVpc").call(), None);
    }
}
