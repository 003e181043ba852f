//! Hands a report to the reader of its format.

use std::io::{self, Read};

use super::super::context::Context;
use super::super::detect::Format;
use super::super::unpack::Unpacked;
use super::super::visit::Visitor;
use super::{
    clover, cobertura, codecov, coverage_py, coveralls, gcov_json, gcov_text, gcovr, go, istanbul,
    jacoco, lcov, llvm_cov, opencover, simplecov, sonar, summaries,
};

/// Reads `text`, which is of the format `format`.
pub(in super::super) fn parse<R: Read, V: Visitor + ?Sized>(
    format: Format,
    text: &mut Unpacked<R>,
    cx: &mut Context<'_, V>,
) -> io::Result<()> {
    match format {
        Format::Lcov => lcov::parse(text, cx),
        Format::Go => go::parse(text, cx),
        Format::GcovText => gcov_text::parse(text, cx),
        Format::GcovJson => gcov_json::parse(text, cx),
        Format::GcovrJson => gcovr::parse(text, cx),
        Format::GcovrSummary => summaries::parse_gcovr(text, cx),
        Format::Coveralls => coveralls::parse(text, cx),
        Format::CoveragePy => coverage_py::parse(text, cx),
        Format::Istanbul => istanbul::parse(text, cx),
        Format::IstanbulSummary => summaries::parse_istanbul(text, cx),
        Format::SimpleCov => simplecov::parse(text, cx),
        Format::LlvmCov => llvm_cov::parse(text, cx),
        Format::Codecov => codecov::parse(text, cx),
        Format::Cobertura => cobertura::parse(text, cx),
        Format::Jacoco => jacoco::parse(text, cx),
        Format::Clover => clover::parse(text, cx),
        Format::OpenCover => opencover::parse(text, cx),
        Format::Sonar => sonar::parse(text, cx),
    }
}
