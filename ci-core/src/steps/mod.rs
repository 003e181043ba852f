//! The built-in steps.

#[cfg(feature = "storage")]
mod artifacts;
#[cfg(feature = "storage")]
mod cache;
#[cfg(feature = "storage")]
mod checksum;
#[cfg(feature = "storage")]
mod files;
#[cfg(test)]
mod storage_tests;
#[cfg(feature = "storage")]
mod transfer;
#[cfg(feature = "storage")]
mod workspace;

#[cfg(feature = "storage")]
pub use artifacts::{StoreArtifacts, StoreCoverage, StoreTestResults};
#[cfg(feature = "storage")]
pub use cache::{RestoreCache, SaveCache};
#[cfg(feature = "storage")]
pub use workspace::{AttachWorkspace, PersistWorkspace};
