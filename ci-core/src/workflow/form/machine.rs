//! What a job needs of its machine: services, processor time, memory.

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess};
use serde::{Deserialize, Serialize};

use super::entries::Entries;
use super::shape::{Shape, shaped};
use crate::job::ServiceSpec;

/// A container beside the job's own.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum ServiceForm {
    Image(String),
    Full(ServiceFields),
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ServiceFields {
    /// The image.
    image: String,
    /// The names it is reached under.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<String>,
    /// Its variables.
    #[serde(default, skip_serializing_if = "Entries::is_empty")]
    env: Entries<String>,
    /// What replaces the image's entry point.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    entrypoint: Vec<String>,
    /// What replaces the image's command.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    command: Vec<String>,
}

shaped!(ServiceForm: String, ServiceFields);

impl Shape for ServiceForm {
    const EXPECTED: &'static str = "an image, or a mapping with `image`";

    fn from_text<E: Error>(text: &str) -> Result<Self, E> {
        Ok(Self::Image(text.to_owned()))
    }

    fn from_map<'de, A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        ServiceFields::deserialize(MapAccessDeserializer::new(map)).map(Self::Full)
    }
}

impl From<&ServiceSpec> for ServiceForm {
    fn from(spec: &ServiceSpec) -> Self {
        let only_image = ServiceSpec {
            image: spec.image.clone(),
            ..ServiceSpec::default()
        };
        if *spec == only_image {
            return Self::Image(only_image.image);
        }
        Self::Full(ServiceFields {
            image: only_image.image,
            aliases: spec.aliases.clone(),
            env: (&spec.env).into(),
            entrypoint: spec.entrypoint.clone(),
            command: spec.command.clone(),
        })
    }
}

impl From<ServiceForm> for ServiceSpec {
    fn from(form: ServiceForm) -> Self {
        let fields = match form {
            ServiceForm::Image(image) => ServiceFields {
                image,
                ..ServiceFields::default()
            },
            ServiceForm::Full(fields) => fields,
        };
        Self {
            image: fields.image,
            aliases: fields.aliases,
            env: fields.env.sorted(),
            entrypoint: fields.entrypoint,
            command: fields.command,
        }
    }
}

/// Processor cores, kept in thousandths.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cpu(pub(super) u32);

shaped!(Cpu: f64);

impl Serialize for Cpu {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_multiple_of(1000) {
            serializer.serialize_u32(self.0 / 1000)
        } else {
            serializer.serialize_f64(f64::from(self.0) / 1000.0)
        }
    }
}

impl Shape for Cpu {
    const EXPECTED: &'static str = "a number of cores such as `2` or `0.5`";

    fn from_integer<E: Error>(cores: u64) -> Result<Self, E> {
        let milli = cores
            .checked_mul(1000)
            .and_then(|milli| u32::try_from(milli).ok());
        milli
            .map(Self)
            .ok_or_else(|| E::custom(format_args!("`{cores}` is no number of cores")))
    }

    fn from_float<E: Error>(cores: f64) -> Result<Self, E> {
        let milli = (cores * 1000.0).round();
        if !(0.0..=f64::from(u32::MAX)).contains(&milli) {
            return Err(E::custom(format_args!("`{cores}` is no number of cores")));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is whole and in range"
        )]
        let milli = milli as u32;
        Ok(Self(milli))
    }
}

/// An amount of memory, kept in MiB.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory(pub(super) u32);

shaped!(Memory: String, u32);

/// What a unit is in MiB.
const UNITS: [(&str, u32); 3] = [("TiB", 1024 * 1024), ("GiB", 1024), ("MiB", 1)];

impl Serialize for Memory {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let largest = UNITS
            .into_iter()
            .find(|(_, size)| self.0 != 0 && self.0.is_multiple_of(*size));
        let (unit, size) = largest.unwrap_or(("MiB", 1));
        serializer.collect_str(&format_args!("{}{unit}", self.0 / size))
    }
}

impl Shape for Memory {
    const EXPECTED: &'static str =
        "an amount of memory such as `2GiB` or `512MiB`, or a number of MiB";

    fn from_integer<E: Error>(mib: u64) -> Result<Self, E> {
        u32::try_from(mib)
            .map(Self)
            .map_err(|_| E::custom(format_args!("`{mib}` MiB are more than a machine has")))
    }

    fn from_text<E: Error>(text: &str) -> Result<Self, E> {
        UNITS
            .into_iter()
            .find_map(|(unit, size)| {
                let number: u32 = text.strip_suffix(unit)?.trim().parse().ok()?;
                number.checked_mul(size).map(Self)
            })
            .ok_or_else(|| E::custom(format_args!("`{text}` is not {}", Self::EXPECTED)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_are_read_as_people_write_them() {
        let memory = |json: &str| serde_json::from_str(json).map(|Memory(mib)| mib).ok();
        assert_eq!(memory(r#""2GiB""#), Some(2048));
        assert_eq!(memory(r#""512 MiB""#), Some(512));
        assert_eq!(memory("256"), Some(256));
        assert_eq!(memory(r#""2GB""#), None);
        assert_eq!(memory(r#""99999999TiB""#), None);
        let cpu = |json: &str| serde_json::from_str(json).map(|Cpu(milli)| milli).ok();
        assert_eq!(cpu("2"), Some(2000));
        assert_eq!(cpu("0.25"), Some(250));
        assert_eq!(cpu("-1"), None);
        assert_eq!(cpu("1e9"), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(amount in any::<u32>()) {
            let text = serde_json::to_string(&(Cpu(amount), Memory(amount))).expect("JSON");
            let (Cpu(milli), Memory(mib)) = serde_json::from_str(&text).expect("what was written");
            prop_assert_eq!((milli, mib), (amount, amount));
        }
    }
}
