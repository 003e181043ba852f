//! Values that must never be shown, and what keeps them from showing.

mod mask;
mod set;
mod spellings;

pub use mask::Masker;
pub use set::{MASK, MIN_SECRET_LEN, SecretSet, SecretWarning};
