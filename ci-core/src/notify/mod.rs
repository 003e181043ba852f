//! Tells people and forges how runs end: chats, webhooks, e-mail, commit statuses and checks.
//!
//! A [`NotifyPlan`] has [channels](Channel) and rules, from the section `notify` of the
//! [settings](crate::settings::NotifySettings) or from code. [`Notifier::start`] makes a
//! [sink](crate::event::Sink) of it for one run; [`Notifier::finish`], after the run, waits until what is
//! left went out, and says what did not. A channel that fails, hangs or is not there changes nothing in
//! the run.
//!
//! ```no_run
//! use ci_core::notify::{About, Chat, Delivery, Notifier, NotifyPlan};
//! use ci_core::run::{RunOptions, run};
//! use ci_core::settings::NotifyRule;
//! # async fn doc(workflow: ci_core::workflow::WorkflowSpec) -> Result<(), Box<dyn std::error::Error>> {
//!
//! let mut rule = NotifyRule::default();
//! rule.to.push("team".into());
//! rule.changed = true;
//! let plan = NotifyPlan::new()
//!     .channel("team", Chat::new("https://chat.example.org/hooks/1")?, Delivery::default())
//!     .rule(rule);
//! let (sink, notifier) = Notifier::start(plan, About::default());
//! let report = run(&workflow, RunOptions::new().sink(sink)).await?;
//! for failure in notifier.finish().await.failures {
//!     eprintln!("{failure}");
//! }
//! # let _ = report;
//! # Ok(())
//! # }
//! ```
//!
//! # Delivery
//! Each channel has a queue of its own. Notices that come within [`Delivery::batch`] go out as one
//! message, and so do those that come above [`Delivery::limit`]. A message that fails for a reason that
//! may pass is tried again after a growing pause, at least as long as the server's `Retry-After` asks.
//!
//! # Secrets
//! The settings name variables and never hold their values. What a channel's server answers is masked
//! before it gets into a [`NotifyFailure`].

mod authorities;
mod channel;
mod chat;
mod courier;
mod email;
mod forge;
mod forge_body;
mod http;
mod notice;
mod notifier;
mod outbox;
mod plan;
mod retry_after;
mod route;
#[cfg(test)]
mod tests;
mod text;
mod webhook;

pub use authorities::Authorities;
pub use channel::{Channel, Delivery, Message, SendError, SendErrorKind};
pub use chat::Chat;
pub use email::{Email, EmailLogin};
pub use forge::{Forge, ForgeReport};
pub use notice::{Change, Notice, NoticeKind};
pub use notifier::{About, Notifier, NotifyFailure, NotifyReport, NotifySink};
pub use plan::NotifyPlan;
pub use webhook::Webhook;
