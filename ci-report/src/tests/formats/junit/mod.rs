//! JUnit XML: no standard, but what several hundred producers made of one idea.

mod element;
mod reader;
#[cfg(test)]
mod tests;

pub(in crate::tests) use element::stated;
pub(in crate::tests) use reader::Junit;
