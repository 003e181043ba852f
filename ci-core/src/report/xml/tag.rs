//! A start tag and its attributes, borrowed.

use std::ops::Range;

use super::Mark;
use super::scan::Span;

/// A start tag.
#[derive(Debug, Clone, Copy)]
pub struct Tag<'a> {
    /// The tag as it is written, or what was kept of it.
    pub(super) raw: &'a str,
    /// Values that had references, decoded one after the other.
    pub(super) decoded: &'a str,
    pub(super) name: &'a str,
    pub(super) spans: &'a [Span],
    pub(super) empty: bool,
    pub(super) at: Mark<'a>,
}

impl<'a> Tag<'a> {
    /// The name without its prefix.
    pub fn name(&self) -> &'a str {
        local(self.name)
    }

    /// The name with its prefix.
    pub fn full_name(&self) -> &'a str {
        self.name
    }

    /// Whether the tag closes itself (`<a/>`).
    pub fn is_empty(&self) -> bool {
        self.empty
    }

    /// Where the tag begins.
    pub fn at(&self) -> Mark<'a> {
        self.at
    }

    /// The attributes in the order of the text, without declarations of namespaces.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes {
            tag: *self,
            next: 0,
        }
    }

    /// The value of an attribute: that of exactly this name, else of this name after a prefix.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        let mut prefixed = None;
        for attribute in self.attributes() {
            if attribute.name == name {
                return Some(attribute.value);
            }
            if prefixed.is_none() && attribute.name() == name {
                prefixed = Some(attribute.value);
            }
        }
        prefixed
    }

    fn text(&self, range: &Range<usize>, decoded: bool) -> &'a str {
        let from = if decoded { self.decoded } else { self.raw };
        from.get(range.clone()).unwrap_or_default()
    }
}

/// One attribute of a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    name: &'a str,
    prefixed: bool,
    value: &'a str,
}

impl<'a> Attribute<'a> {
    /// The name without its prefix.
    pub fn name(&self) -> &'a str {
        if self.prefixed {
            local(self.name)
        } else {
            self.name
        }
    }

    /// The name with its prefix.
    pub fn full_name(&self) -> &'a str {
        self.name
    }

    /// The value with references resolved. An attribute without a value has an empty one.
    pub fn value(&self) -> &'a str {
        self.value
    }
}

/// The attributes of a tag, in the order of the text.
#[derive(Debug, Clone)]
pub struct Attributes<'a> {
    tag: Tag<'a>,
    next: usize,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        loop {
            let span = self.tag.spans.get(self.next)?;
            self.next += 1;
            let name = self.tag.text(&span.name, false);
            let prefixed = span.prefixed;
            if name == "xmlns" || (prefixed && name.starts_with("xmlns:")) {
                continue;
            }
            return Some(Attribute {
                name,
                prefixed,
                value: self.tag.text(&span.value, span.decoded),
            });
        }
    }
}

/// A name without its prefix.
pub(super) fn local(name: &str) -> &str {
    // Names are short.
    match name.bytes().rposition(|byte| byte == b':') {
        Some(at) if at + 1 < name.len() => name.get(at + 1..).unwrap_or(name),
        _ => name,
    }
}
