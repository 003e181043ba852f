//! Bake files: many images in one file, in HCL or JSON, as `docker buildx bake` reads them.
//!
//! Groups, targets, `inherits`, `matrix`, variables (also from the environment), the functions that
//! such files use in practice, and several files merged into one. What is not understood is an error or
//! a [note](BakePlan::notes), never dropped.
//!
//! ```
//! use ci_docker::image::bake::{BakeFile, BakeOptions};
//!
//! let text = r#"
//! variable "TAG" { default = "1.0" }
//! group "default" { targets = ["app"] }
//! target "app" { tags = ["registry.example.com/app:${TAG}"] }
//! "#;
//! let file = BakeFile::parse("docker-bake.hcl", text)?;
//! let options = BakeOptions { env: vec![("TAG".into(), "2.0".into())], ..BakeOptions::default() };
//! let plan = file.plan(&["default"], &options)?;
//! assert_eq!(plan.targets[0].spec.tags[0].to_string(), "registry.example.com/app:2.0");
//! # Ok::<(), ci_docker::image::ImageError>(())
//! ```

mod fields;
mod file;
mod functions;
mod matrix;
mod plan;
mod variables;

#[cfg(test)]
mod tests;

pub use file::BakeFile;
pub use plan::{BakeOptions, BakePlan, BakeTarget};
