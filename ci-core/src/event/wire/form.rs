//! The JSON form of an event record: one flat object, and the schema of it.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::clock::Timestamp;
use crate::event::{EventRecord, RunEvent, SCHEMA_VERSION};
use crate::id::RunId;

/// One event of a run.
#[derive(Serialize, schemars::JsonSchema)]
#[schemars(rename = "Event")]
struct Line<'a> {
    /// The version of this form. It grows when a field changes its meaning or goes away; new fields
    /// and new events do not change it.
    v: u32,
    /// Counts the events from 1: in a stream those that this process told, also when it resumes a run;
    /// in a journal those of the run.
    seq: u64,
    /// When it happened, in milliseconds since 1970-01-01 UTC.
    time: Timestamp,
    /// The run, a UUID version 7.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "RunId")]
    run: Option<RunId>,
    #[serde(flatten)]
    event: &'a RunEvent,
}

impl Serialize for EventRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // The last event names the run by itself, and an object must not name it twice.
        let named = matches!(self.event, RunEvent::RunFinished { .. });
        let line = Line {
            v: SCHEMA_VERSION,
            seq: self.seq,
            time: self.time,
            run: (!named).then_some(self.run),
            event: &self.event,
        };
        line.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for EventRecord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Map::<String, Value>::deserialize(deserializer)?;
        let version: u32 = take(&mut fields, "v")?;
        if version > SCHEMA_VERSION {
            return Err(D::Error::custom(format_args!(
                "the event has version `{version}`, and this program knows no version after `{SCHEMA_VERSION}`"
            )));
        }
        let seq = take(&mut fields, "seq")?;
        let time = take(&mut fields, "time")?;
        let run: RunId = take(&mut fields, "run")?;
        if fields.get("type").and_then(Value::as_str) == Some("run_finished") {
            fields.insert("run".to_owned(), Value::String(run.to_string()));
        }
        let event = RunEvent::deserialize(Value::Object(fields)).map_err(D::Error::custom)?;
        Ok(Self {
            run,
            seq,
            time,
            event,
        })
    }
}

impl schemars::JsonSchema for EventRecord {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        Line::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Line::json_schema(generator)
    }
}

fn take<T: for<'a> Deserialize<'a>, E: serde::de::Error>(
    fields: &mut Map<String, Value>,
    name: &'static str,
) -> Result<T, E> {
    let value = fields.remove(name).ok_or_else(|| E::missing_field(name))?;
    T::deserialize(value).map_err(|error| E::custom(format_args!("`{name}`: {error}")))
}

/// The JSON Schema (draft 2020-12) of the JSON form of [`EventRecord`], as text. The same text is
/// published as `schema/events.schema.json` beside `schema/EVENTS.md`, which is for people.
#[must_use]
pub fn event_schema() -> String {
    let schema = schemars::generate::SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<EventRecord>();
    // A schema is plain JSON with string keys, which always prints.
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}
