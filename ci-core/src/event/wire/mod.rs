//! The JSON form of events: its code, its published schema and its documentation in step.

mod form;
#[cfg(test)]
mod tests;

pub use form::event_schema;
