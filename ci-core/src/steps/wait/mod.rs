//! Waits until a service answers.
//!
//! Where the session is on this machine, the engine itself tries TCP and (with the feature `http`)
//! plain HTTP. Elsewhere, and for HTTPS, a small script tries from inside the session, with the first
//! tool that is there: `bash`, `nc` or `python3` for TCP, `curl` or `wget` for HTTP.

#[cfg(feature = "http")]
mod http;
mod inside;
mod probe;
mod step;
#[cfg(test)]
#[cfg(unix)]
mod tests;

pub use step::WaitFor;
