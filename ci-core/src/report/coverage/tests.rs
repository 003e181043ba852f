//! Tests that read and write whole reports.
