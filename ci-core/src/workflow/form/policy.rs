//! The policies of a job: needs, groups, retries, starts, allowed failures, matrices.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error, MapAccess, SeqAccess};
use serde::{Deserialize, Serialize};

use super::duration::Time;
use super::entries::Entries;
use super::shape::{Shape, shaped};
use crate::job::{AllowFailure, Backoff, GroupUse, Matrix, Need, Retry, RetryOn, Start};
use crate::outcome::{OutcomeKind, OutcomeSet};

/// A dependency.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub(super) enum NeedForm {
    Job(Arc<str>),
    Full(NeedFields),
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NeedFields {
    /// The other job.
    job: Arc<str>,
    /// The outcomes of it that let this job start: success by default, `any` for an `always` job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    accept: Option<AcceptForm>,
    /// Whether the other job may be absent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    optional: bool,
}

shaped!(NeedForm: String, NeedFields);

impl Shape for NeedForm {
    const EXPECTED: &'static str = "the name of a job, or a mapping with `job`";

    fn from_text<E: Error>(text: &str) -> Result<Self, E> {
        Ok(Self::Job(text.into()))
    }

    fn from_map<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        NeedFields::deserialize(MapAccessDeserializer::new(map)).map(Self::Full)
    }
}

impl NeedForm {
    /// The form of `need` in a job whose needs accept `usual` where they say nothing.
    pub(super) fn new(need: &Need, usual: OutcomeSet) -> Self {
        if need.accept == usual && !need.optional {
            return Self::Job(Arc::clone(&need.job));
        }
        Self::Full(NeedFields {
            job: Arc::clone(&need.job),
            accept: (need.accept != usual).then_some(AcceptForm(need.accept)),
            optional: need.optional,
        })
    }

    pub(super) fn need(self, usual: OutcomeSet) -> Need {
        let (job, accept, optional) = match self {
            Self::Job(job) => (job, None, false),
            Self::Full(fields) => (fields.job, fields.accept, fields.optional),
        };
        Need {
            job,
            accept: accept.map_or(usual, |accept| accept.0),
            optional,
        }
    }
}

/// A set of outcomes.
#[derive(Debug, Clone)]
struct AcceptForm(OutcomeSet);

shaped!(AcceptForm: Vec<OutcomeKind>, String);

impl Serialize for AcceptForm {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 == OutcomeSet::ANY {
            serializer.serialize_str("any")
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl Shape for AcceptForm {
    const EXPECTED: &'static str = "`any`, or a list of outcomes such as `[success, failed]`";

    fn from_text<E: Error>(text: &str) -> Result<Self, E> {
        match text {
            "any" => Ok(Self(OutcomeSet::ANY)),
            _ => Err(E::custom(format_args!(
                "`{text}` is not {}",
                Self::EXPECTED
            ))),
        }
    }

    fn from_list<'de, A: SeqAccess<'de>>(list: A) -> Result<Self, A::Error> {
        OutcomeSet::deserialize(SeqAccessDeserializer::new(list)).map(Self)
    }
}

/// A concurrency group.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub(super) enum GroupForm {
    Mutex(Arc<str>),
    Counted(GroupFields),
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupFields {
    /// The group's name.
    name: Arc<str>,
    /// How many of the group run at once; 1 by default.
    #[serde(default = "one")]
    limit: u32,
}

const fn one() -> u32 {
    1
}

shaped!(GroupForm: String, GroupFields);

impl Shape for GroupForm {
    const EXPECTED: &'static str = "the name of a group, or a mapping with `name` and `limit`";

    fn from_text<E: Error>(text: &str) -> Result<Self, E> {
        Ok(Self::Mutex(text.into()))
    }

    fn from_map<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        GroupFields::deserialize(MapAccessDeserializer::new(map)).map(Self::Counted)
    }
}

impl From<&GroupUse> for GroupForm {
    fn from(group: &GroupUse) -> Self {
        let name = Arc::clone(&group.name);
        match group.limit {
            1 => Self::Mutex(name),
            limit => Self::Counted(GroupFields { name, limit }),
        }
    }
}

impl From<GroupForm> for GroupUse {
    fn from(form: GroupForm) -> Self {
        match form {
            GroupForm::Mutex(name) => Self { name, limit: 1 },
            GroupForm::Counted(GroupFields { name, limit }) => Self { name, limit },
        }
    }
}

/// A retry policy.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub(super) enum RetryForm {
    Times(u32),
    Full(RetryFields),
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RetryFields {
    /// How many times at most, after the first attempt.
    max: u32,
    /// How long to wait before each new attempt; not at all by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    backoff: Option<BackoffForm>,
    /// Which failures are worth another attempt; all by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    on: Vec<RetryOn>,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct BackoffForm {
    /// The pause before the second attempt.
    initial: Time,
    /// By how much each pause is longer than the one before; 2 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    factor: Option<f64>,
    /// The longest pause; five minutes by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limit: Option<Time>,
    /// The share of the pause that is random, from 0 to 1; 0 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jitter: Option<f64>,
}

shaped!(RetryForm: u32, RetryFields);

impl Shape for RetryForm {
    const EXPECTED: &'static str = "a number of retries, or a mapping with `max`";

    fn from_integer<E: Error>(value: u64) -> Result<Self, E> {
        u32::try_from(value)
            .map(Self::Times)
            .map_err(|_| E::custom(format_args!("`{value}` are too many retries")))
    }

    fn from_map<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        RetryFields::deserialize(MapAccessDeserializer::new(map)).map(Self::Full)
    }
}

impl From<&Retry> for RetryForm {
    fn from(retry: &Retry) -> Self {
        if *retry == Retry::times(retry.max) {
            return Self::Times(retry.max);
        }
        let Backoff {
            initial,
            factor,
            limit,
            jitter,
        } = retry.backoff;
        let usual = Backoff::default();
        let backoff = BackoffForm {
            initial: Time(initial),
            factor: (factor.to_bits() != usual.factor.to_bits()).then_some(factor),
            limit: (limit != usual.limit).then_some(Time(limit)),
            jitter: (jitter.to_bits() != usual.jitter.to_bits()).then_some(jitter),
        };
        Self::Full(RetryFields {
            max: retry.max,
            backoff: (retry.backoff != usual).then_some(backoff),
            on: retry.on.clone(),
        })
    }
}

impl From<RetryForm> for Retry {
    fn from(form: RetryForm) -> Self {
        let fields = match form {
            RetryForm::Times(max) => return Self::times(max),
            RetryForm::Full(fields) => fields,
        };
        let usual = Backoff::default();
        let backoff = fields.backoff.map_or(usual, |form| Backoff {
            initial: form.initial.0,
            factor: form.factor.unwrap_or(usual.factor),
            limit: form.limit.map_or(usual.limit, |limit| limit.0),
            jitter: form.jitter.unwrap_or(usual.jitter),
        });
        Self {
            max: fields.max,
            backoff,
            on: fields.on,
        }
    }
}

/// Whether somebody has to approve the job.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub(super) enum ManualForm {
    Plain(bool),
    Full(ManualFields),
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ManualFields {
    /// What the person who approves is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<String>,
    /// Whether the run ends without waiting for the decision.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    optional: bool,
    /// How long to wait before the job times out; for ever by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<Time>,
}

shaped!(ManualForm: bool, ManualFields);

impl Shape for ManualForm {
    const EXPECTED: &'static str =
        "`true`, `false`, or a mapping with `prompt`, `optional` or `deadline`";

    fn from_bool<E: Error>(value: bool) -> Result<Self, E> {
        Ok(Self::Plain(value))
    }

    fn from_map<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        ManualFields::deserialize(MapAccessDeserializer::new(map)).map(Self::Full)
    }
}

/// The form of a start: what `manual` and `delayed` say.
pub(super) fn start_form(start: &Start) -> (Option<ManualForm>, Option<Time>) {
    match start {
        Start::Auto => (None, None),
        Start::Delayed(delay) => (None, Some(Time(*delay))),
        Start::Manual {
            prompt,
            optional,
            deadline,
        } => {
            let fields = ManualFields {
                prompt: prompt.clone(),
                optional: *optional,
                deadline: deadline.map(Time),
            };
            let plain = fields == ManualFields::default();
            let form = if plain {
                ManualForm::Plain(true)
            } else {
                ManualForm::Full(fields)
            };
            (Some(form), None)
        }
    }
}

/// What `manual` and `delayed` say together.
pub(super) fn start(manual: Option<ManualForm>, delayed: Option<Time>) -> Result<Start, String> {
    let fields = match manual {
        None | Some(ManualForm::Plain(false)) => {
            return Ok(delayed.map_or(Start::Auto, |delay| Start::Delayed(delay.0)));
        }
        Some(ManualForm::Plain(true)) => ManualFields::default(),
        Some(ManualForm::Full(fields)) => fields,
    };
    if delayed.is_some() {
        return Err("a job is `manual` or `delayed`, not both".to_owned());
    }
    Ok(Start::Manual {
        prompt: fields.prompt,
        optional: fields.optional,
        deadline: fields.deadline.map(|deadline| deadline.0),
    })
}

/// Which failures count as success.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub(super) enum AllowFailureForm {
    Plain(bool),
    Some(AllowFailureFields),
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AllowFailureFields {
    /// The exit codes that are allowed.
    exit_codes: Vec<i32>,
}

shaped!(AllowFailureForm: bool, AllowFailureFields);

impl Shape for AllowFailureForm {
    const EXPECTED: &'static str = "`true`, `false`, or a mapping with `exit_codes`";

    fn from_bool<E: Error>(value: bool) -> Result<Self, E> {
        Ok(Self::Plain(value))
    }

    fn from_map<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        AllowFailureFields::deserialize(MapAccessDeserializer::new(map)).map(Self::Some)
    }
}

impl AllowFailureForm {
    pub(super) fn new(allow: &AllowFailure) -> Option<Self> {
        match allow {
            AllowFailure::Never => None,
            AllowFailure::Always => Some(Self::Plain(true)),
            AllowFailure::ExitCodes(codes) => Some(Self::Some(AllowFailureFields {
                exit_codes: codes.clone(),
            })),
        }
    }
}

impl From<Option<AllowFailureForm>> for AllowFailure {
    fn from(form: Option<AllowFailureForm>) -> Self {
        match form {
            None | Some(AllowFailureForm::Plain(false)) => Self::Never,
            Some(AllowFailureForm::Plain(true)) => Self::Always,
            Some(AllowFailureForm::Some(fields)) => Self::ExitCodes(fields.exit_codes),
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
pub(super) struct MatrixForm {
    /// Each dimension with its values.
    #[serde(skip_serializing_if = "Entries::is_empty")]
    dimensions: Entries<Vec<String>>,
    /// Combinations to leave out: those that have all of the given values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    exclude: Vec<Entries<String>>,
    /// Combinations to add.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    include: Vec<Entries<String>>,
}

impl From<&Matrix> for MatrixForm {
    fn from(matrix: &Matrix) -> Self {
        let list = |maps: &[BTreeMap<String, String>]| maps.iter().map(Entries::from).collect();
        let dimensions = matrix.dimensions.iter();
        Self {
            dimensions: Entries(
                dimensions
                    .map(|(name, values)| (name.as_str().into(), values.clone()))
                    .collect(),
            ),
            exclude: list(&matrix.exclude),
            include: list(&matrix.include),
        }
    }
}

impl From<MatrixForm> for Matrix {
    fn from(form: MatrixForm) -> Self {
        let list = |maps: Vec<Entries<String>>| maps.into_iter().map(Entries::sorted).collect();
        let dimensions = form.dimensions.0.into_iter();
        Self {
            dimensions: dimensions
                .map(|(name, values)| (name.to_string(), values))
                .collect(),
            exclude: list(form.exclude),
            include: list(form.include),
        }
    }
}
