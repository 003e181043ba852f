//! The project settings file, `.ci/settings.yml`: what the pipeline's own file has no key for.
//!
//! The file is optional, and so is everything in it but the version. A key that is not known is an
//! error. [`Settings::json_schema`] describes it for editors.
//!
//! ```
//! # #[cfg(feature = "yaml")] {
//! use ci_core::job::JobSpec;
//! use ci_core::settings::Settings;
//!
//! let settings = Settings::from_yaml(r#"
//! version: 1
//! local: {slots: 4, cpu: 8, memory: 16GiB}   # what runs at once on this machine
//! resource_classes:                          # the vendor's sizes and who runs them
//!   gpu: {executor: local, cpu: 4, memory: 8GiB}
//!   acme/runner: {executor: local}
//! labels:                                    # labels and tags, the same way
//!   linux: {executor: local}
//! images:                                    # first match wins; `local` means: no container
//!   - {match: "cimg/python:*", use: local}
//!   - {match: "postgres:16*", use: "postgres:16.3"}
//! jobs:                                      # by name or glob; what is said here wins
//!   "test *": {timeout: 10m, retry: 1, private_home: false}
//!   deploy: {groups: [production], priority: 10, env: {DRY_RUN: "1"}}
//! stages:                                    # named groups of jobs, for budgets and displays
//!   fast: [lint, "test *"]
//! budgets:
//!   - {stage: fast, limit: 5m, over: warn}
//! "#)?;
//! let job = JobSpec::new("train").resource_class("gpu");
//! assert_eq!(settings.place(&job)?.cpu_milli, 4000);
//!
//! let job = JobSpec::new("train").resource_class("gpuu");
//! assert!(settings.place(&job).unwrap_err().to_string().contains("did you mean `gpu`"));
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod apply;
mod file;
mod place;

pub use file::{LocalSettings, Settings};
pub use place::{Placement, PlacementError};
