//! Front-ends: the configuration files of CI vendors, compiled into workflows.
//!
//! [`yaml`] reads files with the place of every value, [`problem`] says what is wrong with them and
//! where. A front-end produces a [`WorkflowSpec`](crate::workflow::WorkflowSpec) and a list of what
//! cannot be the same as at the vendor's; it never runs anything.

#[cfg(feature = "circleci")]
pub mod circleci;
pub mod fidelity;
#[cfg(feature = "gitlab")]
pub mod gitlab;
#[cfg(feature = "import")]
pub mod import;
pub mod place;

pub use crate::yaml;
pub use crate::yaml::problem;
