//! A socket of the engine for one job, which may do there what is its own and nothing else.
//!
//! What a job makes gets the labels of the job, and it sees and touches only what has them. What gives
//! power over the machine is refused. Images are everybody's: what one job built is the cache of the
//! next.

mod filter;
mod http;
mod serve;

pub(crate) use serve::Proxy;
