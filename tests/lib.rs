//! Doctests of the documents at the top of the tree.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../ci-core/README.md")]
pub struct CoreReadme;
