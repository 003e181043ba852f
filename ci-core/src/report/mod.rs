//! What a build says about itself in files: coverage, and how tests split over machines.

pub mod coverage;
pub mod split;
