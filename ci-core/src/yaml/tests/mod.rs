//! Tests of the YAML layer.

mod load;
mod read;
mod write;
