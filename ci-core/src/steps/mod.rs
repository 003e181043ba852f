//! The built-in steps.

mod approval;
#[cfg(feature = "storage")]
mod artifacts;
#[cfg(feature = "storage")]
mod cache;
mod checkout;
#[cfg(feature = "storage")]
mod checksum;
mod command;
mod dispatch;
#[cfg(feature = "storage")]
mod files;
#[cfg(test)]
mod storage_tests;
#[cfg(feature = "storage")]
mod transfer;
mod wait;
#[cfg(feature = "storage")]
mod workspace;

#[cfg(feature = "storage")]
pub use artifacts::{StoreArtifacts, StoreCoverage, StoreTestResults};
#[cfg(feature = "storage")]
pub use cache::{RestoreCache, SaveCache};
pub(crate) use dispatch::resolve;
#[cfg(feature = "storage")]
pub use workspace::{AttachWorkspace, PersistWorkspace};
