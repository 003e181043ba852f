//! Images: built with BuildKit through the engine, pushed, and baked from files with many targets.
//!
//! A [`Builder`] builds what a [`BuildSpec`] says. A [`BakeFile`](bake::BakeFile) names many of them;
//! [`Builder::bake`] builds those in parallel.

pub mod bake;
mod build;
mod builder;
mod context;
mod engine;
mod error;
mod event;
mod parallel;
mod platform;

pub use build::{BuildSpec, Secret, SecretFrom};
pub use builder::{Builder, Built};
pub use error::{ImageError, ImageErrorKind};
pub use event::{BuildEvent, BuildWatch};
pub use parallel::Baked;
pub use platform::{ParsePlatformError, Platform};
