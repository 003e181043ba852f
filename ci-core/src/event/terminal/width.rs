//! Text measured in the columns that a terminal gives it.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How many columns `text` takes. For text without escape sequences.
pub(in crate::event) fn columns(text: &str) -> usize {
    text.width()
}

/// `text` cut to at most `width` columns, with `…` where it was cut.
pub(in crate::event) fn shorten(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut short = String::new();
    let mut used = 1;
    for char in text.chars() {
        used += char.width().unwrap_or(0);
        if used > width {
            break;
        }
        short.push(char);
    }
    if width > 0 {
        short.push('…');
    }
    short
}

/// `text` cut or filled with spaces to `width` columns.
pub(in crate::event) fn fit(text: &str, width: usize) -> String {
    let mut text = shorten(text, width);
    let missing = width.saturating_sub(columns(&text));
    text.extend(std::iter::repeat_n(' ', missing));
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn fitted_text_has_its_width(text in "[a-z日本é\u{301}👍 ]{0,20}", width in 0..20_usize) {
            prop_assert_eq!(columns(&fit(&text, width)), width);
            prop_assert!(columns(&shorten(&text, width)) <= width);
        }
    }

    #[test]
    fn wide_characters_are_never_halved() {
        assert_eq!(shorten("日本語", 5), "日本…");
        assert_eq!(shorten("日本語", 4), "日…");
        assert_eq!(fit("日本語", 4), "日… ");
        assert_eq!(fit("ab", 4), "ab  ");
    }
}
