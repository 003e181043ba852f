//! Jobs on machines of AWS EC2, none of which is ever left running.
//!
//! Four things end a launched machine, each of them enough: the process that launched it, the time limit
//! that it got with its user data, a [`Reaper`] that finds it by its tags, and, where the process died
//! before it knew the machine's name, the journal that it wrote before. See [`tags`] for what is ours.

mod api;
mod codes;
mod connect;
mod error;
mod executor;
mod existing;
mod journal;
mod keep;
mod keys;
mod launch;
mod notice;
mod options;
mod plan;
mod policy;
mod pool;
mod reap;
mod rent;
mod retry;
#[cfg(feature = "sdk")]
mod sdk;
mod session;
mod settings;
pub mod tags;
mod user_data;
mod wait;

pub use api::{
    ApiError, Ec2Api, Instance, InstanceState, LaunchRequest, Question, Rehearsal, Spot, Template,
};
pub use codes::Trouble;
pub use error::{Ec2Error, Ec2ErrorKind};
pub use executor::Ec2Executor;
pub use journal::{Entry, Journal, Open};
pub(crate) use keep::{Keeper, Kept};
pub(crate) use options::price;
pub use options::{Address, Ec2Options, Launch, Reach, Strategy, Trust};
pub use policy::{Permission, check, policy};
pub use reap::{Reaped, Reaper, Scope};
pub use retry::retry_interrupted;
#[cfg(feature = "sdk")]
pub use sdk::{Access, SdkEc2};
#[cfg(feature = "testing")]
pub(crate) use user_data::host_key_of;
