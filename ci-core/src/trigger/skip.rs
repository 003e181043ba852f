//! Words in a commit message that ask for no run.

/// The words that are looked for, in any case.
const WORDS: [&str; 4] = ["[skip ci]", "[ci skip]", "[skip-ci]", "[ci-skip]"];

/// The word in a commit message that asks for no run, if it has one. Pushes, merge requests and tags
/// obey it; schedules and what people or programs ask for do not.
///
/// ```
/// use ci_core::trigger::skip_word;
///
/// assert_eq!(skip_word("Typos\n\n[Skip CI]"), Some("[skip ci]"));
/// assert_eq!(skip_word("skip ci"), None);
/// ```
#[must_use]
pub fn skip_word(message: &str) -> Option<&'static str> {
    let message = message.to_ascii_lowercase();
    WORDS.into_iter().find(|word| message.contains(word))
}
