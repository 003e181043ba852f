//! Names that are shown: numbers keep apart what masks make alike.

/// `stem` and `end` together, with a number between them where that is not free.
pub(super) fn numbered(stem: &str, end: &str, is_free: impl Fn(&str) -> bool) -> String {
    let mut name = format!("{stem}{end}");
    let mut number: u64 = 1;
    while !is_free(&name) {
        number += 1;
        name = format!("{stem}-{number}{end}");
    }
    name
}
