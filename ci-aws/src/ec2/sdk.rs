//! EC2 through the AWS SDK: the only file that names it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::Credentials;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::operation::RequestId as _;
use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;
use aws_sdk_ec2::types::{
    Filter, InstanceInterruptionBehavior, InstanceLifecycleType, InstanceMarketOptionsRequest,
    InstanceMetadataOptionsRequest, InstanceType, LaunchTemplateSpecification, MarketType,
    Placement, ResourceType, ShutdownBehavior, SpotInstanceType, SpotMarketOptions, Tag,
    TagSpecification,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ci_core::executor::ExecutorError;
use tokio::sync::OnceCell;

use super::api::{
    ApiError, Ec2Api, Instance, InstanceState, LaunchRequest, Question, Rehearsal, Template,
};
use super::codes::Trouble;
use super::settings::Settings;

/// EC2 through the AWS SDK.
#[derive(Debug, Clone)]
pub struct SdkEc2 {
    access: Access,
    made: Arc<OnceCell<Client>>,
}

/// Where EC2 is, and as whom to speak to it. What is not said is found as every AWS tool finds it:
/// environment, profiles, web identity, single sign-on, and the metadata service of the machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Access {
    /// A profile of the configuration files.
    pub profile: Option<String>,
    /// A region such as `eu-north-1`.
    pub region: Option<String>,
    /// An address in place of the region's, such as that of a stand-in for tests.
    pub endpoint: Option<String>,
    /// The key id and the secret of an access key, in place of what is found.
    pub keys: Option<(String, String)>,
}

impl Access {
    /// Reads the part about it of the options of an executor of the settings file.
    ///
    /// # Errors
    /// For an option that there is not, and a value of the wrong kind.
    pub fn from_settings(
        options: &BTreeMap<String, serde_json::Value>,
    ) -> Result<Self, ExecutorError> {
        Ok(Settings::read(options)?.access())
    }
}

impl SdkEc2 {
    /// A client that reads the configuration of AWS when the first call is made.
    #[must_use]
    pub fn new(access: Access) -> Self {
        Self {
            access,
            made: Arc::default(),
        }
    }

    /// A client that has read the configuration of AWS. Credentials are looked for when the first call
    /// is made.
    pub async fn connect(access: &Access) -> Self {
        let new = Self::new(access.clone());
        new.client().await;
        new
    }

    /// The region that calls go to, if one was found.
    pub async fn region(&self) -> Option<String> {
        let region = self.client().await.config().region();
        region.map(ToString::to_string)
    }

    async fn client(&self) -> &Client {
        let make = || async { Client::new(&configuration(&self.access).await) };
        self.made.get_or_init(make).await
    }
}

async fn configuration(access: &Access) -> aws_config::SdkConfig {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(aws_smithy_http_client::tls::Provider::Rustls(
            aws_smithy_http_client::tls::rustls_provider::CryptoMode::Ring,
        ))
        .build_https();
    // Whoever launches decides what is tried again.
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .retry_config(RetryConfig::disabled())
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(10))
                .operation_timeout(Duration::from_mins(1))
                .build(),
        );
    if let Some(profile) = &access.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = &access.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(endpoint) = &access.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    if let Some((id, secret)) = &access.keys {
        loader = loader.credentials_provider(Credentials::new(id, secret, None, None, "given"));
    }
    loader.load().await
}

fn launching(client: &Client, request: &LaunchRequest) -> RunInstancesFluentBuilder {
    let kinds = [
        Some(ResourceType::Instance),
        Some(ResourceType::Volume),
        request
            .spot
            .as_ref()
            .map(|_| ResourceType::SpotInstancesRequest),
    ];
    let tags = kinds.into_iter().flatten().map(|kind| {
        let all = Some(tags(&request.tags));
        TagSpecification::builder()
            .resource_type(kind)
            .set_tags(all)
            .build()
    });
    let market = request.spot.as_ref().map(|spot| {
        let options = SpotMarketOptions::builder()
            .set_max_price(spot.max_price.clone())
            .spot_instance_type(SpotInstanceType::OneTime)
            .instance_interruption_behavior(InstanceInterruptionBehavior::Terminate);
        InstanceMarketOptionsRequest::builder()
            .market_type(MarketType::Spot)
            .spot_options(options.build())
            .build()
    });
    let zone = request.zone.clone();
    let data = request.user_data.as_ref().map(|data| BASE64.encode(data));
    // Nothing but the machine itself shall read the keys in its user data.
    let metadata = InstanceMetadataOptionsRequest::builder()
        .http_tokens(aws_sdk_ec2::types::HttpTokensState::Required)
        .http_put_response_hop_limit(1)
        .build();
    client
        .run_instances()
        .min_count(1)
        .max_count(1)
        .client_token(&request.client_token)
        .launch_template(template(&request.template))
        .set_instance_type(request.instance_type.as_deref().map(InstanceType::from))
        .set_placement(zone.map(|zone| Placement::builder().availability_zone(zone).build()))
        .set_subnet_id(request.subnet.clone())
        .set_instance_market_options(market)
        .set_tag_specifications(Some(tags.collect()))
        .set_user_data(data)
        .metadata_options(metadata)
        .instance_initiated_shutdown_behavior(ShutdownBehavior::Terminate)
}

fn template(template: &Template) -> LaunchTemplateSpecification {
    let builder = LaunchTemplateSpecification::builder().version(&template.version);
    let builder = if template.is_id() {
        builder.launch_template_id(&template.name)
    } else {
        builder.launch_template_name(&template.name)
    };
    builder.build()
}

fn tags(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter()
        .map(|(name, value)| Tag::builder().key(name).value(value).build())
        .collect()
}

#[async_trait]
impl Ec2Api for SdkEc2 {
    async fn launch(&self, request: &LaunchRequest) -> Result<Instance, ApiError> {
        let answer = launching(self.client().await, request)
            .send()
            .await
            .map_err(failed)?;
        let made = answer.instances().first().and_then(instance);
        made.ok_or_else(|| {
            let text = format!(
                "the answer `{}` names no instance",
                answer.request_id().unwrap_or("?")
            );
            ApiError::silence(Trouble::Unknown, text)
        })
    }

    async fn describe(&self, question: &Question) -> Result<Vec<Instance>, ApiError> {
        let filter = |name: String, value: &str| Filter::builder().name(name).values(value).build();
        let call = self.client().await.describe_instances();
        let call = match question {
            Question::Id(id) => call.instance_ids(id),
            Question::Tag(name, value) => call.filters(filter(format!("tag:{name}"), value)),
            Question::Tagged(name) => call.filters(filter("tag-key".to_owned(), name)),
        };
        let mut found = Vec::new();
        let mut next = None;
        loop {
            let page = call.clone().set_next_token(next).send().await;
            let page = page.map_err(failed)?;
            let instances = page
                .reservations()
                .iter()
                .flat_map(aws_sdk_ec2::types::Reservation::instances);
            found.extend(instances.filter_map(instance));
            next = page.next_token().map(ToOwned::to_owned);
            if next.as_ref().is_none_or(String::is_empty) {
                return Ok(found);
            }
        }
    }

    async fn start(&self, id: &str) -> Result<(), ApiError> {
        let call = self.client().await.start_instances().instance_ids(id);
        call.send().await.map_err(failed).map(drop)
    }

    async fn stop(&self, id: &str) -> Result<(), ApiError> {
        let call = self.client().await.stop_instances().instance_ids(id);
        call.send().await.map_err(failed).map(drop)
    }

    async fn terminate(&self, id: &str) -> Result<(), ApiError> {
        let call = self.client().await.terminate_instances().instance_ids(id);
        call.send().await.map_err(failed).map(drop)
    }

    async fn tag(&self, id: &str, names: &BTreeMap<String, String>) -> Result<(), ApiError> {
        let call = self.client().await.create_tags().resources(id);
        let call = call.set_tags(Some(tags(names))).send();
        call.await.map_err(failed).map(drop)
    }

    async fn untag(&self, id: &str, name: &str, value: &str) -> Result<(), ApiError> {
        let tag = Tag::builder().key(name).value(value).build();
        let call = self.client().await.delete_tags().resources(id).tags(tag);
        call.send().await.map_err(failed).map(drop)
    }

    async fn console(&self, id: &str) -> Result<Option<String>, ApiError> {
        let call = self.client().await.get_console_output().instance_id(id);
        // The newest output is to be had on machines of the Nitro kind only; others refuse to be asked.
        let answer = match call.clone().latest(true).send().await {
            Ok(answer) => answer,
            Err(_) => call.send().await.map_err(failed)?,
        };
        let Some(text) = answer.output() else {
            return Ok(None);
        };
        let bytes = BASE64.decode(text.replace(['\n', '\r'], "")).ok();
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    async fn template_user_data(&self, template: &Template) -> Result<Option<Vec<u8>>, ApiError> {
        let call = self.client().await.describe_launch_template_versions();
        let call = if template.is_id() {
            call.launch_template_id(&template.name)
        } else {
            call.launch_template_name(&template.name)
        };
        let answer = call.versions(&template.version).send().await;
        let answer = answer.map_err(failed)?;
        let version = answer.launch_template_versions().first();
        let data = version.and_then(|version| version.launch_template_data());
        let data = data.and_then(|data| data.user_data());
        let Some(data) = data.filter(|data| !data.is_empty()) else {
            return Ok(None);
        };
        let decoded = BASE64.decode(data.replace(['\n', '\r'], ""));
        decoded.map(Some).map_err(|error| {
            let text = format!("the user data of `{}` is not base64", template.name);
            ApiError::silence(Trouble::Fatal, text).with_source(error)
        })
    }

    async fn cancel_spot(&self, request: &str) -> Result<(), ApiError> {
        let call = self.client().await.cancel_spot_instance_requests();
        let call = call.spot_instance_request_ids(request);
        call.send().await.map_err(failed).map(drop)
    }

    async fn rehearse(&self, rehearsal: &Rehearsal) -> Result<(), ApiError> {
        let client = self.client().await;
        let tag = || Tag::builder().key("ci-core:rehearsal").value("").build();
        let answer = match rehearsal {
            Rehearsal::Launch(request) => {
                let call = launching(client, request).dry_run(true);
                call.send().await.map_err(failed).map(drop)
            }
            Rehearsal::Describe => {
                let call = client.describe_instances().dry_run(true);
                call.send().await.map_err(failed).map(drop)
            }
            Rehearsal::Start(id) => {
                let call = client.start_instances().instance_ids(id).dry_run(true);
                call.send().await.map_err(failed).map(drop)
            }
            Rehearsal::Stop(id) => {
                let call = client.stop_instances().instance_ids(id).dry_run(true);
                call.send().await.map_err(failed).map(drop)
            }
            Rehearsal::Terminate(id) => {
                let call = client.terminate_instances().instance_ids(id).dry_run(true);
                call.send().await.map_err(failed).map(drop)
            }
            Rehearsal::Tag(id) => {
                let call = client.create_tags().resources(id).tags(tag());
                call.dry_run(true).send().await.map_err(failed).map(drop)
            }
            Rehearsal::Untag(id) => {
                let call = client.delete_tags().resources(id).tags(tag());
                call.dry_run(true).send().await.map_err(failed).map(drop)
            }
            Rehearsal::Console(id) => {
                let call = client.get_console_output().instance_id(id).dry_run(true);
                call.send().await.map_err(failed).map(drop)
            }
            Rehearsal::Template(template) => {
                let call = client.describe_launch_template_versions();
                let call = if template.is_id() {
                    call.launch_template_id(&template.name)
                } else {
                    call.launch_template_name(&template.name)
                };
                call.dry_run(true).send().await.map_err(failed).map(drop)
            }
        };
        match answer {
            Err(error) if error.trouble() == Trouble::WouldWork => Ok(()),
            other => other,
        }
    }
}

fn instance(of: &aws_sdk_ec2::types::Instance) -> Option<Instance> {
    let state = of.state().and_then(|state| state.name());
    let tags = of.tags().iter().filter_map(|tag| {
        let value = tag.value().unwrap_or_default().to_owned();
        tag.key().map(|key| (key.to_owned(), value))
    });
    let address = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(ToOwned::to_owned);
    Some(Instance {
        id: of.instance_id()?.to_owned(),
        state: InstanceState::parse(state?.as_str())?,
        reason: of
            .state_reason()
            .and_then(|reason| reason.code())
            .filter(|code| !code.is_empty())
            .map(ToOwned::to_owned),
        public_ip: address(of.public_ip_address()),
        private_ip: address(of.private_ip_address()),
        instance_type: of
            .instance_type()
            .map(|kind| kind.as_str().to_owned())
            .unwrap_or_default(),
        zone: of
            .placement()
            .and_then(|placement| address(placement.availability_zone())),
        is_spot: of.instance_lifecycle() == Some(&InstanceLifecycleType::Spot),
        spot_request: address(of.spot_instance_request_id()),
        tags: tags.collect(),
        launched: of
            .launch_time()
            .map(aws_sdk_ec2::primitives::DateTime::secs),
    })
}

/// What an error of the SDK means.
fn failed<E, R>(error: SdkError<E, R>) -> ApiError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + Status + 'static,
{
    match error {
        SdkError::ServiceError(context) => {
            let status = context.raw().code();
            let error = context.err();
            match error.code() {
                Some(code) => ApiError::answer(code, status, error.message().unwrap_or_default()),
                None if status < 500 => {
                    let text = format!("an answer without a code, status `{status}`");
                    ApiError::silence(Trouble::Fatal, text)
                }
                None => {
                    let text = format!("an answer without a code, status `{status}`");
                    ApiError::silence(Trouble::Unknown, text)
                }
            }
        }
        SdkError::ConstructionFailure(_) => {
            // Before anything is sent: credentials or the region are missing.
            let words = words(&error);
            let text = if words.to_lowercase().contains("region") {
                "no region of AWS is set, or it is none".to_owned()
            } else {
                format!("the call could not be made: {words}")
            };
            ApiError::silence(Trouble::Denied, text).with_source(error)
        }
        SdkError::DispatchFailure(ref failure)
            if failure.is_user() || is_about_credentials(&error) =>
        {
            let words = words(&error);
            if words.contains("no credentials found") {
                let text = "no credentials of AWS were found: not in the environment, not in a profile, not on the machine";
                return ApiError::silence(Trouble::Denied, text);
            }
            let text = format!("the call could not be made: {words}");
            ApiError::silence(Trouble::Denied, text).with_source(error)
        }
        error => {
            let text = format!("no answer: {}", words(&error));
            ApiError::silence(Trouble::Unknown, text).with_source(error)
        }
    }
}

/// Whether credentials are what is missing.
fn is_about_credentials(error: &dyn std::error::Error) -> bool {
    words(error).contains("credentials")
}

/// An error with its causes.
fn words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_words = cause.to_string();
        if !text.contains(&cause_words) {
            text = format!("{text}: {cause_words}");
        }
        source = cause.source();
    }
    text
}

/// The status of an answer.
trait Status {
    fn code(&self) -> u16;
}

impl Status for aws_sdk_ec2::config::http::HttpResponse {
    fn code(&self) -> u16 {
        self.status().as_u16()
    }
}
