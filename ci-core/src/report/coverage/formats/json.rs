//! What the JSON formats share: reading as a stream, numbers of any spelling, values to skip.
//!
//! Objects and arrays that grow with the project are walked, never held; what is held is one record,
//! such as the coverage of one line. `serde_json` bounds the depth of nesting.

use std::cell::Cell;
use std::fmt;
use std::io::{self, BufReader, Read};
use std::rc::Rc;

use serde::de::{
    DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor as DeVisitor,
};
use serde::Deserialize;

use super::super::context::Context;
use super::super::count::{from_float, parse_count};
use super::super::diagnostic::DiagnosticKind;
use super::super::input::Place;
use super::super::visit::Visitor;

/// Something that takes the fields of an object as they come.
pub(super) trait Fields {
    /// Takes the value of the field `key` out of `map`, exactly once.
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error>;
}

/// Something that takes the items of an array as they come.
pub(super) trait Items {
    /// Takes the next item out of `items`; whether there was one.
    fn item<'de, A: SeqAccess<'de>>(&mut self, items: &mut A) -> Result<bool, A::Error>;
}

/// Skips the value of a field.
pub(super) fn skip<'de, A: MapAccess<'de>>(map: &mut A) -> Result<(), A::Error> {
    map.next_value::<IgnoredAny>().map(drop)
}

/// Hands the fields of an object to `T`; anything that is no object is skipped.
pub(super) struct Object<'a, T>(pub(super) &'a mut T);

/// Hands the items of an array to `T`; anything that is no array is skipped.
pub(super) struct Array<'a, T>(pub(super) &'a mut T);

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

impl<'de, T: Items> DeserializeSeed<'de> for Array<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Items> DeVisitor<'de> for Array<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while self.0.item(&mut seq)? {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }

    /// Some write an array as a text that holds JSON.
    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        let mut inner = serde_json::Deserializer::from_str(text);
        Array(self.0).deserialize(&mut inner).map_err(E::custom)
    }

    skip_scalars!(());
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

/// Walks the object that is the whole report, or that each line of it is.
pub(super) fn walk<R: Read, T: Fields, V: Visitor + ?Sized>(
    reader: R,
    root: &mut T,
    finish: impl FnOnce(&mut T) -> &mut Context<'_, V>,
) -> io::Result<()> {
    let offset = Rc::new(Cell::new(0));
    let counting = Counting(BufReader::with_capacity(1 << 16, reader), Rc::clone(&offset));
    let mut stream = serde_json::Deserializer::from_reader(counting);
    let result = Object(&mut *root)
        .deserialize(&mut stream)
        .and_then(|()| stream.end());
    let Err(error) = result else { return Ok(()) };
    let line = u64::try_from(error.line()).unwrap_or(u64::MAX);
    let offset = offset.get();
    let place = Place { offset, line };
    let kind = match error.classify() {
        serde_json::error::Category::Io => return Err(error.into()),
        serde_json::error::Category::Eof => DiagnosticKind::Truncated,
        _ => DiagnosticKind::Malformed,
    };
    finish(root).diagnose(place, kind, || error.to_string());
    Ok(())
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
