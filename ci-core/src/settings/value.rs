//! How the values of the settings file are written: durations, sizes, processor cores, images.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use crate::units::{parse_duration, parse_size};

/// What an image is replaced by.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImageSubstitute {
    /// Another image.
    Image(String),
    /// No container at all: the job runs on the executor `local`. Written as the word `local`.
    Local,
}

impl<'de> Deserialize<'de> for ImageSubstitute {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match String::deserialize(deserializer)? {
            word if word == "local" => Self::Local,
            image if image.is_empty() => return Err(D::Error::custom("an image has a name")),
            image => Self::Image(image),
        })
    }
}

impl JsonSchema for ImageSubstitute {
    fn schema_name() -> Cow<'static, str> {
        "ImageSubstitute".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": "string",
            "minLength": 1,
            "description": "Another image, or the word `local` for no container at all.",
        })
    }
}

/// The schema of a duration.
pub(super) struct DurationText;

impl JsonSchema for DurationText {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": r"^(0|(\d+(\.\d+)?(d|h|m|s|ms|us|ns) *)+)$",
            "description": "Numbers with units that are added up, such as `90s`, `5m` or `1h30m`.",
        })
    }
}

/// The schema of a size.
pub(super) struct SizeText;

impl JsonSchema for SizeText {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": r"^(0|\d+(\.\d+)? *([Bb]|[KkMmGgTt][Ii]?[Bb]))$",
            "description": "A number with a unit, such as `512MiB` (powers of 1024) or `8GB` (powers of 1000).",
        })
    }
}

/// The schema of a number of processor cores.
pub(super) struct CoresNumber;

impl JsonSchema for CoresNumber {
    fn schema_name() -> Cow<'static, str> {
        "Cores".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": MOST_CORES,
            "description": "Processor cores, such as `4` or `0.5`.",
        })
    }
}

pub(super) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    parse_duration(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

pub(super) fn some_duration<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    duration(deserializer).map(Some)
}

pub(super) fn some_size<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u64>, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_size(&text).map(Some).map_err(D::Error::custom)
}

/// A size in MiB, rounded up: memory that is reserved has to suffice.
pub(super) fn some_mebibytes<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u32>, D::Error> {
    let bytes = some_size(deserializer)?.unwrap_or_default();
    match u32::try_from(bytes.div_ceil(1 << 20)) {
        Ok(0) => Err(D::Error::custom("memory is more than nothing")),
        Ok(mebibytes) => Ok(Some(mebibytes)),
        Err(_) => Err(D::Error::custom("that is more memory than there is")),
    }
}

const MOST_CORES: u32 = 100_000;

/// Processor cores, in thousandths.
pub(super) fn some_millicores<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u32>, D::Error> {
    let cores = f64::deserialize(deserializer)?;
    if !(cores >= 0.001 && cores <= f64::from(MOST_CORES)) {
        let message = format!("`{cores}` is no number of cores from 0.001 to {MOST_CORES}");
        return Err(D::Error::custom(message));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the value is positive and below 10^8"
    )]
    let milli = (cores * 1000.0).round() as u32;
    Ok(Some(milli))
}
