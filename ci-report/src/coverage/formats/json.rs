//! What the JSON formats share: reading as a stream, numbers of any spelling, values to skip.
//!
//! Objects and arrays that grow with the project are walked, never held; what is held is one record,
//! such as the coverage of one line. `serde_json` bounds the depth of nesting.

use std::cell::Cell;
use std::fmt;
use std::io::{self, BufReader, Read};
use std::marker::PhantomData;
use std::rc::Rc;

use serde::Deserialize;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess,
    Visitor as DeVisitor,
};

use super::super::context::Context;
use super::super::count::{from_float, parse_count};
use super::super::input::Place;
use super::super::visit::Visitor;
use crate::DiagnosticKind;

/// Something that takes the fields of an object as they come.
pub(super) trait Fields {
    /// Takes the value of the field `key` out of `map`, exactly once.
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error>;
}

/// Skips the value of a field.
pub(super) fn skip<'de, A: MapAccess<'de>>(map: &mut A) -> Result<(), A::Error> {
    map.next_value::<IgnoredAny>().map(drop)
}

/// Hands the fields of an object to `T`; anything that is no object is skipped.
pub(super) struct Object<'a, T>(pub(super) &'a mut T);

/// Methods of a visitor that take a value of another type for nothing.
macro_rules! skip_scalars {
    ($value:ty) => {
        fn visit_bool<E>(self, _: bool) -> Result<$value, E> {
            Ok(Default::default())
        }
        fn visit_i64<E>(self, _: i64) -> Result<$value, E> {
            Ok(Default::default())
        }
        fn visit_u64<E>(self, _: u64) -> Result<$value, E> {
            Ok(Default::default())
        }
        fn visit_f64<E>(self, _: f64) -> Result<$value, E> {
            Ok(Default::default())
        }
        fn visit_unit<E>(self) -> Result<$value, E> {
            Ok(Default::default())
        }
    };
}

impl<'de, T: Fields> DeserializeSeed<'de> for Object<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Fields> DeVisitor<'de> for Object<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            self.0.field(&key, &mut map)?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    skip_scalars!(());
}

/// Hands the values of an object to `each`, one at a time, with their keys.
pub(super) struct MapOf<T, F>(F, PhantomData<T>);

/// Hands the items of an array to `each`, one at a time.
pub(super) struct ListOf<T, F>(F, PhantomData<T>);

/// Hands the values of an object to `each`.
pub(super) fn map_of<T, F: FnMut(String, T)>(each: F) -> MapOf<T, F> {
    MapOf(each, PhantomData)
}

/// Hands the items of an array to `each`.
pub(super) fn list_of<T, F: FnMut(T)>(each: F) -> ListOf<T, F> {
    ListOf(each, PhantomData)
}

impl<'de, T: Deserialize<'de>, F: FnMut(String, T)> DeserializeSeed<'de> for MapOf<T, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Deserialize<'de>, F: FnMut(String, T)> DeVisitor<'de> for MapOf<T, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some((key, value)) = map.next_entry()? {
            (self.0)(key, value);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    skip_scalars!(());
}

impl<'de, T: Deserialize<'de>, F: FnMut(T)> DeserializeSeed<'de> for ListOf<T, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Deserialize<'de>, F: FnMut(T)> DeVisitor<'de> for ListOf<T, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while let Some(item) = seq.next_element()? {
            (self.0)(item);
        }
        Ok(())
    }

    skip_scalars!(());
}

/// Hits line by line: an array, or a text that holds one as JSON.
#[derive(Debug, Default)]
pub(super) struct Hits(pub(super) Vec<Num>);

impl<'de> Deserialize<'de> for Hits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(HitsVisitor)
    }
}

struct HitsVisitor;

impl<'de> DeVisitor<'de> for HitsVisitor {
    type Value = Hits;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of counts")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Hits, A::Error> {
        let mut hits = Vec::new();
        while let Some(count) = seq.next_element()? {
            hits.push(count);
        }
        Ok(Hits(hits))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Hits, E> {
        serde_json::from_str(text).map(Hits).map_err(E::custom)
    }

    skip_scalars!(Hits);
}

/// A count of any spelling: a number, a text that holds one, or nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Num(pub(super) Option<u64>);

impl Num {
    /// The number as a line number.
    pub(super) fn line(self) -> Option<u32> {
        let number = u32::try_from(self.0?).ok()?;
        (number > 0).then_some(number)
    }

    /// The number, or zero.
    pub(super) fn or_zero(self) -> u64 {
        self.0.unwrap_or(0)
    }
}

impl<'de> Deserialize<'de> for Num {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumVisitor)
    }
}

struct NumVisitor;

impl<'de> DeVisitor<'de> for NumVisitor {
    type Value = Num;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_u64<E>(self, number: u64) -> Result<Num, E> {
        Ok(Num(Some(number)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Num, E> {
        Ok(Num(Some(u64::try_from(number).unwrap_or(0))))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Num, E> {
        Ok(Num(Some(from_float(number))))
    }

    fn visit_bool<E>(self, is: bool) -> Result<Num, E> {
        Ok(Num(Some(u64::from(is))))
    }

    fn visit_str<E>(self, text: &str) -> Result<Num, E> {
        Ok(Num(parse_count(text.as_bytes())))
    }

    fn visit_unit<E>(self) -> Result<Num, E> {
        Ok(Num(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Num, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Num(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Num, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Num(None))
    }
}

/// What ended a walk early.
#[derive(Debug)]
pub(super) struct Damage {
    place: Place,
    kind: DiagnosticKind,
    message: String,
}

impl Damage {
    /// Says so.
    pub(super) fn report<V: Visitor + ?Sized>(self, cx: &mut Context<'_, V>) {
        cx.diagnose(self.place, self.kind, || self.message);
    }
}

/// Walks the value that is the whole report, and says what ended it early.
pub(super) fn walk<R: Read, S>(reader: R, seed: S) -> io::Result<Option<Damage>>
where
    S: for<'de> DeserializeSeed<'de, Value = ()>,
{
    let offset = Rc::new(Cell::new(0));
    let counting = Counting(
        BufReader::with_capacity(1 << 16, reader),
        Rc::clone(&offset),
    );
    let mut stream = serde_json::Deserializer::from_reader(counting);
    let result = seed.deserialize(&mut stream).and_then(|()| stream.end());
    let Err(error) = result else { return Ok(None) };
    let line = u64::try_from(error.line()).unwrap_or(u64::MAX);
    let offset = offset.get();
    let kind = match error.classify() {
        serde_json::error::Category::Io => return Err(error.into()),
        serde_json::error::Category::Eof => DiagnosticKind::Truncated,
        _ => DiagnosticKind::Malformed,
    };
    Ok(Some(Damage {
        place: Place { offset, line },
        kind,
        message: error.to_string(),
    }))
}

/// Reads a report whose files are the items of the array `key`.
pub(super) fn list_under<R: Read, V: Visitor + ?Sized, T: DeserializeOwned>(
    reader: R,
    cx: &mut Context<'_, V>,
    key: &'static str,
    emit: fn(&T, &mut Context<'_, V>),
) -> io::Result<()> {
    let mut root = ListUnder { key, cx, emit };
    let damage = walk(reader, Object(&mut root))?;
    if let Some(damage) = damage {
        damage.report(cx);
    }
    Ok(())
}

struct ListUnder<'a, 'v, V: ?Sized, T> {
    key: &'static str,
    cx: &'a mut Context<'v, V>,
    emit: fn(&T, &mut Context<'_, V>),
}

impl<V: Visitor + ?Sized, T: DeserializeOwned> Fields for ListUnder<'_, '_, V, T> {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        if key == self.key {
            map.next_value_seed(list_of(|file: T| (self.emit)(&file, self.cx)))
        } else {
            skip(map)
        }
    }
}

/// Reads a report whose files are the values of the object `key`, under their paths.
pub(super) fn map_under<R: Read, V: Visitor + ?Sized, T: DeserializeOwned>(
    reader: R,
    cx: &mut Context<'_, V>,
    key: &'static str,
    emit: fn(&str, &T, &mut Context<'_, V>),
) -> io::Result<()> {
    let mut root = MapUnder { key, cx, emit };
    let damage = walk(reader, Object(&mut root))?;
    if let Some(damage) = damage {
        damage.report(cx);
    }
    Ok(())
}

struct MapUnder<'a, 'v, V: ?Sized, T> {
    key: &'static str,
    cx: &'a mut Context<'v, V>,
    emit: fn(&str, &T, &mut Context<'_, V>),
}

impl<V: Visitor + ?Sized, T: DeserializeOwned> Fields for MapUnder<'_, '_, V, T> {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        if key == self.key {
            map.next_value_seed(map_of(|path: String, file: T| {
                (self.emit)(&path, &file, self.cx);
            }))
        } else {
            skip(map)
        }
    }
}

/// Counts the bytes that were taken.
struct Counting<R>(BufReader<R>, Rc<Cell<u64>>);

impl<R: Read> Read for Counting<R> {
    #[inline]
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read(into)?;
        self.1.set(self.1.get() + count as u64);
        Ok(count)
    }
}
