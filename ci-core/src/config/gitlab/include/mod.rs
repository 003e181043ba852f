//! `include` (<https://docs.gitlab.com/ci/yaml/includes/>).

mod find;
mod read;
mod rules;

pub(super) use read::{Top, load};
pub(super) use rules::globs;
