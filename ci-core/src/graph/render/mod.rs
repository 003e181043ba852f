//! Pictures of a plan: as DOT for Graphviz, as Mermaid for Markdown, and as SVG.

mod dot;
mod layout;
mod mermaid;
mod picture;
mod svg;

pub use dot::dot;
pub use mermaid::mermaid;
pub use svg::svg;
pub(crate) use svg::{JobMark, run_svg};

#[cfg(test)]
mod tests;
