//! Values of Rust out of nodes.
//!
//! What is generic here is made anew for every type that is read: it only picks the visitor's method.

use std::borrow::Cow;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, Expected, IntoDeserializer, MapAccess,
    SeqAccess, Unexpected, VariantAccess, Visitor,
};

use super::{Map, Node, Schema, Value, YamlError};

type Result<T> = std::result::Result<T, YamlError>;

/// Reads one node.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(Source<'a>);

#[derive(Debug, Clone, Copy)]
enum Source<'a> {
    Node(&'a Node),
    /// A key: text that may also be asked for as a number.
    Key(&'a str),
}

/// What a node stands for.
#[derive(Debug)]
enum Found<'a> {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(&'a str),
    Seq(&'a [Node]),
    Map(&'a Map),
}

impl<'a> Found<'a> {
    fn of(node: &'a Node) -> Self {
        match &node.value {
            Value::Str(text) if node.tag.is_some() => Self::Text(text),
            Value::Str(text) => Self::of_plain(text),
            Value::Seq(nodes) => Self::Seq(nodes),
            Value::Map(map) => Self::Map(map),
            scalar => Self::of_scalar(scalar, ""),
        }
    }

    /// What a plain scalar stands for.
    fn of_plain(text: &'a str) -> Self {
        match Schema::Core.meaning(text) {
            Some(scalar) => Self::of_scalar(&scalar, text),
            None => Self::Text(text),
        }
    }

    fn of_scalar(scalar: &Value, text: &'a str) -> Self {
        match *scalar {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Int(number) => match u64::try_from(number) {
                Ok(number) => Self::Unsigned(number),
                Err(_) => Self::Signed(number),
            },
            // Whole numbers that only fit into 64 bits without a sign.
            Value::Float(number) => text.parse().map_or(Self::Float(number), Self::Unsigned),
            Value::Str(_) | Value::Seq(_) | Value::Map(_) => Self::Text(text),
        }
    }

    fn unexpected(&self) -> Unexpected<'_> {
        match *self {
            Self::Null => Unexpected::Other("nothing"),
            Self::Bool(value) => Unexpected::Bool(value),
            Self::Unsigned(number) => Unexpected::Unsigned(number),
            Self::Signed(number) => Unexpected::Signed(number),
            Self::Float(number) => Unexpected::Float(number),
            Self::Text(text) => Unexpected::Str(text),
            Self::Seq(_) => Unexpected::Seq,
            Self::Map(_) => Unexpected::Map,
        }
    }
}

impl<'a> Reader<'a> {
    pub(super) fn of(node: &'a Node) -> Self {
        Self(Source::Node(node))
    }

    /// What is here; numbers are finite.
    fn found(self) -> Result<Found<'a>> {
        let found = match self.0 {
            Source::Node(node) => Found::of(node),
            Source::Key(text) => Found::of_plain(text),
        };
        match found {
            Found::Float(number) if !number.is_finite() => {
                let text = self.text().unwrap_or_default();
                Err(YamlError::value(format!("`{text}` is not a finite number")))
            }
            found => Ok(found),
        }
    }

    /// The text that stands here, as it is written; none if there is nothing, a list or a map.
    fn text(self) -> Option<Cow<'a, str>> {
        match self.0 {
            Source::Key(text) => Some(Cow::Borrowed(text)),
            Source::Node(node) => match Found::of(node) {
                Found::Null => None,
                _ => node.scalar(),
            },
        }
    }

    fn is_null(self) -> bool {
        matches!(self.0, Source::Node(node) if matches!(Found::of(node), Found::Null))
    }

    fn bool(self, expected: &dyn Expected) -> Result<bool> {
        let mut error = match self.found()? {
            Found::Bool(value) => return Ok(value),
            found => YamlError::invalid_type(found.unexpected(), expected),
        };
        let meant = match self.text().as_deref() {
            Some("yes" | "Yes" | "YES" | "on" | "On" | "ON") => "true",
            Some("no" | "No" | "NO" | "off" | "Off" | "OFF") => "false",
            _ => return Err(error),
        };
        error = YamlError::value(format!("{}; write `{meant}`", error.message()));
        Err(error)
    }

    /// The list; nothing is an empty one.
    fn seq(self) -> Result<Elements<'a>> {
        match self.found()? {
            Found::Seq(nodes) => Ok(Elements { nodes, taken: 0 }),
            Found::Null => Ok(Elements {
                nodes: &[],
                taken: 0,
            }),
            _ => Err(YamlError::value(
                "a list belongs here, such as `[a, b]`".to_owned(),
            )),
        }
    }

    /// The map; nothing is an empty one.
    fn map(self) -> Result<Entries<'a>> {
        match self.found()? {
            Found::Map(map) => Ok(Entries::of(map)),
            Found::Null => Ok(Entries {
                map: None,
                taken: 0,
            }),
            _ => Err(YamlError::value(
                "keys with values belong here, such as `key: value`".to_owned(),
            )),
        }
    }

    /// The variant's name with its value, if it has one.
    fn variant(self, expected: &dyn Expected) -> Result<Variant<'a>> {
        match self.0 {
            Source::Node(Node {
                value: Value::Map(map),
                ..
            }) => match map.nth(0) {
                Some((name, entry)) if map.len() == 1 => Ok(Variant {
                    name: Cow::Borrowed(name),
                    mark: Some(&entry.key),
                    value: Some(&entry.node),
                }),
                _ => Err(YamlError::value(
                    "one key with its value belongs here".to_owned(),
                )),
            },
            _ => match self.text() {
                Some(name) => Ok(Variant {
                    name,
                    mark: None,
                    value: None,
                }),
                None => Err(self.wrong(expected)),
            },
        }
    }

    fn wrong(self, expected: &dyn Expected) -> YamlError {
        match self.found() {
            Ok(found) => YamlError::invalid_type(found.unexpected(), expected),
            Err(error) => error,
        }
    }

    fn number<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.found()? {
            Found::Unsigned(number) => visitor.visit_u64(number),
            Found::Signed(number) => visitor.visit_i64(number),
            Found::Float(number) => visitor.visit_f64(number),
            found => Err(YamlError::invalid_type(found.unexpected(), &visitor)),
        }
    }
}

macro_rules! numbers {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            self.number(visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = YamlError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        // A key that may be anything is text, as it is in JSON.
        if let Source::Key(text) = self.0 {
            return visitor.visit_str(text);
        }
        match self.found()? {
            Found::Null => visitor.visit_unit(),
            Found::Bool(value) => visitor.visit_bool(value),
            Found::Unsigned(number) => visitor.visit_u64(number),
            Found::Signed(number) => visitor.visit_i64(number),
            Found::Float(number) => visitor.visit_f64(number),
            Found::Text(text) => visitor.visit_str(text),
            Found::Seq(nodes) => visitor.visit_seq(Elements { nodes, taken: 0 }),
            Found::Map(map) => visitor.visit_map(Entries::of(map)),
        }
    }

    numbers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let value = self.bool(&visitor)?;
        visitor.visit_bool(value)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.text() {
            Some(text) => visitor.visit_str(&text),
            None => Err(self.wrong(&visitor)),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.is_null() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.is_null() {
            visitor.visit_unit()
        } else {
            Err(self.wrong(&visitor))
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let mut elements = self.seq()?;
        let value = visitor.visit_seq(&mut elements)?;
        elements.end()?;
        Ok(value)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_map(self.map()?)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        let variant = self.variant(&visitor)?;
        visitor.visit_enum(variant)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! { bytes byte_buf }
}

/// Reads a value that stands in another; what is wrong with it is at its place.
fn read<'de, T: DeserializeSeed<'de>>(seed: T, node: &Node) -> Result<T::Value> {
    seed.deserialize(Reader::of(node))
        .map_err(|error| error.at(&node.mark))
}

struct Elements<'a> {
    nodes: &'a [Node],
    taken: usize,
}

impl<'a> Elements<'a> {
    fn next(&mut self) -> Option<&'a Node> {
        let node = self.nodes.get(self.taken)?;
        self.taken += 1;
        Some(node)
    }

    /// Refuses elements that nobody took.
    fn end(&self) -> Result<()> {
        match self.nodes.get(self.taken) {
            Some(node) => {
                let message = format!(
                    "the list has more than the {} that belong in it",
                    self.taken
                );
                Err(YamlError::value(message).at(&node.mark))
            }
            None => Ok(()),
        }
    }
}

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = YamlError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        self.next().map(|node| read(seed, node)).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.nodes.len() - self.taken)
    }
}

struct Entries<'a> {
    /// The map; none stands for an empty one.
    map: Option<&'a Map>,
    /// How many keys were taken.
    taken: usize,
}

impl<'a> Entries<'a> {
    fn of(map: &'a Map) -> Self {
        Self {
            map: Some(map),
            taken: 0,
        }
    }

    /// The value of the key that was taken last.
    fn value(&self) -> Result<&'a Node> {
        let index = self.taken.checked_sub(1);
        match index.and_then(|index| self.map?.nth(index)) {
            Some((_, entry)) => Ok(&entry.node),
            None => Err(YamlError::value("a value without its key".to_owned())),
        }
    }
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = YamlError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        let Some((key, entry)) = self.map.and_then(|map| map.nth(self.taken)) else {
            return Ok(None);
        };
        self.taken += 1;
        match seed.deserialize(Reader(Source::Key(key))) {
            Ok(key) => Ok(Some(key)),
            Err(error) => Err(error.at(&entry.key)),
        }
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value> {
        read(seed, self.value()?)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.map.map_or(0, Map::len) - self.taken)
    }
}

struct Variant<'a> {
    name: Cow<'a, str>,
    /// The place of the name, if it is a key.
    mark: Option<&'a super::Mark>,
    value: Option<&'a Node>,
}

impl<'a> Variant<'a> {
    /// The value that the variant has to have.
    fn value(&self) -> Result<&'a Node> {
        self.value.ok_or_else(|| {
            let name = &self.name;
            YamlError::value(format!("`{name}` takes a value: write `{name}: ...`"))
        })
    }
}

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = YamlError;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self)> {
        let name: StrDeserializer<'_, YamlError> = (*self.name).into_deserializer();
        match (seed.deserialize(name), self.mark) {
            (Ok(variant), _) => Ok((variant, self)),
            (Err(error), Some(mark)) => Err(error.at(mark)),
            (Err(error), None) => Err(error),
        }
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = YamlError;

    fn unit_variant(self) -> Result<()> {
        match self.value {
            Some(node) if !Reader::of(node).is_null() => {
                let message = format!("`{}` takes no value", self.name);
                Err(YamlError::value(message).at(&node.mark))
            }
            _ => Ok(()),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        read(seed, self.value()?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value> {
        let node = self.value()?;
        Reader::of(node)
            .deserialize_seq(visitor)
            .map_err(|error| error.at(&node.mark))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        let node = self.value()?;
        Reader::of(node)
            .deserialize_map(visitor)
            .map_err(|error| error.at(&node.mark))
    }
}
