//! Reads declarative Jenkins pipelines (<https://www.jenkins.io/doc/book/pipeline/syntax/>).

mod convert;
mod lexer;
mod matrix;
mod parser;
mod reader;
mod stages;
mod steps;

pub(super) use reader::read;
