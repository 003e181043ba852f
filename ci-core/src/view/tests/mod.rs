//! Views of runs that really ran, of told ones, and of hostile ones.

mod failures;
mod pages;
