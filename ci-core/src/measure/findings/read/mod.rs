//! Reads reports of all forms, found from what they have.

mod code;
mod found;
mod packages;
mod reader;
mod sarif;
mod values;

pub use reader::read;
