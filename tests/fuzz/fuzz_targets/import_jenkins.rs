//! See `targets/`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ci_fuzz::target("import_jenkins")(bytes));
