//! The `ci` command line.
fn main() {}
