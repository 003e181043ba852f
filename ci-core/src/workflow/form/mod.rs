//! The written form of a workflow, version 1: what people write as YAML and programs as JSON.
//!
//! One struct for each mapping of the form, with conversions from and to the model. Reading is strict:
//! a field that is not known is an error that names it. Writing leaves out what is at its default, and
//! reading gives the same value back. Only steps that are code of the embedding program lose
//! something: they are written as `code: NAME` and read back as the step registered under that name.

mod action;
mod duration;
mod entries;
mod job;
mod machine;
mod policy;
mod shape;
mod step;
mod workflow;

pub(super) use workflow::WorkflowForm;
