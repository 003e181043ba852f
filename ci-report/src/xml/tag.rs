//! A start tag and its attributes, borrowed.

use super::Mark;

/// A start tag.
#[derive(Debug, Clone, Copy)]
pub struct Tag<'a> {
    pub(super) full_name: &'a str,
    pub(super) name: &'a str,
    /// Without declarations of namespaces.
    pub(super) attributes: &'a [Attribute<'a>],
    pub(super) empty: bool,
    pub(super) at: Mark<'a>,
}

impl<'a> Tag<'a> {
    /// The name without its prefix.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// The name with its prefix.
    pub fn full_name(&self) -> &'a str {
        self.full_name
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
        Attributes(self.attributes.iter())
    }

    /// The value of an attribute: that of exactly this name, else of this name after a prefix.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        let mut prefixed = None;
        for attribute in self.attributes() {
            if attribute.full_name == name {
                return Some(attribute.value);
            }
            if prefixed.is_none() && attribute.name() == name {
                prefixed = Some(attribute.value);
            }
        }
        prefixed
    }
}

/// One attribute of a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    pub(super) full_name: &'a str,
    pub(super) name: &'a str,
    pub(super) value: &'a str,
}

impl<'a> Attribute<'a> {
    /// What stands where there is no attribute.
    pub(super) const NONE: Self = Self {
        full_name: "",
        name: "",
        value: "",
    };

    /// The name without its prefix.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// The name with its prefix.
    pub fn full_name(&self) -> &'a str {
        self.full_name
    }

    /// The value with references resolved. An attribute without a value has an empty one.
    pub fn value(&self) -> &'a str {
        self.value
    }
}

/// The attributes of a tag, in the order of the text.
#[derive(Debug, Clone)]
pub struct Attributes<'a>(std::slice::Iter<'a, Attribute<'a>>);

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        self.0.next().copied()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Attributes<'_> {}

/// A name without its prefix.
pub(super) fn local(name: &str) -> &str {
    // Names are short.
    match name.bytes().rposition(|byte| byte == b':') {
        Some(at) if at + 1 < name.len() => name.get(at + 1..).unwrap_or(name),
        _ => name,
    }
}
