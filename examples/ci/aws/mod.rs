//! Machines of EC2: the executor of the settings, `ci ec2`, `ci e2c` and `ci reap --aws`.
//!
//! They need the feature `aws`, which brings the AWS SDK; without it they say how to get it.

pub(crate) mod args;

#[cfg(all(feature = "aws", unix))]
mod e2c;
#[cfg(all(feature = "aws", unix))]
mod ec2;
#[cfg(all(feature = "aws", unix))]
mod executor;
#[cfg(not(all(feature = "aws", unix)))]
mod missing;

#[cfg(not(all(feature = "aws", unix)))]
pub(crate) use missing::{close, e2c, ec2, executor, interruptible, reaper_of_nothing, schema};
#[cfg(all(feature = "aws", unix))]
pub(crate) use {
    e2c::e2c,
    ec2::ec2,
    executor::{close, executor, interruptible, reaper_of_nothing, schema},
};

/// The type of executors in the settings, and the usual name of one.
pub(crate) const EC2: &str = "ec2";
