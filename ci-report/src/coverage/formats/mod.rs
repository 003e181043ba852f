//! One file a format; each reads its text and tells the visitor.

mod clover;
mod cobertura;
mod codecov;
mod coverage_py;
mod coveralls;
mod gcov_json;
mod gcov_text;
mod gcovr;
mod go;
mod istanbul;
mod jacoco;
mod json;
mod lcov;
mod llvm_cov;
mod opencover;
mod parse;
mod simplecov;
mod sonar;
mod summaries;
mod xml;

pub(super) use parse::parse;
