//! The handle of the stand-in: starts it, says what goes wrong, looks at what there is.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::direct::Direct;
use super::http;
use super::model::{Delays, Model, Rule};
use crate::ec2::{Ec2Api, Instance, InstanceState};

/// What all who use the model share.
pub(super) type Shared = Arc<Mutex<Model>>;

pub(super) fn model(shared: &Shared) -> MutexGuard<'_, Model> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A stand-in for EC2, which ends when this is dropped.
#[derive(Debug)]
pub struct FakeEc2 {
    shared: Shared,
    server: Option<(SocketAddr, JoinHandle<()>)>,
}

impl FakeEc2 {
    /// Listens on a free loopback port.
    ///
    /// # Errors
    /// If there is no port to be had.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Shared::default();
        let server = tokio::spawn(http::serve(listener, Arc::clone(&shared)));
        Ok(Self {
            shared,
            server: Some((address, server)),
        })
    }

    /// Without a server: only for [`FakeEc2::api`].
    #[must_use]
    pub fn in_memory() -> Self {
        Self {
            shared: Shared::default(),
            server: None,
        }
    }

    /// Its address, such as `http://127.0.0.1:4566`; empty without a server.
    #[must_use]
    pub fn endpoint(&self) -> String {
        let server = self.server.as_ref();
        server.map_or_else(String::new, |(address, _)| format!("http://{address}"))
    }

    /// The same instances without HTTP between: for tests on virtual time.
    #[must_use]
    pub fn api(&self) -> Arc<dyn Ec2Api> {
        Arc::new(Direct(Arc::clone(&self.shared)))
    }

    /// Sets how long things take; nothing takes any time at first.
    pub fn delay(&self, delays: Delays) {
        model(&self.shared).delays = delays;
    }

    /// Adds calls that go wrong. The first rule that fits counts.
    pub fn fail(&self, rule: Rule) {
        model(&self.shared).rules.push(rule);
    }

    /// Lets everything go right again.
    pub fn heal(&self) {
        model(&self.shared).rules.clear();
    }

    /// Refuses an action such as `RunInstances` for want of permission.
    pub fn deny(&self, action: &str) {
        model(&self.shared).denied.insert(action.to_owned());
    }

    /// Sets the price of a spot instance, in US dollars for an hour.
    pub fn set_spot_price(&self, price: f64) {
        model(&self.shared).spot_price = price;
    }

    /// Sets the user data of all launch templates.
    pub fn set_template_data(&self, data: &[u8]) {
        model(&self.shared).template_data = Some(data.to_owned());
    }

    /// Adds an instance that nobody launched; gives its id.
    pub fn add(&self, state: InstanceState) -> String {
        model(&self.shared).add(state, None)
    }

    /// Sets what an instance printed while it started.
    pub fn set_console(&self, id: &str, text: &str) {
        model(&self.shared)
            .consoles
            .insert(id.to_owned(), text.to_owned());
    }

    /// Protects an instance against termination, or takes the protection away.
    pub fn protect(&self, id: &str, protected: bool) {
        model(&self.shared).protect(id, protected);
    }

    /// Takes a spot instance away.
    pub fn interrupt(&self, id: &str) {
        model(&self.shared).end(id, "Server.SpotInstanceTermination");
    }

    /// Ends an instance for a reason such as `Client.InstanceInitiatedShutdown`.
    pub fn end(&self, id: &str, reason: &str) {
        model(&self.shared).end(id, reason);
    }

    /// All instances there ever were.
    #[must_use]
    pub fn instances(&self) -> Vec<Instance> {
        model(&self.shared).instances()
    }

    /// The instances that cost something by the hour.
    #[must_use]
    pub fn live(&self) -> Vec<Instance> {
        let mut all = self.instances();
        all.retain(|instance| instance.state.is_up());
        all
    }

    /// The user data that an instance was launched with.
    #[must_use]
    pub fn user_data(&self, id: &str) -> Option<String> {
        let data = model(&self.shared).user_data(id)?;
        Some(String::from_utf8_lossy(&data).into_owned())
    }

    /// How many calls of an action there were.
    #[must_use]
    pub fn calls(&self, action: &str) -> usize {
        model(&self.shared).calls.get(action).copied().unwrap_or(0)
    }
}

impl Drop for FakeEc2 {
    fn drop(&mut self) {
        if let Some((_, server)) = &self.server {
            server.abort();
        }
    }
}
