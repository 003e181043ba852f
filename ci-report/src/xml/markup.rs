//! What a `<` begins, and the parts of a document that nobody wants to see.

/// What a `<` begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Markup {
    StartTag,
    EndTag,
    CData,
    Comment,
    Instruction,
    Doctype,
    /// `<!` and nothing known.
    Declaration,
    /// No markup: the `<` is text.
    Stray,
}

impl Markup {
    /// How many bytes say which it is, after which its content begins.
    pub(super) fn prefix(self) -> usize {
        match self {
            Self::StartTag => 0,
            Self::Stray => 1,
            Self::EndTag | Self::Instruction | Self::Declaration => 2,
            Self::Comment => COMMENT.len(),
            Self::CData => CDATA.len(),
            Self::Doctype => DOCTYPE.len(),
        }
    }
}

const COMMENT: &[u8] = b"<!--";
const CDATA: &[u8] = b"<![CDATA[";
const DOCTYPE: &[u8] = b"<!DOCTYPE";

/// What the text begins, whose first byte is `<`; nothing if it is too short to tell.
pub(super) fn classify(text: &[u8]) -> Option<Markup> {
    let second = *text.get(1)?;
    Some(match second {
        b'/' => Markup::EndTag,
        b'?' => Markup::Instruction,
        b'!' => return declaration(text),
        b'_' | b':' => Markup::StartTag,
        byte if byte.is_ascii_alphabetic() || byte >= 0x80 => Markup::StartTag,
        _ => Markup::Stray,
    })
}

fn declaration(text: &[u8]) -> Option<Markup> {
    for (prefix, markup) in [
        (CDATA, Markup::CData),
        (COMMENT, Markup::Comment),
        (DOCTYPE, Markup::Doctype),
    ] {
        let length = prefix.len().min(text.len());
        let same = text
            .iter()
            .zip(prefix)
            .all(|(a, b)| a.eq_ignore_ascii_case(b));
        if same {
            return (length == prefix.len()).then_some(markup);
        }
    }
    Some(Markup::Declaration)
}

/// The scan for the end of a document type, which may have a subset with quotes and comments.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Doctype {
    subset: bool,
    comment: bool,
    quote: Option<u8>,
    /// The last four bytes.
    window: u32,
}

impl Doctype {
    /// Takes a byte; says whether the document type ends with it.
    pub(super) fn ends(&mut self, byte: u8) -> bool {
        self.window = (self.window << 8) | u32::from(byte);
        if self.comment {
            self.comment = self.window & 0x00ff_ffff != u32::from_be_bytes(*b"\0-->");
            return false;
        }
        if let Some(quote) = self.quote {
            if byte == quote {
                self.quote = None;
            }
            return false;
        }
        if self.window == u32::from_be_bytes(*b"<!--") {
            self.comment = true;
            self.window = 0;
            return false;
        }
        match byte {
            b'"' | b'\'' => self.quote = Some(byte),
            b'[' => self.subset = true,
            b']' => self.subset = false,
            b'>' => return !self.subset,
            _ => {}
        }
        false
    }
}
